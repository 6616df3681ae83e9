"""What a batch holds, for every kind of writer, and that step and seed alone decide it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigverify.config import BatchSettings
from sigverify.errors import BadInput, BadSettings, TooFewWriters
from sigverify.model.batches import Batches, SignatureSet, join_sets


def a_set(counts: list[tuple[int, int]], source: list[int] | None = None) -> SignatureSet:
    """counts: (genuine, forgeries) for each writer; images are empty."""
    writer = np.repeat(np.arange(len(counts)), [g + f for g, f in counts]).astype(np.int64)
    forged = np.concatenate([[False] * g + [True] * f for g, f in counts]).astype(bool)
    of = None if source is None else np.repeat(source, [g + f for g, f in counts]).astype(np.int64)
    return SignatureSet(np.zeros((len(writer), 2, 2), np.uint8), writer, forged, of)


def test_a_batch_is_p_writers_of_k_genuine_and_f_forgeries() -> None:
    data = a_set([(6, 5)] * 10)
    rows = Batches(data, BatchSettings(writers=4, genuine=3, forgeries=2), seed=1).draw(0)
    assert len(rows) == len(set(rows.tolist())) == 20
    held = Counter(zip(data.writer[rows].tolist(), data.forged[rows].tolist(), strict=True))
    assert sorted(held.values()) == [2, 2, 2, 2, 3, 3, 3, 3]


def test_step_and_seed_decide_and_nothing_else() -> None:
    data, shape = a_set([(6, 5)] * 10), BatchSettings(writers=4, genuine=3, forgeries=2)
    one, two = Batches(data, shape, seed=1), Batches(data, shape, seed=1)
    for step in range(7):
        two.draw(step)
    assert np.array_equal(one.draw(7), two.draw(7))
    assert not np.array_equal(one.draw(7), one.draw(8))
    assert not np.array_equal(one.draw(7), Batches(data, shape, seed=2).draw(7))


def test_without_forgeries_more_writers_fill_the_batch() -> None:
    data = a_set([(20, 0)] * 30)
    rows = Batches(data, BatchSettings(writers=4, genuine=4, forgeries=4), seed=0).draw(3)
    assert len(rows) == 32 and len(set(data.writer[rows].tolist())) == 8


counts = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12)


@given(counts, st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_any_set_gives_pairs_or_says_why_not(held: list[tuple[int, int]], step: int) -> None:
    if not sum(g + f for g, f in held):
        return
    data, shape = a_set(held), BatchSettings(writers=3, genuine=3, forgeries=2)
    if sum(g >= 2 for g, _ in held) < 2:
        with pytest.raises(TooFewWriters):
            Batches(data, shape, seed=0)
        return
    rows = Batches(data, shape, seed=0).draw(step)
    assert len(rows) == len(set(rows.tolist())) <= 15
    genuine = Counter(data.writer[rows][~data.forged[rows]].tolist())
    assert len(genuine) >= 2 and min(genuine.values()) >= 2
    forgeries = Counter(data.writer[rows][data.forged[rows]].tolist())
    assert set(forgeries) <= set(genuine), "a forgery without the writer it imitates"
    assert max(genuine.values()) <= 3 and max(forgeries.values(), default=0) <= 2


def test_sources_get_their_shares() -> None:
    data = a_set([(4, 4)] * 50 + [(4, 4)] * 10, source=[0] * 50 + [1] * 10)
    assert data.source is not None
    drawn: Counter[int] = Counter()
    shape = BatchSettings(writers=4, genuine=2, forgeries=2, source_shares=(0.5, 0.5))
    batches = Batches(data, shape, seed=0)
    for step in range(200):
        drawn.update(data.source[batches.draw(step)].tolist())
    assert drawn[1] / drawn.total() == pytest.approx(0.5, abs=0.08)  # by number of writers it would be 0.17
    left_out = Batches(data, BatchSettings(writers=4, source_shares=(1.0, 0.0)), seed=0)
    assert set(data.source[left_out.draw(0)].tolist()) == {0}


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.5, 0.5), (1.0, -1.0)])
def test_shares_that_do_not_fit_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(BadSettings, match="source"):
        Batches(a_set([(4, 4)] * 4, source=[0, 0, 1, 1]), BatchSettings(source_shares=shares), seed=0)


def test_joined_sets_keep_their_writers_apart(make_planted: Callable[..., SignatureSet]) -> None:
    one, two = make_planted(writers=3, seed=1), make_planted(writers=2, seed=2)
    both = join_sets([one, two])
    assert both.n_writers == 5 and len(both) == len(one) + len(two)
    assert both.source is not None and np.array_equal(np.bincount(both.source), [len(one), len(two)])
    assert set(both.writer[both.source == 0]).isdisjoint(both.writer[both.source == 1])
    assert np.array_equal(both.images[len(one) :], two.images)


def test_digest_names_pixels_writers_and_labels(make_planted: Callable[..., SignatureSet]) -> None:
    data = make_planted(writers=3)
    rows = np.arange(len(data))
    assert data.digest == data.select(rows).digest
    assert data.digest != data.select(rows[::-1]).digest
    assert data.digest != SignatureSet(data.images, data.writer, ~data.forged).digest
    assert data.digest != SignatureSet(255 - data.images, data.writer, data.forged).digest


def test_a_set_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(BadInput, match="uint8"):
        SignatureSet(np.zeros((2, 3, 3)), np.zeros(2, np.int64), np.zeros(2, bool))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="every image"):
        SignatureSet(np.zeros((2, 3, 3), np.uint8), np.zeros(3, np.int64), np.zeros(2, bool))
    with pytest.raises(BadInput, match="no sets"):
        join_sets([])
