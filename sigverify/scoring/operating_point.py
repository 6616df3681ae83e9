"""The operating point: thresholds for every number of references, the policy they serve, the writers they came from.

Fused scores shift with the number of references, so each number has thresholds of its own: measured where there are
trials for it, interpolated between measured ones, the nearest beyond them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sigverify.config import OperatingPoint, Policy, Thresholds
from sigverify.errors import BadInput, NotFound, TooFewWriters
from sigverify.records import Outcome, Reason, TrialKind
from sigverify.scoring.calibration import logistic
from sigverify.scoring.scored_trials import ScoredTrials
from sigverify.scoring.thresholds import choose_thresholds

__all__ = [
    "MAX_REFERENCES",
    "ScoredTrials",
    "choose_operating_point",
    "decide",
    "kind_if_forged",
    "probability",
    "thresholds_for",
]

MAX_REFERENCES = 10


def choose_operating_point(
    trials: ScoredTrials, policy: Policy, chosen_on: str, provisional: bool = False
) -> OperatingPoint:
    """Thresholds for 1 .. 10 references that keep `policy` on calibration trials (never on test writers).

    `warnings` of the result name what the data cannot support: a rate that fewer trials than 1/rate cannot show.
    Raises TooFewWriters below `policy.min_calibration_writers`, or with too few writers' skilled forgeries.
    """
    usable = _usable_numbers(trials, policy)
    measured = [_measure(trials, policy, k) for k in usable]
    skilled, genuine = trials.of(TrialKind.SKILLED_FORGERY), trials.of(TrialKind.GENUINE)
    return OperatingPoint(
        policy=policy,
        thresholds=tuple(_interpolate(measured, k) for k in range(1, MAX_REFERENCES + 1)),
        chosen_on=chosen_on,
        n_writers=len(np.unique(trials.writer_id)),
        n_skilled=len(np.unique(skilled.query_id)),
        n_genuine=len(np.unique(genuine.query_id)),
        provisional=provisional,
        warnings=tuple(_warnings(trials, policy, usable)),
    )


def thresholds_for(point: OperatingPoint, n_references: int) -> Thresholds:
    """The thresholds for a template of `n_references`; above the largest known number, those of the largest.

    Raises NotFound where the verifier has no operating point, BadInput for no references.
    """
    if n_references < 1:
        raise BadInput("a template has no references", got=n_references, next="enrol the writer first")
    if not point.thresholds:
        raise NotFound("the verifier has no operating point", next="run sigverify calibrate --catalogue C --policy P")
    return min(point.thresholds, key=lambda t: (abs(t.n_references - n_references), t.n_references))


def decide(point: OperatingPoint, score: float, n_references: int) -> tuple[Outcome, Reason]:
    """ACCEPT at or above the accept threshold, REJECT below the reject threshold, REFER between."""
    if not math.isfinite(score):
        raise BadInput("a score that is not finite cannot be decided on", got=score)
    limits = thresholds_for(point, n_references)
    if score >= limits.accept:
        return Outcome.ACCEPT, Reason.SCORE_ACCEPT
    if score < limits.reject:
        return Outcome.REJECT, Reason.SCORE_REJECT
    return Outcome.REFER, Reason.SCORE_REFER


def probability(point: OperatingPoint, score: float, n_references: int) -> float:
    """P(genuine) in [0, 1] for `score`, were genuine signatures and skilled forgeries equally frequent."""
    limits = thresholds_for(point, n_references)
    return logistic(limits.calibration_slope * score + limits.calibration_intercept)


def kind_if_forged(point: OperatingPoint, score: float, n_references: int) -> TrialKind | None:
    """Which kind of forgery a score resembles more, were it one; None where the operating point does not know."""
    limit = thresholds_for(point, n_references).random_below
    if limit is None:
        return None
    return TrialKind.RANDOM_FORGERY if score < limit else TrialKind.SKILLED_FORGERY


def _usable_numbers(trials: ScoredTrials, policy: Policy) -> list[int]:
    """Numbers of references with enough writers; TooFewWriters where there is none."""
    numbers = [int(k) for k in np.unique(trials.n_references) if 1 <= k <= MAX_REFERENCES]
    counts = {k: _writers(trials.of(TrialKind.GENUINE, k)) for k in numbers}
    need = policy.min_calibration_writers
    usable = [k for k in numbers if counts[k] >= need]
    most = max(counts.values(), default=0)
    if not usable:
        raise TooFewWriters(
            "too few calibration writers for an operating point",
            got=f"{most} writers with genuine trials",
            expected=f"at least {need}",
            next=f"label the signatures of {need - most} more writers (3 or more genuine each)",
        )
    skilled = {k: _writers(trials.of(TrialKind.SKILLED_FORGERY, k)) for k in usable}
    supported = [k for k in usable if skilled[k] >= need or policy.max_far_skilled >= 1]
    if not supported:
        raise TooFewWriters(
            "too few writers with skilled forgeries to keep a limit on far_skilled",
            got=f"{max(skilled.values())} writers",
            expected=f"at least {need}",
            next="label skilled forgeries, or state a policy with max_far_skilled 1 (no limit)",
        )
    return supported


def _writers(trials: ScoredTrials) -> int:
    return len(np.unique(trials.writer_id))


def _measure(trials: ScoredTrials, policy: Policy, k: int) -> Thresholds:
    genuine = trials.of(TrialKind.GENUINE, k).score
    skilled, random = trials.of(TrialKind.SKILLED_FORGERY, k).score, trials.of(TrialKind.RANDOM_FORGERY, k).score
    return choose_thresholds(genuine, skilled, random, policy, k)


def _interpolate(measured: Sequence[Thresholds], k: int) -> Thresholds:
    """Linear between the measured numbers of references, the nearest beyond them; reject <= accept survives both."""
    known = {t.n_references: t for t in measured}
    if k in known:
        return known[k]
    numbers = sorted(known)
    names = [n for n in Thresholds.__dataclass_fields__ if n not in ("n_references", "measured", "random_below")]
    if all(t.random_below is not None for t in known.values()):
        names.append("random_below")
    values = {n: float(np.interp(k, numbers, [getattr(known[j], n) for j in numbers])) for n in names}
    base = replace(known[numbers[0]], random_below=None)
    return replace(base, n_references=k, measured=False, **values)


def _warnings(trials: ScoredTrials, policy: Policy, numbers: Sequence[int]) -> list[str]:
    limits = (
        (TrialKind.SKILLED_FORGERY, "max_far_skilled", policy.max_far_skilled),
        (TrialKind.RANDOM_FORGERY, "max_far_random", policy.max_far_random),
        (TrialKind.GENUINE, "max_frr_auto", policy.max_frr_auto),
    )
    found = []
    for kind, name, limit in limits:
        counts = {k: len(np.unique(trials.of(kind, k).query_id)) for k in numbers}
        short = [k for k in numbers if counts[k] < (1 / limit if limit > 0 else math.inf)]
        if short:
            need = f"at least {math.ceil(1 / limit)}" if limit > 0 else "none that is enough"
            found.append(
                f"{name} {limit:g} cannot be shown with {min(counts[k] for k in short)} distinct {kind.value} queries "
                f"({need}) at {', '.join(map(str, short))} references: the strictest threshold seen is used"
            )
    return found
