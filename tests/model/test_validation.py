"""The quick look during training: EER at points where it is known, and trials counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sigverify.errors import TooFewWriters
from sigverify.model.batches import SignatureSet
from sigverify.model.validation import equal_error_rate, measure


def test_equal_error_rate_where_it_is_known() -> None:
    low, high = np.array([0.0, 0.1, 0.2]), np.array([0.8, 0.9])
    assert equal_error_rate(high, low) == 0.0
    assert equal_error_rate(low, high) == 1.0
    assert equal_error_rate(np.ones(5), np.ones(9)) == 0.5
    assert equal_error_rate(np.array([1.0, 2, 3, 4]), np.array([0.0, 1.5, 0.5, 0.2])) == pytest.approx(0.25)
    rng = np.random.default_rng(0)
    apart = equal_error_rate(rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000))
    assert apart == pytest.approx(0.1587, abs=0.006)  # the normal distribution's tail beyond one sigma


def test_equal_error_rate_sees_order_only_and_swaps_to_its_complement() -> None:
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(1, 1, 301), rng.normal(0, 1, 207)
    rate = equal_error_rate(genuine, impostor)
    assert equal_error_rate(np.exp(genuine), np.exp(impostor)) == rate
    assert equal_error_rate(-impostor, -genuine) == pytest.approx(rate, abs=0.01)
    assert equal_error_rate(impostor, genuine) == pytest.approx(1 - rate, abs=0.01)


def a_set(writers: int, genuine: int, forgeries: int) -> SignatureSet:
    writer = np.repeat(np.arange(writers, dtype=np.int64), genuine + forgeries)
    forged = np.tile(np.arange(genuine + forgeries) >= genuine, writers)
    return SignatureSet(np.zeros((len(writer), 1, 1), np.uint8), writer, forged)


def test_trials_are_counted_as_described() -> None:
    data = a_set(writers=4, genuine=7, forgeries=3)
    perfect = np.eye(4, dtype=np.float32)[data.writer]
    figures = measure(perfect, data, n_references=5)
    assert (figures["genuine"], figures["random"], figures["skilled"]) == (4 * 2, 4 * 2 * 3, 4 * 3)
    assert figures["random_eer"] == 0.0
    assert figures["skilled_eer"] == 0.5, "a forgery that embeds like its writer cannot be told apart"


def test_forgeries_never_are_references() -> None:
    data = a_set(writers=3, genuine=4, forgeries=4)
    embeddings = np.zeros((len(data), 6), np.float32)
    embeddings[np.arange(len(data)), data.writer + 3 * data.forged] = 1
    assert measure(embeddings, data, n_references=3)["skilled_eer"] == 0.0


def test_sets_without_forgeries_or_without_writers() -> None:
    data = a_set(writers=3, genuine=6, forgeries=0)
    assert "skilled_eer" not in measure(np.eye(3, dtype=np.float32)[data.writer], data)
    with pytest.raises(TooFewWriters, match="5 genuine"):
        measure(np.zeros((15, 3), np.float32), a_set(writers=3, genuine=5, forgeries=0))
