"""A probe: a plain classifier fitted to a table of numbers, chosen on inner writer folds, judged on unseen writers.

Every control that asks "could genuine and forged be told apart by this alone?" asks it of the same probe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.errors import TooFewWriters
from sigverify.evaluation.metrics import auc

OUTER, INNER = 5, 3  # writer folds
FEW = 3  # numbers: so few are read finely, for the size of a canvas tells only to the pixel
LOGISTIC, BOOSTING = "logistic regression", "gradient boosting"

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Writers = npt.NDArray[np.str_]


def held_out(
    numbers: Numbers, genuine: Mask, writers: Writers, seed: int = 0, models: Sequence[str] = (LOGISTIC, BOOSTING)
) -> tuple[Numbers, list[str]]:
    """Scores (n,) of rows whose writers the fitted model never saw, and which of `models` each outer fold chose.

    `numbers` (n, f) finite, `genuine` (n,), `writers` (n,). Raises TooFewWriters below 10 writers.
    """
    from sklearn.model_selection import GroupKFold
    from threadpoolctl import threadpool_limits

    _check(genuine, writers)
    seen = {LOGISTIC: numbers, BOOSTING: equal_bins(numbers, _bins(numbers.shape[1]))}
    score, chosen = np.empty(len(numbers)), []
    folds = GroupKFold(OUTER, shuffle=True, random_state=seed).split(numbers, genuine, writers)
    with threadpool_limits(1, user_api="openmp"):  # on so small tables threads mostly wait for each other
        for train, test in folds:
            inner = {name: seen[name][train] for name in models}
            name = _choose(inner, genuine[train], writers[train], seed)
            model = _models(seed, numbers.shape[1])[name].fit(seen[name][train], genuine[train])
            score[test] = model.predict_proba(seen[name][test])[:, 1]
            chosen.append(name)
    return score, chosen


def equal_bins(numbers: Numbers, bins: int) -> Numbers:
    """Every column (n, f) as the number of its bin, 0 to `bins` - 1, each holding about as many rows; ties share a bin.

    Labels play no part. A tree asks for the order of numbers only, and is slow to find the edges of many columns.
    """
    place = np.sort(numbers, axis=0)
    below = np.stack([np.searchsorted(place[:, j], numbers[:, j]) for j in range(numbers.shape[1])], axis=1)
    return (below * bins // len(numbers)).astype(np.float64)


def _check(genuine: Mask, writers: Writers) -> None:
    if len(np.unique(writers)) < 2 * OUTER or genuine.all() or not genuine.any():
        raise TooFewWriters(
            "too few writers for a nuisance probe",
            got=f"{len(np.unique(writers))} writers, {int((~genuine).sum())} forgeries",
            expected=f"{2 * OUTER} writers with genuine signatures and skilled forgeries",
        )


def _choose(seen: dict[str, Numbers], genuine: Mask, writers: Writers, seed: int) -> str:
    """The model with the best sum of AUCs over the inner folds; the first where nothing tells them apart.

    `seen` holds for each model the numbers it is given.
    """
    from sklearn.model_selection import GroupKFold

    if len(seen) == 1:
        return next(iter(seen))
    quality = dict.fromkeys(seen, 0.0)
    for train, test in GroupKFold(INNER, shuffle=True, random_state=seed).split(genuine, genuine, writers):
        if genuine[test].all() or not genuine[test].any():
            continue
        for name, numbers in seen.items():
            model = _models(seed, numbers.shape[1])[name].fit(numbers[train], genuine[train])
            chance = model.predict_proba(numbers[test])[:, 1]
            quality[name] += auc(chance[genuine[test]], chance[~genuine[test]])
    return max(quality, key=lambda name: quality[name])


def _bins(columns: int) -> int:
    return 255 if columns <= FEW else 32


def _models(seed: int, columns: int) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    depth: dict[str, Any] = {"max_iter": 60, "learning_rate": 0.15, "max_leaf_nodes": 15, "max_bins": _bins(columns)}
    if columns <= FEW:
        depth |= {"max_iter": 150, "learning_rate": 0.1, "max_leaf_nodes": 31}
    return {
        LOGISTIC: make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500)),
        BOOSTING: HistGradientBoostingClassifier(class_weight="balanced", random_state=seed, **depth),
    }
