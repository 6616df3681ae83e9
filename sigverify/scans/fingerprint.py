"""Copies of the same ink: a photocopy or a rescan of a signature, found by a 252-byte fingerprint of its shape.

The ink is brought to a common frame by its moments (centre, spread along and across, slant of its line), so that
shift, size and a slightly turned page do not matter; its coverage on an 18 x 56 grid, in four levels, is the
fingerprint. Two are compared by their correlation at the best of nine one-cell shifts. Nobody signs twice alike: two
genuine signatures of one writer stay below NEAR_COPY, a copy does not (``benchmarks/copies.py`` measures both).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pil

from sigverify.errors import Mismatch
from sigverify.records import Floats, Image

ROWS, COLUMNS, LEVELS = 18, 56, 4
BYTES = ROWS * COLUMNS // 4  # two bits a cell
REACH = 2.4  # standard deviations of the ink around its centre that the grid covers
GAIN = 2.0  # a cell half covered counts as full: a copy's strokes are wider or thinner than the original's
SAMPLING = 4  # samples a cell, each way

NEAR_COPY = 0.87
"""Similarity from which two inks are the same ink.

Measured by ``python benchmarks/copies.py SETS`` on the 125 training writers of BHSig260, repeats listed with the sets
left out. Pairs of genuine signatures of one writer that reach it: Bengali none of 7,844; Hindi 64 of 22,618, nearly all
unlisted repeats (the same ink with a word moved sideways: 65 pairs were looked at, one over the other, and 2 were
different signatures, 0.7 in 10,000 of all pairs). Simulated photocopies that reach it (turned by 1 degree, scaled by
10 %, JPEG quality 40, blurred, bilevel): Hindi 95 %, Bengali, with thinner pens, 83 %. Near-identical pairs listed with
the sets: 87 % and 6 of 8.
"""

SHIFTS = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
COARSE = 0.90  # a pool is first searched at a third of the resolution, where copies lie above this (measured: 0.956)
BLOCK = 256  # queries compared with the whole pool at a time


def fingerprint(ink: npt.NDArray[np.bool_] | Image) -> bytes:
    """BYTES bytes naming the shape of the ink (h, w): a mask, or a prepared image (0 paper, 255 ink). No ink: b""."""
    mask: npt.NDArray[np.bool_] = ink > 127 if ink.dtype == np.uint8 else ink.astype(np.bool_)
    where = np.flatnonzero(mask)
    if where.size == 0:
        return b""
    cells = _on_grid(mask, where)
    levels = np.minimum(cells * (GAIN * (LEVELS - 1) / 255) + 0.5, LEVELS - 1).astype(np.uint8).reshape(-1, 4)
    packed = levels[:, 0] | levels[:, 1] << 2 | levels[:, 2] << 4 | levels[:, 3] << 6
    return bytes(packed.astype(np.uint8))


def similarity(a: bytes, b: bytes) -> float:
    """In [0, 1], 1 = the same shape; symmetric. 0 where either is empty. Raises Mismatch for foreign fingerprints."""
    if not a or not b:
        return 0.0
    one, other = _unpack([a]), _unpack([b])
    return float(_best_shift(one, other)[0])


def find_copies(
    query: Sequence[bytes], pool: Sequence[bytes], threshold: float = NEAR_COPY
) -> list[list[tuple[int, float]]]:
    """For each query the pool members at least `threshold` similar: (position in pool, similarity), best first.

    A matrix product at a third of the resolution leaves a few candidates, which are then compared in full: one core
    takes about 0.1 ms a query for a pool of 10,000. Empty fingerprints match nothing.
    """
    found: list[list[tuple[int, float]]] = [[] for _ in query]
    asked = [i for i, print_ in enumerate(query) if print_]
    known = [i for i, print_ in enumerate(pool) if print_]
    if not asked or not known:
        return found
    held = _unpack([pool[i] for i in known])
    coarse = _coarse(held)
    for start in range(0, len(asked), BLOCK):
        part = asked[start : start + BLOCK]
        grids = _unpack([query[i] for i in part])
        rows, columns = np.nonzero(_coarse(grids) @ coarse.T >= min(COARSE, threshold))
        for row, column, score in zip(rows, columns, _in_full(grids, held, rows, columns), strict=True):
            if score >= threshold:
                found[part[row]].append((known[column], float(score)))
    return [sorted(copies, key=lambda copy: (-copy[1], copy[0])) for copies in found]


def _on_grid(mask: npt.NDArray[np.bool_], where: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Coverage 0..255 of (ROWS, COLUMNS) cells in the ink's own frame: centred, upright, spread to one."""
    centre_y, centre_x, slant, spread_y, spread_x = _moments(*np.divmod(where, mask.shape[1]))
    half_x, half_y = REACH * max(spread_x, 1.0), REACH * max(spread_y, 1.0)
    across, down = 2 * half_x / (COLUMNS * SAMPLING), 2 * half_y / (ROWS * SAMPLING)  # px a sample
    frame = (
        (across, 0.0, centre_x + 0.5 - half_x, slant * across, down, centre_y + 0.5 - half_y - slant * half_x)
    )  # fmt: skip
    size = (COLUMNS * SAMPLING, ROWS * SAMPLING)
    picture = Pil.fromarray(mask.view(np.uint8) * np.uint8(255))
    sampled = picture.transform(size, Pil.Transform.AFFINE, frame, Pil.Resampling.BILINEAR)
    return np.asarray(sampled.reduce(SAMPLING), dtype=np.float32)


