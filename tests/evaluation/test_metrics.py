"""Every metric against a slow oracle written from its definition, and the cases where metrics go wrong."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from sigverify.errors import BadInput
from sigverify.evaluation.likelihood import calibration_error, calibration_error_floor, cllr, min_cllr
from sigverify.evaluation.metrics import auc, det_curve, eer, far_at, frr_at, frr_at_far

few_levels = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=12)


def slow_points(genuine, impostor) -> list[tuple[Fraction, Fraction]]:
    """(FAR, FRR) at every threshold that can matter, exactly."""
    thresholds = [*sorted({*genuine, *impostor}), float("inf")]
    return [
        (Fraction(sum(i >= t for i in impostor), len(impostor)), Fraction(sum(g < t for g in genuine), len(genuine)))
        for t in thresholds
    ]


def slow_eer(genuine, impostor) -> float:
    """Walk the polyline and cut it with FAR = FRR, in exact arithmetic."""
    points = slow_points(genuine, impostor)
    for (far0, frr0), (far1, frr1) in pairwise(points):
        before, after = far0 - frr0, far1 - frr1
        if before >= 0 >= after and before != after:
            return float(far0 + before / (before - after) * (far1 - far0))
    raise AssertionError("the polyline always crosses")


def slow_auc(genuine, impostor) -> float:
    wins = sum((g > i) + (g == i) / 2 for g, i in product(genuine, impostor))
    return wins / (len(genuine) * len(impostor))


def slow_frr_at_far(genuine, impostor, far) -> float:
    return float(min(frr for held, frr in slow_points(genuine, impostor) if held <= Fraction(far)))


@given(few_levels, few_levels)
@settings(max_examples=300, deadline=None)
def test_against_the_slow_oracles_with_many_ties(genuine, impostor):
    assert eer(genuine, impostor).rate == pytest.approx(slow_eer(genuine, impostor), abs=1e-9)
    assert auc(genuine, impostor) == pytest.approx(slow_auc(genuine, impostor), abs=1e-9)
    for far in (0.0, 0.25, 0.5, 1.0):
        assert frr_at_far(genuine, impostor, far) == pytest.approx(slow_frr_at_far(genuine, impostor, far), abs=1e-9)


@given(few_levels, few_levels)
@settings(max_examples=100, deadline=None)
def test_label_swap_with_negation_changes_nothing(genuine, impostor):
    swapped = [-x for x in impostor], [-x for x in genuine]
    assert eer(*swapped).rate == pytest.approx(eer(genuine, impostor).rate, abs=1e-9)
    assert auc(*swapped) == pytest.approx(auc(genuine, impostor), abs=1e-9)


@given(few_levels, few_levels)
@settings(max_examples=100, deadline=None)
def test_label_swap_alone_mirrors_the_auc_and_the_eer(genuine, impostor):
    assert auc(impostor, genuine) == pytest.approx(1 - auc(genuine, impostor), abs=1e-9)
    assert eer(impostor, genuine).rate == pytest.approx(1 - eer(genuine, impostor).rate, abs=1e-9)


@pytest.mark.parametrize("transform", [lambda x: 3 * x - 7, np.exp, lambda x: x**3, np.arctan])
def test_increasing_maps_change_no_rate(transform):
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(1, 1, 300), rng.normal(0, 1, 400)
    before, after = (genuine, impostor), (transform(genuine), transform(impostor))
    assert eer(*after).rate == pytest.approx(eer(*before).rate, abs=1e-12)
    assert auc(*after) == pytest.approx(auc(*before), abs=1e-12)
    assert frr_at_far(*after, 0.01) == pytest.approx(frr_at_far(*before, 0.01), abs=1e-12)
    assert min_cllr(*after) == pytest.approx(min_cllr(*before), abs=1e-12)


def test_constant_perfect_and_reversed_scores():
    assert eer([1, 1, 1], [1, 1]).rate == 0.5
    assert auc([1, 1, 1], [1, 1]) == 0.5
    assert eer([2, 3], [0, 1]).rate == 0 and auc([2, 3], [0, 1]) == 1 and frr_at_far([2, 3], [0, 1], 0) == 0
    assert eer([0, 1], [2, 3]).rate == 1 and auc([0, 1], [2, 3]) == 0 and frr_at_far([0, 1], [2, 3], 0) == 1


def test_the_eer_threshold_separates_what_can_be_separated():
    answer = eer([2.0, 3.0], [0.0, 1.0])
    assert far_at([0.0, 1.0], answer.threshold) == 0 and frr_at([2.0, 3.0], answer.threshold) == 0


def test_two_normal_distributions_have_the_eer_that_theory_gives():
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)
    assert eer(genuine, impostor).rate == pytest.approx(norm.cdf(-1), abs=0.002)
    assert eer(genuine, impostor).threshold == pytest.approx(1, abs=0.02)
    assert auc(genuine, impostor) == pytest.approx(norm.cdf(2 / np.sqrt(2)), abs=0.002)
    assert frr_at_far(genuine, impostor, 0.01) == pytest.approx(norm.cdf(norm.ppf(0.99) - 2), abs=0.01)


def test_the_curve_is_monotone_and_starts_and_ends_where_it_must():
    rng = np.random.default_rng(2)
    curve = det_curve(rng.integers(0, 9, 50), rng.integers(0, 9, 60))
    assert (curve.far[0], curve.frr[0], curve.far[-1], curve.frr[-1]) == (1, 0, 0, 1)
    assert (np.diff(curve.far) <= 0).all() and (np.diff(curve.frr) >= 0).all() and (np.diff(curve.threshold) > 0).all()


def test_repeating_every_trial_changes_nothing():
    genuine, impostor = [0.3, 0.9, 0.9], [0.1, 0.3, 0.5, 0.95]
    assert eer(genuine * 7, impostor * 7).rate == pytest.approx(eer(genuine, impostor).rate, abs=1e-12)


def test_no_trials_or_bad_scores_are_errors():
    with pytest.raises(BadInput, match="no impostor scores"):
        eer([1.0], [])
    with pytest.raises(BadInput, match="not finite"):
        eer([np.nan], [1.0])


def test_cllr_of_known_cases():
    assert cllr(np.zeros(3), np.zeros(5)) == pytest.approx(1)  # a system that knows nothing
    assert cllr(np.full(3, 50.0), np.full(5, -50.0)) == pytest.approx(0, abs=1e-9)
    genuine, impostor = np.array([1.0, -0.5]), np.array([0.2, -2.0, 0.0])
    slow = np.mean([np.log2(1 + np.exp(-x)) for x in genuine]) + np.mean([np.log2(1 + np.exp(x)) for x in impostor])
    assert cllr(genuine, impostor) == pytest.approx(slow / 2)


def slow_min_cllr(genuine, impostor) -> float:
    """The minimum by brute force: every way of cutting the ranked scores into blocks, with the best value in each."""
    levels = sorted({*genuine, *impostor})
    shares = [(genuine.count(v) / len(genuine), impostor.count(v) / len(impostor)) for v in levels]
    best = np.inf
    for cuts in product([False, True], repeat=len(levels) - 1):
        blocks = [[shares[0]]]
        for share, cut in zip(shares[1:], cuts, strict=True):
            blocks.append([share]) if cut else blocks[-1].append(share)
        sums = [np.sum(block, axis=0) for block in blocks]
        chances = [g / (g + i) for g, i in sums]
        if all(a <= b for a, b in pairwise(chances)):
            cost = sum(
                (-g * np.log2(p) if g else 0) + (-i * np.log2(1 - p) if i else 0)
                for (g, i), p in zip(sums, chances, strict=True)
            )
            best = min(best, cost / 2)
    return float(best)


@given(few_levels, few_levels)
@settings(max_examples=100, deadline=None)
def test_min_cllr_against_brute_force(genuine, impostor):
    assert min_cllr(np.array(genuine), np.array(impostor)) == pytest.approx(slow_min_cllr(genuine, impostor), abs=1e-9)


def test_min_cllr_is_a_lower_bound_and_calibrated_scores_come_near_it():
    rng = np.random.default_rng(3)
    genuine, impostor = rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000)
    exact = cllr(2 * genuine - 2, 2 * impostor - 2)  # log likelihood ratio of N(2,1) against N(0,1)
    lowest = min_cllr(genuine, impostor)
    assert lowest <= exact <= lowest + 0.01
    assert cllr(9 * genuine, 9 * impostor) > exact


def test_calibration_error_of_right_and_wrong_probabilities():
    rng = np.random.default_rng(4)
    chance = rng.uniform(0, 1, 40_000)
    truth = rng.random(40_000) < chance
    floor = calibration_error_floor(chance, truth)
    assert calibration_error(chance, truth) == pytest.approx(floor, abs=0.01)
    assert calibration_error(np.where(chance > 0.5, 1.0, 0.0), truth) == pytest.approx(0.25, abs=0.02)
    assert calibration_error(np.full(10, 0.5), np.arange(10) < 5) == pytest.approx(0)  # ties share a bin


def slow_calibration_error(chance, truth, bins=15) -> float:
    """Walk the distinct probabilities upwards; each joins the bin that the middle of its mass falls into."""
    share = {True: 0.5 / np.sum(truth), False: 0.5 / np.sum(~truth)}
    gap, below = [0.0] * bins, 0.0
    for level in sorted(set(chance)):
        held = [bool(t) for c, t in zip(chance, truth, strict=True) if c == level]
        mass = sum(share[t] for t in held)
        place = min(int(bins * (below + mass / 2)), bins - 1)
        gap[place] += mass * level - sum(share[t] for t in held if t)
        below += mass
    return sum(map(abs, gap))


@given(few_levels, few_levels)
@settings(max_examples=100, deadline=None)
def test_calibration_error_against_a_slow_walk_with_ties(genuine, impostor):
    chance = np.concatenate([genuine, impostor])
    chance = (chance - chance.min() + 0.13) / (np.ptp(chance) + 1)
    truth = np.arange(len(chance)) < len(genuine)
    assert calibration_error(chance, truth) == pytest.approx(slow_calibration_error(chance, truth), abs=1e-9)


@given(few_levels, few_levels)
@settings(max_examples=50, deadline=None)
def test_label_swap_with_negation_leaves_the_evidence_as_it_is(genuine, impostor):
    g, i = np.array(genuine), np.array(impostor)
    assert cllr(-i, -g) == pytest.approx(cllr(g, i), abs=1e-12)
    assert min_cllr(-i, -g) == pytest.approx(min_cllr(g, i), abs=1e-9)
    assert min_cllr(np.full(3, 2.0), np.full(4, 2.0)) == pytest.approx(1)


def test_accepted_and_refused_shares_count_a_tie_as_accepted():
    scores = [0.0, 1.0, 1.0, 2.0]
    assert (far_at(scores, 1.0), frr_at(scores, 1.0)) == (0.75, 0.25)
    assert all(far_at(scores, t) + frr_at(scores, t) == 1 for t in (-1, 0, 0.5, 1, 2, 3))
