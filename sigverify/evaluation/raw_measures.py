"""Plain numbers of a scan as it was delivered: what a network could tell genuine from forged by without a hand in it.

``measure_scan`` sees one image and nothing else; the probes of evaluation.data_probes take its columns in groups. Ink
is what Otsu's threshold calls ink (IEEE Trans. SMC 9, 1979), as in most published preprocessing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from sigverify.records import Image
from sigverify.scans.legacy import whiten
from sigverify.scans.quality import stroke_width

Mask = npt.NDArray[np.bool_]

PAPER = ("paper_level",)
CANVAS = ("canvas_height_px", "canvas_width_px")
QUANTILES = (1, 5, 10, 25, 50, 75, 90, 99)
GREY = (
    "ink_mean", "ink_spread", "ink_levels", *(f"ink_q{q:02d}" for q in QUANTILES), "rim_mean", "inside_mean",
    "rim_minus_inside", "ink_roughness", "edge_slope", "edge_slope_spread", "rim_slope",
)  # fmt: skip
STROKE = ("stroke_by_outline_px", "stroke_by_depth_px", "stroke_by_line_px")
SIZES = ("crop_height_px", "crop_width_px", "outline_px")
COUNTS = ("parts", "holes")
SHAPE = ("aspect", "ink_density", "centre_across", "centre_down", "slant")
LINES = ("line_length", "line_ends", "line_parts")
PIXEL_GEOMETRY = ("ink_area_px", *SIZES, STROKE[0], *COUNTS)
LENGTHS = (*CANVAS, *SIZES, *STROKE)  # px: they grow with the scan's resolution, ink_area_px with its square


def measure_scan(image: Image) -> dict[str, float]:
    """The columns of PAPER, CANVAS, GREY, STROKE, SIZES, COUNTS, SHAPE and ink_area_px for one scan.

    `image` (h, w) uint8, 255 white; lengths in its px, grey levels 0..255. An image of one level has paper and canvas
    alone.
    """
    height, width = image.shape
    numbers = {
        "paper_level": float(np.median(image)),
        "canvas_height_px": float(height),
        "canvas_width_px": float(width),
    }
    if image.min() == image.max():
        return numbers
    mask = whiten(image)[0]
    return numbers | _grey(image, mask) | _geometry(_cropped(mask))


def measure_lines(canvas: Image) -> dict[str, float]:
    """The columns of LINES: centre lines of a prepared image (h, w) uint8, 255 ink, free of its scan's size and pen.

    Length over the diagonal of the ink's box; ends and separate parts over that length.
    """
    from skimage.morphology import skeletonize

    mask = canvas > 127
    if not mask.any():
        return dict.fromkeys(LINES, 0.0)
    lines: Mask = skeletonize(mask)  # type: ignore[no-untyped-call]
    around = ndimage.convolve(lines.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant") - lines
    length = float(np.count_nonzero(lines)) / float(np.hypot(*_cropped(mask).shape))
    ends, parts = np.count_nonzero(lines & (around == 1)), ndimage.label(lines, np.ones((3, 3)))[1]
    return {"line_length": length, "line_ends": ends / length, "line_parts": parts / length}


def measure_ranks(canvas: Image) -> dict[str, float]:
    """Mean grey and edge slope of a prepared image whose ink darkness was replaced by its ranks: what grey is left."""
    ink = canvas[canvas > 0].astype(np.float32)
    slope = np.hypot(*np.gradient(canvas.astype(np.float32)))
    steep = slope[slope > 0]
    return {
        "ranked_mean": float(ink.mean()) if ink.size else 0.0,
        "ranked_slope": float(steep.mean()) if steep.size else 0.0,
    }


def _grey(image: Image, mask: Mask) -> dict[str, float]:
    """Ink and its edges against white paper."""
    ink = image[mask]
    rim = mask & ~ndimage.binary_erosion(mask)
    inside = mask & ~rim
    slope = np.hypot(*np.gradient(np.where(mask, image, 255).astype(np.float32)))
    steep = slope[slope > 0]
    beside = mask[:, 1:] & mask[:, :-1]
    steps = np.abs(np.diff(image.astype(np.int16), axis=1))[beside]
    rim_mean = float(image[rim].mean())
    inside_mean = float(image[inside].mean()) if inside.any() else rim_mean
    return {
        "ink_mean": float(ink.mean()),
        "ink_spread": float(ink.std()),
        "ink_levels": float(len(np.unique(ink))),
        **{f"ink_q{q:02d}": float(v) for q, v in zip(QUANTILES, np.percentile(ink, QUANTILES), strict=True)},
        "rim_mean": rim_mean,
        "inside_mean": inside_mean,
        "rim_minus_inside": rim_mean - inside_mean,
        "ink_roughness": float(steps.mean()) if steps.size else 0.0,
        "edge_slope": float(steep.mean()) if steep.size else 0.0,
        "edge_slope_spread": float(steep.std()) if steep.size else 0.0,
        "rim_slope": float(slope[rim].mean()),
    }


def _geometry(mask: Mask) -> dict[str, float]:
    """Two levels only: sizes, counts, stroke width and shape of a cropped mask (h, w)."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    spread = float(columns.var())
    slant = float(np.mean((columns - columns.mean()) * (rows - rows.mean()))) / spread if spread else 0.0
    return {
        "ink_area_px": float(len(rows)),
        "crop_height_px": float(height),
        "crop_width_px": float(width),
        "outline_px": float(np.count_nonzero(mask & ~ndimage.binary_erosion(mask))),
        "parts": float(ndimage.label(mask, np.ones((3, 3)))[1]),
        "holes": float(ndimage.label(~np.pad(mask, 1))[1] - 1),
        "aspect": width / height,
        "ink_density": len(rows) / mask.size,
        "centre_across": float(columns.mean()) / width,
        "centre_down": float(rows.mean()) / height,
        "slant": slant,
        **_strokes(mask),
    }


def _strokes(mask: Mask) -> dict[str, float]:
    """The pen's width read three ways, px: area over outline, mean depth in the ink, depth along centre lines."""
    from skimage.morphology import skeletonize

    ink = np.pad(mask, 1)
    depth = ndimage.distance_transform_edt(ink)
    lines: Mask = skeletonize(ink)  # type: ignore[no-untyped-call]
    return {
        "stroke_by_outline_px": stroke_width(ink),
        "stroke_by_depth_px": 4 * (float(depth[ink].mean()) - 0.5),
        "stroke_by_line_px": 2 * float(depth[lines].mean()) if lines.any() else 0.0,
    }


def _cropped(mask: Mask) -> Mask:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    inside: Mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return inside
