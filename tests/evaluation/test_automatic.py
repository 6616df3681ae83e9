"""What could be decided without a person: against brute force over thresholds, with ties; what images cannot show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigverify.config import OperatingPoint
from sigverify.evaluation.automatic import Risk, cannot_show, decided, thresholds_at
from sigverify.evaluation.figures import measure
from sigverify.evaluation.intervals import Interval, never_certain
from sigverify.evaluation.metrics import frr_at_far
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials

levels = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=25)


def trials(genuine, skilled, random, writers: int = 5) -> ScoredTrials:
    parts = [np.asarray(p, float) for p in (genuine, skilled, random)]
    kind = np.repeat(["genuine", "skilled_forgery", "random_forgery"], [len(p) for p in parts])
    n = len(kind)
    own = np.array([f"w{i % writers}" for i in range(n)])
    other = np.array([f"w{(i + 1) % writers}" for i in range(n)])
    author = np.where(kind == "random_forgery", other, own)
    return ScoredTrials(np.concatenate(parts), kind, own, np.ones(n), np.arange(n).astype(str), author)


@given(levels, levels, levels, st.sampled_from([0.0, 0.1, 0.3, 1.0]), st.sampled_from([0.0, 0.2]))
@settings(max_examples=200, deadline=None)
def test_against_every_threshold_there_is(genuine, skilled, random, far, frr_auto):
    scored, risk = trials(genuine, skilled, random), Risk(far, far / 2, frr_auto)
    g, s, r = (np.array(x) for x in (genuine, skilled, random))
    cuts = [x + d for x in range(-1, 8) for d in (0.0, 0.5)]
    kept = [t for t in cuts if np.mean(s >= t) <= far + 1e-9 and np.mean(r >= t) <= far / 2 + 1e-9]
    best = max(np.mean(g >= t) for t in kept)
    accept, reject = thresholds_at(scored, risk)
    found = decided(scored, risk)
    assert found["genuine_accepted"] == pytest.approx(best)
    assert np.mean(s >= accept) <= far + 1e-9 and np.mean(r >= accept) <= far / 2 + 1e-9
    assert reject <= accept and np.mean(g < reject) <= frr_auto + 1e-9
    worst = max(frr_at_far(g, s, far), frr_at_far(g, r, far / 2))
    assert found["genuine_accepted"] == pytest.approx(1 - worst)  # the identity that the intervals rest on


def test_shares_of_known_scores_and_kinds_count_alike():
    scored = trials([5] * 8 + [1, 3], [0] * 5 + [2] * 5, [0] * 100)
    found = decided(scored, Risk(0.0, 0.0, 0.0))
    assert found["genuine_accepted"] == pytest.approx(0.9)  # accept just above 2
    assert found == pytest.approx(
        {"genuine_accepted": 0.9, "genuine": 0.9, "skilled": 0.5, "random": 1.0, "all": 0.8}
    )  # accept above 2, reject below 1
    assert decided(scored, Risk(0.0, 0.0, 0.1))["all"] == 1  # one genuine may go: reject meets accept, nothing is left


def test_figures_hold_both_risks_with_intervals_and_say_what_images_cannot_show():
    rng = np.random.default_rng(0)
    scored = trials(rng.normal(4, 1, 200), rng.normal(0, 1, 200), rng.normal(-1, 1, 200), writers=10)
    found = measure(scored, OperatingPoint(), resamples=100, seed=0)
    for risk in ("0.5", "1"):
        share, (low, high) = (found["automatic"][f"genuine_accepted_{risk}{end}"] for end in ("", "_interval"))
        assert low <= share <= high and share == pytest.approx(
            100 * decided(scored, Risk(float(risk) / 100, 0.001))["genuine_accepted"], abs=1e-3
        )
    assert "200 distinct forged queries cannot show a FAR of 0.5 %" in found["automatic"]["note"]
    assert "cannot show a FAR of 1 %" in found["skilled"]["note"]
    assert found["skilled"]["oracle"] <= found["skilled"]["eer"] + 2


@pytest.mark.parametrize(
    ("n", "far", "shown"), [(298, 0.01, False), (299, 0.01, True), (2994, 0.001, False), (2995, 0.001, True)]
)
def test_rule_of_three(n, far, shown):
    assert (cannot_show(n, far) == "") == shown


def test_where_no_error_was_seen_the_bound_is_that_of_the_distinct_images():
    assert never_certain(Interval(0, 0), 0.0, 100).high == pytest.approx(1 - 0.05 ** (1 / 100))
    assert never_certain(Interval(1, 1), 1.0, 100).low == pytest.approx(0.05 ** (1 / 100))
    assert never_certain(Interval(0.1, 0.2), 0.15, 100) == Interval(0.1, 0.2)
    none, one = never_certain(Interval(0, 0), 0.0, 100), never_certain(Interval(0, 0.002), 0.001, 100)
    assert one.high >= none.high  # a few errors on one image are no better known than none at all
    assert never_certain(Interval(0.998, 1.0), 0.999, 100).low <= never_certain(Interval(1, 1), 1.0, 100).low
    perfect = trials([9] * 40, [0] * 30, [0] * 50)
    repeated = ScoredTrials.concatenate([perfect] * 20)  # twenty draws show no more than one
    for scored in (perfect, repeated):
        found = measure(scored, OperatingPoint(), resamples=20, seed=0)
        for group in (found["skilled"], found["random"], found["automatic"]):
            for name, interval in group.items():
                if name.endswith("_interval"):
                    assert interval[0] < interval[1], name
        assert found["skilled"]["frr_at_far_1_interval"] == pytest.approx([0, 100 * (1 - 0.05 ** (1 / 40))], abs=1e-3)
        assert found["skilled"]["eer_interval"] == pytest.approx([0, 100 * (1 - 0.05 ** (1 / 30))], abs=1e-3)


def test_one_kind_of_forgery_is_enough():
    scored = trials([3, 4, 5, 6, 7], [0, 1, 2, 3, 4], [])
    found = measure(scored, OperatingPoint(), resamples=20, seed=0)
    assert "random" not in found and found["automatic"]["genuine_accepted_1"] == 60
    assert not len(scored.of(TrialKind.RANDOM_FORGERY))
