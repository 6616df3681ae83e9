"""What scanners, forms and post rooms do to a scan: each stress takes grey pixels and gives the bytes of a file.

A stress changes nothing that a hand did. Strengths are those of shared practice in this project's record.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw
from scipy import ndimage

from sigverify.records import Image

SCALE, ROTATION_DEG, JPEG_QUALITY, LOW_DPI = 0.10, 5.0, 50, 150.0
USUAL_DPI = 300.0  # of a scan that does not say
_STAMP_SHARE, _LINE_SHARE = 0.45, 0.012  # of the scan's height: a stamp's diameter, a line's thickness

Stress = Callable[[Image, float | None, np.random.Generator], bytes]  # grey (h, w), dpi where known, chance -> a file


def as_png(image: Image) -> bytes:
    """A grey image (h, w) uint8 as a PNG file."""
    return _saved(Pil.fromarray(image), "PNG", compress_level=1)


def wider_strokes(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """Ink one pixel wider."""
    return as_png(ndimage.minimum_filter(image, size=2))


def thinner_strokes(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """Ink one pixel thinner."""
    return as_png(ndimage.maximum_filter(image, size=2))


def larger(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """The whole scan 10 % larger."""
    return as_png(_resized(image, 1 + SCALE))


def smaller(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """The whole scan 10 % smaller."""
    return as_png(_resized(image, 1 - SCALE))


def turned_left(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """Turned 5 degrees anticlockwise, the corners filled with paper."""
    return as_png(_turned(image, ROTATION_DEG))


def turned_right(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """Turned 5 degrees clockwise."""
    return as_png(_turned(image, -ROTATION_DEG))


def jpeg(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """JPEG of quality 50."""
    return _saved(Pil.fromarray(image), "JPEG", quality=JPEG_QUALITY)


def low_resolution(image: Image, dpi: float | None, _rng: np.random.Generator) -> bytes:
    """150 dpi; a scan that does not say its resolution counts as one of 300. A coarser scan stays as it is."""
    return as_png(_resized(image, min(1.0, LOW_DPI / (dpi or USUAL_DPI))))


def bilevel(image: Image, _dpi: float | None, _rng: np.random.Generator) -> bytes:
    """Two levels at Otsu's threshold, as the CCITT Group 4 TIFF that banks archive."""
    from skimage.filters import threshold_otsu

    flat = image.min() == image.max()
    threshold = 127 if flat else threshold_otsu(image)  # type: ignore[no-untyped-call]
    return _saved(Pil.fromarray((image > threshold).astype(np.uint8) * 255).convert("1"), "TIFF", compression="group4")


def line_across(image: Image, _dpi: float | None, rng: np.random.Generator) -> bytes:
    """A ruled line, nearly level and as dark as ink, through the middle half of the scan from edge to edge."""
    height, width = image.shape
    level, slope = rng.uniform(0.25, 0.75) * height, rng.uniform(-0.03, 0.03) * width
    picture = Pil.fromarray(image)
    ends = [(0, level - slope / 2), (width, level + slope / 2)]
    thickness = max(2, round(_LINE_SHARE * height))
    ImageDraw.Draw(picture).line(ends, fill=int(np.quantile(image, 0.01)), width=thickness)
    return as_png(np.asarray(picture))


def stamp_across(image: Image, _dpi: float | None, rng: np.random.Generator) -> bytes:
    """A round stamp, paler than ink, over a part of the signature: two rings and a bar."""
    height, width = image.shape
    radius = _STAMP_SHARE * height / 2
    across, down = rng.uniform(0.3, 0.7) * width, rng.uniform(0.35, 0.65) * height
    dark, paper = np.quantile(image, [0.01, 0.5])
    layer = Pil.new("L", (width, height), 255)
    pen, thickness, fill = ImageDraw.Draw(layer), max(2, round(_LINE_SHARE * height)), int(0.6 * dark + 0.4 * paper)
    for share in (1.0, 0.75):
        box = (across - share * radius, down - share * radius, across + share * radius, down + share * radius)
        pen.ellipse(box, outline=fill, width=thickness)
    pen.line([(across - 0.7 * radius, down), (across + 0.7 * radius, down)], fill=fill, width=2 * thickness)
    return as_png(np.minimum(image, np.asarray(layer)))


STRESSES: dict[str, Stress] = {
    "stroke_width_plus_1_px": wider_strokes,
    "stroke_width_minus_1_px": thinner_strokes,
    "scale_plus_10": larger,
    "scale_minus_10": smaller,
    "rotation_plus_5_deg": turned_left,
    "rotation_minus_5_deg": turned_right,
    "jpeg_quality_50": jpeg,
    "resolution_150_dpi": low_resolution,
    "bilevel": bilevel,
    "line_across": line_across,
    "stamp_across": stamp_across,
}


def _resized(image: Image, scale: float) -> Image:
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return (
        image if scale == 1 else np.asarray(Pil.fromarray(image).resize(size, Pil.Resampling.BICUBIC, reducing_gap=3))
    )


def _turned(image: Image, degrees: float) -> Image:
    paper = int(np.median(image))
    picture = Pil.fromarray(image).rotate(degrees, Pil.Resampling.BICUBIC, expand=True, fillcolor=paper)
    return np.asarray(picture)


def _saved(picture: Pil.Image, kind: str, **options: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **options)
    return held.getvalue()
