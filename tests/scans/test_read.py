"""Every kind of file a bank delivers is read; every kind of bad file is a reason, within bounded time and memory."""

from __future__ import annotations

import dataclasses
import io
import os
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadScan
from sigverify.records import Reason
from sigverify.scans.prepare import prepare_file, prepare_many
from sigverify.scans.read import file_digest, inspect_file, pixel_digest, read_page, read_scan
from tests.scans.drawing import bilevel_of, coverage, scan_of

CLEAN = PreprocessingSettings()
GREY = scan_of(coverage(0))
BILEVEL = bilevel_of(coverage(0))


def saved(picture: Pil.Image, format_: str, **options: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, format_, **options)
    return held.getvalue()


PNG = saved(Pil.fromarray(GREY), "PNG")
JPEG = saved(Pil.fromarray(GREY), "JPEG", quality=90)
G4 = saved(Pil.fromarray(BILEVEL).convert("1"), "TIFF", compression="group4", dpi=(200, 200))
RAW_TIFF = saved(Pil.fromarray(GREY), "TIFF")


def with_alpha() -> Pil.Image:
    layers = np.zeros((*GREY.shape, 4), dtype=np.uint8)
    layers[..., 3] = 255 - GREY  # black ink on nothing
    return Pil.fromarray(layers, "RGBA")


def turned() -> bytes:
    exif = Pil.Exif()
    exif[274] = 6  # stored lying on its side: turn clockwise to read
    return saved(Pil.fromarray(np.rot90(GREY)), "JPEG", quality=95, exif=exif)


GOOD = {
    "png": (PNG, 0),
    "jpeg": (JPEG, 20),
    "bmp": (saved(Pil.fromarray(GREY), "BMP"), 0),
    "tiff": (RAW_TIFF, 0),
    "palette": (saved(Pil.fromarray(GREY).convert("P"), "PNG"), 3),
    "rgb": (saved(Pil.fromarray(GREY).convert("RGB"), "PNG"), 1),
    "alpha on white": (saved(with_alpha(), "PNG"), 1),
    "grey and alpha": (saved(Pil.fromarray(GREY).convert("LA"), "PNG"), 1),
    "16 bit": (saved(Pil.fromarray(GREY.astype(np.uint16) * 257), "PNG"), 1),
    "float": (saved(Pil.fromarray(GREY.astype(np.float32) / 255), "TIFF"), 1),
    "cmyk jpeg": (saved(Pil.fromarray(GREY).convert("RGB").convert("CMYK"), "JPEG", quality=95), 20),
    "exif": (turned(), 20),
}


@pytest.mark.parametrize("kind", GOOD)
def test_every_kind_gives_the_same_grey_pixels(kind: str) -> None:
    data, tolerance = GOOD[kind]
    pixels = read_scan(data, CLEAN)
    assert pixels.dtype == np.uint8 and pixels.shape == GREY.shape
    assert np.abs(pixels.astype(int) - GREY).max() <= tolerance


def test_fax_tiff_is_black_on_white() -> None:
    np.testing.assert_array_equal(read_scan(G4, CLEAN), BILEVEL)
    facts = inspect_file(G4, CLEAN)
    assert (facts.width, facts.height, facts.mode, facts.format, facts.dpi, facts.pages) == (
        640,
        250,
        "1",
        "TIFF",
        200.0,
        1,
    )


