from __future__ import annotations

from sigverify.storage import ledger
from tests.storage.builders import admitted, item


def test_the_pool_for_near_copies_is_the_writers_items_oldest_first(any_store):
    admitted(any_store, "b2", [item(n, row=n + 1) for n in range(14)])
    admitted(any_store, "b1", [item(n, row=50 - n) for n in range(14, 28)])
    ledger.set_item_fingerprints(any_store, {"i000001": b"\x01\x00", "i000015": b"\x02"})
    pool = ledger.items_of_writers(any_store, ["w1", "nobody"])
    assert list(pool.item_id) == ["i000001", "i000008", "i000022", "i000015"]  # the later batch by row number
    assert list(pool.fingerprint.iloc[[0, 3]]) == [b"\x01\x00", b"\x02"] and pool.fingerprint.iloc[1] is None
    ledger.set_item_fingerprints(any_store, {})
    assert ledger.items_of_writers(any_store, []).empty


def test_exact_copies_are_found_under_any_writer(any_store):
    shared = "f" * 64
    admitted(any_store, "b1", [item(1), item(2, digest=shared), item(3, digest=shared), item(4)])
    found = ledger.items_with_digests(any_store, [shared, "e" * 64])
    assert found[["item_id", "writer_id"]].values.tolist() == [["i000002", "w2"], ["i000003", "w3"]]
