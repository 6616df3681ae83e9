"""Cosine similarity of embeddings: the only comparison the scoring code knows; no distance leaves this package."""

from __future__ import annotations

import numpy as np

from sigverify.errors import BadInput
from sigverify.records import Floats


def as_embeddings(values: Floats, name: str) -> Floats:
    """`values` as (n, d) float32, rows scaled to unit norm (a zero row stays zero).

    Raises BadInput where the shape is not (n, d) or a value is not finite.
    """
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2:
        raise BadInput(f"{name} must be a table of embeddings", got=f"shape {array.shape}", expected="(n, d)")
    if not np.isfinite(array).all():
        raise BadInput(f"{name} hold values that are not finite", next="check the encoder's weights")
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Floats = np.divide(array, norms, out=np.zeros_like(array), where=norms > 0)
    return unit


def cosine(a: Floats, b: Floats) -> Floats:
    """Cosine of every row of `a` (n, d) with every row of `b` (m, d): (n, m) float32 in [-1, 1].

    Raises BadInput where the two come from encoders of different dimension.
    """
    left, right = as_embeddings(a, "embeddings"), as_embeddings(b, "embeddings")
    if left.shape[1] != right.shape[1]:
        got = f"{left.shape[1]} and {right.shape[1]}"
        raise BadInput("embeddings of different dimension cannot be compared", got=got)
    products: Floats = left @ right.T
    return np.clip(products, -1, 1)
