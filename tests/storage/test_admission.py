from __future__ import annotations

from dataclasses import replace

import pytest

from sigverify.errors import BadInput, Conflict, NotFound
from sigverify.records import BatchState, Reason
from sigverify.storage import ledger
from tests.storage.builders import admitted, begin, frozen, item, refused


def test_items_quarantine_and_state_arrive_together(any_store):
    begin(any_store, "b1", 4)
    done = ledger.admit_items(any_store, "b1", [item(1), item(2), item(3)], [refused(4)])
    assert done == ledger.Admission(admitted=3, redelivered=0, quarantined=1, repeated=False)
    batch = ledger.find_batch(any_store, "b1")
    assert batch.state is BatchState.OPEN and batch.ingested_at
    assert (batch.received_minor, batch.received_unreadable) == ({"EUR": 300}, 1)
    assert list(ledger.items_of(any_store, "b1").item_id) == ["i000001", "i000002", "i000003"]
    reasons = ledger.quarantined_of(any_store, "b1").reasons[0]
    assert reasons == [{"reason": "file_missing", "column": "path", "detail": "no such file"}]


def test_admitting_again_changes_nothing(any_store):
    first = admitted(any_store, "b1", [item(1), item(2)])
    again = ledger.admit_items(any_store, "b1", [item(1), item(2), item(3)])
    assert (again.admitted, again.repeated) == (first.admitted, True)
    assert len(ledger.items_of(any_store, "b1")) == 2


def test_the_same_item_and_content_is_a_redelivery(any_store):
    admitted(any_store, "b1", [item(1), item(2)])
    begin(any_store, "b2", 3)
    done = ledger.admit_items(any_store, "b2", [item(3, row=1), item(1, row=2), item(3, row=3)])
    assert done == ledger.Admission(admitted=1, redelivered=2, quarantined=0, repeated=False)
    repeats = ledger.redelivered_of(any_store, "b2")
    assert repeats[["row_number", "item_id", "amount_minor"]].values.tolist() == [
        [2, "i000001", 100],
        [3, "i000003", 100],
    ]
    assert ledger.items_of(any_store, "b1").batch_id.tolist() == ["b1", "b1"]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"digest": "0" * 64}, "digest"),
        ({"amount": 101}, "amount_minor"),
        ({"amount": None}, "amount_minor"),
        ({"currency": "CHF"}, "currency"),
        ({"writer_id": "w99"}, "writer_id"),
        ({"page": 1}, "page"),
    ],
)
def test_the_same_item_with_anything_else_is_quarantined(any_store, other, named):
    admitted(any_store, "b1", [item(1)])
    done = admitted(any_store, "b2", [item(1, row=1, **other), item(2, row=2)])
    assert done == ledger.Admission(admitted=1, redelivered=0, quarantined=1, repeated=False)
    row = ledger.quarantined_of(any_store, "b2").iloc[0]
    expected = {"reason": Reason.ITEM_ID_CONFLICT.value, "column": "item_id"}
    assert row.reasons == [expected | {"detail": f"differs from batch b1 in {named}"}]
    assert row.item_id == "i000001"


def test_within_one_manifest_the_first_row_counts(any_store):
    rows = [item(1, row=2), item(1, row=1, digest="0" * 64), item(1, row=3)]
    assert admitted(any_store, "b1", rows) == ledger.Admission(1, 0, 2, repeated=False)
    assert ledger.items_of(any_store, "b1")[["row_number", "digest"]].values.tolist() == [[1, "0" * 64]]


def test_an_image_is_on_the_disk_before_a_row_names_it(store):
    url = store.write_image(b"ink", ".png")
    assert store.images._pending
    admitted(store, "b1", [item(1, image_url=url)])
    assert not store.images._pending


def test_one_row_is_one_row(store):
    begin(store, "b1", 2)
    with pytest.raises(BadInput, match=r"\[1\]"):
        ledger.admit_items(store, "b1", [item(1)], [refused(1)])
    assert ledger.find_batch(store, "b1").state is BatchState.RECEIVING


def test_an_unknown_batch(store):
    with pytest.raises(NotFound, match="ingest it first"):
        ledger.admit_items(store, "b9", [item(1)])


def test_a_batch_begins_once(any_store):
    first = begin(any_store, "b1", 5, declared_count=5)
    assert begin(any_store, "b1", 6) == first
    with pytest.raises(Conflict, match="another manifest") as caught:
        begin(any_store, "b1", 5, manifest_digest="other")
    assert "batch with an id of its own" in str(caught.value)


def test_batches_are_listed_oldest_first(any_store):
    for batch_id, day in (("c", "2026-11-19"), ("a", "2026-11-20"), ("b", "2026-11-19")):
        admitted(any_store, batch_id, [], business_date=day)
    begin(any_store, "still arriving", 1)
    assert ledger.open_batches(any_store) == ["b", "c", "a"]
    assert [b.batch_id for b in ledger.list_batches(any_store)] == ["b", "c", "a", "still arriving"]


def test_what_was_refused_may_be_named_anything(any_store):
    """An id that broke the contract still reaches quarantine, whatever signs are in it."""
    begin(any_store, "b1", 2)
    names = ["a\0b", "\u202e'; DROP TABLE items; --" + "x" * 5_000]
    ledger.admit_items(any_store, "b1", [], [replace(refused(n), item_id=name) for n, name in enumerate(names)])
    assert ledger.quarantined_of(any_store, "b1").item_id.tolist() == ["a\ufffdb", names[1]]


def test_every_kind_of_value_survives_in_bulk(any_store):
    """Many rows take another way into PostgreSQL than a few; what is stored must not depend on how many there are."""
    text = "ü '\"\\ \u2028"
    odd = [item(n, writer_id=text, fingerprint=bytes(range(256)), amount=-(10**17) - n, page=n) for n in range(300)]
    bare = [item(n, amount=None, currency=None, fingerprint=None) for n in range(300, 600)]
    admitted(any_store, "b1", [*odd, *bare])
    frozen(any_store, "b1")
    found = [replace(i, batch_id="", received_at="") for i in ledger.undecided(any_store, "b1")]
    assert found == [*odd, *bare]
