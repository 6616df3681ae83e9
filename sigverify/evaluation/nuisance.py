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

from sigverify.evaluation.intervals import Interval, WrittenScores, bootstrap_over_writers
from sigverify.evaluation.metrics import auc, eer, eer_rate
from sigverify.evaluation.probing import OUTER, Numbers, held_out

SMALLEST_EER = 0.35
RESAMPLES = 500


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
    held = np.nan_to_num(np.asarray(numbers, np.float64))
    score, chosen = held_out(held, genuine, writers, seed)
    left, right = (WrittenScores(score[side], writers[side]) for side in (genuine, ~genuine))
    interval = bootstrap_over_writers(left, right, {"eer": eer_rate}, resamples=RESAMPLES, seed=seed)["eer"]
    single = {name: _single(held[:, i], genuine, writers) for i, name in enumerate(names)}
    return Probe(eer(score[genuine], score[~genuine]).rate, interval, tuple(chosen), single)


def _single(number: Numbers, genuine: npt.NDArray[np.bool_], writers: npt.NDArray[np.str_]) -> float:
    """EER of one number, higher or lower meaning genuine as the other writers' images say."""
    from sklearn.model_selection import GroupKFold

    score = np.empty(len(number))
    for train, test in GroupKFold(OUTER).split(number, genuine, writers):
        upward = auc(number[train][genuine[train]], number[train][~genuine[train]]) >= 0.5
        score[test] = number[test] if upward else -number[test]
    return eer(score[genuine], score[~genuine]).rate
