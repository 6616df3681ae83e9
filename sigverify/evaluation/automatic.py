"""How much of the work a bank could leave to the verifier at a given risk.

The accept threshold is the lowest that keeps both FARs on these very trials, the reject threshold the highest that
refuses no more than the given share of genuine signatures; what lies between is referred. As an EER, a summary for
comparing: thresholds that decide are chosen on other writers (scoring.operating_point).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from sigverify.evaluation.intervals import Statistic, clopper_pearson
from sigverify.evaluation.metrics import Scores, frr_at_far_of
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials
from sigverify.scoring.thresholds import accept_threshold, reject_threshold


@dataclass(frozen=True)
class Risk:
    """The most that may be accepted of each kind of forgery, and rejected of genuine signatures, unseen; shares."""

    far_skilled: float
    far_random: float
    frr_auto: float = 0.01

    @property
    def name(self) -> str:
        return f"{100 * self.far_skilled:g}"

    def far(self, kind: TrialKind) -> float:
        return self.far_skilled if kind is TrialKind.SKILLED_FORGERY else self.far_random


_PREFIX = "frr_at_risk_"
RISKS = (Risk(0.005, 0.001), Risk(0.01, 0.001))


def thresholds_at(scored: ScoredTrials, risk: Risk) -> tuple[float, float]:
    """(accept, reject): a trial is accepted at or above accept, rejected below reject, which is never above accept."""
    kinds = (TrialKind.SKILLED_FORGERY, TrialKind.RANDOM_FORGERY)
    accept = max(accept_threshold(scored.of(kind).score, risk.far(kind)) for kind in kinds)
    return accept, min(reject_threshold(scored.of(TrialKind.GENUINE).score, risk.frr_auto), accept)


def decided(scored: ScoredTrials, risk: Risk) -> dict[str, float]:
    """Shares decided without a person: `genuine_accepted`; `genuine`, `skilled`, `random`, `all` either way.

    `all` counts each kind that there is alike, however many trials of it were drawn.
    """
    accept, reject = thresholds_at(scored, risk)
    found: dict[str, float] = {}
    for kind in TrialKind:
        score = scored.of(kind).score
        if len(score):
            name = kind.value.removesuffix("_forgery")
            found[name] = float(np.mean((score >= accept) | (score < reject)))
    found["all"] = float(np.mean(list(found.values())))
    return {"genuine_accepted": float(np.mean(scored.of(TrialKind.GENUINE).score >= accept)), **found}


def frr_statistics(kind: TrialKind) -> dict[str, Statistic]:
    """Statistics of a curve against forgeries of `kind`: the FRR that each risk costs, named by the risk."""
    return {f"{_PREFIX}{risk.name}": partial(frr_at_far_of, far=risk.far(kind)) for risk in RISKS}


def accepted_draws(draws: Mapping[TrialKind, Mapping[str, Scores]], risk: Risk) -> Scores:
    """Resamples of the genuine share accepted: the stricter of the two FARs decides in each."""
    costs = [of_kind[f"{_PREFIX}{risk.name}"] for of_kind in draws.values()]
    accepted: Scores = 1.0 - np.max(np.stack(costs), axis=0)
    return accepted


def unsupported(distinct: Mapping[TrialKind, int], risk: Risk) -> list[str]:
    """What the distinct forged queries of each kind cannot show, in words."""
    return [said for kind, n in distinct.items() if (said := cannot_show(n, risk.far(kind)))]


def cannot_show(distinct: int, far: float) -> str:
    """Empty where `distinct` forged queries could show `far` (share) by letting nothing through; else why not."""
    proven = clopper_pearson(0, max(1, distinct)).high
    if proven <= far:
        return ""
    return (
        f"{distinct} distinct forged queries cannot show a FAR of {100 * far:g} %: "
        f"without a single error they prove no less than {100 * proven:.2g} %"
    )
