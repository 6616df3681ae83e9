"""Error rates from scores: ROC and DET vertices, EER, AUC, FRR at a FAR. Higher scores are more genuine.

Conventions, everywhere: a trial is accepted when score >= threshold; FAR is the accepted share of impostor trials
(random or skilled forgeries, never mixed), FRR the refused share of genuine ones. Rates are shares, not per cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.errors import BadInput

Scores = npt.NDArray[np.float64]
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Curve:
    """The vertices of a ROC curve, one for each distinct score and a last one that refuses everything.

    `threshold` (m + 1,) ascending, the last +inf; `far` (m + 1,) from 1 down to 0; `frr` (m + 1,) from 0 up to 1.
    Tied scores share a vertex, so neighbouring vertices may differ in both rates; between them the curve is the
    straight line that a coin toss among the tied trials would give. AUC and EER read that line.
    """

    threshold: Scores
    far: Scores
    frr: Scores


@dataclass(frozen=True)
class Eer:
    """`rate` (share) where FAR and FRR are equal on the curve, `threshold` there: for comparing, never for deciding."""

    rate: float
    threshold: float


class Ranking:
    """Genuine (n,) and impostor (m,) scores ranked once, so that re-weighted curves cost no sorting.

    Raises BadInput where a side is empty or a score is not finite.
    """

    def __init__(self, genuine: Any, impostor: Any) -> None:
        left, right = _scores(genuine, "genuine"), _scores(impostor, "impostor")
        self.scores, place = np.unique(np.concatenate([left, right]), return_inverse=True)
        self._genuine, self._impostor = place[: len(left)], place[len(left) :]

    def curve(self, genuine_weight: Scores | None = None, impostor_weight: Scores | None = None) -> Curve:
        """The curve of the trials, each counted with its weight (default 1); NaN where a side weighs nothing."""
        frr = _cumulated(self._genuine, genuine_weight, len(self.scores))
        refused = _cumulated(self._impostor, impostor_weight, len(self.scores))
        return Curve(np.append(self.scores, np.inf), 1 - refused, frr)


def det_curve(genuine: Any, impostor: Any) -> Curve:
    """FAR and FRR at every distinct score: (m + 1,) vertices, the material of ROC and DET plots."""
    return Ranking(genuine, impostor).curve()


def eer(genuine: Any, impostor: Any) -> Eer:
    """Equal error rate of genuine (n,) against impostor (m,) scores.

    Well defined for ties: the point of the ROC polyline (see Curve) on FAR = FRR. Constant scores give 0.5, perfect
    separation 0, separation the wrong way round 1. Invariant under increasing maps of the scores, and under
    swapping the classes while negating the scores.
    """
    return eer_of(det_curve(genuine, impostor))


def eer_of(curve: Curve) -> Eer:
    """The equal error rate of a curve; NaN where a side of it weighs nothing."""
    gap = curve.far - curve.frr  # falls from 1 to -1
    if np.isnan(gap[0]):
        return Eer(float("nan"), float("nan"))
    after = int(np.argmax(gap <= _ROUNDING))
    before = max(after - 1, 0)
    step = gap[before] - gap[after]
    share = float(np.clip(gap[before] / step, 0, 1)) if step > 0 else 0.0
    rate = curve.far[before] + share * (curve.far[after] - curve.far[before])
    last = curve.threshold[-2] if len(curve.threshold) > 1 else 0.0
    low, high = min(curve.threshold[before], last), min(curve.threshold[after], last)
    return Eer(float(np.clip(rate, 0, 1)), float(low + share * (high - low)))


def eer_rate(curve: Curve) -> float:
    """Only the rate of `eer_of`: a statistic for the bootstrap."""
    return eer_of(curve).rate


def auc(genuine: Any, impostor: Any) -> float:
    """P(genuine score > impostor score) + half of P(equal): the area under the ROC curve."""
    return auc_of(det_curve(genuine, impostor))


def auc_of(curve: Curve) -> float:
    """Area under the ROC polyline of a curve."""
    return float(np.sum((curve.far[:-1] - curve.far[1:]) * (2 - curve.frr[:-1] - curve.frr[1:])) / 2)


def far_at(impostor: Any, threshold: float) -> float:
    """Share of impostor scores (m,) accepted at `threshold`."""
    return float(np.mean(_scores(impostor, "impostor") >= threshold))


def frr_at(genuine: Any, threshold: float) -> float:
    """Share of genuine scores (n,) not accepted at `threshold`."""
    return float(np.mean(_scores(genuine, "genuine") < threshold))


def frr_at_far(genuine: Any, impostor: Any, far: float) -> float:
    """The smallest FRR of any threshold whose FAR is at most `far` (share); not interpolated, so it can be had."""
    return frr_at_far_of(det_curve(genuine, impostor), far)


def frr_at_far_of(curve: Curve, far: float) -> float:
    """As `frr_at_far`, of a curve; NaN where a side of it weighs nothing."""
    if np.isnan(curve.far[0]) or np.isnan(curve.frr[0]):
        return float("nan")
    return float(curve.frr[int(np.argmax(curve.far <= far + _ROUNDING))])


def _cumulated(place: npt.NDArray[np.intp], weight: Scores | None, n: int) -> Scores:
    """Share of the weight strictly below each of the `n` distinct scores, then 1: (n + 1,)."""
    held = np.bincount(place, weight, minlength=n).astype(np.float64)
    total = held.sum()
    if total <= 0:
        return np.full(n + 1, np.nan)
    below = np.concatenate([[0.0], np.cumsum(held)])
    share: Scores = below / below[-1]
    return share


def _scores(values: Any, name: str) -> Scores:
    array = np.asarray(values, np.float64).reshape(-1)
    if not len(array):
        raise BadInput(f"no {name} scores", next="an error rate needs trials of both sides")
    if not np.isfinite(array).all():
        raise BadInput(f"{name} scores are not finite", got=f"{int((~np.isfinite(array)).sum())} of {len(array)}")
    return array
