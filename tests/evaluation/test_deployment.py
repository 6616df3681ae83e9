"""Frozen thresholds on planted scores whose error rates are known; a weighted threshold against trials repeated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from sigverify.config import Policy
from sigverify.errors import TooFewWriters
from sigverify.evaluation.deployment import _Side, accept_for, frozen_thresholds
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials
from sigverify.scoring.thresholds import choose_thresholds

SKILLED, RANDOM = (
    Policy("s", max_far_skilled=0.05, max_far_random=1.0),
    Policy("r", max_far_skilled=1, max_far_random=0.01),
)


def planted(seed: int, shift: float = 0.0, writers: int = 40, each: int = 40) -> ScoredTrials:
    """Genuine at 2, skilled forgeries at 0, random ones at -1 (all sd 1), moved by `shift` together."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"w{i:02d}" for i in range(writers)], each)
    others = np.roll(names, each * (1 + seed))
    kind = np.repeat(
        [k.value for k in (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY, TrialKind.RANDOM_FORGERY)], len(names)
    )
    score = np.concatenate([rng.normal(m + shift, 1, len(names)) for m in (2, 0, -1)])
    n = len(kind)
    return ScoredTrials(
        score, kind, np.tile(names, 3), np.full(n, 5), np.arange(n).astype(str), np.concatenate([names, names, others])
    )


def test_the_same_distribution_keeps_its_policy_and_costs_nothing():
    found = frozen_thresholds([(planted(0), planted(1))], [SKILLED, RANDOM], resamples=100)
    frr = {"s": norm.cdf(norm.isf(0.05) - 2), "r": norm.cdf(norm.isf(0.01) - 1 - 2)}
    for name, own, limit in (("s", "far_skilled", 5), ("r", "far_random", 1)):
        point = found[name]
        assert point["frr"] == pytest.approx(100 * frr[name], abs=4)
        assert point[own] == pytest.approx(limit, abs=1.5) and point[f"{own}_to_nominal"] == pytest.approx(1, abs=0.7)
        low, high = point[f"{own}_to_nominal_interval"]
        assert low < 1 < high and point["ratio_kept"] and point["cost_kept"]
        assert point["frr_cost"] == pytest.approx(1, abs=0.35)
    assert "far_random_to_nominal" not in found["s"]


def test_scores_that_moved_up_break_the_policy_and_down_cost_refusals():
    up, down = (frozen_thresholds([(planted(0), planted(1, s))], [SKILLED], resamples=60)["s"] for s in (1.5, -1.0))
    threshold = norm.isf(0.05)
    assert up["far_skilled"] == pytest.approx(100 * norm.sf(threshold - 1.5), abs=4) and not up["ratio_kept"]
    assert down["frr"] == pytest.approx(100 * norm.cdf(threshold + 1 - 2), abs=5)
    assert down["frr_at_own_threshold"] == pytest.approx(100 * norm.cdf(threshold - 2), abs=5)
    assert (
        down["frr_cost"] == pytest.approx(down["frr"] / down["frr_at_own_threshold"], abs=1e-3)
        and not down["cost_kept"]
    )


def test_folds_keep_thresholds_of_their_own():
    """A verifier whose scores are all shifted by 3 decides the same: the fold's threshold moves with it."""
    plain = [(planted(0), planted(1)), (planted(2), planted(3))]
    moved = [plain[0], tuple(replace(side, score=side.score + 3) for side in plain[1])]
    one, other = (frozen_thresholds(folds, [SKILLED, RANDOM], resamples=20) for folds in (plain, moved))
    for name in one:
        assert {**one[name], "accept": 0} == {**other[name], "accept": 0}
        assert other[name]["accept"][1] == pytest.approx(one[name]["accept"][1] + 3)


