"""How good scores are as evidence: Cllr, its minimum over all monotone calibrations, and the calibration error.

Cllr (Brümmer and du Preez 2006, "Application-independent evaluation of speaker detection", eq. 13) is in bits: 0 is
perfect, 1 is what knows nothing. minCllr is Cllr after the pool-adjacent-violators calibration on the same trials;
the difference is what calibration lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sigverify.evaluation.metrics import Ranking, Scores


def cllr(genuine_llr: Scores, impostor_llr: Scores) -> float:
    """Cost in bits of natural log likelihood ratios, each class with half of the weight."""
    genuine = np.logaddexp(0, -np.asarray(genuine_llr, np.float64)).mean()
    impostor = np.logaddexp(0, np.asarray(impostor_llr, np.float64)).mean()
    return float((genuine + impostor) / 2 / np.log(2))


def min_cllr(genuine: Scores, impostor: Scores) -> float:
    """The smallest Cllr any increasing map of these scores can have. Ties stay tied; constant scores give 1."""
    from sklearn.isotonic import isotonic_regression

    curve = Ranking(genuine, impostor).curve()
    p_genuine, p_impostor = np.diff(curve.frr), -np.diff(curve.far)  # shares at each distinct score
    weight = p_genuine + p_impostor
    chance = np.clip(isotonic_regression(p_genuine / weight, sample_weight=weight), 0, 1)
    return float((_bits(p_genuine, chance) + _bits(p_impostor, 1 - chance)) / 2)


def calibration_error(probability: Scores, is_genuine: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error with equal-mass bins: mean |stated - observed| share of genuine, at equal priors.

    Equal probabilities always share a bin.
    """
    weight = _equal_priors(is_genuine)
    _, level = np.unique(probability, return_inverse=True)
    mass = np.bincount(level, weight)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    group = np.minimum((bins * middle).astype(np.int64), bins - 1)[level]
    stated = np.bincount(group, weight * probability, bins)
    observed = np.bincount(group, weight * is_genuine, bins)
    return float(np.abs(stated - observed).sum() / mass.sum())


def calibration_error_floor(
    probability: Scores,
    is_genuine: npt.NDArray[np.bool_],
    seed: int = 0,
    draws: int = 20,
    query: npt.NDArray[np.int64] | None = None,
) -> float:
    """What `calibration_error` would be, on average, were the probabilities exactly right: sampling noise alone.

    Labels are drawn from the stated probabilities at the priors the trials have, once for each query image: `query`
    (t,) codes 0, 1, ... say which trials share one (None: none do). Trials that repeat an image err together, so a draw
    for each trial would make the floor of twenty draws of references far too low.
    """
    rng = np.random.default_rng(seed)
    prior = float(np.mean(is_genuine))
    odds = probability * prior / np.maximum(probability * prior + (1 - probability) * (1 - prior), 1e-300)
    image = np.arange(len(odds)) if query is None else query
    values = []
    for _ in range(draws):
        drawn = rng.random(int(image.max()) + 1)[image] < odds
        if 0 < drawn.sum() < len(drawn):
            values.append(calibration_error(probability, drawn))
    return float(np.mean(values)) if values else 0.0


def _bits(share: Scores, chance: Scores) -> float:
    """Sum of share * -log2(chance), where nothing costs nothing."""
    held = share > 0
    return float(-(share[held] * np.log2(chance[held])).sum())


def _equal_priors(is_genuine: npt.NDArray[np.bool_]) -> Scores:
    n = np.array([np.sum(~is_genuine), np.sum(is_genuine)], np.float64)
    weight: Scores = 0.5 / np.maximum(n, 1)[is_genuine.astype(np.int64)]
    return weight
