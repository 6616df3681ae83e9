"""A file's bytes -> grey pixels, or the reason why not. Sizes are checked before anything is decoded.

Only the formats a bank delivers are opened (TIFF, PNG, JPEG, BMP), whatever a file is called. No error names the file:
a file name may hold an identity.
"""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pil
from PIL import ImageOps

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadScan
from sigverify.records import Image, Reason
from sigverify.scans.tiff import check_tiff

FORMATS = ("TIFF", "PNG", "JPEG", "BMP")
MAGIC = (b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")
MAX_PAGES = 256  # pages of one file that are counted or opened
SCANNERS_DPI = (98.0, 1200.0)  # fax has 98 lines an inch
ORIENTATION = 0x0112  # EXIF tag; from 5 on the picture lies on its side
FULL_16_BIT = 257.0  # 65535 / 255


@dataclass(frozen=True)
class FileFacts:
    """What the header says about the first page; `dpi` is None where unknown, `pages` is counted up to MAX_PAGES."""

    width: int  # px
    height: int  # px
    mode: str  # Pillow's: "1" bilevel, "L" grey, "RGB", "CMYK", ...
    format: str
    dpi: float | None
    pages: int


def read_scan(source: bytes | str | Path, settings: PreprocessingSettings, page: int = 0) -> Image:
    """Grey pixels (h, w) uint8, 255 white, of one page (from 0), upright (EXIF), transparency on white paper.

    Raises BadScan with the reason: empty_file, file_too_large, not_an_image, too_many_pixels, truncated, unreadable,
    file_missing. Nothing is decoded before the header's size is known to be within `settings.max_pixels`.
    """
    return read_page(source, settings, page)[0]


def read_page(
    source: bytes | str | Path, settings: PreprocessingSettings, page: int = 0
) -> tuple[Image, tuple[float, float] | None]:
    """As `read_scan`, with the resolution (across, down) in dpi; None where none is stated or no scanner has it."""
    data = read_file(source, settings)
    with _opened(data, settings) as picture:
        _turn_to(picture, page, settings)
        with _reasons():
            return _grey(picture), _resolution(picture)


def inspect_file(data: bytes, settings: PreprocessingSettings) -> FileFacts:
    """What the header says, without decoding; raises BadScan as `read_scan` does, as far as a header can tell."""
    with _opened(data, settings) as picture:
        dpi = picture.info.get("dpi")
        across = float(dpi[0]) if isinstance(dpi, tuple) and dpi and dpi[0] else 0.0
        facts = FileFacts(*picture.size, picture.mode, str(picture.format), across if across > 1 else None, 1)
        pages = _count_pages(picture)
    return FileFacts(facts.width, facts.height, facts.mode, facts.format, facts.dpi, pages)


def file_digest(data: bytes) -> str:
    """SHA-256 of a file's bytes, hex: the same delivery."""
    return hashlib.sha256(data).hexdigest()


def pixel_digest(image: Image) -> str:
    """SHA-256 of shape and grey pixels, hex: the same picture, however it was compressed."""
    digest = hashlib.sha256(f"{image.shape[0]}x{image.shape[1]}:".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def read_file(source: bytes | str | Path, settings: PreprocessingSettings) -> bytes:
    """A file's bytes, refused before reading when empty, too large or no ordinary file (BadScan)."""
    if isinstance(source, bytes):
        return source
    try:
        facts = Path(source).stat()
        if not stat.S_ISREG(facts.st_mode):
            raise BadScan(Reason.NOT_AN_IMAGE, "not an ordinary file")
        _check_bytes(facts.st_size, settings)
        return Path(source).read_bytes()
    except FileNotFoundError:
        raise BadScan(Reason.FILE_MISSING, "the file is not there") from None
    except OSError as error:
        raise BadScan(Reason.UNREADABLE, "the file cannot be read", got=error.strerror) from None


def _check_bytes(n: int, settings: PreprocessingSettings) -> None:
    if n == 0:
        raise BadScan(Reason.EMPTY_FILE, "the file is empty")
    if n > settings.max_file_bytes:
        raise BadScan(
            Reason.FILE_TOO_LARGE, "the file is too large", got=n, expected=f"at most {settings.max_file_bytes} bytes"
        )


def _check_pixels(width: int, height: int, settings: PreprocessingSettings) -> None:
    if width * height > settings.max_pixels:
        raise BadScan(
            Reason.TOO_MANY_PIXELS, "the header announces too many pixels",
            got=f"{width} x {height}", expected=f"at most {settings.max_pixels} in all", next="scan at 200-300 dpi",
        )  # fmt: skip
    if min(width, height) < 1:
        raise BadScan(Reason.UNREADABLE, "the header announces no pixels", got=f"{width} x {height}")


@contextmanager
def _opened(data: bytes, settings: PreprocessingSettings) -> Generator[Pil.Image]:
    """The picture with its header read and judged, nothing decoded; closed on leaving."""
    _check_bytes(len(data), settings)
    if not data.startswith(MAGIC):
        raise BadScan(Reason.NOT_AN_IMAGE, "not a TIFF, PNG, JPEG or BMP file", next="deliver one of these formats")
    check_tiff(data, settings.max_pixels)
    with _reasons():
        picture = Pil.open(io.BytesIO(data), formats=FORMATS)
    with picture:
        _check_pixels(*picture.size, settings)
        yield picture


@contextmanager
def _reasons() -> Generator[None]:
    """Whatever a decoder raises on hostile bytes becomes a BadScan: decoders raise a dozen unrelated types."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn about odd metadata; the size is checked here, not there
            yield
    except BadScan:
        raise
    except Pil.DecompressionBombError:
        raise BadScan(Reason.TOO_MANY_PIXELS, "the header announces too many pixels") from None
    except Exception as error:
        cut = any(word in str(error).lower() for word in ("truncated", "not processed", "unexpected end", "premature"))
        reason = Reason.TRUNCATED if cut or isinstance(error, EOFError) else Reason.UNREADABLE
        raise BadScan(reason, "the image cannot be decoded", got=type(error).__name__) from error


def _turn_to(picture: Pil.Image, page: int, settings: PreprocessingSettings) -> None:
    if page == 0:
        return
    if not 0 <= page < MAX_PAGES:
        raise BadScan(Reason.UNREADABLE, "no such page", got=page, expected=f"0 to {MAX_PAGES - 1}")
    try:
        with _reasons():
            picture.seek(page)
    except BadScan as error:
        raise BadScan(Reason.UNREADABLE, "the page cannot be read", got=f"page {page}") from error
    _check_pixels(*picture.size, settings)


def _count_pages(picture: Pil.Image) -> int:
    """Pages that can be reached, up to MAX_PAGES; leaves the picture on another page."""
    if not getattr(picture, "is_animated", False) and picture.format != "TIFF":
        return 1
    for page in range(1, MAX_PAGES):
        try:
            with _reasons():
                picture.seek(page)
        except BadScan:
            return page
    return MAX_PAGES


def scanned_at(dpi: float | None) -> float | None:
    """A stated resolution if a scanner can have it; programs that do not know theirs write 72 or 96."""
    return dpi if dpi is not None and SCANNERS_DPI[0] <= dpi <= SCANNERS_DPI[1] else None


def _resolution(picture: Pil.Image) -> tuple[float, float] | None:
    """As stated, turned with the picture."""
    stated = picture.info.get("dpi")
    if not isinstance(stated, tuple) or len(stated) != 2:
        return None
    across, down = (scanned_at(float(each)) for each in stated)
    if across is None or down is None:
        return None
    turned = "exif" in picture.info and picture.getexif().get(ORIENTATION, 1) >= 5
    return (down, across) if turned else (across, down)


def _grey(picture: Pil.Image) -> Image:
    if picture.format in ("JPEG", "MPO", "TIFF") or "exif" in picture.info:
        picture = ImageOps.exif_transpose(picture)
    mode = picture.mode
    if mode.startswith("I") or mode == "F":
        return _from_deep(np.asarray(picture))
    if "A" in mode or "a" in mode or "transparency" in picture.info:
        with_alpha = picture.convert("RGBA")
        paper = Pil.new("RGBA", with_alpha.size, "white")
        picture = Pil.alpha_composite(paper, with_alpha)
    if mode in ("CMYK", "YCbCr", "HSV"):
        picture = picture.convert("RGB")
    return np.asarray(picture if picture.mode == "L" else picture.convert("L"))


def _from_deep(values: npt.NDArray[np.generic]) -> Image:
    """More than 8 bits a pixel: integers span 16 bits, floats 0..1 (0..255 where any exceeds 1)."""
    levels = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if values.dtype.kind == "f":
        levels = levels * 255.0 if levels.max() <= 1.0 else levels
    elif levels.max() > 255.0:
        levels = levels / FULL_16_BIT
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)
