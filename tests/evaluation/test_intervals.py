"""Bootstrap over writers: against an oracle that copies trials, coverage on known systems, exact bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from sigverify.errors import BadInput
from sigverify.evaluation.intervals import (
    Interval,
    WrittenScores,
    bootstrap_over_writers,
    bootstrap_rate,
    clopper_pearson,
    with_resolution,
    writer_counts,
)
from sigverify.evaluation.metrics import auc, auc_of, eer, eer_rate


def trials(seed: int, n_writers: int = 6):
    rng = np.random.default_rng(seed)
    names = np.array([f"w{i}" for i in range(n_writers)])
    own = np.repeat(names, 5)
    claimed, other = np.repeat(names, n_writers), np.tile(names, n_writers)
    apart = claimed != other
    genuine = WrittenScores(rng.integers(3, 9, len(own)).astype(float), own)
    random = WrittenScores(rng.integers(0, 7, int(apart.sum())).astype(float), claimed[apart], other[apart])
    return names, genuine, random


def test_weights_equal_copying_the_trials_of_both_writers():
    names, genuine, random = trials(0)
    counts = list(writer_counts(len(names), 40, seed=5))
    expected = {"eer": [], "auc": []}
    for count in counts:
        times = dict(zip(names, count.astype(int), strict=True))
        copied = np.repeat(genuine.score, [times[w] for w in genuine.writer_id])
        pairs = zip(random.writer_id, random.query_writer_id, strict=True)
        forged = np.repeat(random.score, [times[a] * times[b] for a, b in pairs])
        expected["eer"].append(eer(copied, forged).rate)
        expected["auc"].append(auc(copied, forged))
    found = bootstrap_over_writers(genuine, random, {"eer": eer_rate, "auc": auc_of}, resamples=40, seed=5)
    for name, values in expected.items():
        limits = tuple(np.quantile(values, [0.025, 0.975]))
        assert (found[name].low, found[name].high) == pytest.approx(limits, abs=1e-12)


def test_the_order_of_trials_does_not_matter_and_a_seed_repeats():
    _, genuine, random = trials(1)
    turned = WrittenScores(genuine.score[::-1], genuine.writer_id[::-1])
    one = bootstrap_over_writers(genuine, random, {"eer": eer_rate}, resamples=50, seed=1)
    two = bootstrap_over_writers(turned, random, {"eer": eer_rate}, resamples=50, seed=1)
    assert one == two


def planted_eer_interval(seed: int) -> Interval:
    """20 writers whose genuine scores share a writer's own offset: trials of one writer are far from independent."""
    rng = np.random.default_rng(seed)
    writer = np.repeat(np.arange(20).astype(str), 15)
    offset = np.repeat(rng.normal(0, 0.7, 20), 15)
    genuine = WrittenScores(2 + offset + rng.normal(0, np.sqrt(0.51), 300), writer)
    skilled = WrittenScores(rng.normal(0, 1, 300), writer)
    return bootstrap_over_writers(genuine, skilled, {"eer": eer_rate}, resamples=200, seed=seed)["eer"]


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truth = norm.cdf(-1)
    covered = sum(held.low <= truth <= held.high for held in map(planted_eer_interval, range(60)))
    assert covered >= 49  # of 60; intervals that treat trials as independent cover far fewer


def test_rate_interval_contains_the_rate_and_widens_with_dependence():
    rng = np.random.default_rng(2)
    writer = np.repeat(np.arange(30).astype(str), 20)
    alone = rng.random(600) < 0.2
    together = np.repeat(rng.random(30) < 0.2, 20)
    loose, tight = (bootstrap_rate(hit, WrittenScores(np.zeros(600), writer)) for hit in (together, alone))
    assert tight.low <= alone.mean() <= tight.high
    assert loose.high - loose.low > 2 * (tight.high - tight.low)


@pytest.mark.parametrize(("errors", "n"), [(0, 20), (1, 20), (7, 20), (20, 20)])
def test_clopper_pearson_inverts_the_binomial_tails(errors, n):
    held = clopper_pearson(errors, n)
    tail = 0.05 if errors in (0, n) else 0.025
    assert held.low == 0 if errors == 0 else binom.sf(errors - 1, n, held.low) == pytest.approx(tail)
    assert held.high == 1 if errors == n else binom.cdf(errors, n, held.high) == pytest.approx(tail)


def test_no_error_on_cedars_forgeries_proves_no_less_than_a_fifth_of_a_per_cent():
    assert with_resolution(Interval(0, 0), 1320, 1320).high == pytest.approx(0.00227, abs=1e-5)
    assert with_resolution(Interval(0.1, 0.2), 1320, 1320) == Interval(0.1, 0.2)


def test_one_writer_gives_no_interval():
    held = WrittenScores(np.arange(3.0), np.array(["a"] * 3))
    with pytest.raises(BadInput, match="at least two writers"):
        bootstrap_over_writers(held, held, {"eer": eer_rate})
