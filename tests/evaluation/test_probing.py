"""The probe every control asks: what it is shown, and that it sees what is there and nothing that is not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sigverify.evaluation.metrics import auc
from sigverify.evaluation.probing import BOOSTING, LOGISTIC, equal_bins, held_out

TABLE = arrays.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.integers(-9, 9))


@given(TABLE, st.integers(2, 40))
def test_bins_keep_the_order_of_a_column_and_its_ties(numbers, bins):
    found = equal_bins(numbers, bins)
    assert found.shape == numbers.shape and (found >= 0).all() and (found < bins).all()
    for column, bin_of in zip(numbers.T, found.T, strict=True):
        assert (np.diff(bin_of[np.argsort(column, kind="stable")]) >= 0).all()
        assert all(len(set(bin_of[column == value])) == 1 for value in np.unique(column))


def test_bins_of_distinct_numbers_hold_equally_many():
    numbers = np.random.default_rng(0).permutation(320).reshape(-1, 1).astype(float)
    assert np.unique(equal_bins(numbers, 32), return_counts=True)[1].tolist() == [10] * 32


def test_each_model_finds_a_cue_of_its_kind_and_neither_finds_one_in_noise():
    """A shift is seen by both; "far from the middle" is no half-plane, only the trees see it."""
    rng = np.random.default_rng(0)
    genuine, writers = np.tile([True, False], 300), np.repeat(np.arange(30), 20).astype(str)
    noise = rng.normal(size=(600, 3))
    shifted, folded = noise.copy(), noise.copy()
    shifted[genuine, 0] += 1.5
    folded[genuine, 1] *= 4

    def quality(numbers, model):
        score, chosen = held_out(numbers, genuine, writers, models=(model,))
        assert set(chosen) == {model}
        return auc(score[genuine], score[~genuine])

    assert min(quality(shifted, LOGISTIC), quality(shifted, BOOSTING)) > 0.8
    assert quality(folded, BOOSTING) > 0.7 and quality(folded, LOGISTIC) < 0.6
    assert max(quality(noise, LOGISTIC), quality(noise, BOOSTING)) < 0.58
