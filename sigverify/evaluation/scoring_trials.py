"""Trials and embeddings to scored trials: where evaluation meets the scoring code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.evaluation.intervals import WrittenScores
from sigverify.evaluation.trials import Trials
from sigverify.records import Floats, TrialKind
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd


def rows_of(trials: Trials, signature_ids: Any) -> np.ndarray:
    """Where each of the trials' signatures stands in a table with these ids: (n,) int64."""
    place = {str(name): i for i, name in enumerate(signature_ids)}
    return np.array([place[name] for name in trials.signature_id.tolist()], np.int64)


def score_trials(scorer: Any, trials: Trials, embeddings: Floats, signature_ids: Any) -> ScoredTrials:
    """Scores of all trials; `embeddings` (n, d) belong to `signature_ids` (n,)."""
    held = embeddings[rows_of(trials, signature_ids)]
    asked = (held, trials.references, trials.query, trials.template)
    blind = getattr(scorer, "without_size", lambda: None)()
    return ScoredTrials(
        score=scorer.score_trials(*asked),
        score_without_size=np.empty(0) if blind is None else blind.score_trials(*asked),
        kind=trials.kind,
        writer_id=trials.template_writer[trials.template],
        n_references=np.full(len(trials), trials.n_references, np.int64),
        query_id=trials.signature_id[trials.query],
        query_writer_id=trials.writer_id[trials.query],
        draw=trials.draw[trials.template],
    )


def largest_up_to(numbers: Iterable[int], most: int) -> int:
    """The largest of some numbers of references that is at most `most`; the smallest where all are larger."""
    held = sorted(numbers)
    return max((k for k in held if k <= most), default=held[0])


def by_references(trials: ScoredTrials) -> dict[int, ScoredTrials]:
    """Trials apart by their number of references, ascending; their order is kept."""
    return {int(k): trials.where(trials.n_references == k) for k in np.unique(trials.n_references)}


def by_image(trials: ScoredTrials, signatures: pd.DataFrame) -> ScoredTrials:
    """Trials whose queries are named by what they show: exact copies under other ids count as one query image.

    `signatures` has signature_id and, where it is known, pixel_digest.
    """
    if "pixel_digest" not in signatures:
        return trials
    first = signatures.groupby("pixel_digest")["signature_id"].transform("first")
    name = dict(zip(signatures["signature_id"].astype(str), first.astype(str), strict=True))
    return replace(trials, query_id=np.array([name.get(q, q) for q in trials.query_id.tolist()], np.str_))


def written(trials: ScoredTrials, kind: TrialKind) -> WrittenScores:
    """Scores of one kind with the writers they involve, for the bootstrap."""
    part = trials.of(kind)
    both = kind is TrialKind.RANDOM_FORGERY
    return WrittenScores(part.score, part.writer_id, part.query_writer_id if both else None)
