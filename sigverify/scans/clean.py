"""Ink on paper: the paper's level is estimated locally, ink is what lies well below it, dust is dropped.

The threshold is not Otsu's (which fails on two levels and on faint pens) but *half the local depth of the ink*: the edge
of a stroke then lies where the pen's edge was, whether the scan is grey or bilevel, the pen dark or faint, the paper
white or yellow (Bernsen's local contrast threshold, 1986, with a floor taken from the paper's own noise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pil
from scipy import ndimage

from sigverify.records import Image

Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]  # top, left, bottom, right

BLOCKS_ACROSS = 80  # the paper is sampled in blocks of 1/80 of the long side (8 px at 640 px)
PAPER_WINDOW = 9  # blocks; wider than any filled blob of ink, narrower than a shadow
MAX_SHADOW = 90  # grey levels the paper may lie below the page's own paper level before it counts as ink
NOISE_FLOOR = 26.0  # grey levels: shallower marks are never ink (1.5 steps of a scan kept at 16 grey levels)
NOISE_WIDTHS = 5.0  # standard deviations of the paper's noise
FAINT_SHARE = 0.25  # of the page's ink depth: shallower marks are bleed-through, background print or residue
EDGE_SHARE = 0.5  # of the local ink depth: where a stroke's edge is
DUST_REACH = 6  # specks up to this many times the smallest kept one are dust when they lie outside all other ink ...
DUST_MARGIN = 0.03  # ... by more than this share of its long side


@dataclass(frozen=True)
class Ink:
    """The ink of one view of a scan. Arrays are (h, w) of that view; levels are grey levels of the scan."""

    mask: Mask
    depth: Image  # how far each pixel lies below its paper, 0 = paper or lighter
    paper_level: float  # typical grey level of the paper
    noise: float  # standard deviation of the paper, grey levels


def find_ink(view: Image) -> Ink:
    """Ink mask of `view` (h, w) uint8, 255 white, before dust is removed. Any content is accepted."""
    paper = _paper(view)
    depth = np.maximum(paper, view) - view
    offset, noise = _paper_noise(depth)
    floor = offset + max(NOISE_FLOOR, NOISE_WIDTHS * noise)
    page_depth = _ink_depth(depth, floor)
    floor = max(floor, offset + FAINT_SHARE * (page_depth - offset))
    mask = depth > np.maximum(_edge_level(depth, offset), np.uint8(min(floor, 254.0)))
    return Ink(mask, depth, float(np.median(paper)) - offset, noise)


def drop_dust(mask: Mask, min_area: float) -> Mask:
    """`mask` without connected parts smaller than `min_area` px, nor slightly larger ones well outside all other ink."""
    labels, n = ndimage.label(mask, structure=np.ones((3, 3), dtype=bool))
    if n == 0:
        return mask
    areas = np.bincount(labels.ravel(), minlength=n + 1)
    areas[0] = 0
    keep = areas >= min_area
    suspects = np.flatnonzero(keep & (areas < DUST_REACH * min_area))
    if 0 < suspects.size < np.count_nonzero(keep):
        keep[suspects] = _near_main_ink(labels, areas >= DUST_REACH * min_area, suspects)
    cleaned: Mask = keep[labels]
    return cleaned


def bounding_box(mask: Mask) -> Box | None:
    """(top, left, bottom, right) of the true pixels, bottom and right exclusive; None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def resize(image: Image, height: int, width: int) -> Image:
    """Anti-aliased resampling of a uint8 image, either way."""
    filter_ = Pil.Resampling.HAMMING if width < image.shape[1] else Pil.Resampling.BICUBIC
    return np.asarray(Pil.fromarray(image).resize((width, height), filter_))


def _paper(view: Image) -> Image:
    """(h, w) uint8: the paper's local level. A closing of the brightest level of each block, smoothed."""
    brightest = _block_max(view)
    closed = ndimage.grey_closing(brightest, size=(PAPER_WINDOW, PAPER_WINDOW), mode="nearest")
    lit = max(int(np.percentile(closed, 75)) - MAX_SHADOW, 0)
    smooth = ndimage.uniform_filter(np.maximum(closed, np.uint8(lit)), size=3, mode="nearest")
    return _stretch(smooth, view.shape)


def _edge_level(depth: Image, offset: float) -> Image:
    """(h, w) uint8: half the depth of the ink nearby, the level at which a stroke has its edge."""
    deepest = ndimage.maximum_filter(_block_max(depth), size=3, mode="nearest").astype(np.float32)
    level = offset + EDGE_SHARE * np.maximum(deepest - offset, 0.0)
    return _stretch(np.clip(level, 0, 254).astype(np.uint8), depth.shape)


def _block_max(values: Image) -> Image:
    """Largest value of each block of max(2, long side / 80) px; the last block of a row or column may be smaller."""
    block = max(2, -(-max(values.shape) // BLOCKS_ACROSS))
    rows = np.maximum.reduceat(values, np.arange(0, values.shape[0], block), axis=0)
    return np.maximum.reduceat(rows, np.arange(0, values.shape[1], block), axis=1)


def _stretch(blocks: Image, shape: tuple[int, ...]) -> Image:
    return np.asarray(Pil.fromarray(blocks).resize((shape[1], shape[0]), Pil.Resampling.BILINEAR))


def _paper_noise(depth: Image) -> tuple[float, float]:
    """Median depth of the paper and its standard deviation: most of any scan is paper, so the lower half is."""
    counts = np.cumsum(np.bincount(depth[::2, ::2].ravel(), minlength=256))
    low, median = (float(np.searchsorted(counts, q * counts[-1])) for q in (0.1, 0.5))
    return median, (median - low) / 1.2816  # the 10 % quantile of a normal lies 1.2816 deviations below its median


def _ink_depth(depth: Image, floor: float) -> float:
    """The depth of a well inked stroke: the mean of depths weighted by depth, so that a lot of residue counts little."""
    counts = np.bincount(depth.ravel(), minlength=256).astype(np.float64)
    levels = np.arange(256.0)
    counts[levels <= floor] = 0.0
    total = float(counts @ levels)
    return float(counts @ levels**2) / total if total else floor


def _near_main_ink(labels: npt.NDArray[np.int32], main: Mask, suspects: npt.NDArray[np.intp]) -> list[bool]:
    """For each suspect part: does it touch the main ink's box, widened by DUST_MARGIN of its long side?"""
    boxes = ndimage.find_objects(labels)
    rows, columns = zip(*(boxes[i - 1] for i in np.flatnonzero(main)), strict=True)
    top, bottom = min(r.start for r in rows), max(r.stop for r in rows)
    left, right = min(c.start for c in columns), max(c.stop for c in columns)
    reach = DUST_MARGIN * max(bottom - top, right - left)
    near = []
    for row, column in (boxes[i - 1] for i in suspects):
        above_below = max(top - row.stop, row.start - bottom)
        beside = max(left - column.stop, column.start - right)
        near.append(max(above_below, beside) <= reach)
    return near
