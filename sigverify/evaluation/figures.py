"""All numbers of one number of references: EERs, rates at a FAR and at the verifier's own thresholds, evidence value.

Plain JSON-ready tables; every rate in per cent, every interval [low, high] of 95 per cent over writers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.config import OperatingPoint, Thresholds
from sigverify.evaluation.automatic import (
    RISKS,
    accepted_draws,
    cannot_show,
    decided,
    frr_statistics,
    unsupported,
)
from sigverify.evaluation.intervals import (
    Interval,
    Statistic,
    bootstrap_draws,
    bootstrap_rate,
    never_certain,
    percentile_interval,
    with_resolution,
)
from sigverify.evaluation.likelihood import calibration_error, calibration_error_floor, cllr, min_cllr
from sigverify.evaluation.metrics import Scores, auc_of, det_curve, eer_of, eer_rate, frr_at_far_of
from sigverify.evaluation.oracle import oracle_eer
from sigverify.evaluation.paired_eer import paired_eer
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
    drawn: dict[TrialKind, Mapping[str, Scores]] = {}
    for kind, far in ((TrialKind.SKILLED_FORGERY, FAR_SKILLED), (TrialKind.RANDOM_FORGERY, FAR_RANDOM)):
        if len(scored.of(kind)):
            found[SHORT[kind]], drawn[kind] = _against(scored, kind, far, resamples, seed)
    if bool((scored.score != scored.score_without_size).any()):
        found["without_size"] = _without_size(scored, resamples, seed)
    if drawn:
        found["automatic"] = _automatic(scored, drawn, {found[SHORT[kind]].get("note") for kind in drawn})
    if point.thresholds:
        limits = thresholds_for(point, int(scored.n_references[0]))
        found["at_own_thresholds"] = at_thresholds(scored, limits, resamples, seed)
        found["evidence"] = evidence(scored, limits)
    return found


def _without_size(scored: ScoredTrials, resamples: int, seed: int) -> Numbers:
    """EERs of the same trials with no eye for physical size, and what looking at it takes off, paired over writers."""
    blind = replace(scored, score=scored.score_without_size)
    found: Numbers = {}
    for kind, name in SHORT.items():
        if len(scored.of(kind)):
            pair = paired_eer(scored, blind, kind, resamples, seed)
            found[f"{name}_eer"], found[f"{name}_gain"] = per_cent(pair.after), per_cent(pair.cost)
            found[f"{name}_gain_interval"] = in_per_cent(pair.interval)
    return found


def counts(scored: ScoredTrials) -> Numbers:
    """Writers, trials and distinct query images of each kind."""
    found: Numbers = {"writers": len(np.unique(scored.writer_id))}
    for kind in TrialKind:
        part = scored.of(kind)
        found[kind.value] = {"trials": len(part), "distinct_queries": _distinct(part)}
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
            interval = never_certain(interval, float(hit.mean()), _distinct(part))
            found[key], found[f"{key}_interval"] = per_cent(float(hit.mean())), in_per_cent(interval)
        found[f"{name}_decided_automatically"] = per_cent(float(np.mean(sum(hits.values()) > 0)))
    return found


def evidence(scored: ScoredTrials, limits: Thresholds) -> Numbers:
    """Cllr, its minimum and the calibration error of the verifier's own calibration, against each kind of forgery."""
    genuine = scored.of(TrialKind.GENUINE)
    found: Numbers = {}
    for kind, name in SHORT.items():
        forged = scored.of(kind)
        if not len(forged):
            continue
        llr = [limits.calibration_slope * t.score + limits.calibration_intercept for t in (genuine, forged)]
        chance = _logistic(np.concatenate(llr))
        truth = np.arange(len(chance)) < len(genuine)
        held, least = cllr(llr[0], llr[1]), min_cllr(genuine.score, forged.score)
        ece = calibration_error(chance, truth)
        floor = calibration_error_floor(chance, truth, query=_images(genuine, forged))
        found[name] = {
            "cllr_bits": round(held, 4),
            "min_cllr_bits": round(least, 4),
            "calibration_loss_bits": round(held - least, 4),
            "ece": round(ece, 4),
            "ece_floor": round(floor, 4),
            "ece_above_floor": round(ece - floor, 4),
        }
    return found


def _against(
    scored: ScoredTrials, kind: TrialKind, far: float, resamples: int, seed: int
) -> tuple[Numbers, Mapping[str, Scores]]:
    """Figures against one kind of forgery, and the resamples behind them: writers resampled alike for every kind."""
    genuine, forged = scored.of(TrialKind.GENUINE), scored.of(kind)
    sides = written(scored, TrialKind.GENUINE), written(scored, kind)
    curve = det_curve(genuine.score, forged.score)
    frr_name = f"frr_at_far_{100 * far:g}"
    shown: dict[str, Statistic] = {"eer": eer_rate, "auc": auc_of, frr_name: partial(frr_at_far_of, far=far)}
    writers = np.unique(np.concatenate([scored.writer_id, scored.query_writer_id])).tolist()
    statistics = {**shown, **frr_statistics(kind)}
    drawn = bootstrap_draws(*sides, statistics, resamples=resamples, seed=seed, writers=writers)
    distinct = [_distinct(part) for part in (genuine, forged)]
    found: Numbers = {"eer_threshold": eer_of(curve).threshold}
    for name, statistic in shown.items():
        value, interval = statistic(curve), percentile_interval(drawn[name])
        effective = distinct[0] if name == frr_name else min(distinct)
        interval = with_resolution(interval, *distinct) if name == "eer" else never_certain(interval, value, effective)
        found[name], found[f"{name}_interval"] = per_cent(value), in_per_cent(interval)
    oracle, interval = oracle_eer(*sides, resamples=resamples, seed=seed)
    found["oracle"], found["oracle_interval"] = per_cent(oracle), in_per_cent(with_resolution(interval, *distinct))
    if said := cannot_show(distinct[1], far):
        found["note"] = said
    return found, drawn


def _automatic(
    scored: ScoredTrials, drawn: Mapping[TrialKind, Mapping[str, Scores]], said_before: set[str | None]
) -> Numbers:
    """Shares decided automatically at each risk of evaluation.automatic, keys ending in its far_skilled (per cent)."""
    found: Numbers = {}
    distinct = {kind: _distinct(scored.of(kind)) for kind in drawn}
    n_genuine = _distinct(scored.of(TrialKind.GENUINE))
    for risk in RISKS:
        shares = decided(scored, risk)
        accepted = shares.pop("genuine_accepted")
        interval = never_certain(percentile_interval(accepted_draws(drawn, risk)), accepted, n_genuine)
        found[f"genuine_accepted_{risk.name}"] = per_cent(accepted)
        found[f"genuine_accepted_{risk.name}_interval"] = in_per_cent(interval)
        found |= {f"{kind}_decided_{risk.name}": per_cent(share) for kind, share in shares.items()}
    said = {text: None for risk in RISKS for text in unsupported(distinct, risk) if text not in said_before}
    if said:
        found["note"] = "; ".join(said)
    return found


def _distinct(trials: ScoredTrials) -> int:
    """Query images, however often each was compared: what an error rate really rests on."""
    return len(np.unique(trials.query_id))


def _images(genuine: ScoredTrials, forged: ScoredTrials) -> npt.NDArray[np.int64]:
    """Which query image each trial is of, as codes; one that is genuine and a random forgery elsewhere is two."""
    own, other = (np.unique(part.query_id, return_inverse=True) for part in (genuine, forged))
    return np.concatenate([own[1], len(own[0]) + other[1]]).astype(np.int64)


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
