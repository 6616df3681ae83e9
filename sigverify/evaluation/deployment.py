"""Thresholds as a bank would live with them: frozen on calibration writers, then measured on writers never seen.

For each policy: FRR, far_random and far_skilled at the frozen threshold with intervals; measured / nominal for each
limit the policy states; and FRR over the FRR at the tested set's own threshold for the same limits, which is what
the transfer cost: 1 where both are 0, without bound where only the own one is. Writers of *both* sides are resampled,
so the intervals include the luck of calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.config import Policy
from sigverify.errors import BadInput, TooFewWriters
from sigverify.evaluation.intervals import Interval, never_certain, percentile_interval, writer_counts
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials
from sigverify.scoring.thresholds import accept_threshold, just_above

LARGEST_RATIO, LARGEST_COST = 2.0, 1.5  # lower bound of measured / nominal; FRR over the FRR at the own threshold
RATES = {"frr": TrialKind.GENUINE, "far_skilled": TrialKind.SKILLED_FORGERY, "far_random": TrialKind.RANDOM_FORGERY}
_ROUNDING = 1e-9
Numbers = dict[str, Any]
Scores = npt.NDArray[np.float64]


def frozen_thresholds(
    folds: Sequence[tuple[ScoredTrials, ScoredTrials]],
    policies: Sequence[Policy],
    *,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Numbers]:
    """{policy name: figures} of trials with one number of references; rates in per cent.

    `folds` are (calibration, test) of each fold: thresholds are chosen fold by fold, on its own verifier's scores, and
    the accepted trials of all folds counted together. A kind of forgery without trials limits nothing.
    """
    if not folds or not policies:
        raise BadInput("thresholds are frozen for policies on folds", got=f"{len(policies)} and {len(folds)}")
    sides = [(_Side(calibration), _Side(test)) for calibration, test in folds]
    found = {policy.name: _point(sides, policy) for policy in policies}
    draws: dict[str, list[Numbers]] = {policy.name: [] for policy in policies}
    generators = [
        [s.weights(resamples, 1000 * seed + 2 * n + i) for i, s in enumerate(pair)] for n, pair in enumerate(sides)
    ]
    for weights in zip(*(zip(*pair, strict=True) for pair in generators), strict=True):
        for policy in policies:
            draws[policy.name].append(_measured(sides, policy, weights))
    return {name: _figures(folds, value, draws[name]) for name, value in found.items()}


@dataclass(frozen=True)
class _Kind:
    """Scores of one kind, descending, with the writers (codes) that weigh them."""

    score: Scores
    claimed: npt.NDArray[np.intp]
    author: npt.NDArray[np.intp] | None


class _Side:
    """One side's trials by kind."""

    def __init__(self, trials: ScoredTrials) -> None:
        writers = np.unique(np.concatenate([trials.writer_id, trials.query_writer_id]))
        if len(np.unique(trials.writer_id)) < 2:
            raise TooFewWriters("frozen thresholds need two writers or more on either side", got=len(writers))
        self.n_writers = len(writers)
        self.kinds: dict[TrialKind, _Kind] = {}
        for kind in TrialKind:
            part = trials.of(kind)
            order = np.argsort(-part.score, kind="stable")
            claimed, author = (np.searchsorted(writers, c[order]) for c in (part.writer_id, part.query_writer_id))
            both = kind is TrialKind.RANDOM_FORGERY
            self.kinds[kind] = _Kind(part.score[order], claimed, author if both else None)

    def weights(self, resamples: int, seed: int) -> Any:
        """Weights of every trial by kind, for each resample of writers."""
        for counts in writer_counts(self.n_writers, resamples, seed):
            yield {
                kind: counts[k.claimed] * (1 if k.author is None else counts[k.author])
                for kind, k in self.kinds.items()
            }


Weights = dict[TrialKind, Scores]


def accept_for(side: _Side, policy: Policy, weights: Weights | None = None) -> float:
    """The smallest threshold that keeps both FARs of `policy` on a side's trials, each counted with its weight."""
    limits = (
        (TrialKind.SKILLED_FORGERY, policy.max_far_skilled),
        (TrialKind.RANDOM_FORGERY, policy.max_far_random),
    )
    lowest = min((float(k.score[-1]) for k in side.kinds.values() if len(k.score)), default=0.0)
    return max(
        lowest, *(_accept(side.kinds[kind], far, None if weights is None else weights[kind]) for kind, far in limits)
    )


def _accept(kind: _Kind, max_far: float, weight: Scores | None) -> float:
    if not len(kind.score):
        return -np.inf
    if weight is None:
        return accept_threshold(kind.score, max_far)
    total = weight.sum()
    above = np.cumsum(weight)  # weight of this and all higher scores
    too_many = above > max_far * total * (1 + _ROUNDING) + _ROUNDING
    if total <= 0 or not too_many.any():
        return -np.inf
    return just_above(float(kind.score[int(np.argmax(too_many))]))


