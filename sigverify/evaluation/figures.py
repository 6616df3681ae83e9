"""All numbers of one number of references: EERs, rates at a FAR and at the verifier's own thresholds, evidence value.

Plain JSON-ready tables; every rate in per cent, every interval [low, high] of 95 per cent over writers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sigverify.config import OperatingPoint, Thresholds
from sigverify.evaluation.intervals import Interval, Statistic, bootstrap_over_writers, bootstrap_rate, with_resolution
from sigverify.evaluation.likelihood import calibration_error, calibration_error_floor, cllr, min_cllr
from sigverify.evaluation.metrics import Scores, auc_of, det_curve, eer_of, eer_rate, frr_at_far_of
from sigverify.evaluation.scoring_trials import written
from sigverify.records import TrialKind
from sigverify.scoring.operating_point import thresholds_for
from sigverify.scoring.scored_trials import ScoredTrials

FAR_SKILLED, FAR_RANDOM = 0.01, 0.001  # where FRR is read
Numbers = dict[str, Any]
SHORT = {TrialKind.SKILLED_FORGERY: "skilled", TrialKind.RANDOM_FORGERY: "random"}


def measure(scored: ScoredTrials, point: OperatingPoint, resamples: int, seed: int) -> Numbers:
    """Every figure of trials with one number of references. Keys end in the unit; a kind without trials is left out."""
    found: Numbers = {"counts": counts(scored)}
    for kind, far in ((TrialKind.SKILLED_FORGERY, FAR_SKILLED), (TrialKind.RANDOM_FORGERY, FAR_RANDOM)):
        if len(scored.of(kind)):
            found[SHORT[kind]] = _against(scored, kind, far, resamples, seed)
    if point.thresholds:
        limits = thresholds_for(point, int(scored.n_references[0]))
        found["at_own_thresholds"] = at_thresholds(scored, limits, resamples, seed)
        found["evidence"] = evidence(scored, limits)
    return found


def counts(scored: ScoredTrials) -> Numbers:
    """Writers, trials and distinct query images of each kind."""
    found: Numbers = {"writers": len(np.unique(scored.writer_id))}
    for kind in TrialKind:
        part = scored.of(kind)
        found[kind.value] = {"trials": len(part), "distinct_queries": len(np.unique(part.query_id))}
    return found


def at_thresholds(scored: ScoredTrials, limits: Thresholds, resamples: int, seed: int) -> Numbers:
    """What the verifier's own thresholds do here: FARs, FRR, automatic decisions; per cent with intervals."""
    found: Numbers = {"accept": limits.accept, "reject": limits.reject}
    for kind, name in ((TrialKind.GENUINE, "genuine"), *SHORT.items()):
        part = scored.of(kind)
        if not len(part):
            continue
        hits = {f"{name}_accepted": part.score >= limits.accept, f"{name}_rejected": part.score < limits.reject}
        for key, hit in hits.items():
            interval = bootstrap_rate(hit, written(scored, kind), resamples=resamples, seed=seed)
            found[key], found[f"{key}_interval"] = per_cent(float(hit.mean())), in_per_cent(interval)
        found[f"{name}_decided_automatically"] = per_cent(float(np.mean(sum(hits.values()) > 0)))
    return found


def evidence(scored: ScoredTrials, limits: Thresholds) -> Numbers:
    """Cllr, its minimum and the calibration error of the verifier's own calibration, against each kind of forgery."""
    genuine = scored.of(TrialKind.GENUINE).score
    found: Numbers = {}
    for kind, name in SHORT.items():
        forged = scored.of(kind).score
        if not len(forged):
            continue
        llr = [limits.calibration_slope * s + limits.calibration_intercept for s in (genuine, forged)]
        chance = _logistic(np.concatenate(llr))
        truth = np.arange(len(chance)) < len(genuine)
        found[name] = {
            "cllr_bits": round(cllr(llr[0], llr[1]), 4),
            "min_cllr_bits": round(min_cllr(genuine, forged), 4),
            "ece": round(calibration_error(chance, truth), 4),
            "ece_floor": round(calibration_error_floor(chance, truth), 4),
        }
    return found


def _against(scored: ScoredTrials, kind: TrialKind, far: float, resamples: int, seed: int) -> Numbers:
    genuine, forged = scored.of(TrialKind.GENUINE), scored.of(kind)
    curve = det_curve(genuine.score, forged.score)
    frr_name = f"frr_at_far_{100 * far:g}"
    statistics: dict[str, Statistic] = {"eer": eer_rate, "auc": auc_of, frr_name: partial(frr_at_far_of, far=far)}
    sides = (written(scored, TrialKind.GENUINE), written(scored, kind))
    intervals = bootstrap_over_writers(sides[0], sides[1], statistics, resamples=resamples, seed=seed)
    distinct = [len(np.unique(part.query_id)) for part in (genuine, forged)]
    intervals["eer"] = with_resolution(intervals["eer"], distinct[0], distinct[1])
    found: Numbers = {"eer_threshold": eer_of(curve).threshold}
    for name, statistic in statistics.items():
        found[name], found[f"{name}_interval"] = per_cent(statistic(curve)), in_per_cent(intervals[name])
    if distinct[1] * far < 1:
        found["note"] = f"{distinct[1]} distinct forged queries cannot show a FAR of {100 * far:g} %"
    return found


def per_cent(share: float) -> float | None:
    """A share in per cent, None where it is not a number."""
    return round(100 * share, 4) if np.isfinite(share) else None


def in_per_cent(interval: Interval) -> list[float | None]:
    """[low, high] in per cent."""
    return [per_cent(interval.low), per_cent(interval.high)]


def _logistic(logit: Scores) -> Scores:
    from scipy.special import expit

    chance: Scores = expit(logit)
    return chance
