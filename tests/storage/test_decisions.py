from __future__ import annotations

import pytest

from sigverify.errors import Conflict, Mismatch, NotFound
from sigverify.records import BatchState, Outcome
from sigverify.storage import ledger
from tests.storage.builders import FROZEN, admitted, begin, decision, frozen, item, record


def ids(items):
    return [i.item_id for i in items]


def test_what_is_frozen_stays_frozen(any_store):
    admitted(any_store, "b1", [item(1)])
    mine = frozen(any_store, "b1")
    assert mine == ledger.Frozen("b1", **FROZEN, first=True)
    theirs = ledger.freeze_verifier(any_store, "b1", verifier_version="v8", policy_version="p", gallery_id="g-9")
    assert theirs == ledger.Frozen("b1", **FROZEN, first=False)


def test_a_batch_still_arriving_is_not_frozen(store):
    begin(store, "b1", 1)
    with pytest.raises(Conflict, match="still being received"):
        frozen(store, "b1")
    with pytest.raises(NotFound):
        frozen(store, "b9")


def test_undecided_items_come_in_manifest_order(any_store):
    admitted(any_store, "b1", [item(n, row=100 - n) for n in range(10)])
    frozen(any_store, "b1")
    waiting = ledger.undecided(any_store, "b1")
    assert ids(waiting) == [f"i{n:06d}" for n in range(9, -1, -1)]
    assert ids(ledger.undecided(any_store, "b1", limit=2)) == ids(waiting[:2])
    assert ids(ledger.undecided(any_store, "b1", rows=(95, 97))) == ["i000005", "i000004", "i000003"]
    assert record(any_store, "b1", waiting[1:]) == 9
    assert ledger.undecided(any_store, "b1") == waiting[:1]


def test_recording_again_inserts_nothing_and_the_first_decision_stays(any_store):
    admitted(any_store, "b1", [item(n, row=n + 1) for n in range(20)])
    frozen(any_store, "b1")
    waiting = ledger.undecided(any_store, "b1")
    assert record(any_store, "b1", waiting[:12]) == 12
    assert record(any_store, "b1", waiting[5:], Outcome.REJECT) == 8
    assert record(any_store, "b1", waiting, Outcome.REFER) == 0
    assert list(ledger.decisions_of(any_store, "b1").outcome) == ["accept"] * 12 + ["reject"] * 8


def test_a_decision_row_names_everything(any_store):
    admitted(any_store, "b1", [item(4, amount=None)])
    frozen(any_store, "b1")
    record(any_store, "b1", ledger.undecided(any_store, "b1"))
    row = ledger.decisions_of(any_store, "b1").iloc[0]
    assert row.decision_id == ledger.decision_id("i000004", "v7", "standard-1")
    named = ["item_id", "batch_id", "writer_id", "outcome", "reason", "n_references", "verifier_version", "gallery_id"]
    expected = ["i000004", "b1", "w4", "accept", "score_at_or_above_accept_threshold", 2, "v7", "g-41"]
    assert row[named].tolist() == expected
    assert (row.score, row.accept_threshold, row.reject_threshold) == (0.5, 0.4, 0.2)
    assert (row.reference_ids, row.reference_scores) == (["r1", "r2"], [0.4, 0.6])
    assert row.contract_version == "1.0.0" and row.decided_at.endswith("Z")
    assert ledger.decisions_of(any_store, "b1").amount_minor.isna().all()


def test_another_verifier_cannot_write_into_a_frozen_batch(store):
    admitted(store, "b1", [item(1)])
    pairs = [(i, decision()) for i in ledger.undecided(store, "b1")]
    with pytest.raises(Mismatch, match="is not frozen"):
        ledger.record_decisions(store, "b1", pairs, contract_version="1.0.0", **FROZEN)
    frozen(store, "b1")
    for name in FROZEN:
        with pytest.raises(Mismatch, match="frozen for another"):
            ledger.record_decisions(store, "b1", pairs, contract_version="1.0.0", **(FROZEN | {name: "other"}))
    assert ledger.decisions_of(store, "b1").empty


def test_an_item_of_another_batch_is_refused(store):
    admitted(store, "b1", [item(1)])
    admitted(store, "b2", [item(2)])
    frozen(store, "b1"), frozen(store, "b2")
    with pytest.raises(Mismatch, match="not of this batch"):
        record(store, "b2", ledger.undecided(store, "b1"))


def test_one_bad_row_writes_none(any_store):
    """A whole shard or nothing: the transaction, not the caller, decides."""
    admitted(any_store, "b1", [item(n, row=n + 1) for n in range(3)])
    frozen(any_store, "b1")
    pairs = [(i, decision()) for i in ledger.undecided(any_store, "b1")]
    broken = ledger.Item("i000001", 2, None, "", "", 1, "EUR", batch_id="b1")  # type: ignore[arg-type]
    pairs[1] = (broken, decision())
    with pytest.raises(Exception, match=r"(?i)null"):
        ledger.record_decisions(any_store, "b1", pairs, contract_version="1.0.0", **FROZEN)
    assert len(ledger.undecided(any_store, "b1")) == 3


def test_decision_ids_differ_by_item_verifier_and_policy():
    keys = [(i, v, p) for i in ("a", "ab") for v in ("v", "bv") for p in ("p", "")]
    assert len({ledger.decision_id(*key) for key in keys}) == len(keys)


def test_a_batch_closes_when_nothing_waits(any_store):
    admitted(any_store, "b1", [item(1), item(2)])
    frozen(any_store, "b1")
    waiting = ledger.undecided(any_store, "b1")
    record(any_store, "b1", waiting[:1])
    assert not ledger.close_batch(any_store, "b1")
    with pytest.raises(Conflict, match="not decided"):
        ledger.mark_exported(any_store, "b1")
    record(any_store, "b1", waiting[1:])
    assert ledger.close_batch(any_store, "b1") and ledger.close_batch(any_store, "b1")
    assert ledger.open_batches(any_store) == []
    ledger.mark_exported(any_store, "b1")
    first = ledger.find_batch(any_store, "b1")
    ledger.mark_exported(any_store, "b1")
    assert ledger.find_batch(any_store, "b1") == first and first.state is BatchState.EXPORTED
    assert ledger.close_batch(any_store, "b1")


def test_a_batch_without_items_closes_at_once(store):
    admitted(store, "b1", [])
    assert ledger.close_batch(store, "b1")


def test_a_batch_still_arriving_does_not_close(store):
    begin(store, "b1", 1)
    assert not ledger.close_batch(store, "b1")
