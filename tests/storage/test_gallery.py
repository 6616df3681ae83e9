from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from sigverify.errors import BadInput, Mismatch, NotFound
from sigverify.records import Template
from sigverify.storage.gallery import find_gallery, gallery_id_of, load_templates, reference_marks, save_templates
from sigverify.storage.store import Store
from sigverify.storage.tables import templates


def template(n: int, k: int = 3, encoder_id: str = "3f9a", seed: int = 0) -> Template:
    raw = np.random.default_rng([seed, n]).normal(size=(k, 16))
    embeddings = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    ids = tuple(f"w{n}/r{i}" for i in range(k))
    marks = tuple(bytes([n % 256, i]) for i in range(k))
    return Template(f"w{n}", ids, embeddings, encoder_id, marks, tuple(f"d{n}-{i}" for i in range(k)))


def same(a: Template, b: Template) -> bool:
    plain = (a.writer_id, a.reference_ids, a.encoder_id, a.fingerprints, a.digests)
    other = (b.writer_id, b.reference_ids, b.encoder_id, b.fingerprints, b.digests)
    return plain == other and a.embeddings.tobytes() == b.embeddings.tobytes() and b.embeddings.dtype == np.float32


def test_templates_come_back_bit_for_bit(any_store):
    made = [template(n, k=1 + n % 5) for n in range(2_000)]
    gallery_id = save_templates(any_store, made, "v7")
    found = load_templates(any_store, gallery_id, None, "3f9a")
    assert len(found) == 2_000 and all(same(t, found[t.writer_id]) for t in made)


def test_only_those_asked_for_that_are_enrolled(any_store):
    gallery_id = save_templates(any_store, [template(n) for n in range(5)], "v7")
    assert list(load_templates(any_store, gallery_id, ["w3", "w1", "nobody"], "3f9a")) == ["w1", "w3"]
    assert load_templates(any_store, gallery_id, [], "3f9a") == {}


def test_a_gallery_of_another_encoder_stops_the_run(store):
    gallery_id = save_templates(store, [template(1)], "v6")
    with pytest.raises(Mismatch) as caught:
        load_templates(store, gallery_id, None, "8c02", verifier_version="v7")
    expected = f"gallery {gallery_id} was made by encoder 3f9a, verifier v7 uses 8c02. run enrol_writers for v7"
    assert str(caught.value) == expected


def test_the_name_is_the_same_everywhere_and_differs_by_encoder_and_version(store):
    assert save_templates(store, [template(1)], "v7") == gallery_id_of("3f9a", "v7") == "g-38deded2314b"
    assert len({gallery_id_of(e, v) for e in ("a", "ab") for v in ("v", "bv", "b")}) == 6


def test_enrolling_again_replaces_the_writer_and_leaves_the_others(any_store):
    first, other = template(1), template(2)
    gallery_id = save_templates(any_store, [first, other], "v7")
    newer = template(1, k=5, seed=1)
    assert save_templates(any_store, [newer], "v7") == gallery_id
    found = load_templates(any_store, gallery_id, None, "3f9a")
    assert same(newer, found["w1"]) and same(other, found["w2"])


def test_every_reference_for_the_search_for_copies(any_store):
    bare = Template("w9", ("only",), template(9, k=1).embeddings, "3f9a")
    gallery_id = save_templates(any_store, [template(2, k=2), template(1, k=1), bare], "v7")
    assert reference_marks(any_store, gallery_id).values.tolist() == [
        ["w1", "w1/r0", "d1-0", b"\x01\x00"],
        ["w2", "w2/r0", "d2-0", b"\x02\x00"],
        ["w2", "w2/r1", "d2-1", b"\x02\x01"],
        ["w9", "only", "", b""],
    ]


def test_finding_the_gallery_of_a_verifier(store):
    gallery_id = save_templates(store, [template(1)], "v7")
    assert find_gallery(store, "3f9a", "v7") == gallery_id
    with pytest.raises(NotFound, match="run enrol_writers for v8"):
        find_gallery(store, "3f9a", "v8")
    with pytest.raises(NotFound, match="no gallery g-0"):
        load_templates(store, "g-0", None, "3f9a")


def test_templates_that_make_no_gallery(store):
    with pytest.raises(BadInput, match="no templates"):
        save_templates(store, [], "v7")
    with pytest.raises(Mismatch, match="3f9a, 8c02"):
        save_templates(store, [template(1), template(2, encoder_id="8c02")], "v7")
    short = template(1)
    with pytest.raises(BadInput, match="one embedding"):
        save_templates(store, [Template("w", ("a", "b"), short.embeddings, "3f9a")], "v7")
    with pytest.raises(BadInput, match="one width"):
        save_templates(store, [short, Template("w", ("a",), np.ones((1, 8), np.float32), "3f9a")], "v7")


def test_what_half_precision_holds_takes_half_the_room_and_nothing_is_rounded(store: Store) -> None:
    exact, rounded = template(21), template(22)
    half = Template("w21", exact.reference_ids, exact.embeddings.astype(np.float16).astype(np.float32), "3f9a")
    single = Template("w22", rounded.reference_ids, rounded.embeddings, "3f9a")
    place = save_templates(store, [half, single], "v9")
    held = load_templates(store, place, ["w21", "w22"], "3f9a")
    for made in (half, single):
        assert held[made.writer_id].embeddings.tobytes() == made.embeddings.tobytes()
    with store.database.read() as connection:
        rows = dict(connection.execute(sa.select(templates.c.writer_id, templates.c.embeddings)).fetchall())
    assert 2 * len(rows["w21"]) == len(rows["w22"]) == single.embeddings.nbytes
