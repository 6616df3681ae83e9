"""Two EERs on the same trials and the interval of their difference, the same writers resampled for both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigverify.evaluation.intervals import Interval, bootstrap_draws, percentile_interval
from sigverify.evaluation.metrics import det_curve, eer_rate
from sigverify.evaluation.scoring_trials import written
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials


@dataclass(frozen=True)
class PairedEer:
    """EERs (shares) `before` and `after`, and the 95 per cent `interval` of after - before."""

    before: float
    after: float
    interval: Interval

    @property
    def cost(self) -> float:
        return self.after - self.before


def paired_eer(
    before: ScoredTrials,
    after: ScoredTrials,
    kind: TrialKind = TrialKind.SKILLED_FORGERY,
    resamples: int = 500,
    seed: int = 0,
) -> PairedEer:
    """EERs of genuine trials against those of one kind, of two systems (or two conditions) on the same writers."""
    columns = [c for t in (before, after) for c in (t.writer_id, t.query_writer_id)]
    writers = np.unique(np.concatenate(columns)).tolist()
    rates, draws = [], []
    for trials in (before, after):
        sides = written(trials, TrialKind.GENUINE), written(trials, kind)
        rates.append(eer_rate(det_curve(sides[0].score, sides[1].score)))
        drawn = bootstrap_draws(*sides, {"eer": eer_rate}, resamples=resamples, seed=seed, writers=writers)
        draws.append(drawn["eer"])
    return PairedEer(rates[0], rates[1], percentile_interval(draws[1] - draws[0]))
