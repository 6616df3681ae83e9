"""k reference scores become one: mean, max, median, or the middle of mean and max.

Max asks "does it resemble any reference", mean "does it resemble them all"; their middle keeps both kinds of evidence.
"""

from __future__ import annotations

import numpy as np

from sigverify.errors import BadInput, BadSettings
from sigverify.records import Floats


def fuse(scores: Floats, how: str = "mean_max") -> Floats:
    """Fuse over the last axis, the references: (..., k) -> (...) float32. With k = 1 every rule gives the score itself.

    Raises BadInput for k = 0, BadSettings for an unknown rule.
    """
    if scores.ndim < 1 or scores.shape[-1] == 0:
        raise BadInput("no reference scores to fuse", got=f"shape {scores.shape}", next="enrol the writer first")
    if how == "mean":
        return np.asarray(scores.mean(axis=-1), np.float32)
    if how == "max":
        return np.asarray(scores.max(axis=-1), np.float32)
    if how == "median":
        return np.asarray(np.median(scores, axis=-1), np.float32)
    if how == "mean_max":
        return np.asarray((scores.mean(axis=-1) + scores.max(axis=-1)) / 2, np.float32)
    raise BadSettings("unknown fusion", got=repr(how), expected="mean, max, median or mean_max")
