"""Pairs of signatures that a pairwise baseline learns from: same writer or not, each a row index pair.

Positives are two genuine signatures of one writer. Negatives are a genuine signature with a skilled forgery of the
same writer, or with a genuine signature of another: never two forgeries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sigverify.errors import TooFewWriters
from sigverify.records import Ints, Label

if TYPE_CHECKING:
    import pandas as pd

GENUINE, SKILLED, RANDOM = 90, 90, 30  # pairs a writer, at most


def draw_pairs(signatures: pd.DataFrame, seed: int = 0) -> tuple[Ints, Ints, Ints]:
    """(one, other, same): rows (p,) of `signatures` and 1 for one writer's own hand, 0 for a forgery.

    Raises TooFewWriters below two writers with two genuine signatures, or without skilled forgeries.
    """
    genuine = (signatures["label"] == Label.GENUINE.value).to_numpy()
    writer = signatures["writer_id"].to_numpy(str)
    rng = np.random.default_rng(seed)
    found: list[tuple[Ints, Ints, int]] = []
    for name in np.unique(writer):
        own, forged = (np.flatnonzero((writer == name) & side) for side in (genuine, ~genuine))
        others = np.flatnonzero((writer != name) & genuine)
        if len(own) < 2 or not len(others):
            continue
        upper = np.triu_indices(len(own), 1)
        found.append((*_some(own[upper[0]], own[upper[1]], GENUINE, rng), 1))
        found.append((*_some(np.repeat(own, len(forged)), np.tile(forged, len(own)), SKILLED, rng), 0))
        found.append((rng.choice(own, RANDOM), rng.choice(others, RANDOM), 0))
    if len({writer[one[0]] for one, _, _ in found if len(one)}) < 2 or genuine.all():
        raise TooFewWriters(
            "too few writers to train a baseline on",
            got=f"{len(np.unique(writer))} writers, {int((~genuine).sum())} skilled forgeries",
            expected="2 or more with genuine signatures, and skilled forgeries of them",
        )
    same = np.concatenate([np.full(len(one), value, np.int64) for one, _, value in found])
    return np.concatenate([one for one, _, _ in found]), np.concatenate([two for _, two, _ in found]), same


def _some(one: Ints, other: Ints, most: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    kept = rng.permutation(len(one))[:most]
    return one[kept], other[kept]
