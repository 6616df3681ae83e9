"""An erased customer leaves decisions and nothing that shows ink; what others need stays; a crash is made good."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sqlalchemy as sa

from sigverify.errors import BadInput, Conflict, NotFound
from sigverify.records import Template
from sigverify.storage import ledger
from sigverify.storage.erasure import erase_writer
from sigverify.storage.gallery import load_templates, save_templates
from sigverify.storage.images import Images, digest_in
from sigverify.storage.tables import erasures, items, near_duplicates
from sigverify.storage.writers import add_writers, known_writers
from tests.storage.builders import admitted, frozen, item, record


def signature(store, name, writer, content):
    url = store.write_image(content, ".png")
    return {
        "signature_id": name, "writer_id": writer, "dataset": "bank", "label": "genuine", "is_reference": True,
        "image_url": url, "digest": digest_in(url), "pixel_digest": name, "fingerprint": b"ink",
        "width_px": 10, "height_px": 10,
    }  # fmt: skip


@pytest.fixture
def peopled(any_store):
    """Two writers, one file of both, a template each, one decided item each."""
    rows = [signature(any_store, f"{w}/{i}", w, f"{w} {i}".encode()) for w in ("anna", "bert") for i in range(2)]
    rows.append(signature(any_store, "anna/shared", "anna", b"bert 0"))
    any_store.add_signatures(rows)
    any_store.add_near_duplicates([("anna/0", "anna/1", 0.9), ("bert/0", "bert/1", 0.9)])
    add_writers(any_store, ["anna", "bert"])
    unit = np.full((1, 4), 0.5, np.float32)
    save_templates(any_store, [Template(w, (f"{w}/0",), unit, "e1") for w in ("anna", "bert")], "v7")
    scans = [any_store.write_image(w.encode(), ".png") for w in ("scan of anna", "scan of bert")]
    made = [
        item(n, writer_id=w, image_url=u, digest=digest_in(u))
        for n, (w, u) in enumerate(zip(("anna", "bert"), scans, strict=True))
    ]
    admitted(any_store, "day", made)
    return any_store, made


def decide(store, made):
    frozen(store, "day")
    record(store, "day", ledger.undecided(store, "day"))
    ledger.set_item_fingerprints(store, {i.item_id: b"ink" for i in made})
    ledger.close_batch(store, "day")


def files(store):
    return {path.name for path in (store.folder / "images").rglob("*.png")}


@pytest.mark.parametrize("scans_too", [False, True])
def test_ink_goes_and_decisions_stay(peopled, scans_too):
    store, made = peopled
    decide(store, made)
    before = ledger.decisions_of(store, "day")
    erased = erase_writer(store, "anna", approved_by="privacy", item_images=scans_too)
    assert (erased.signatures, erased.templates, erased.items, erased.images) == (3, 1, 1, 2 + scans_too)
    assert set(store.signatures().writer_id) == {"bert"} and known_writers(store, ["anna", "bert"]) == {"bert"}
    gallery = before.gallery_id.iloc[0]
    assert gallery == "g-41" and ledger.decisions_of(store, "day").equals(before)
    with store.database.read() as connection:
        prints = dict(connection.execute(sa.select(items.c.writer_id, items.c.fingerprint)).all())
        pairs = [tuple(row)[:2] for row in connection.execute(sa.select(near_duplicates))]
        row = connection.execute(sa.select(erasures)).one()
    assert prints == {"anna": None, "bert": b"ink"} and pairs == [("bert/0", "bert/1")]
    assert row.pending == [] and "anna" not in json.dumps([row.counts, row.writer_digest])
    kept = {f"{digest_in(r.image_url)}.png" for r in store.signatures().itertuples()}  # with the file of both
    assert files(store) == kept | {f"{made[1].digest}.png"} | (set() if scans_too else {f"{made[0].digest}.png"})


def test_templates_of_others_stay(peopled):
    store, made = peopled
    decide(store, made)
    erase_writer(store, "anna", approved_by="privacy")
    with store.database.read() as connection:
        gallery = connection.execute(sa.text("SELECT gallery_id FROM galleries")).scalar_one()
    assert list(load_templates(store, gallery, None, "e1")) == ["bert"]


def test_an_open_batch_an_unknown_writer_and_nobody_to_answer_for_it_are_refused(peopled):
    store, _ = peopled
    with pytest.raises(Conflict, match="not decided"):
        erase_writer(store, "anna", approved_by="privacy")
    with pytest.raises(NotFound, match="nobody"):
        erase_writer(store, "nobody", approved_by="privacy")
    with pytest.raises(BadInput, match="somebody"):
        erase_writer(store, "anna", approved_by=" ")
    assert len(store.signatures()) == 5 and len(files(store)) == 6


def test_what_a_crash_left_goes_with_the_next_erasure_but_not_what_came_back(peopled, monkeypatch):
    store, made = peopled
    decide(store, made)

    def full(*_):
        raise BadInput("the disk is gone")

    with monkeypatch.context() as patch, pytest.raises(BadInput):
        patch.setattr(Images, "remove", full)
        erase_writer(store, "anna", approved_by="privacy")
    assert "anna" not in set(store.signatures().writer_id) and len(files(store)) == 6
    store.add_signatures([signature(store, "carl/0", "carl", b"anna 0")])  # the same file, delivered for another
    erased = erase_writer(store, "bert", approved_by="privacy")
    assert erased.images == 3 and len(files(store)) == 3  # anna 1, bert 0, bert 1; carl's and both scans stay
