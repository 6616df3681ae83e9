"""Logistic regression on absolute differences of two descriptions, fused over the references: a whole baseline's head.

The score of a pair is the log-odds of "one hand" (higher is more genuine). How scores are fused over references is
chosen on inner folds of the training writers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sigverify.errors import TooFewWriters
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.trials import Trials, draw_trials
from sigverify.measurement.signature_pairs import draw_pairs
from sigverify.records import Floats, Ints, TrialKind
from sigverify.scoring.distinct_pairs import over_distinct_pairs
from sigverify.scoring.fusion import fuse

if TYPE_CHECKING:
    import pandas as pd

REGULARISATION = 1e-4  # C of the logistic regression on standardised differences
FUSIONS = ("mean", "max")
FOLDS, INNER_REFERENCES, INNER_DRAWS = 3, 5, 3  # on which the fusion is chosen
_CHUNK = 2_000_000  # floats of differences held at once

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairScorer:
    """`weight` (d,) and `intercept` on |a - b|, its standardisation folded in; `fusion` over references."""

    weight: Weights
    intercept: float
    fusion: str = "mean"

    @property
    def learnt(self) -> bytes:
        """What tells two scorers of one description apart."""
        return self.weight.tobytes() + self.fusion.encode()

    def score_pairs(self, embeddings: Floats, one: Ints, other: Ints) -> Floats:
        """Log-odds (p,) of rows `one` (p,) and `other` (p,) of `embeddings` (n, d) being of one hand."""
        score = np.empty(len(one), np.float32)
        step = max(1, _CHUNK // max(1, embeddings.shape[1]))
        weight = self.weight.astype(np.float32)
        for start in range(0, len(one), step):
            part = slice(start, start + step)
            score[part] = np.abs(embeddings[one[part]] - embeddings[other[part]]) @ weight
        return score + np.float32(self.intercept)

    def score_trials(self, embeddings: Floats, references: Ints, query: Ints, template: Ints) -> Floats:
        """Scores (t,): `references` (templates, k), `query` (t,) index embeddings (n, d); `template` (t,) references.

        A pair that many trials share is computed once.
        """
        each = over_distinct_pairs(partial(self.score_pairs, embeddings), len(embeddings), query, references[template])
        return fuse(each, self.fusion)


def fit_pair_scorer(
    embeddings: Floats,
    signatures: pd.DataFrame,
    seed: int = 0,
    fusion: str = "",
    near_duplicates: Sequence[tuple[str, str]] = (),
) -> PairScorer:
    """A scorer learnt on `signatures` (n rows, distinct) and their `embeddings` (n, d), training writers only.

    `fusion` "" chooses mean or max on inner writer folds: mean where they are too few to say. Raises TooFewWriters
    below two writers.
    """
    one, other, same = draw_pairs(signatures, seed)
    fitted = _fit(np.abs(embeddings[one] - embeddings[other]), same)
    return replace(fitted, fusion=fusion or _choose_fusion(embeddings, signatures, seed, near_duplicates))


def held_out_eers(
    embeddings: Floats,
    signatures: pd.DataFrame,
    references: Sequence[int],
    draws: int = 10,
    seed: int = 0,
    near_duplicates: Sequence[tuple[str, str]] = (),
) -> dict[str, dict[int, float]]:
    """{fusion: {number of references: skilled EER (share)}} on inner writer folds, the mean over the folds.

    A number of references that some fold's writers are too few for is left out.
    """
    from sklearn.model_selection import GroupKFold

    writers = signatures["writer_id"].to_numpy(str)
    found: dict[str, dict[int, list[float]]] = {fusion: {} for fusion in FUSIONS}
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(writers, groups=writers):
        fitted = fit_pair_scorer(embeddings[train], signatures.iloc[train], seed, FUSIONS[0])
        for fusion in FUSIONS:
            scorer = replace(fitted, fusion=fusion)
            for k in references:
                drawn = _trials(signatures.iloc[test], k, draws, seed, near_duplicates)
                rate = _skilled_eer(scorer, drawn, embeddings[test], signatures.iloc[test])
                found[fusion].setdefault(k, []).append(rate)
    means = {fusion: {k: float(np.mean(rates)) for k, rates in held.items()} for fusion, held in found.items()}
    return {fusion: {k: rate for k, rate in held.items() if np.isfinite(rate)} for fusion, held in means.items()}


def _trials(
    signatures: pd.DataFrame, k: int, draws: int, seed: int, near_duplicates: Sequence[tuple[str, str]]
) -> Trials | None:
    try:
        return draw_trials(signatures, k, draws, seed, near_duplicates, random_per_draw=1)
    except TooFewWriters:
        return None


def _skilled_eer(scorer: PairScorer, trials: Trials | None, embeddings: Floats, signatures: pd.DataFrame) -> float:
    """NaN where there are no trials."""
    if trials is None:
        return float("nan")
    scored = score_trials(scorer, trials, embeddings, signatures["signature_id"])
    genuine, skilled = (scored.of(kind).score for kind in (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY))
    return eer(genuine, skilled).rate if len(skilled) else float("nan")


def _fit(differences: Floats, same: Ints) -> PairScorer:
    from sklearn.linear_model import LogisticRegression

    mean, spread = differences.mean(axis=0), differences.std(axis=0) + 1e-6
    model = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=500)
    model.fit((differences - mean) / spread, same)
    weight = model.coef_[0] / spread
    return PairScorer(np.asarray(weight, np.float64), float(model.intercept_[0] - mean @ weight))


def _choose_fusion(
    embeddings: Floats, signatures: pd.DataFrame, seed: int, near_duplicates: Sequence[tuple[str, str]]
) -> str:
    if signatures["writer_id"].nunique() < 3 * FOLDS:
        return FUSIONS[0]
    found = held_out_eers(embeddings, signatures, [INNER_REFERENCES], INNER_DRAWS, seed, near_duplicates)
    return min(FUSIONS, key=lambda fusion: found[fusion].get(INNER_REFERENCES, 1.0))
