"""Ink on paper: the paper's level is estimated locally, ink is what lies well below it, dust is dropped.

The threshold is not Otsu's (which fails on two levels and on faint pens) but *a share of the local depth of the ink*:
the edge of a stroke then lies where the pen's edge was, whether the scan is grey or bilevel, the pen dark or faint, the
paper white or yellow (Bernsen's local contrast threshold, 1986, with a floor taken from the paper's own noise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pil
from scipy import ndimage

from sigverify.records import Image

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]
Box = tuple[int, int, int, int]  # top, left, bottom, right

BLOCKS_ACROSS = 80  # the paper is sampled in blocks of 1/80 of the long side (8 px at 640 px)
PAPER_WINDOW = 9  # blocks; wider than any filled blob of ink, narrower than a shadow
MAX_SHADOW = 90  # grey levels the paper may lie below the page's own paper level before it counts as ink
NOISE_FLOOR = 26.0  # grey levels: shallower marks are never ink (1.5 steps of a scan kept at 16 grey levels)
NOISE_WIDTHS = 5.0  # standard deviations of the paper's noise
FAINT_SHARE = 0.25  # of the page's ink depth: shallower marks are bleed-through, background print or residue
EDGE_SHARE = 0.4  # of the local ink depth: where a stroke's edge is; half would break strokes where the pen lifts
DUST_SHARE = 0.02  # of all ink: a part this large is never dust, however small the signature on its sheet
FULL_SHARE = 0.5  # of the page's ink depth: every part of a signature holds some ink at least this deep
DUST_REACH = 6  # specks up to this many times the smallest kept one are dust when they lie outside all other ink ...
DUST_MARGIN = 0.03  # ... by more than this share of its long side


@dataclass(frozen=True)
class Ink:
    """The ink of one view of a scan. Arrays are (h, w) of that view; levels are grey levels of the scan."""

    mask: Mask
    depth: Image  # how far each pixel lies below its paper, 0 = paper or lighter
    page_depth: float  # how far a well inked stroke lies below its paper, grey levels
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
    return Ink(mask, depth, page_depth, float(np.median(paper[::8, ::8])) - offset, noise)


def drop_dust(mask: Mask, ink: Ink, min_area: float) -> Mask:
    """`mask` without parts smaller than `min_area` px or faint throughout, nor larger ones well outside all other ink.

    Parts are found at half resolution (four times faster), and ink within about 4 px belongs to one part: a faint
    stroke that broke into crumbs is not dust. (A row of crumbs with no full ink among it is a streak of the scanner.)
    """
    counts = _pair_sums(mask)  # ink pixels of each 2 x 2 cell
    labels, n = ndimage.label(ndimage.maximum_filter(counts, size=3), structure=np.ones((3, 3), dtype=bool))
    cells = np.flatnonzero(counts)
    if cells.size == 0:
        return mask
    owner = labels.ravel()[cells]
    areas = np.bincount(owner, weights=counts.ravel()[cells], minlength=n + 1)
    full = _pair_sums(mask & (ink.depth > FULL_SHARE * ink.page_depth)).ravel()[cells]
    large = DUST_SHARE * areas.sum()
    keep = (areas >= min(min_area, large)) & (np.bincount(owner, weights=full, minlength=n + 1) >= 0.25 * min_area)
    main = keep & (areas >= min(DUST_REACH * min_area, large))
    rows, columns = np.divmod(cells, counts.shape[1])
    near = _near(rows, columns, main[owner]) if main.any() else np.ones_like(rows, dtype=bool)
    keep &= main | (np.bincount(owner, weights=near, minlength=n + 1) > 0)
    dust = ~keep[owner]
    rows, columns = rows[dust], columns[dust]
    clean = np.pad(mask, ((0, mask.shape[0] % 2), (0, mask.shape[1] % 2)))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        clean[2 * rows + row, 2 * columns + column] = False
    return clean[: mask.shape[0], : mask.shape[1]]


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
    lit = max(int(np.partition(closed, 3 * closed.size // 4, axis=None)[3 * closed.size // 4]) - MAX_SHADOW, 0)
    smooth = ndimage.uniform_filter(np.maximum(closed, np.uint8(lit)), size=3, mode="nearest")
    return _stretch(smooth, view.shape)


def _edge_level(depth: Image, offset: float) -> Image:
    """(h, w) uint8: a share of the depth of the ink nearby, the level at which a stroke has its edge."""
    deepest = ndimage.maximum_filter(_block_max(depth), size=3, mode="nearest").astype(np.float32)
    level = offset + EDGE_SHARE * np.maximum(deepest - offset, 0.0)
    return _stretch(np.clip(level, 0, 254).astype(np.uint8), depth.shape)


def _block_max(values: Image) -> Image:
    """Largest value of each block of max(2, long side / 80) px; blocks at the end repeat the last row or column."""
    block = max(2, -(-max(values.shape) // BLOCKS_ACROSS))
    return _max_of_rows(_max_of_rows(values, block).T, block).T


def _max_of_rows(values: Image, block: int) -> Image:
    """(h, w) -> (ceil(h / block), w): the largest of each `block` consecutive rows."""
    short = -values.shape[0] % block
    whole = np.concatenate([values, np.repeat(values[-1:], short, axis=0)]) if short else values
    top = whole[::block].copy()
    for row in range(1, block):
        np.maximum(top, whole[row::block], out=top)
    return top


def _pair_sums(mask: Mask) -> Image:
    """(h, w) bool -> (ceil(h / 2), ceil(w / 2)) uint8: true pixels of each 2 x 2 cell."""
    even = np.pad(mask, ((0, mask.shape[0] % 2), (0, mask.shape[1] % 2))).view(np.uint8)
    rows = even[::2] + even[1::2]
    return rows[:, ::2] + rows[:, 1::2]


def _stretch(blocks: Image, shape: tuple[int, ...]) -> Image:
    """Blocks as an (h, w) field: smooth at a quarter of the resolution, which is as fine as a field this slow needs."""
    quarter = (-(-shape[1] // 4), -(-shape[0] // 4))
    smooth = Pil.fromarray(np.ascontiguousarray(blocks)).resize(quarter, Pil.Resampling.BILINEAR)
    return np.asarray(smooth).repeat(4, axis=0).repeat(4, axis=1)[: shape[0], : shape[1]]


def _paper_noise(depth: Image) -> tuple[float, float]:
    """Median depth of the paper and its standard deviation: most of any scan is paper, so the lower half is."""
    counts = np.cumsum(np.bincount(depth[::3, ::3].ravel(), minlength=256))
    low, median = (float(np.searchsorted(counts, q * counts[-1])) for q in (0.1, 0.5))
    return median, (median - low) / 1.2816  # the 10 % quantile of a normal lies 1.2816 deviations below its median


def _ink_depth(depth: Image, floor: float) -> float:
    """The depth of a well inked stroke: the mean of depths weighted by depth, so that residue counts little."""
    sample = depth[::2, ::2]
    counts = np.bincount(sample[sample > floor], minlength=256)
    levels = np.arange(256.0)
    total = float(counts @ levels)
    return float(counts @ levels**2) / total if total else floor


def _near(rows: Positions, columns: Positions, main: Mask) -> Mask:
    """For each cell: does it lie in the box of the main ones, widened by DUST_MARGIN of its long side?"""
    top, bottom = rows[main].min(), rows[main].max()
    left, right = columns[main].min(), columns[main].max()
    reach = DUST_MARGIN * max(bottom - top, right - left)
    beside = np.maximum(left - columns, columns - right)
    near: Mask = np.maximum(np.maximum(top - rows, rows - bottom), beside) <= reach
    return near