def test_the_threshold_is_the_one_calibration_chooses():
    trials = planted(4)
    kinds = [trials.of(k).score for k in (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY, TrialKind.RANDOM_FORGERY)]
    for policy in (SKILLED, RANDOM, Policy()):
        assert accept_for(_Side(trials), policy) == choose_thresholds(*kinds, policy, 5).accept


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    counts=st.lists(st.integers(0, 3), min_size=3, max_size=3),
    far=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
)
def test_a_weight_counts_as_often_as_the_trial_repeated(scores, counts, far):
    writers = np.array([f"w{i % 3}" for i in range(len(scores))])
    genuine = ScoredTrials(np.full(3, 9.0), ["genuine"] * 3, ["w0", "w1", "w2"], np.ones(3, int))
    forged = ScoredTrials(
        np.array(scores, float), np.full(len(scores), "skilled_forgery"), writers, np.ones(len(scores), int)
    )
    side = _Side(ScoredTrials.concatenate([genuine, forged]))
    counted = np.array(counts, float)
    weights = {kind: counted[k.claimed] for kind, k in side.kinds.items()}
    policy = Policy(max_far_skilled=far, max_far_random=1.0)
    accept = accept_for(side, policy, weights)
    repeated = np.repeat(np.array(scores, float), counted[np.array([i % 3 for i in range(len(scores))])].astype(int))
    if not len(repeated):
        assert accept == min(scores)
        return
    assert np.mean(repeated >= accept) <= far + 1e-9
    lower = repeated[repeated < accept]
    if len(lower) and lower.max() > min(scores):
        assert np.mean(repeated >= lower.max()) > far


def test_no_error_seen_is_no_zero_interval_and_two_writers_are_needed():
    point = frozen_thresholds([(planted(0), planted(1, shift=-30))], [SKILLED], resamples=20)["s"]
    assert point["far_skilled"] == 0 and point["far_skilled_interval"][1] > 0.1
    few = planted(0).where(planted(0).writer_id == "w00")
    with pytest.raises(TooFewWriters):
        frozen_thresholds([(few, planted(1))], [SKILLED])


def test_a_cost_over_nothing_has_no_bound_and_is_not_kept():
    """Own FRR 0: the tested set could be decided without a refusal, the frozen threshold refuses."""
    test = planted(1)
    apart = replace(test, score=np.select([test.kind == "genuine", test.kind == "skilled_forgery"], [1.0, 0.0], -1.0))
    low, high = (replace(apart, score=apart.score + shift) for shift in (-0.5, 2.0))
    strict = frozen_thresholds([(high, apart)], [SKILLED], resamples=20)["s"]
    assert strict["frr"] == 100 and strict["frr_at_own_threshold"] == 0
    assert strict["frr_cost"] is None and strict["cost_kept"] is False and strict["frr_cost_interval"] == [None, None]
    loose = frozen_thresholds([(low, apart)], [SKILLED], resamples=20)["s"]
    assert loose["frr"] == loose["frr_at_own_threshold"] == 0
    assert loose["frr_cost"] == 1 and loose["cost_kept"] is True and loose["frr_cost_interval"] == [1, 1]


def test_no_error_seen_is_no_zero_interval_of_ratios_and_own_thresholds_either():
    point = frozen_thresholds([(planted(0), planted(1, shift=-30))], [SKILLED], resamples=20)["s"]
    most = 1 - 0.05 ** (1 / 1600)  # of 1600 distinct query images
    assert point["far_skilled_to_nominal_interval"] == pytest.approx([0, most / 0.05], abs=1e-4)
    apart = replace(planted(1), score=10.0 * (planted(1).kind == "genuine"))
    own = frozen_thresholds([(planted(0), apart)], [SKILLED], resamples=20)["s"]
    assert own["frr_at_own_threshold_interval"] == pytest.approx([0, 100 * most], abs=1e-4)


def test_without_a_limit_there_is_no_ratio_to_keep():
    free = Policy("f", max_far_skilled=1, max_far_random=1)
    found = frozen_thresholds([(planted(0), planted(1))], [free], resamples=10)["f"]
    assert found["ratio_kept"] is None
