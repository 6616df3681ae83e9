"""What each place of a signature says for and against it: a score of cells taken apart again, exactly.

Overlap is a sum over cells, so a score beside the own references is one as well: what query and references have in
common in a cell, less what the references have in common there among themselves: all of it, where the score takes
`own_share` of it off, so the two differ by the rest. Nothing is estimated or sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigverify.config import ScoringSettings
from sigverify.errors import BadInput
from sigverify.records import Floats
from sigverify.scoring.normalisation import counting_pairs

Grids = Sequence[tuple[int, int, int]]  # (numbers a cell, rows, columns) of each expert, as they lie in an embedding


@dataclass(frozen=True)
class Evidence:
    """Cells (rows, columns); above 0 speaks for the query, below against. Both tables have the same sum."""

    query: Floats  # below 0: the query has here what the references lack, more than they lack of one another
    reference: Floats  # below 0: the references have here what the query lacks
    nearest: int  # the reference that resembles the query most, from 0

    @property
    def total(self) -> float:
        """How much more the query resembles the references than they one another (negative: less)."""
        return float(self.reference.sum())


def evidence(query: Floats, references: Floats, grids: Grids, settings: ScoringSettings) -> Evidence:
    """Embeddings of cells `query` (d,) and `references` (k, d), each with a sum of one, made of `grids`.

    The tables have the rows and columns of the finest grid; what a coarser cell says is spread evenly over the finer
    ones it covers. References that are held turned too are (k, parts, d), upright first: the part that is most alike
    counts, as in the score. With one reference, what references have in common is `settings.own_expected` of each cell,
    as in the score. Raises BadInput where d is not the size of the grids or there are no references.
    """
    size = sum(math.prod(grid) for grid in grids)
    held = references[:, None] if references.ndim == 2 else references
    if len(held) == 0 or query.shape != (size,) or held.shape[2:] != query.shape:
        raise BadInput("evidence needs embeddings of cells", got=(query.shape, references.shape), expected=size)
    near = _most_alike(held, query[None])
    common = _by_cell(np.minimum(near, query), grids)  # (k, rows, columns)
    totals = common.sum(axis=(1, 2))
    nearest = int(totals.argmax())
    agreement = (common.mean(axis=0) + common[nearest]) / 2  # as the mean_max fusion weighs them
    amount = _by_cell(near, grids)
    expected = _expected(held, amount.mean(axis=0), grids, settings)
    own, whole = _by_cell(query[None], grids)[0], (amount.mean(axis=0) + amount[nearest]) / 2
    lacking = agreement - expected
    beyond = lacking + (whole - own)  # the same, seen from the query: its surplus counts where it stands
    return Evidence(beyond, lacking, nearest)


def _most_alike(held: Floats, asked: Floats) -> Floats:
    """Of each of `held` (n, parts, d) the part that has most in common with its row of `asked` (n or 1, d): (n, d)."""
    best = np.minimum(held, asked[:, None]).sum(axis=2).argmax(axis=1)
    found: Floats = held[np.arange(len(held)), best]
    return found


def _expected(held: Floats, amount: Floats, grids: Grids, settings: ScoringSettings) -> Floats:
    """What two references have in common in each cell (rows, columns), drawn towards what is expected of anybody."""
    one, other = np.triu_indices(len(held), 1)
    there, back = (np.minimum(held[a, 0], _most_alike(held[b], held[a, 0])) for a, b in ((one, other), (other, one)))
    more = there.sum(axis=1) >= back.sum(axis=1)
    between = _by_cell(np.where(more[:, None], there, back), grids)
    counting = counting_pairs(between.sum(axis=(1, 2))[None], settings.odd_reference)[0]
    prior = settings.own_pairs * settings.own_expected * amount
    return np.asarray((between[counting].sum(axis=0) + prior) / (counting.sum() + settings.own_pairs), np.float32)


def _by_cell(values: Floats, grids: Grids) -> Floats:
    """(n, d) -> (n, rows, columns) of the finest grid: the sum over what is kept of each cell."""
    rows, columns = max(grid[1] for grid in grids), max(grid[2] for grid in grids)
    found = np.zeros((len(values), rows, columns), np.float32)
    start = 0
    for layers, tall, wide in grids:
        part = values[:, start : start + layers * tall * wide].reshape(len(values), layers, tall, wide).sum(axis=1)
        start += layers * tall * wide
        down, across = rows // tall, columns // wide
        found += part.repeat(down, axis=1).repeat(across, axis=2) / (down * across)
    return found
