"""The quick look during training: EER at points where it is known, and trials counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sigverify.errors import TooFewWriters
from sigverify.model.batches import SignatureSet
from sigverify.model.validation import measure


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
