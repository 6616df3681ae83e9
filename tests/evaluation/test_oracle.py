"""The oracle column: against a slow loop, and below one global threshold exactly where writers differ in level."""

from __future__ import annotations

import numpy as np
import pytest

from sigverify.evaluation.intervals import WrittenScores
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.oracle import oracle_eer, own_eers


def sides(spread: float, writers: int = 12, each: int = 30, seed: int = 0):
    rng = np.random.default_rng(seed)
    own = np.repeat([f"w{i:02d}" for i in range(writers)], each)
    level = np.repeat(rng.normal(0, spread, writers), each)
    return tuple(WrittenScores(level + rng.normal(m, 1, len(own)), own) for m in (2, 0))


def test_it_is_the_mean_of_each_writers_own_eer():
    genuine, forged = sides(spread=3)
    slow = [
        eer(genuine.score[genuine.writer_id == w], forged.score[forged.writer_id == w]).rate
        for w in np.unique(genuine.writer_id)
    ]
    rate, interval = oracle_eer(genuine, forged, resamples=200)
    assert rate == pytest.approx(np.mean(slow)) and interval.low <= rate <= interval.high
    assert list(own_eers(genuine, forged).values()) == pytest.approx(slow)


def test_a_level_of_ones_own_is_what_it_gives_away():
    together, apart = sides(spread=0), sides(spread=4)
    for genuine, forged in (together, apart):
        gain = eer(genuine.score, forged.score).rate - oracle_eer(genuine, forged, 50)[0]
        assert (gain > 0.15) == (genuine is apart[0])


def test_any_shift_of_a_writers_scores_leaves_it_and_writers_of_one_side_are_left_out():
    genuine, forged = sides(spread=1)
    shifted = [WrittenScores(s.score + 5 * (s.writer_id == "w03"), s.writer_id) for s in (genuine, forged)]
    assert oracle_eer(*shifted, 20)[0] == pytest.approx(oracle_eer(genuine, forged, 20)[0])
    alone = WrittenScores(np.append(genuine.score, 9.0), np.append(genuine.writer_id, "nobody forged"))
    assert own_eers(alone, forged) == own_eers(genuine, forged)
    nobody = WrittenScores(forged.score, np.full(len(forged.score), "stranger"))
    assert np.isnan(oracle_eer(genuine, nobody)[0])
