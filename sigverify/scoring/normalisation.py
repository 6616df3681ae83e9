"""What a score is worth: told from the scores that strangers get, or from how alike the writer's references are.

Cohort: z-norm (Li and Porter 1988) centres and scales a score by the scores the *template* gives to the cohort;
s-norm (Kenny 2010) is the mean of that and of the same with the *query* against the cohort; keeping only the nearest
members on each side makes it adaptive (Karam et al. 2011, Matejka et al. 2017). The template's cohort scores go
through the same fusion over references as the score itself; on the query's side a member stands for a template of one
reference.

Own references: a steady hand's genuine signatures resemble one another more than an unsteady hand's, so one threshold
is too low for the first and too high for the second. A share of the references' similarity to one another is taken off
the score (writer-dependent thresholds predicted from the references alone). Few references say little, so their mean is
drawn towards what one expects of anybody (empirical Bayes).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigverify.config import ScoringSettings
from sigverify.errors import BadInput, BadSettings
from sigverify.records import Floats, Ints
from sigverify.scoring.similarity import similarity_named

SMALLEST_SPREAD = (
    1e-3  # of similarities: a cohort whose scores are all equal tells nothing and must not blow a score up
)
MIN_COHORT = 2


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of cohort scores, one of each a template or query: (n,) float32, in similarities."""

    mean: Floats
    deviation: Floats

    def take(self, index: np.ndarray) -> Spread:
        """The rows named by `index`, in that order."""
        return Spread(self.mean[index], self.deviation[index])


class Cohort:
    """Embeddings (m, d) of signatures of other writers; `top` > 0 keeps only the nearest that many for each score.

    Raises BadInput for fewer than two members, BadSettings for a `top` that leaves fewer than two.
    """

    def __init__(self, embeddings: Floats, top: int = 0, similarity: str = "cosine") -> None:
        self.embeddings = similarity_named(similarity).scaled(embeddings, "the cohort")
        if len(self.embeddings) < MIN_COHORT:
            raise BadInput("a cohort needs at least two members", got=len(self.embeddings), next="leave the cohort out")
        if top < 0 or top == 1:
            raise BadSettings("cohort_top must be 0 (all) or at least 2", got=top)
        self.top = min(top, len(self.embeddings))

    def spread(self, cohort_scores: Floats) -> Spread:
        """Mean and deviation over the cohort of (n, m) scores, over the nearest `top` of each row where that is set."""
        kept = cohort_scores
        if 0 < self.top < cohort_scores.shape[1]:
            kept = np.partition(cohort_scores, cohort_scores.shape[1] - self.top, axis=1)[:, -self.top :]
        mean = kept.mean(axis=1, dtype=np.float32)
        deviation = np.maximum(kept.std(axis=1, dtype=np.float32), np.float32(SMALLEST_SPREAD))
        return Spread(mean, deviation)


def own_similarity(between: Floats, settings: ScoringSettings) -> Floats:
    """How alike a template's references are: `between` (t, k (k - 1) / 2) similarities of each two -> (t,).

    The mean of the pairs that count (`counting_pairs`), drawn towards `settings.own_expected` with the weight of
    `settings.own_pairs` pairs.
    """
    counting = counting_pairs(between, settings.odd_reference)
    total = (between * counting).sum(axis=1, dtype=np.float32) + settings.own_pairs * settings.own_expected
    return np.asarray(total / (counting.sum(axis=1) + settings.own_pairs), np.float32)


def counting_pairs(between: Floats, odd: float) -> npt.NDArray[np.bool_]:
    """Which of the pairs `between` (t, k (k - 1) / 2) tell how steady the hand is: (t, k (k - 1) / 2).

    All, but for those of an odd reference (`odd_references`). A reference filed under the wrong name would otherwise
    make its writer's hand look unsteady, and forgeries pass that never would beside the other references.
    """
    counting = np.ones(between.shape, bool)
    worst = odd_references(between, odd)
    found = worst >= 0
    if found.any():
        one, other = np.triu_indices(_references(between), 1)
        counting[found] = (one != worst[found, None]) & (other != worst[found, None])
    return counting


def odd_references(between: Floats, odd: float) -> Ints:
    """Of each template the reference that does not belong with the others, from 0; -1 where none is odd: (t,).

    One of three or more that resembles the others less than they resemble one another, by more than `odd` (0: none).
    """
    n, pairs = between.shape
    k = _references(between)
    if odd <= 0 or k < 3:
        return np.full(n, -1, np.int64)
    one, other = np.triu_indices(k, 1)
    alike = np.zeros((n, k, k))
    alike[:, one, other] = alike[:, other, one] = between
    beside = alike.sum(axis=2)  # (t, k): of each reference with all others
    worst = beside.argmin(axis=1)
    least = beside[np.arange(n), worst]
    rest = (between.sum(axis=1) - least) / (pairs - (k - 1))
    return np.where(rest - least / (k - 1) > odd, worst, -1)


def _references(between: Floats) -> int:
    return round((1 + math.sqrt(1 + 8 * between.shape[1])) / 2)


def normalise(scores: Floats, how: str, template_side: Spread | None, query_side: Spread | None) -> Floats:
    """Fused scores (n,) with each one's cohort statistics to normalised scores (n,), in standard deviations.

    `how`: "none" leaves the similarities, "z" uses the template's side, "s" the mean of both sides.
    """
    if how == "none":
        return scores
    if template_side is None or (how == "s" and query_side is None):
        raise BadInput(f"{how}-normalisation lacks the cohort statistics of a side")
    z: Floats = (scores - template_side.mean) / template_side.deviation
    if how == "z" or query_side is None:
        return z
    t: Floats = (scores - query_side.mean) / query_side.deviation
    return np.asarray((z + t) / 2, np.float32)
