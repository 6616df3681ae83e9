"""Repeated ink is found by file, by page and by shape, in whichever batch and under whichever writer it comes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from sigverify.batch.decisions import verify_batch
from sigverify.batch.landing import ingest_batch
from sigverify.storage import ledger
from sigverify.synthesis.paper import photocopy
from tests.batch.deliveries import Delivery


def copied(data: bytes) -> bytes:
    """The scan photocopied and scanned again, as JPEG."""
    image = np.asarray(Picture.open(BytesIO(data)).convert("L"))
    buffer = BytesIO()
    Picture.fromarray(photocopy(image, np.random.default_rng(1))).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def outcome(store, batch_id):
    frame = ledger.decisions_of(store, batch_id)
    return {r.item_id: (r.reason, r.detail) for r in frame.itertuples() if r.reason.startswith("copy_of")}


@pytest.fixture
def decide(enrolled, verifier):
    return lambda delivery: _decide(enrolled, verifier, delivery)


def _decide(store, verifier, delivery):
    batch_id = ingest_batch(store, delivery.write()).batch_id
    verify_batch(store, verifier, batch_id, shard_size=1)
    return outcome(store, batch_id)


def test_the_same_file_under_another_id_and_another_writer(decide, delivery, scans):
    delivery.add("a", scans[0]).add("b", scans[0], writer_id="W0002").add("c", scans[1])
    assert decide(delivery) == {"a": ("copy_of_item", "b"), "b": ("copy_of_item", "a")}


def test_a_copy_of_an_item_of_an_earlier_batch(decide, delivery, scans, tmp_path):
    assert decide(delivery.add("a", scans[0])) == {}
    later = Delivery(tmp_path / "landing" / "day-2").add("b", copied(scans[0])).add("c", scans[2])
    assert decide(later) == {"b": ("copy_of_item", "a")}


def test_three_copies_all_refer(decide, delivery, scans):
    delivery.add("a", scans[0]).add("b", copied(scans[0])).add("c", scans[0])
    assert {i: reason for i, (reason, _) in decide(delivery).items()} == dict.fromkeys("abc", "copy_of_item")


def test_pages_of_one_file_are_not_copies_of_each_other(decide, delivery, scans):
    first, *others = (Picture.open(BytesIO(data)) for data in scans[:3])
    buffer = BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    for page in range(3):
        delivery.add(f"p{page}", buffer.getvalue(), page=page)
    assert decide(delivery) == {}
    again = Delivery(delivery.folder.parent / "day-2").add("again", buffer.getvalue(), page=1)
    assert decide(again) == {"again": ("copy_of_item", "p1")}


def test_a_reference_presented_as_a_query_by_its_writer_and_by_another(decide, delivery, bank, enrolled):
    held = enrolled.signatures(writer_ids=["W0001"]).iloc[0]
    data = enrolled.read_image(held.image_url)
    delivery.add("own", data).add("foreign", data, writer_id="W0002")
    expected = ("copy_of_reference", held.signature_id)
    assert decide(delivery) == {"own": expected, "foreign": expected}


def test_a_copy_keeps_its_score_as_evidence(decide, delivery, enrolled):
    held = enrolled.signatures(writer_ids=["W0001"]).iloc[0]
    decide(delivery.add("own", enrolled.read_image(held.image_url)))
    row = ledger.decisions_of(enrolled, ledger.list_batches(enrolled)[0].batch_id).iloc[0]
    assert row.outcome == "refer"
    assert row.score >= row.accept_threshold  # it would have been accepted
    assert row.reference_scores[list(row.reference_ids).index(held.signature_id)] > 0.999


def test_genuine_signatures_of_one_writer_are_not_copies(decide, delivery, scans):
    for n, data in enumerate(scans):
        delivery.add(f"i{n}", data)
    assert decide(delivery) == {}


def test_a_blank_delivered_twice_stays_a_failure_to_acquire(decide, delivery, enrolled, verifier):
    buffer = BytesIO()
    Picture.new("L", (600, 200), 255).save(buffer, "PNG")
    delivery.add("a", buffer.getvalue()).add("b", buffer.getvalue())
    assert decide(delivery) == {}
    frame = ledger.decisions_of(enrolled, ledger.list_batches(enrolled)[0].batch_id)
    assert set(frame.outcome) == {"failure_to_acquire"}


def test_fingerprints_of_an_earlier_release_do_not_stop_a_batch(decide, delivery, enrolled, scans, tmp_path, caplog):
    decide(delivery.add("a", scans[0]))
    ledger.set_item_fingerprints(enrolled, {"a": b"another kind"})
    later = Delivery(tmp_path / "landing" / "day-2").add("b", copied(scans[0])).add("c", scans[0])
    assert decide(later).keys() == {"b", "c"}  # of each other
    assert "earlier release" in caplog.text
