"""How two embeddings are compared: by cosine, or by what they have in common. No distance leaves this package.

Cosine is for embeddings of any sign and length. Overlap is for cells, not negative and with a sum of one: the sum of
the smaller of each two numbers, 1 for equal rows, 0 for rows with nothing in common (histogram intersection, Swain and
Ballard, "Color indexing", IJCV 1991; for such rows 1 - |a - b| / 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from sigverify.errors import BadInput, BadSettings
from sigverify.records import Floats, Ints

_CHUNK = 500_000  # floats of a product held at once (2 MB: stays in a core's cache)


class Similarity(Protocol):
    """A way to compare embeddings; higher is more alike, 1 for a row and itself."""

    def scaled(self, values: Floats, name: str) -> Floats:
        """`values` as (n, d) float32 rows that `pairs` takes; a zero row stays zero.

        Raises BadInput where the shape is not (n, d) or a value is not finite.
        """
        ...

    def pairs(self, one: Floats, other: Floats) -> Floats:
        """(p, d) and (p, d), both scaled: (p,) float32."""
        ...

    def mutual(self, one: Floats, other: Floats) -> Floats:
        """As `pairs`, of references with one another: the same whichever comes first."""
        ...

    def table(self, one: Floats, other: Floats) -> Floats:
        """(n, d) and (m, d), both scaled: (n, m) float32."""
        ...


class Cosine:
    """Cosine of the angle between two embeddings, -1 to 1."""

    def scaled(self, values: Floats, name: str) -> Floats:
        return _divided(array := _checked(values, name), np.linalg.norm(array, axis=1, keepdims=True))

    def pairs(self, one: Floats, other: Floats) -> Floats:
        return np.asarray(np.einsum("pd,pd->p", one, other), np.float32)

    def mutual(self, one: Floats, other: Floats) -> Floats:
        return self.pairs(one, other)

    def table(self, one: Floats, other: Floats) -> Floats:
        products: Floats = one @ other.T
        return products


class Overlap:
    """What two embeddings of cells have in common, 0 to 1."""

    def scaled(self, values: Floats, name: str) -> Floats:
        array = _checked(values, name)
        if array.size and array.min() < 0:
            raise BadInput(f"{name} hold negative values", next="compare embeddings of this encoder by cosine")
        return _divided(array, array.sum(axis=1, keepdims=True))

    def pairs(self, one: Floats, other: Floats) -> Floats:
        return np.asarray(np.minimum(one, other).sum(axis=1), np.float32)

    def mutual(self, one: Floats, other: Floats) -> Floats:
        return self.pairs(one, other)

    def table(self, one: Floats, other: Floats) -> Floats:
        found = np.empty((len(one), len(other)), np.float32)
        for column, row in enumerate(other):
            found[:, column] = np.minimum(one, row).sum(axis=1)
        return found


class Turned:
    """Another similarity, where references are held upright and turned: the best of `parts` embeddings counts.

    A query has `size` numbers, a reference `parts` times as many; of a row that is asked with, the upright part counts.
    """

    def __init__(self, of: Similarity, parts: int, size: int) -> None:
        self.of, self.parts, self.size = of, parts, size

    def scaled(self, values: Floats, name: str) -> Floats:
        array = _checked(values, name)
        if array.shape[1] not in (self.size, self.size * self.parts):
            return self.of.scaled(array, name)  # another encoder's: the scorer says so
        return self.of.scaled(array.reshape(-1, self.size), name).reshape(array.shape)

    def pairs(self, one: Floats, other: Floats) -> Floats:
        asked = one[:, : self.size]
        best: Floats = np.max([self.of.pairs(asked, part) for part in self._parts(other)], axis=0)
        return best

    def mutual(self, one: Floats, other: Floats) -> Floats:
        best: Floats = np.maximum(self.pairs(one, other), self.pairs(other, one))
        return best

    def table(self, one: Floats, other: Floats) -> Floats:
        asked = one[:, : self.size]
        best: Floats = np.max([self.of.table(asked, part) for part in self._parts(other)], axis=0)
        return best

    def _parts(self, held: Floats) -> list[Floats]:
        return [held[:, start : start + self.size] for start in range(0, held.shape[1], self.size)]


_KNOWN: dict[str, Similarity] = {"cosine": Cosine(), "overlap": Overlap()}


def similarity_named(name: str) -> Similarity:
    """ "cosine" or "overlap". Raises BadSettings for another name."""
    if name not in _KNOWN:
        raise BadSettings("unknown similarity", got=repr(name), expected=" or ".join(_KNOWN))
    return _KNOWN[name]


def of_pairs(compare: Callable[[Floats, Floats], Floats], embeddings: Floats, one: Ints, other: Ints) -> Floats:
    """Similarities (p,) of rows `one` (p,) and `other` (p,) of scaled `embeddings` (n, d), piece by piece.

    `compare` is `pairs` or `mutual` of a similarity.
    """
    found = np.empty(len(one), np.float32)
    step = max(1, _CHUNK // max(1, embeddings.shape[1]))
    for start in range(0, len(one), step):
        part = slice(start, start + step)
        found[part] = compare(embeddings[one[part]], embeddings[other[part]])
    return found


def cosine(a: Floats, b: Floats) -> Floats:
    """Cosine of every row of `a` (n, d) with every row of `b` (m, d): (n, m) float32 in [-1, 1].

    Raises BadInput where the two come from encoders of different dimension.
    """
    way = Cosine()
    left, right = way.scaled(a, "embeddings"), way.scaled(b, "embeddings")
    if left.shape[1] != right.shape[1]:
        got = f"{left.shape[1]} and {right.shape[1]}"
        raise BadInput("embeddings of different dimension cannot be compared", got=got)
    return np.clip(way.table(left, right), -1, 1)


def _checked(values: Floats, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2:
        raise BadInput(f"{name} must be a table of embeddings", got=f"shape {array.shape}", expected="(n, d)")
    if not np.isfinite(array).all():
        raise BadInput(f"{name} hold values that are not finite", next="check the encoder's weights")
    return array


def _divided(array: Floats, by: Floats) -> Floats:
    found: Floats = np.divide(array, by, out=np.zeros_like(array), where=by > 0)
    return found
