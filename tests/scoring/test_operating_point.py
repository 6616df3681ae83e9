"""Thresholds against the definition by brute force, ties, monotonicity over references, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigverify.config import OperatingPoint, Policy, from_dict, to_dict
from sigverify.errors import BadInput, NotFound, TooFewWriters
from sigverify.records import Outcome, Reason, TrialKind
from sigverify.scoring.calibration import fit_calibration
from sigverify.scoring.operating_point import (
    ScoredTrials,
    choose_operating_point,
    decide,
    kind_if_forged,
    probability,
    thresholds_for,
)
from sigverify.scoring.thresholds import accept_threshold, between, choose_thresholds, just_above, reject_threshold

POLICY = Policy(max_far_skilled=0.02, max_far_random=0.01, max_frr_auto=0.05)
KINDS = (("genuine", 4.0), ("skilled_forgery", 1.5), ("random_forgery", 0.0))


def trials(numbers=(1, 3, 8), writers: int = 12, each: int = 30, seed: int = 0) -> ScoredTrials:
    rng = np.random.default_rng(seed)
    score, kind, writer, k = [], [], [], []
    for n in numbers:
        for w in range(writers):
            for name, mean in KINDS:
                score.append(rng.normal(mean + 0.1 * n, 1, each))
                kind += [name] * each
                writer += [f"w{w}"] * each
                k += [n] * each
    return ScoredTrials(np.concatenate(score), np.array(kind), np.array(writer), np.array(k))


levels = st.lists(st.integers(0, 8).map(float), min_size=1, max_size=15)
shares = st.sampled_from([0.0, 0.1, 0.2, 1 / 3, 0.5, 0.9])


def candidates(scores) -> list[float]:
    """Every threshold that decides differently: each score, and just above it."""
    return sorted({x for s in scores for x in (s, just_above(s))})


@given(levels, shares)
@settings(max_examples=300, deadline=None)
def test_the_accept_threshold_is_the_smallest_that_keeps_the_limit(forged, limit):
    chosen = accept_threshold(np.array(forged), limit)
    kept = [t for t in candidates(forged) if np.mean(np.array(forged) >= t) <= limit + 1e-9]
    assert chosen == min(kept)


@given(levels, shares)
@settings(max_examples=300, deadline=None)
def test_the_reject_threshold_is_the_largest_that_keeps_the_limit(genuine, limit):
    chosen = reject_threshold(np.array(genuine), limit)
    kept = [t for t in candidates(genuine) if np.mean(np.array(genuine) < t) <= limit + 1e-9]
    assert chosen == max(kept)


@given(levels, levels, levels, shares, shares)
@settings(max_examples=60, deadline=None)
def test_chosen_thresholds_keep_every_limit_and_their_order(genuine, skilled, random, far, frr):
    policy = Policy(max_far_skilled=far, max_far_random=far / 2, max_frr_auto=frr)
    sides = [np.array(side) for side in (genuine, skilled, random)]
    held = choose_thresholds(*sides, policy, 1)
    assert held.reject <= held.accept
    assert held.far_skilled <= far + 1e-9 and held.far_random <= far / 2 + 1e-9 and held.frr_auto <= frr + 1e-9
    assert held.far_skilled == np.mean(sides[1] >= held.accept)
    assert held.frr == np.mean(sides[0] < held.accept)


def test_the_limits_themselves_are_not_lost_to_rounding():
    scores = np.arange(300.0)
    assert np.sum(scores >= accept_threshold(scores, 0.01)) == 3
    assert np.sum(scores < reject_threshold(scores, 0.01)) == 3


def test_there_are_thresholds_for_one_to_ten_references_and_they_say_which_were_measured():
    point = choose_operating_point(trials(), POLICY, "set", provisional=True)
    assert [t.n_references for t in point.thresholds] == list(range(1, 11))
    assert [t.n_references for t in point.thresholds if t.measured] == [1, 3, 8]
    held = {t.n_references: t for t in point.thresholds}
    assert held[2].accept == pytest.approx((held[1].accept + held[3].accept) / 2)
    assert held[10].accept == held[8].accept and not held[10].measured
    assert all(t.reject <= t.accept for t in point.thresholds)
    assert (point.n_writers, point.provisional, point.chosen_on) == (12, True, "set")


def test_each_number_of_references_keeps_the_policy_on_its_own_trials():
    data = trials()
    point = choose_operating_point(data, POLICY, "set")
    for k in (1, 3, 8):
        limits = thresholds_for(point, k)
        for kind, limit in ((TrialKind.SKILLED_FORGERY, 0.02), (TrialKind.RANDOM_FORGERY, 0.01)):
            assert np.mean(data.of(kind, k).score >= limits.accept) <= limit
        assert np.mean(data.of(TrialKind.GENUINE, k).score < limits.reject) <= 0.05


def test_decisions_lie_where_the_thresholds_say_including_equality():
    point = choose_operating_point(trials(), POLICY, "set")
    limits = thresholds_for(point, 3)
    assert limits.reject < limits.accept
    assert decide(point, limits.accept, 3) == (Outcome.ACCEPT, Reason.SCORE_ACCEPT)
    assert decide(point, float(np.nextafter(limits.accept, -9)), 3) == (Outcome.REFER, Reason.SCORE_REFER)
    assert decide(point, limits.reject, 3) == (Outcome.REFER, Reason.SCORE_REFER)
    assert decide(point, float(np.nextafter(limits.reject, -9)), 3) == (Outcome.REJECT, Reason.SCORE_REJECT)


def test_more_references_than_known_use_the_largest_known():
    point = choose_operating_point(trials(), POLICY, "set")
    assert thresholds_for(point, 25) == thresholds_for(point, 10)


def test_probability_grows_with_the_score_and_is_calibrated():
    rng = np.random.default_rng(1)
    genuine, forged = rng.normal(2, 1, 50_000), rng.normal(0, 1, 50_000)
    held = fit_calibration(genuine, forged)
    assert held.slope == pytest.approx(2, abs=0.05) and held.intercept == pytest.approx(-2, abs=0.05)
    point = choose_operating_point(trials(), POLICY, "set")
    chances = [probability(point, s, 3) for s in np.linspace(-900, 900, 21)]
    assert all(0 <= c <= 1 for c in chances) and chances == sorted(chances)


def test_unequal_numbers_do_not_move_the_prior():
    rng = np.random.default_rng(2)
    genuine, forged = rng.normal(2, 1, 30_000), rng.normal(0, 1, 30_000)
    even, uneven = fit_calibration(genuine, forged), fit_calibration(genuine[:2_000], forged)
    assert uneven.intercept == pytest.approx(even.intercept, abs=0.15)


def test_separable_reversed_and_constant_scores_stay_finite():
    assert 0 < fit_calibration(np.array([2.0, 3.0]), np.array([0.0, 1.0])).slope < 100
    assert fit_calibration(np.array([0.0, 1.0]), np.array([2.0, 3.0])).slope == 0
    assert fit_calibration(np.ones(3), np.ones(3)).slope == 0


def test_too_few_writers_refuses_and_says_how_many_more():
    with pytest.raises(TooFewWriters, match=r"9 writers.*at least 10.*1 more"):
        choose_operating_point(trials(writers=9), POLICY, "set")
    data = trials()
    few_forgers = data.where((data.kind != "skilled_forgery") | np.isin(data.writer_id, ["w0", "w1"]))
    with pytest.raises(TooFewWriters, match="skilled forgeries"):
        choose_operating_point(few_forgers, POLICY, "set")
    no_limit = Policy(max_far_skilled=1.0, max_far_random=0.01)
    assert choose_operating_point(few_forgers, no_limit, "set").thresholds


def test_a_number_of_references_with_too_few_writers_is_not_used():
    data = trials()
    thin = data.where((data.n_references != 8) | np.isin(data.writer_id, ["w0", "w1"]))
    point = choose_operating_point(thin, POLICY, "set")
    assert [t.n_references for t in point.thresholds if t.measured] == [1, 3]


def test_a_policy_the_data_cannot_show_is_a_warning():
    point = choose_operating_point(trials(), Policy(max_far_random=1e-6), "set")
    assert any("max_far_random" in w for w in point.warnings)
    assert choose_operating_point(trials(), POLICY, "set").warnings == ()


def test_an_operating_point_survives_json():
    point = choose_operating_point(trials(), POLICY, "set")
    assert from_dict(OperatingPoint, to_dict(point)) == point


def test_bad_input_is_named():
    point = choose_operating_point(trials(), POLICY, "set")
    with pytest.raises(NotFound, match="calibrate"):
        decide(OperatingPoint(), 1.0, 1)
    with pytest.raises(BadInput, match="not finite"):
        decide(point, float("nan"), 1)
    with pytest.raises(BadInput, match="no references"):
        thresholds_for(point, 0)
    with pytest.raises(BadInput, match="different lengths"):
        ScoredTrials(np.ones(2), np.array(["genuine"]), np.array(["a", "b"]), np.ones(2))
    with pytest.raises(BadInput, match="unknown kind"):
        ScoredTrials(np.ones(1), np.array(["forged"]), np.array(["a"]), np.ones(1))


def test_random_and_skilled_forgeries_part_where_equal_shares_are_mistaken():
    rng = np.random.default_rng(2)
    low, high = rng.normal(0, 1, 4000), rng.normal(2, 1, 4000)
    limit = between(low, high)
    assert limit == pytest.approx(1.0, abs=0.1)
    assert np.mean(low >= limit) == pytest.approx(np.mean(high < limit), abs=1e-3)
    assert between(high, low) is None and between(low, high[:0]) is None


def test_what_a_forgery_resembles_is_said_only_where_it_was_measured():
    point = choose_operating_point(trials(), Policy(), "test")
    for k in (1, 2, 3, 10):
        limit = thresholds_for(point, k).random_below
        assert limit is not None
        assert kind_if_forged(point, limit - 0.01, k) is TrialKind.RANDOM_FORGERY
        assert kind_if_forged(point, limit, k) is TrialKind.SKILLED_FORGERY
    bare = OperatingPoint(point.policy, tuple(replace(t, random_below=None) for t in point.thresholds))
    assert kind_if_forged(bare, 0.0, 3) is None
