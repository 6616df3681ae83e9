"""What is trained on, and which part of it each step sees: P writers x (K genuine + F skilled forgeries).

The batch of a step is a function of (seed, step) alone, so an interrupted run goes on exactly where it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigverify.config import BatchSettings
from sigverify.errors import BadInput, BadSettings, TooFewWriters
from sigverify.records import Image, Ints

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SignatureSet:
    """Prepared signatures with the writer they belong to: for a forgery, the writer who was imitated.

    `images` (n, h, w) uint8, ink-positive; `writer` (n,) int64, any numbers; `forged` (n,) bool; `source` (n,) int64,
    which data set an image came from (None: one set).
    """

    images: Image
    writer: Ints
    forged: Bools
    source: Ints | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.images.ndim != 3 or self.images.dtype != np.uint8:
            raise BadInput(
                "a signature set holds prepared images",
                got=f"{self.images.dtype} {self.images.shape}",
                expected="uint8 (n, h, w)",
            )
        lengths = [len(self.writer), len(self.forged)] + ([] if self.source is None else [len(self.source)])
        if any(length != n for length in lengths):
            raise BadInput("every image needs a writer, a label and a source", got=f"{n} images, {lengths}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_writers(self) -> int:
        return len(np.unique(self.writer))

    @property
    def digest(self) -> str:
        """Eight hex digits naming pixels, writers and labels, in order."""
        value = zlib.crc32(np.ascontiguousarray(self.images).view(np.uint8).reshape(-1).data)
        for part in (self.writer.astype("<i8"), self.forged.astype("u1")):
            value = zlib.crc32(part.tobytes(), value)
        return f"{value:08x}"

    def select(self, rows: npt.NDArray[np.generic]) -> SignatureSet:
        """The rows given by indices or a mask, in that order."""
        source = None if self.source is None else self.source[rows]
        return SignatureSet(self.images[rows], self.writer[rows], self.forged[rows], source)


def join_sets(sets: Sequence[SignatureSet]) -> SignatureSet:
    """Several sets as one; writers stay apart (renumbered) and `source` says which set an image came from."""
    if not sets:
        raise BadInput("no sets to join")
    writers, first = [], 0
    for each in sets:
        names, number = np.unique(each.writer, return_inverse=True)
        writers.append(number.astype(np.int64) + first)
        first += len(names)
    source = np.repeat(np.arange(len(sets), dtype=np.int64), [len(each) for each in sets])
    return SignatureSet(
        np.concatenate([each.images for each in sets]),
        np.concatenate(writers),
        np.concatenate([each.forged for each in sets]),
        source,
    )


class Batches:
    """Rows of a set for each step. Every batch has the same size, P x (K + F), while the set has that many rows."""

    def __init__(self, data: SignatureSet, settings: BatchSettings, seed: int) -> None:
        """Raises TooFewWriters where fewer than two writers have two genuine signatures, BadSettings for odd shares."""
        if settings.writers < 2 or settings.genuine < 2 or settings.forgeries < 0:
            raise BadSettings("a batch needs >= 2 writers, >= 2 genuine, >= 0 forgeries", got=settings)
        self._settings, self._seed = settings, seed
        self._genuine, self._forged = _rows_of_writers(data)
        self._able = np.array([w for w, rows in enumerate(self._genuine) if len(rows) >= 2], np.int64)
        if len(self._able) < 2:
            raise TooFewWriters("training needs two writers with two or more genuine signatures", got=len(self._able))
        self._chance = _chance_of_writers(data, self._genuine, self._able, settings.source_shares)
        self._drawable = len(self._able) if self._chance is None else int(np.count_nonzero(self._chance))

    def draw(self, step: int) -> Ints:
        """Row numbers (n,) int64 of `step`: no row twice, each writer's genuine before its forgeries.

        Writers without enough images leave room that further writers fill.
        """
        rng = np.random.default_rng((self._seed, step))
        wanted = self._settings.writers * (self._settings.genuine + self._settings.forgeries)
        rows: list[npt.NDArray[np.int64]] = []
        drawn = 0
        for writer in rng.choice(self._able, size=self._drawable, replace=False, p=self._chance):
            if wanted - drawn < 2:
                break
            some = self._of_writer(int(writer), rng)[: wanted - drawn]
            rows.append(some)
            drawn += len(some)
        return np.concatenate(rows)

    def _of_writer(self, writer: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        genuine = rng.permutation(self._genuine[writer])[: self._settings.genuine]
        forged = rng.permutation(self._forged[writer])[: self._settings.forgeries]
        return np.concatenate([genuine, forged])


def _rows_of_writers(data: SignatureSet) -> tuple[list[Ints], list[Ints]]:
    """For each writer, in sorted order, the rows of its genuine signatures and of its forgeries."""
    _, number = np.unique(data.writer, return_inverse=True)
    count = int(number.max()) + 1 if len(number) else 0
    genuine: list[Ints] = [np.flatnonzero((number == w) & ~data.forged) for w in range(count)]
    forged: list[Ints] = [np.flatnonzero((number == w) & data.forged) for w in range(count)]
    return genuine, forged


def _chance_of_writers(
    data: SignatureSet, genuine: list[Ints], able: Ints, shares: tuple[float, ...]
) -> npt.NDArray[np.float64] | None:
    """Probability of each able writer, so that each source gets its share of the draws; None = all alike."""
    if not shares:
        return None
    source = np.zeros(len(data), np.int64) if data.source is None else data.source
    of_writer = np.array([source[genuine[w][0]] for w in able])
    if len(shares) != int(source.max()) + 1 or min(shares) < 0:
        count = int(source.max()) + 1
        raise BadSettings("source_shares needs one share >= 0 for each source", got=shares, expected=f"{count} shares")
    size = np.bincount(of_writer, minlength=len(shares))
    weight = (np.asarray(shares) / np.maximum(size, 1))[of_writer]
    if np.count_nonzero(weight) < 2:
        raise TooFewWriters("source_shares leave fewer than two writers", got=shares)
    return np.asarray(weight / weight.sum(), np.float64)
