"""Control 3, wrong reference: does the verifier compare with its reference, or does "looks forged" do?

Genuine signatures and skilled forgeries of a writer A are scored against templates of drawn other writers B. A
verifier that reads its references cannot tell them apart there, and accepts neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigverify.errors import TooFewWriters
from sigverify.evaluation.intervals import (
    Interval,
    WrittenScores,
    bootstrap_draws,
    bootstrap_rate,
    never_certain,
    percentile_interval,
)
from sigverify.evaluation.metrics import Scores, auc, auc_of
from sigverify.evaluation.trials import Trials
from sigverify.records import Ints, Label

LARGEST_RETAINED = 0.5
BUDGETS = 2.0  # how often the far_random budget an acceptance rate may reach
MIN_WRITERS = 4


@dataclass(frozen=True)
class Sides:
    """Scores of genuine signatures and of skilled forgeries, with the writers they involve.

    `distinct` counts the query images of either; None: every trial has one of its own.
    """

    genuine: WrittenScores
    skilled: WrittenScores
    distinct: tuple[int, int] | None = None


@dataclass(frozen=True)
class WrongReference:
    """AUCs are of genuine against skilled; `retained` = (AUC_wrong - 0.5) / (AUC_right - 0.5).

    `accepted_genuine` and `accepted_skilled` are shares of wrong-reference trials accepted at the operating point,
    with intervals; None where there is no operating point. `status`: valid, warning or invalid, with `reasons`.
    """

    auc_wrong: float
    auc_wrong_interval: Interval
    auc_right: float
    retained: float
    retained_interval: Interval
    accepted_genuine: tuple[float, Interval] | None
    accepted_skilled: tuple[float, Interval] | None
    status: str
    reasons: tuple[str, ...]


def draw_wrong_references(trials: Trials, per_template: int = 2, seed: int = 0) -> tuple[Ints, Ints]:
    """(query, template) indices of `trials`: every signature of `per_template` drawn other writers for each template.

    Only writers that have skilled forgeries are drawn. Raises TooFewWriters below 4 such writers.
    """
    forged = trials.label == Label.SKILLED_FORGERY.value
    writers = np.unique(trials.writer_id[forged])
    if len(writers) < MIN_WRITERS:
        raise TooFewWriters("too few writers with skilled forgeries for a wrong-reference control", got=len(writers))
    own = {w: np.flatnonzero(trials.writer_id == w) for w in writers}
    rng = np.random.default_rng(seed)
    query, template = [], []
    for position, claimed in enumerate(trials.template_writer.tolist()):
        others = writers[writers != claimed]
        for writer in rng.choice(others, min(per_template, len(others)), replace=False):
            query.append(own[writer])
            template.append(np.full(len(own[writer]), position, np.int64))
    return np.concatenate(query), np.concatenate(template)


def wrong_reference_control(
    right: Sides,
    wrong: Sides,
    accept: float | tuple[Scores, Scores] | None = None,
    max_far_random: float = 0.001,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> WrongReference:
    """The control of writers' own (`right`) and of drawn others' (`wrong`) templates.

    In `wrong`, `writer_id` is the template's writer and `query_writer_id` the query's; both are resampled, the same
    way as the writers of `right`, so that the retained share is paired. `accept` is the frozen threshold, or that of
    each trial of either side of `wrong`, where trials of several verifiers are judged together.
    """
    wrong_auc, right_auc = (auc(s.genuine.score, s.skilled.score) for s in (wrong, right))
    draws_wrong, draws_right = _paired_auc(wrong, right, resamples, seed)
    interval = percentile_interval(draws_wrong)
    retained = percentile_interval(_retained(draws_wrong, draws_right))
    genuine, skilled = (None, None) if accept is None else _accepted(wrong, accept, seed)
    status, reasons = _verdict(interval, retained, [genuine, skilled], BUDGETS * max_far_random)
    share = float(_retained(np.array([wrong_auc]), np.array([right_auc]))[0])
    return WrongReference(wrong_auc, interval, right_auc, share, retained, genuine, skilled, status, reasons)


def _paired_auc(wrong: Sides, right: Sides, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    groups = (wrong.genuine, wrong.skilled, right.genuine, right.skilled)
    columns = [c for g in groups for c in (g.writer_id, g.query_writer_id) if c is not None]
    writers = np.unique(np.concatenate([np.asarray(c).astype(str) for c in columns])).tolist()
    drawn = [
        bootstrap_draws(s.genuine, s.skilled, {"auc": auc_of}, resamples=resamples, seed=seed, writers=writers)["auc"]
        for s in (wrong, right)
    ]
    return drawn[0], drawn[1]


def _retained(wrong: np.ndarray, right: np.ndarray) -> np.ndarray:
    """NaN where the verifier cannot tell genuine from skilled with the right reference either."""
    usable = right > 0.5
    share: np.ndarray = np.where(usable, (wrong - 0.5) / np.where(usable, right - 0.5, 1), np.nan)
    return share


def _accepted(wrong: Sides, accept: float | tuple[Scores, Scores], seed: int) -> list[tuple[float, Interval]]:
    """Shares accepted on either side; where none was, up to what so many distinct query images cannot rule out."""
    sides = (wrong.genuine, wrong.skilled)
    limits = accept if isinstance(accept, tuple) else tuple(np.full(len(s.score), accept) for s in sides)
    found = []
    for side, limit, n in zip(sides, limits, wrong.distinct or [len(s.score) for s in sides], strict=True):
        hit: npt.NDArray[np.bool_] = side.score >= limit
        rate = float(hit.mean())
        found.append((rate, never_certain(bootstrap_rate(hit, side, seed=seed), rate, n)))
    return found


def _verdict(
    auc_wrong: Interval, retained: Interval, accepted: list[tuple[float, Interval] | None], limit: float
) -> tuple[str, tuple[str, ...]]:
    invalid, warnings = [], []
    if retained.low > LARGEST_RETAINED:
        invalid.append(f"retains at least {retained.low:.0%} of its advantage without the right reference")
    for name, rate in zip(("genuine signatures", "skilled forgeries"), accepted, strict=True):
        if rate is not None and rate[1].low > limit:
            invalid.append(f"accepts at least {rate[1].low:.2%} of other writers' {name}, more than {limit:.2%}")
    if not auc_wrong.low <= 0.5 <= auc_wrong.high:
        warnings.append(f"AUC with wrong references in [{auc_wrong.low:.3f}, {auc_wrong.high:.3f}] leaves out 0.5")
    status = "invalid" if invalid else "warning" if warnings else "valid"
    return status, (*invalid, *warnings)
