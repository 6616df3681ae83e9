"""Ruled lines: the line people sign on, printed from edge to edge. They go, the strokes that cross them stay.

A rule is straight to a fraction of a pixel over most of the scan's width, nearly level, thin and evenly thick. A
flourish drawn by hand bends. What is taken away, column by column, is the rule itself and no stroke that passes through
it: as staff lines are taken out of scores (Dalitz, Droettboom, Pranzas & Fujinaga, A comparative study of staff removal
algorithms, 2008, "line track height").
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from sigverify.scans.clean import Mask

BANDS = 24  # across the width; a rule is looked for in each
FILLED = 0.55  # of a band's columns have ink in one row or the next where a rule passes
ACROSS = 0.8  # of the width is covered by a rule
ROUGHLY = 0.5  # of the width is met by the first guess at it, a pixel or two beside at an end
STEEPEST = 0.06  # rise over run, 3.4 degrees
STRAIGHT_PX = 0.45  # mean distance of a rule's middle from its straight line, at most; pixels alone make 0.25
THICKEST = 0.03  # of the scan's height, or THICKEST_PX at 640 px
THICKEST_PX = 4.0
THIN = 0.3  # of the width, at least, a rule runs by itself
MOST = 4  # rules taken out of one scan
MOST_PAIRS = 40_000  # of rows a line may join: a page with more is striped or dark, and holds no rule to be told apart

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Rule:
    """Row `level` + `slope` * column, `thickness` px; level at column 0."""

    level: float
    slope: float
    thickness: float


def thickest(height: int) -> float:
    """How thick a rule may be in a scan of `height` px, px."""
    return max(THICKEST_PX, THICKEST * height)


def drop_rules(mask: Mask, most: float | None = None) -> Mask:
    """`mask` (h, w) without its ruled lines; the mask itself where there is none.

    `most` is how thick they may be, px: `thickest` of the whole scan where the mask is only a part of it.
    """
    for _ in range(MOST):
        rule = find_rule(mask, most)
        if rule is None:
            break
        mask = _without(mask, rule)
    return mask


def find_rule(mask: Mask, most: float | None = None) -> Rule | None:
    """The ruled line across `mask` (h, w) that fills most of its width, at most `most` px thick, or None."""
    limit = thickest(len(mask)) if most is None else most
    width = mask.shape[1] // BANDS
    if width < 4 or mask.shape[0] < 8:
        return None
    starts = np.arange(BANDS) * width
    pairs = mask[:, : BANDS * width].copy()  # of rows: where a line one pixel thick steps, it is in neither alone
    pairs[:-1] |= pairs[1:]
    inked = np.add.reduceat(pairs.view(np.uint8), starts, axis=1, dtype=np.uint16)
    full = inked >= FILLED * width
    least = round(ACROSS * BANDS)
    if np.count_nonzero(full.any(axis=0)) < least:
        return None
    found = _best_line(full, starts + (width - 1) / 2, least, limit + STEEPEST * width + 1)
    return None if found is None else _refined(mask, *found, limit)


def _best_line(full: Mask, middles: Floats, least: int, limit: float) -> tuple[float, float] | None:
    """(level, slope) of the line through most filled bands (rows, BANDS); None where that is fewer than `least`.

    It starts and ends on filled rows with no more than `limit` others above and below: a rule, not a blot.
    """
    near = full.copy()  # a row counts for its neighbours: a slanting line fills a band's row only in part
    near[1:] |= full[:-1]
    near[:-1] |= full[1:]
    rows, bands = np.nonzero(full & ~_thick(full, ceil(limit) + 1))
    left, right = bands < BANDS // 4, bands >= BANDS - BANDS // 4
    if not 0 < np.count_nonzero(left) * np.count_nonzero(right) <= MOST_PAIRS:
        return None
    run = middles[bands[right]][None, :] - middles[bands[left]][:, None]
    slope = (rows[right][None, :] - rows[left][:, None]) / run
    level = rows[left][:, None] - slope * middles[bands[left]][:, None]
    level, slope = (
        np.unique(np.stack([level.ravel(), slope.ravel()], axis=1)[np.abs(slope.ravel()) <= STEEPEST], axis=0)
    ).T
    if not len(level):
        return None
    at = np.rint(level[:, None] + slope[:, None] * middles).astype(np.intp)
    inside = (at >= 0) & (at < len(full))
    there = np.clip(at, 0, len(full) - 1), np.arange(BANDS)
    through, exactly = ((held[there] & inside).sum(axis=1) for held in (near, full))
    best = int((through * (BANDS + 1) + exactly).argmax())
    # a row is full with the line in it or in the next: on average the line lies half a row further down
    return (float(level[best]) + 0.5, float(slope[best])) if through[best] >= least else None


def _thick(full: Mask, length: int) -> Mask:
    """Where a column of `full` has at least `length` filled rows in a row."""
    whole: Mask = ndimage.binary_opening(full, np.ones((length, 1), bool))
    return whole


def _refined(mask: Mask, level: float, slope: float, limit: float) -> Rule | None:
    """The same line fitted to the middles of the runs of ink it passes through; None where they are no rule."""
    columns, paper = np.arange(mask.shape[1]), _paper_beside(mask)
    for share in (ROUGHLY, ACROSS, ACROSS):
        top, bottom, held = _runs(mask, paper, level + slope * columns)
        if np.count_nonzero(held) < share * len(columns):
            return None
        thickness = float(np.quantile((bottom - top)[held], THIN))  # of the rule, where no stroke runs along it
        alone = held & (bottom - top <= thickness + 1)
        if np.count_nonzero(alone) < THIN * len(columns):
            return None
        middle = (top + bottom - 1)[alone] / 2
        slope, level = (float(number) for number in np.polyfit(columns[alone], middle, 1))
    away = np.abs(middle - level - slope * columns[alone])
    if away.mean() > STRAIGHT_PX or thickness > limit or abs(slope) > STEEPEST:
        return None
    return Rule(level, slope, thickness)


def _paper_beside(mask: Mask) -> tuple[Ints, Ints]:
    """Of each pixel of `mask` (h, w) the row of the nearest paper above it (-1: none) and below it (h: none)."""
    index = np.arange(len(mask))[:, None]
    above = np.maximum.accumulate(np.where(mask, -1, index), axis=0)
    below = np.minimum.accumulate(np.where(mask, len(mask), index)[::-1], axis=0)[::-1]
    return above, below


def _runs(mask: Mask, paper: tuple[Ints, Ints], rows: Floats) -> tuple[Ints, Ints, Mask]:
    """Of each column the run of ink at `rows` or a pixel beside: its first row, the row after it, if there is any."""
    height, width = mask.shape
    columns = np.arange(width)
    at = np.clip(np.rint(rows).astype(np.intp), 0, height - 1)
    held = np.zeros(width, bool)
    for shift in (0, -1, 1):
        there = np.clip(np.rint(rows).astype(np.intp) + shift, 0, height - 1)
        hit = mask[there, columns] & ~held
        at[hit], held = there[hit], held | hit
    above, below = paper
    return above[at, columns] + 1, below[at, columns], held


def _without(mask: Mask, rule: Rule) -> Mask:
    """`mask` without the rule: its rows go where no stroke passes through, or comes from one side only."""
    columns = np.arange(mask.shape[1])
    middle = rule.level + rule.slope * columns
    top, bottom, held = _runs(mask, _paper_beside(mask), middle)
    half = (rule.thickness + 1) / 2
    first, after = np.floor(middle - half).astype(np.intp), np.ceil(middle + half).astype(np.intp) + 1
    crossed = (top < first) & (bottom > after)
    index = np.arange(mask.shape[0])[:, None]
    clear = (index >= np.maximum(first, top)) & (index < np.minimum(after, bottom)) & held & ~crossed
    left: Mask = mask & ~clear
    return left
