"""What may meet whom: held against every trial drawn, on tables with planted duplicates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigverify.errors import BadInput, BadTable, TooFewWriters
from sigverify.evaluation.trials import draw_trials


def table(writers: int = 4, genuine: int = 8, skilled: int = 5, name: str = "set") -> pd.DataFrame:
    rows = [
        {"signature_id": f"{name}/{w:03d}/{label}/{i:03d}", "writer_id": f"{name}/{w:03d}", "label": label}
        for w in range(writers)
        for label, n in (("genuine", genuine), ("skilled_forgery", skilled))
        for i in range(n)
    ]
    return pd.DataFrame(rows).assign(duplicate_of=None)


def meetings(trials) -> pd.DataFrame:
    """One row a (template, query): ids, writers, label of the query, kind."""
    return pd.DataFrame(
        {
            "claimed": trials.template_writer[trials.template],
            "references": [tuple(trials.signature_id[r]) for r in trials.references[trials.template]],
            "query": trials.signature_id[trials.query],
            "author": trials.writer_id[trials.query],
            "label": trials.label[trials.query],
            "kind": trials.kind,
            "template": trials.template,
        }
    )


@pytest.mark.parametrize("k", [1, 3, 6])
def test_every_trial_is_what_its_kind_says(k):
    found = meetings(draw_trials(table(), k, draws=5))
    for row in found.itertuples():
        assert row.query not in row.references and len(set(row.references)) == k
        assert all(r.startswith(f"{row.claimed}/genuine/") for r in row.references)
        own, genuine = row.author == row.claimed, row.label == "genuine"
        assert (own, genuine) == {
            "genuine": (True, True),
            "skilled_forgery": (True, False),
            "random_forgery": (False, True),
        }[row.kind]
    one = found[found.template == 0].kind.value_counts().to_dict()
    assert one == {"genuine": 8 - k, "skilled_forgery": 5, "random_forgery": 3}


def test_exact_duplicates_are_gone_and_counted():
    rows = table()
    rows.loc[rows.signature_id == "set/001/genuine/003", "duplicate_of"] = "set/001/genuine/002"
    trials = draw_trials(rows, 2, draws=10)
    assert "set/001/genuine/003" not in set(trials.signature_id)
    assert trials.counts()["removed_duplicates"] == 1


def test_near_duplicates_never_meet_and_are_counted():
    pair = ("set/000/genuine/001", "set/000/genuine/002")
    traced = ("set/002/skilled_forgery/000", "set/002/genuine/004")
    free, kept_apart = (draw_trials(table(), 4, 20, near_duplicates=near) for near in ([], [pair, traced]))
    pairs = {frozenset(pair), frozenset(traced)}

    def met(trials) -> int:
        rows = meetings(trials)
        tables = zip(rows["query"], rows.references, strict=True)
        return sum(frozenset((r, q)) in pairs for q, references in tables for r in references)

    assert met(free) > 0
    assert met(kept_apart) == 0
    assert kept_apart.near_copies_left_out == met(free) == len(free) - len(kept_apart)


def test_short_writers_stay_out_and_still_serve_as_strangers():
    rows = pd.concat([table(), table(1, 4, 5, "short")])
    trials = draw_trials(rows, 3, draws=2)
    assert "short/000" not in set(trials.template_writer) and trials.short_writers == 1
    found = meetings(trials)
    assert "short/000" in set(found[found.kind == "random_forgery"].author)


def test_a_seed_repeats_and_another_differs_and_the_order_of_rows_does_not_matter():
    rows = table()
    first, again = draw_trials(rows, 3, 4, seed=1), draw_trials(rows.sample(frac=1, random_state=0), 3, 4, seed=1)
    assert meetings(first).equals(meetings(again))
    assert not np.array_equal(first.references, draw_trials(rows, 3, 4, seed=2).references)


def test_fewer_references_are_the_beginning_of_more_and_other_writers_change_nothing():
    rows = table()
    few, many = draw_trials(rows, 1, 6), draw_trials(rows, 5, 6)
    assert np.array_equal(few.references, many.references[:, :1])
    alone = draw_trials(table(2), 5, 6)
    assert [list(alone.signature_id[r]) for r in alone.references] == [
        list(many.signature_id[r]) for r in many.references[: len(alone.references)]
    ]


def test_random_forgeries_can_be_limited():
    trials = draw_trials(table(6), 2, 3, random_per_draw=2)
    strangers = meetings(trials).query("kind == 'random_forgery'").groupby("template").author
    assert (strangers.agg(["size", "nunique"]) == 2).all().all()


def test_bad_input_names_what_is_missing():
    with pytest.raises(TooFewWriters, match=r"with 7 references.*9 distinct"):
        draw_trials(table(), 7)
    with pytest.raises(BadTable, match="duplicate_of"):
        draw_trials(table().drop(columns="duplicate_of"), 1)
    with pytest.raises(BadTable, match="forged"):
        draw_trials(table().assign(label="forged"), 1)
    with pytest.raises(BadInput, match="at least one"):
        draw_trials(table(), 0)
