"""Control 1, nuisance without references: can genuine and forged be told apart by what no hand made?

A probe sees plain numbers of one image (paper, ink grey, edges, stroke width) and no reference. It is fitted and
chosen on inner writer folds and scored on writers it never saw. EER >= 35 on the network's own input passes.
The same probe on the raw scans is reported beside it, ungated: what the sets would let a network cheat with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.errors import TooFewWriters
from sigverify.evaluation.intervals import Interval, WrittenScores, bootstrap_over_writers
from sigverify.evaluation.metrics import auc, eer, eer_rate

SMALLEST_EER = 0.35
OUTER, INNER, RESAMPLES = 5, 3, 500

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Probe:
    """`eer` (share) of the probe on unseen writers, its interval, the model chosen in each outer fold.

    `single` is the EER of each number alone, its direction learnt on other writers. `valid`: EER >= 35 per cent.
    """

    eer: float
    interval: Interval
    chosen: tuple[str, ...]
    single: dict[str, float]

    @property
    def valid(self) -> bool:
        return self.eer >= SMALLEST_EER


def nuisance_probe(
    numbers: Numbers, names: Sequence[str], genuine: npt.NDArray[np.bool_], writer_id: Any, seed: int = 0
) -> Probe:
    """Probe `numbers` (n, f), one row an image, for genuine (n,) bool against forged, writers (n,) kept apart.

    Logistic regression and gradient boosting compete on inner writer folds. Raises TooFewWriters below 10 writers.
    """
    writers = np.asarray(writer_id).astype(str)
    if len(np.unique(writers)) < 2 * OUTER or genuine.all() or not genuine.any():
        raise TooFewWriters(
            "too few writers for a nuisance probe",
            got=f"{len(np.unique(writers))} writers, {int((~genuine).sum())} forgeries",
            expected=f"{2 * OUTER} writers with genuine signatures and skilled forgeries",
        )
    held = np.nan_to_num(np.asarray(numbers, np.float64))
    score, chosen = _held_out(held, genuine, writers, seed)
    left, right = (WrittenScores(score[side], writers[side]) for side in (genuine, ~genuine))
    interval = bootstrap_over_writers(left, right, {"eer": eer_rate}, resamples=RESAMPLES, seed=seed)["eer"]
    single = {name: _single(held[:, i], genuine, writers) for i, name in enumerate(names)}
    return Probe(eer(score[genuine], score[~genuine]).rate, interval, tuple(chosen), single)


def _held_out(
    numbers: Numbers, genuine: npt.NDArray[np.bool_], writers: npt.NDArray[np.str_], seed: int
) -> tuple[Numbers, list[str]]:
    """Scores (n,) of images whose writers the fitted model never saw, and which model each fold chose."""
    from sklearn.model_selection import GroupKFold

    score, chosen = np.empty(len(numbers)), []
    for train, test in GroupKFold(OUTER, shuffle=True, random_state=seed).split(numbers, genuine, writers):
        name = _choose(numbers[train], genuine[train], writers[train], seed)
        model = _models(seed)[name].fit(numbers[train], genuine[train])
        score[test] = model.predict_proba(numbers[test])[:, 1]
        chosen.append(name)
    return score, chosen


def _choose(numbers: Numbers, genuine: npt.NDArray[np.bool_], writers: npt.NDArray[np.str_], seed: int) -> str:
    from sklearn.model_selection import GroupKFold

    quality = dict.fromkeys(_models(seed), 0.0)
    for train, test in GroupKFold(INNER, shuffle=True, random_state=seed).split(numbers, genuine, writers):
        if genuine[test].all() or not genuine[test].any():
            continue
        for name, model in _models(seed).items():
            chance = model.fit(numbers[train], genuine[train]).predict_proba(numbers[test])[:, 1]
            quality[name] += auc(chance[genuine[test]], chance[~genuine[test]])
    return max(quality, key=lambda name: quality[name])


def _models(seed: int) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "logistic regression": make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500)
        ),
        "gradient boosting": HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.15, max_leaf_nodes=15, class_weight="balanced", random_state=seed
        ),
    }


def _single(number: Numbers, genuine: npt.NDArray[np.bool_], writers: npt.NDArray[np.str_]) -> float:
    """EER of one number, higher or lower meaning genuine as the other writers' images say."""
    from sklearn.model_selection import GroupKFold

    score = np.empty(len(number))
    for train, test in GroupKFold(OUTER).split(number, genuine, writers):
        upward = auc(number[train][genuine[train]], number[train][~genuine[train]]) >= 0.5
        score[test] = number[test] if upward else -number[test]
    return eer(score[genuine], score[~genuine]).rate
