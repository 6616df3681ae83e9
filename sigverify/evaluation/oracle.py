"""The oracle: each writer's own EER, averaged over writers. What many papers print; never a headline here.

A threshold of its own for every writer, chosen on the very trials it is measured on, is knowledge that no bank has:
the oracle lies below the EER of one global threshold by as much as writers differ in level.
"""

from __future__ import annotations

import numpy as np

from sigverify.evaluation.intervals import Interval, WrittenScores, percentile_interval, writer_counts
from sigverify.evaluation.metrics import Scores, eer


def own_eers(genuine: WrittenScores, forged: WrittenScores) -> dict[str, float]:
    """{claimed writer: EER (share) of that writer's trials, all draws together}; writers without one side left out."""
    left, right = _by_writer(genuine), _by_writer(forged)
    return {w: eer(left[w], right[w]).rate for w in sorted(left.keys() & right.keys())}


def oracle_eer(
    genuine: WrittenScores, forged: WrittenScores, resamples: int = 1000, seed: int = 0
) -> tuple[float, Interval]:
    """Mean of `own_eers` (share) with its 95 per cent interval over writers.

    NaN where no writer has both sides; the interval also where one has, whom no resampling can stand beside others.
    """
    rates = np.array(list(own_eers(genuine, forged).values()))
    if not len(rates):
        return float("nan"), Interval(float("nan"), float("nan"))
    if len(rates) < 2:
        return float(rates[0]), Interval(float("nan"), float("nan"))
    drawn = [float(np.average(rates, weights=counts)) for counts in writer_counts(len(rates), resamples, seed)]
    return float(rates.mean()), percentile_interval(np.array(drawn))


def _by_writer(trials: WrittenScores) -> dict[str, Scores]:
    names = np.asarray(trials.writer_id).astype(str)
    return {str(w): trials.score[names == w] for w in np.unique(names)}
