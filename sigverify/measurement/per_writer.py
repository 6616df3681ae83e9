"""Errors writer by writer: where a system fails, which one number over all writers hides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigverify.evaluation.metrics import eer
from sigverify.evaluation.result import BenchmarkResult
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials


@dataclass(frozen=True)
class WriterErrors:
    """All in per cent. `eer`: with a threshold of the writer's own, which nobody has (an oracle).

    `frr` and `far_skilled` at the one threshold of the global EER. Counts are distinct query images.
    """

    writer_id: str
    eer: float
    frr: float
    far_skilled: float
    genuine: int
    skilled: int


def writer_errors(results: Sequence[BenchmarkResult], k: int) -> list[WriterErrors]:
    """Each writer with genuine and skilled trials with `k` references, the worst first; fold by fold, then joined."""
    found = [one for result in results if k in result.scored for one in _errors(result.scored[k])]
    return sorted(found, key=lambda one: (-one.eer, -one.far_skilled, one.writer_id))


def _errors(scored: ScoredTrials) -> list[WriterErrors]:
    genuine, skilled = scored.of(TrialKind.GENUINE), scored.of(TrialKind.SKILLED_FORGERY)
    if not len(genuine) or not len(skilled):
        return []
    threshold = eer(genuine.score, skilled.score).threshold
    shared = sorted(set(genuine.writer_id.tolist()) & set(skilled.writer_id.tolist()))
    return [
        _one(w, genuine.where(genuine.writer_id == w), skilled.where(skilled.writer_id == w), threshold) for w in shared
    ]


def _one(writer: str, genuine: ScoredTrials, skilled: ScoredTrials, threshold: float) -> WriterErrors:
    return WriterErrors(
        writer,
        100 * eer(genuine.score, skilled.score).rate,
        100 * float(np.mean(genuine.score < threshold)),
        100 * float(np.mean(skilled.score >= threshold)),
        len(np.unique(genuine.query_id)),
        len(np.unique(skilled.query_id)),
    )