def _moments(y: npt.NDArray[np.intp], x: npt.NDArray[np.intp]) -> tuple[float, float, float, float, float]:
    """Centre (y, x), slant dy / dx of the line through the ink, spread across that line and along x, px.

    Sums of whole numbers, so the same on every machine; and no BLAS, whose threads would wait busily beside the other
    processes that prepare scans (they took more time than all the rest of preparation).
    """
    n, across, down = x.size, int(x.sum()), int(y.sum())
    xx = n * int((x * x).sum()) - across * across
    xy = n * int((x * y).sum()) - across * down
    yy = n * int((y * y).sum()) - down * down
    slant = xy / max(xx, n)
    left_over = max(yy - 2 * slant * xy + slant * slant * xx, 0.0)
    return down / n, across / n, slant, left_over**0.5 / n, xx**0.5 / n


def _unpack(prints: Sequence[bytes]) -> Floats:
    """(n, ROWS + 2, COLUMNS + 2) float32 with a rim of paper, mean 0 and length 1 each."""
    foreign = next((len(p) for p in prints if len(p) != BYTES), None)
    if foreign is not None:
        raise Mismatch(
            "a fingerprint of another kind", got=f"{foreign} bytes", expected=f"{BYTES} bytes",
            next="prepare those signatures again with this release",
        )  # fmt: skip
    packed = np.frombuffer(b"".join(prints), dtype=np.uint8).reshape(len(prints), BYTES, 1)
    levels = (packed >> np.arange(0, 8, 2, dtype=np.uint8)) & np.uint8(3)
    cells = np.pad(levels.reshape(len(prints), ROWS, COLUMNS), ((0, 0), (1, 1), (1, 1)))
    return _unit(cells.astype(np.float32))


def _unit(grids: Floats) -> Floats:
    centred = grids - grids.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    unit: Floats = centred / np.maximum(length, np.float32(1e-6))
    return unit


def _coarse(grids: Floats) -> Floats:
    """(n, d) float32 unit vectors: cells averaged over about 3 x 3, for a first look."""
    n, rows, columns = grids.shape
    whole = np.pad(grids, ((0, 0), (0, -rows % 3), (0, -columns % 3)), mode="edge")
    cells = whole.reshape(n, whole.shape[1] // 3, 3, whole.shape[2] // 3, 3).mean(axis=(2, 4))
    return _unit(cells).reshape(n, -1)


def _in_full(grids: Floats, held: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Floats:
    """Similarity of grids[rows[i]] and held[columns[i]], a thousand pairs at a time."""
    scores = np.empty(rows.size, dtype=np.float32)
    for start in range(0, rows.size, 1000):
        pick = slice(start, start + 1000)
        scores[pick] = _best_shift(grids[rows[pick]], held[columns[pick]])
    return scores


def _best_shift(a: Floats, b: Floats) -> Floats:
    """(n,) largest correlation of a[i], moved by up to a cell, with b[i]; both (n, h, w), clipped to [0, 1].

    The rim is paper, so the moved grid loses no ink and a to b is the same as b to a.
    """
    scores = [np.einsum("nhw,nhw->n", np.roll(a, shift, axis=(1, 2)), b) for shift in SHIFTS]
    best: Floats = np.clip(np.max(scores, axis=0), 0.0, 1.0)
    return best
