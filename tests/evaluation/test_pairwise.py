"""Pairwise trials against brute force: every pair once, near copies apart, the papers' numbers."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigverify.errors import BadInput, TooFewWriters
from sigverify.evaluation.pairwise import pairwise_trials


def table(genuine: list[int], skilled: list[int]) -> pd.DataFrame:
    rows = [
        {"signature_id": f"s/{w:02d}/{label}/{i:03d}", "writer_id": f"s/{w:02d}", "label": label}
        for w, counts in enumerate(zip(genuine, skilled, strict=True))
        for label, n in zip(("genuine", "skilled_forgery"), counts, strict=True)
        for i in range(n)
    ]
    return pd.DataFrame(rows).assign(duplicate_of=None)


def pairs(trials, kind: str) -> Counter:
    """How often each pair of ids was compared."""
    of = trials.kind == kind
    ids = trials.signature_id
    references = ids[trials.references[trials.template[of], 0]]
    return Counter(frozenset(pair) for pair in zip(references.tolist(), ids[trials.query[of]].tolist(), strict=True))


counts = st.lists(st.tuples(st.integers(2, 6), st.integers(0, 4)), min_size=2, max_size=4)


@settings(max_examples=40, deadline=None)
@given(counts=counts, seed=st.integers(0, 5))
def test_all_pairs_are_those_of_brute_force(counts, seed):
    rows = table(*map(list, zip(*counts, strict=True)))
    trials = pairwise_trials(rows, seed=seed)
    expected: dict[str, Counter] = {"genuine": Counter(), "skilled_forgery": Counter()}
    for _, own in rows.groupby("writer_id"):
        genuine, forged = (own[own.label == label].signature_id for label in ("genuine", "skilled_forgery"))
        expected["genuine"].update(map(frozenset, combinations(genuine, 2)))
        expected["skilled_forgery"].update(map(frozenset, product(genuine, forged)))
    for kind, found in expected.items():
        assert pairs(trials, kind) == found
    claimed, author = trials.template_writer[trials.template], trials.writer_id[trials.query]
    strangers = trials.kind == "random_forgery"
    assert ((claimed != author) == strangers).all()
    assert strangers.sum() == sum(g for g, _ in counts) * (len(counts) - 1)
    assert trials.references.shape[1] == trials.n_references == 1
    assert (trials.label[trials.references] == "genuine").all()
    assert (trials.writer_id[trials.references[:, 0]] == trials.template_writer).all()


def test_the_papers_numbers():
    cedar = pairwise_trials(table([24, 24], [24, 24]), 276, 276).counts()
    assert (cedar["trials_genuine"], cedar["trials_skilled_forgery"]) == (2 * 276, 2 * 276)
    bhsig = pairwise_trials(table([24, 24], [30, 30]), 276, 300).counts()
    assert (bhsig["trials_genuine"], bhsig["trials_skilled_forgery"]) == (2 * 276, 2 * 300)
    everything = pairwise_trials(table([24, 24], [30, 30])).counts()
    assert (everything["trials_genuine"], everything["trials_skilled_forgery"]) == (2 * 276, 2 * 720)


def test_drawn_pairs_are_some_of_all_seeded_and_a_writers_own():
    rows = table([9, 9, 9], [7, 7, 7])
    every, drawn, again = pairwise_trials(rows), pairwise_trials(rows, 20, 30, 1), pairwise_trials(rows, 20, 30, 1)
    for kind in ("genuine", "skilled_forgery"):
        assert pairs(drawn, kind) == pairs(again, kind) and pairs(drawn, kind) <= pairs(every, kind)
        assert pairs(drawn, kind) != pairs(pairwise_trials(rows, 20, 30, 2), kind)
    first = rows[rows.writer_id != "s/02"]
    alone = pairwise_trials(first, 20, 30, 1)
    assert pairs(alone, "genuine") <= pairs(drawn, "genuine")


def test_near_copies_and_exact_copies_never_meet():
    rows = table([5, 5], [3, 3])
    rows.loc[rows.signature_id == "s/01/genuine/004", "duplicate_of"] = "s/01/genuine/003"
    near = [("s/00/genuine/001", "s/00/genuine/002"), ("s/00/skilled_forgery/001", "s/00/genuine/004")]
    trials = pairwise_trials(rows, near_duplicates=near)
    met = pairs(trials, "genuine") + pairs(trials, "skilled_forgery")
    assert not [pair for pair in near if frozenset(pair) in met] and trials.near_copies_left_out == 2
    assert "s/01/genuine/004" not in trials.signature_id and trials.removed_duplicates == 1
    assert trials.counts()["trials_genuine"] == 10 - 1 + 6


def test_too_few_and_bad_numbers():
    with pytest.raises(TooFewWriters, match="1 of 2"):
        pairwise_trials(table([1, 5], [3, 3]))
    with pytest.raises(BadInput, match="0"):
        pairwise_trials(table([5, 5], [3, 3]), genuine_pairs=-1)
    assert pairwise_trials(table([1, 5, 5], [3, 3, 3])).short_writers == 1