def test_pages_are_numbered_from_nought() -> None:
    pages = [Pil.fromarray(scan_of(coverage(i))) for i in range(3)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert inspect_file(data, CLEAN).pages == 3
    for i in range(3):
        np.testing.assert_array_equal(read_scan(data, CLEAN, page=i), scan_of(coverage(i)))
    with pytest.raises(BadScan) as failure:
        read_scan(data, CLEAN, page=3)
    assert failure.value.reason is Reason.UNREADABLE


def test_a_later_tiff_page_that_is_damaged_costs_that_page_only() -> None:
    pages = [Pil.fromarray(scan_of(coverage(i))) for i in range(2)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    second = struct.unpack_from("<I", data, _after_first_directory(data))[0]
    broken = data[: second + 2] + b"\xff" * 24 + data[second + 26 :]
    np.testing.assert_array_equal(read_scan(data, CLEAN, page=0), scan_of(coverage(0)))
    assert prepare_file(broken, CLEAN, page=1).failure in (Reason.UNREADABLE, Reason.TRUNCATED)


def _after_first_directory(data: bytes) -> int:
    first = struct.unpack_from("<I", data, 4)[0]
    return first + 2 + 12 * struct.unpack_from("<H", data, first)[0]


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def bomb(width: int, height: int) -> bytes:
    pixels = zlib.compress(b"\0" * min(width * height, 10_000_000), 9)
    data = b"IDAT" + pixels
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return png_header(width, height) + struct.pack(">I", len(pixels)) + data + struct.pack(">I", zlib.crc32(data)) + end


def tiff_with(entries: list[tuple[int, int, int, int]]) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + body + struct.pack("<I", 0)


TIFF_BOMB = tiff_with(
    [(256, 4, 1, 30_000), (257, 4, 1, 30_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
)
STRIPS = tiff_with(
    [(256, 4, 1, 1), (257, 4, 1, 7_000_000), (273, 4, 7_000_000, 8), (279, 4, 7_000_000, 8), (278, 4, 1, 1)]
)

BAD = {
    "no bytes": (b"", Reason.EMPTY_FILE),
    "text": (b"item_id,writer_id\n1,2\n", Reason.NOT_AN_IMAGE),
    "pdf": (b"%PDF-1.7 ...", Reason.NOT_AN_IMAGE),
    "png header only": (PNG[:40], Reason.UNREADABLE),
    "half a png": (PNG[: len(PNG) // 2], Reason.TRUNCATED),
    "half a jpeg": (JPEG[: len(JPEG) // 2], Reason.TRUNCATED),
    "half a fax tiff": (G4[: len(G4) // 2], Reason.TRUNCATED),
    "half a tiff": (RAW_TIFF[: len(RAW_TIFF) // 2], Reason.TRUNCATED),
    "a png's pixels are noise": (PNG[:60] + bytes(range(256)) * 8, Reason.UNREADABLE),
    "bomb": (bomb(30_000, 30_000), Reason.TOO_MANY_PIXELS),
    "smaller bomb": (bomb(9_000, 9_000), Reason.TOO_MANY_PIXELS),
    "tiff bomb": (TIFF_BOMB, Reason.TOO_MANY_PIXELS),
    "seven million strips": (STRIPS, Reason.UNREADABLE),
    "no pixels": (png_header(0, 10), Reason.UNREADABLE),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_has_its_reason(kind: str, tmp_path: Path) -> None:
    data, reason = BAD[kind]
    path = tmp_path / "Jane-Doe.png"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        with pytest.raises(BadScan) as failure:
            read_scan(source, CLEAN)
        assert failure.value.reason is reason
        assert "Jane" not in str(failure.value)  # a file name may hold an identity
    assert prepare_file(path, CLEAN).failure is reason


@pytest.mark.parametrize("kind", ["bomb", "smaller bomb", "tiff bomb", "seven million strips", "no bytes", "text"])
def test_admission_refuses_by_the_header_alone(kind: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadScan) as failure:
        inspect_file(BAD[kind][0], CLEAN)
    assert failure.value.reason is BAD[kind][1]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB: nothing was decoded


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(CLEAN.max_file_bytes + 1)  # sparse
    assert prepare_file(path, CLEAN).failure is Reason.FILE_TOO_LARGE
    small = dataclasses.replace(CLEAN, max_file_bytes=100)
    assert prepare_file(PNG, small).failure is Reason.FILE_TOO_LARGE


def test_things_that_are_no_files(tmp_path: Path) -> None:
    assert prepare_file(tmp_path / "absent.png", CLEAN).failure is Reason.FILE_MISSING
    assert prepare_file(tmp_path, CLEAN).failure is Reason.NOT_AN_IMAGE
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert prepare_file(pipe, CLEAN).failure is Reason.NOT_AN_IMAGE  # and does not wait for a writer


@pytest.mark.parametrize("data", [PNG, JPEG, G4, RAW_TIFF], ids=["png", "jpeg", "g4", "tiff"])
def test_no_damage_escapes_as_another_exception(data: bytes) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data[: rng.integers(1, len(data) + 1)])
        for position in rng.integers(0, len(damaged), 8):
            damaged[position] = rng.integers(256)
        done = prepare_file(bytes(damaged), CLEAN)
        assert (done.image is None) == (done.failure is not None)


def test_digests_name_bytes_and_pixels() -> None:
    again = saved(Pil.fromarray(GREY), "PNG", compress_level=1)
    assert file_digest(PNG) != file_digest(again)
    assert pixel_digest(read_scan(PNG, CLEAN)) == pixel_digest(read_scan(again, CLEAN))
    assert pixel_digest(GREY) != pixel_digest(GREY.reshape(640, 250))  # the same bytes, another shape


def test_many_workers_give_what_one_gives(tmp_path: Path) -> None:
    sources: list[bytes] = [
        PNG,
        b"",
        G4,
        JPEG[:500],
        *(saved(Pil.fromarray(scan_of(coverage(i))), "PNG") for i in range(36)),
    ]
    seen: list[tuple[int, int]] = []
    serial = prepare_many(sources, CLEAN, on_progress=lambda done, of: seen.append((done, of)))
    spread = prepare_many(sources, CLEAN, workers=2)
    assert seen == [(i, 40) for i in range(1, 41)]
    assert [p.failure for p in serial[:4]] == [None, Reason.EMPTY_FILE, None, Reason.TRUNCATED]
    for one, other in zip(serial, spread, strict=True):
        assert (one.failure, one.fingerprint, one.measures) == (other.failure, other.fingerprint, other.measures)
        np.testing.assert_array_equal(np.asarray(one.image), np.asarray(other.image))


@pytest.mark.parametrize(
    ("stated", "known"),
    [((300, 300), (300.0, 300.0)), ((204, 98), (204.0, 98.0)), ((72, 72), None), (None, None), ((9600, 9600), None)],
)
def test_a_resolution_that_no_scanner_has_is_not_known(stated: tuple[int, int] | None, known: object) -> None:
    held = io.BytesIO()
    Pil.fromarray(np.full((40, 60), 200, np.uint8)).save(held, "TIFF", **({} if stated is None else {"dpi": stated}))
    image, dpi = read_page(held.getvalue(), PreprocessingSettings())
    assert image.shape == (40, 60) and dpi == (known if known is None else pytest.approx(known, abs=0.1))


def test_the_resolution_is_turned_with_a_picture_that_lies_on_its_side() -> None:
    held, facts = io.BytesIO(), Pil.Exif()
    facts[0x0112] = 6
    Pil.fromarray(np.full((40, 60), 200, np.uint8)).save(held, "JPEG", dpi=(200, 300), exif=facts)
    image, dpi = read_page(held.getvalue(), PreprocessingSettings())
    assert image.shape == (60, 40) and dpi == (300.0, 200.0)
