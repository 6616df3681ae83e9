"""The two thresholds for one number of references, exact with ties.

Decision rule everywhere: ACCEPT when score >= accept, REJECT when score < reject, REFER between.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigverify.config import Policy, Thresholds
from sigverify.errors import BadInput
from sigverify.scoring.calibration import fit_calibration

Scores = npt.NDArray[np.float64]
_ROUNDING = 1e-9  # 0.01 * 300 is 3.0000000000000004 or 2.9999999999999996: neither may move a threshold


def accept_threshold(forged: Scores, max_far: float) -> float:
    """The smallest threshold at which at most `max_far` (share) of `forged` (n,) is accepted; -inf where all may be."""
    allowed = math.floor(max_far * len(forged) + _ROUNDING)
    if allowed >= len(forged):
        return -math.inf
    return just_above(float(np.sort(forged)[::-1][allowed]))


def just_above(score: float) -> float:
    """The next number above `score`; above zero the smallest normal one, since some libraries flush smaller to zero."""
    return float(np.nextafter(score, np.inf)) if score != 0 else float(np.finfo(np.float64).tiny)


def reject_threshold(genuine: Scores, max_frr: float) -> float:
    """The largest threshold below which at most `max_frr` (share) of `genuine` (n,) lies; inf where all may."""
    allowed = math.floor(max_frr * len(genuine) + _ROUNDING)
    return math.inf if allowed >= len(genuine) else float(np.sort(genuine)[allowed])


def choose_thresholds(
    genuine: Scores, skilled: Scores, random: Scores, policy: Policy, n_references: int
) -> Thresholds:
    """Thresholds that keep `policy` on these calibration trials, the rates measured there, and the calibration.

    `accept` is the smallest that keeps both FARs, `reject` the largest that keeps the FRR, never above `accept`.
    Calibrated against skilled forgeries where there are any: the harder, hence the more careful, alternative.
    """
    if not len(genuine):
        raise BadInput(f"no genuine trials with {n_references} references")
    everything = np.concatenate([genuine, skilled, random])
    accept = max(accept_threshold(skilled, policy.max_far_skilled), accept_threshold(random, policy.max_far_random))
    accept = max(accept, float(everything.min()))
    reject = min(reject_threshold(genuine, policy.max_frr_auto), accept)
    forged = skilled if len(skilled) else random
    calibration = fit_calibration(genuine, forged) if len(forged) else None
    return Thresholds(
        n_references=n_references,
        accept=accept,
        reject=reject,
        far_skilled=share_accepted(skilled, accept),
        far_random=share_accepted(random, accept),
        frr=float(np.mean(genuine < accept)),
        frr_auto=float(np.mean(genuine < reject)),
        calibration_slope=calibration.slope if calibration else 0.0,
        calibration_intercept=calibration.intercept if calibration else 0.0,
        random_below=between(random, skilled),
    )


def between(low: Scores, high: Scores) -> float | None:
    """Where two kinds of scores part: as large a share of `low` at or above it as of `high` below; None for one kind.

    None also where `low` is not the lower one in these data: the score then does not tell the two apart.
    """
    if not len(low) or not len(high) or np.median(low) >= np.median(high):
        return None
    limits = np.unique(np.concatenate([low, high]))
    above = 1 - np.searchsorted(np.sort(low), limits) / len(low)
    below = np.searchsorted(np.sort(high), limits) / len(high)
    return float(limits[np.argmin(np.abs(above - below))])


def share_accepted(scores: Scores, accept: float) -> float:
    """Share of `scores` at or above `accept`; 0 for none."""
    return float(np.mean(scores >= accept)) if len(scores) else 0.0
