"""Curves over numbers of references: EERs of the writers that all columns share, like compared with like."""

from __future__ import annotations

from typing import Any

import numpy as np

from sigverify.evaluation.figures import SHORT, in_per_cent, per_cent
from sigverify.evaluation.intervals import bootstrap_over_writers, with_resolution
from sigverify.evaluation.metrics import det_curve, eer_rate
from sigverify.evaluation.scoring_trials import written
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials


def common_writers(
    scored: dict[int, ScoredTrials], figures: dict[int, dict[str, Any]], resamples: int, seed: int
) -> dict[str, Any]:
    """EERs over the writers that every column shares: the curves over numbers of references."""
    shared = set.intersection(*(set(t.writer_id.tolist()) for t in scored.values()))
    found: dict[str, Any] = {"writers": len(shared), "intervals": {}}
    for kind, name in SHORT.items():
        key = f"{name}_eer"
        found[key], found["intervals"][key] = {}, {}
        for k, trials in scored.items():
            if name not in figures[k] or len(shared) < 2:
                continue
            rate, interval = figures[k][name]["eer"], figures[k][name]["eer_interval"]
            if figures[k]["counts"]["writers"] != len(shared):
                rate, interval = _eer_of_writers(trials, kind, shared, resamples, seed)
            found[key][str(k)], found["intervals"][key][str(k)] = rate, interval
    return found


def _eer_of_writers(
    trials: ScoredTrials, kind: TrialKind, writers: set[str], resamples: int, seed: int
) -> tuple[Any, Any]:
    """EER in per cent with its interval, over the claimed writers named."""
    part = trials.where(np.isin(trials.writer_id, sorted(writers)))
    genuine, forged = written(part, TrialKind.GENUINE), written(part, kind)
    interval = bootstrap_over_writers(genuine, forged, {"eer": eer_rate}, resamples=resamples, seed=seed)["eer"]
    distinct = [len(np.unique(part.of(side).query_id)) for side in (TrialKind.GENUINE, kind)]
    supported = with_resolution(interval, distinct[0], distinct[1])
    return per_cent(eer_rate(det_curve(genuine.score, forged.score))), in_per_cent(supported)
