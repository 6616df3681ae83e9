"""Control 2's probe as a system of its own: a query's plain numbers compared with those of its references.

What pen, ink and size alone achieve in the same trials and the same table. One logistic regression for each number of
references, on evaluation.nuisance_references.compare_numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sigverify.errors import TooFewWriters
from sigverify.evaluation.nuisance_references import compare_numbers
from sigverify.evaluation.scoring_trials import rows_of
from sigverify.evaluation.trials import draw_trials
from sigverify.records import Floats, Ints, TrialKind

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = (1, 3, 5, 8, 10)  # of references that a model is learnt for, as far as the writers have signatures
DRAWS, RANDOM = 3, 2  # of references a training writer, and random forgeries a draw
_CHUNK = 50_000  # trials compared at once


@dataclass(frozen=True, eq=False)
class NuisanceScorer:
    """`models` {number of references: (f + 1,) weights, the intercept last}."""

    models: dict[int, npt.NDArray[np.float64]]

    @property
    def learnt(self) -> bytes:
        """What tells two scorers of one description apart."""
        return b"".join(bytes([k]) + self.models[k].tobytes() for k in sorted(self.models))

    def score_trials(self, embeddings: Floats, references: Ints, query: Ints, template: Ints) -> Floats:
        """Log-odds (t,) of trials over numbers (n, f); as scoring.Scorer.score_trials."""
        k = references.shape[1]
        weights = self.models[max((n for n in self.models if n <= k), default=min(self.models))]
        held = np.asarray(embeddings, np.float64)
        score = np.empty(len(query), np.float32)
        for start in range(0, len(query), _CHUNK):
            part = slice(start, start + _CHUNK)
            score[part] = compare_numbers(held, references, query[part], template[part]) @ weights[:-1] + weights[-1]
        return score


def fit_nuisance_scorer(
    embeddings: Floats, signatures: pd.DataFrame, seed: int = 0, near_duplicates: Sequence[tuple[str, str]] = ()
) -> NuisanceScorer:
    """Learnt on `signatures` (n rows, training writers) and their numbers `embeddings` (n, f).

    Raises TooFewWriters where fewer than two writers have skilled forgeries and three genuine signatures.
    """
    models: dict[int, npt.NDArray[np.float64]] = {}
    for k in NUMBERS:
        try:
            trials = draw_trials(signatures, k, DRAWS, seed, near_duplicates, RANDOM)
        except TooFewWriters:
            if not models:
                raise
            break
        held = np.asarray(embeddings, np.float64)[rows_of(trials, signatures["signature_id"])]
        features = compare_numbers(held, trials.references, trials.query, trials.template)
        models[k] = _fit(features, trials.kind == TrialKind.GENUINE.value)
    return NuisanceScorer(models)


def _fit(features: npt.NDArray[np.float64], genuine: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=500).fit((features - mean) / spread, genuine)
    weight = model.coef_[0] / spread
    return np.append(np.asarray(weight, np.float64), float(model.intercept_[0] - mean @ weight))
