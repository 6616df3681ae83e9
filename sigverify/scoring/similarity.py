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

SIZES = 2  # numbers of a physical size: width and height in mm
_CHUNK = 500_000  # floats of a product held at once (2 MB: stays in a core's cache)
_ROWS_AT_ONCE = 64  # of a table of overlaps: beyond that what is in common leaves the cache before it is summed
_ALREADY = 3e-5  # a sum of one, as near as numbers of half precision add up to it


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
        total = array.sum(axis=1, keepdims=True)
        return array if bool((np.abs(total - 1) < _ALREADY).all()) else _divided(array, total)

    def pairs(self, one: Floats, other: Floats) -> Floats:
        return np.asarray(np.minimum(one, other).sum(axis=1), np.float32)

    def mutual(self, one: Floats, other: Floats) -> Floats:
        return self.pairs(one, other)

    def table(self, one: Floats, other: Floats) -> Floats:
        if len(one) < len(other):  # the fewer rows, the fewer steps
            return self.table(other, one).T
        found = np.empty((len(one), len(other)), np.float32)
        for column, row in enumerate(other):
            for start in range(0, len(one), _ROWS_AT_ONCE):
                part = slice(start, start + _ROWS_AT_ONCE)
                found[part, column] = np.minimum(one[part], row).sum(axis=1)
        return found


class Sized:
    """Another similarity, less what speaks against it in physical size: the last two numbers of a row, in mm.

    `share` is taken off for each e-fold of difference in width and height (their mean, one at most): a signature twice
    as large loses 0.69 of it. Where a size is not known (0) nothing is taken off. For pairs, not for the writer as a
    whole, so a hand whose references differ in size is held to less, through their similarity to one another.
    """

    def __init__(self, of: Similarity, share: float) -> None:
        self.of, self.share = of, share

    def scaled(self, values: Floats, name: str) -> Floats:
        array = _checked(values, name)
        return np.concatenate([self.of.scaled(array[:, :-SIZES], name), array[:, -SIZES:]], axis=1)

    def pairs(self, one: Floats, other: Floats) -> Floats:
        alike = self.of.pairs(one[:, :-SIZES], other[:, :-SIZES])
        return alike - self._lost(one[:, -SIZES:], other[:, -SIZES:]) if self.share else alike

    def mutual(self, one: Floats, other: Floats) -> Floats:
        return self.pairs(one, other)

    def table(self, one: Floats, other: Floats) -> Floats:
        alike = self.of.table(one[:, :-SIZES], other[:, :-SIZES])
        return alike - self._lost(one[:, None, -SIZES:], other[None, :, -SIZES:]) if self.share else alike

    def _lost(self, one: Floats, other: Floats) -> Floats:
        return np.asarray(self.share * size_difference(one, other), np.float32)


def size_difference(one: Floats, other: Floats) -> Floats:
    """How far sizes (..., 2) in mm are apart: the mean of |ln ratio| over width and height, 1 at most; 0 if unknown."""
    known = (one > 0).all(axis=-1) & (other > 0).all(axis=-1)
    safe = [np.where(sizes > 0, sizes, 1.0) for sizes in (one, other)]
    apart = np.minimum(np.abs(np.log(safe[0] / safe[1])), 1.0).mean(axis=-1)
    return np.asarray(np.where(known, apart, 0.0), np.float32)


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
        each = self.of.table(one[:, : self.size], other.reshape(-1, self.size))  # (n, m * parts)
        best: Floats = each.reshape(len(one), len(other), -1).max(axis=2)
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
