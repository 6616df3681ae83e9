"""Trials share their pairs: over many draws of references, a pair (query, reference) is scored once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sigverify.records import Floats, Ints


def over_distinct_pairs(score_pairs: Callable[[Ints, Ints], Floats], n: int, query: Ints, held: Ints) -> Floats:
    """Scores (t, k) of `query` (t,) with `held` (t, k), all rows of one table of `n`, each distinct pair scored once.

    `score_pairs(one, other)` scores rows (p,) against rows (p,).
    """
    code = query[:, None] * n + held
    distinct, place = np.unique(code, return_inverse=True)
    scores: Floats = score_pairs(distinct // n, distinct % n)[place.reshape(code.shape)]
    return scores
