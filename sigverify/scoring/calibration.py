"""Scores to probabilities: logistic calibration at equal priors (Brümmer and du Preez 2006; Platt 1999)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigverify.errors import BadInput

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """logit P(genuine) = slope * score + intercept; at equal priors that is also the natural log likelihood ratio."""

    slope: float
    intercept: float

    def log_likelihood_ratio(self, scores: Scores) -> Scores:
        """Natural log likelihood ratios (n,) of scores (n,)."""
        return self.slope * np.asarray(scores, np.float64) + self.intercept


def fit_calibration(genuine: Scores, impostor: Scores) -> Calibration:
    """Logistic regression of genuine against impostor scores, both classes with half of the weight.

    A unit Gaussian prior on the slope in standard deviations of the score keeps separable data finite. Where higher
    scores are not more genuine in these data the slope is 0: the score then says nothing, rather than the opposite.
    """
    if not len(genuine) or not len(impostor):
        raise BadInput("calibration needs genuine and forged trials", got=f"{len(genuine)} and {len(impostor)}")
    scores = np.concatenate([genuine, impostor]).astype(np.float64)
    centre, spread = float(scores.mean()), float(scores.std())
    if spread == 0:
        return Calibration(0.0, 0.0)
    slope, intercept = _fit((scores - centre) / spread, len(genuine))
    if slope <= 0:
        return Calibration(0.0, 0.0)
    return Calibration(slope / spread, intercept - slope * centre / spread)


def _fit(standardised: Scores, n_genuine: int) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    is_genuine = np.arange(len(standardised)) < n_genuine
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    model.fit(standardised[:, None], is_genuine)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def logistic(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))