def _shares(side: _Side, accept: float, weights: Weights | None) -> dict[str, tuple[float, float]]:
    """{rate: (weight of the errors, weight of all)} at a threshold."""
    found = {}
    for name, kind in RATES.items():
        held = side.kinds[kind]
        weight = np.ones(len(held.score)) if weights is None else weights[kind]
        accepted, total = float(weight[held.score >= accept].sum()), float(weight.sum())
        found[name] = (total - accepted if name == "frr" else accepted, total)
    return found


def _measured(sides: Sequence[tuple[_Side, _Side]], policy: Policy, weights: Sequence[Any] | None) -> Numbers:
    """Rates over all folds at frozen and at own thresholds, with their ratios; shares, NaN where nothing is counted."""
    errors = {name: np.zeros(2) for name in (*RATES, "own")}
    for i, (calibration, test) in enumerate(sides):
        of_calibration, of_test = (None, None) if weights is None else weights[i]
        frozen = _shares(test, accept_for(calibration, policy, of_calibration), of_test)
        own = _shares(test, accept_for(test, policy, of_test), of_test)
        for name in RATES:
            errors[name] += frozen[name]
        errors["own"] += own["frr"]
    rates = {name: float(wrong / all_) if all_ > 0 else float("nan") for name, (wrong, all_) in errors.items()}
    limits = {"far_skilled": policy.max_far_skilled, "far_random": policy.max_far_random}
    ratios = {f"{name}_to_nominal": rates[name] / limit for name, limit in limits.items() if 0 < limit < 1}
    cost = _cost(rates["frr"], rates["own"])
    return {
        **{k: v for k, v in rates.items() if k != "own"},
        "frr_at_own_threshold": rates["own"],
        **ratios,
        "frr_cost": cost,
    }


def _cost(frozen: float, own: float) -> float:
    """FRR at a frozen over that at the own threshold: 1 where both are 0, inf where only the own is."""
    if own == 0:
        return 1.0 if frozen == 0 else float("inf")
    return frozen / own


def _point(sides: Sequence[tuple[_Side, _Side]], policy: Policy) -> Numbers:
    accept = [accept_for(calibration, policy) for calibration, _ in sides]
    limits = {"max_far_skilled": policy.max_far_skilled, "max_far_random": policy.max_far_random}
    return {"policy": policy.name, **limits, "accept": accept, **_measured(sides, policy, None)}


def _figures(folds: Sequence[tuple[ScoredTrials, ScoredTrials]], point: Numbers, draws: list[Numbers]) -> Numbers:
    """JSON-ready: rates in per cent, ratios as they are, each with its interval; what the targets say of them.

    What is no number or infinite is None. `ratio_kept` is None without a limit, `cost_kept` without an FRR; a cost of
    None that is not kept has no bound.
    """
    found: Numbers = {k: point[k] for k in ("policy", "max_far_skilled", "max_far_random", "accept")}
    for side, name in enumerate(("calibration_writers", "test_writers")):
        found[name] = sum(len(np.unique(pair[side].writer_id)) for pair in folds)
    for name in draws[0]:
        low, high = _interval(folds, name, point, [draw[name] for draw in draws])
        scale = 1 if name.endswith(("_to_nominal", "_cost")) else 100
        found[name], found[f"{name}_interval"] = (
            _round(scale * point[name]),
            [_round(scale * low), _round(scale * high)],
        )
    ratios = [found[f"{n}_interval"][0] for n in draws[0] if n.endswith("_to_nominal")]
    held = [low for low in ratios if low is not None]
    found["ratio_kept"] = all(low <= LARGEST_RATIO for low in held) if held else None
    found["cost_kept"] = None if np.isnan(point["frr_cost"]) else bool(point["frr_cost"] <= LARGEST_COST)
    return found


def _interval(
    folds: Sequence[tuple[ScoredTrials, ScoredTrials]], name: str, point: Numbers, drawn: list[float]
) -> tuple[float, float]:
    """Of the resamples; where no error was seen, up to what so many distinct query images cannot rule out.

    So for a ratio to a policy's limit, which is the rate in other units.
    """
    interval = percentile_interval(drawn)
    rate = name.removesuffix("_to_nominal").removesuffix("_at_own_threshold")
    if rate not in RATES:
        return interval.low, interval.high
    limit = point[f"max_{rate}"] if name.endswith("_to_nominal") else 1.0
    distinct = sum(len(np.unique(test.of(RATES[rate]).query_id)) for _, test in folds)
    share = never_certain(Interval(interval.low * limit, interval.high * limit), point[name] * limit, distinct)
    return share.low / limit, share.high / limit


def _round(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
