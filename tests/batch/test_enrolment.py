"""Enrolment recomputes what changed and nothing else; a reference that cannot be used is named, never swallowed."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from sigverify.batch.enrolment import add_references, enrol
from sigverify.errors import BadTable, NotFound
from sigverify.records import Classification
from sigverify.storage.gallery import find_gallery, load_templates
from sigverify.storage.writers import known_writers
from sigverify.synthesis.sets import draw_signatures
from sigverify.verifier import Verifier


def templates_of(store, verifier):
    gallery = find_gallery(store, verifier.encoder_id, verifier.version)
    return load_templates(store, gallery, None, verifier.encoder_id)


class References:
    """A references folder under construction."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        self.rows = []

    def add(self, name, content, writer_id="W1", label="genuine"):
        if content is not None:
            (self.folder / name).write_bytes(content)
        self.rows.append([name, writer_id, label])
        with (self.folder / "manifest.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["path", "writer_id", "label"], *self.rows])
        return self


@pytest.fixture
def references(tmp_path):
    return References(tmp_path / "references")


def test_everybody_is_enrolled_once_and_a_second_time_nothing_happens(store, verifier, bank):
    added = add_references(store, bank.references_dir)
    assert (added.n_added, added.n_writers, added.refused) == (bank.n_references, bank.n_writers, {})
    first = enrol(store, verifier)
    before = templates_of(store, verifier)
    assert (first.n_enrolled, first.n_unchanged, first.n_references) == (5, 0, bank.n_references)
    again = add_references(store, bank.references_dir)
    assert (again.n_added, again.n_known) == (0, bank.n_references)
    second = enrol(store, verifier)
    assert (second.n_enrolled, second.n_unchanged, second.n_references) == (0, 5, 0)
    after = templates_of(store, verifier)
    assert all(np.array_equal(before[w].embeddings, after[w].embeddings) for w in before)
    assert all(len(t.fingerprints) == len(t.digests) == len(t.reference_ids) for t in after.values())


def test_a_reference_filed_under_another_name_is_named(store, references):
    """By the verifier that ships, on five signatures of one synthetic hand and one of another."""
    own, other = (draw_signatures(1, n, 0, seed=seed).images for n, seed in ((5, 31), (1, 32)))
    for i, image in enumerate([*own, *other]):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        references.add(f"{i}.png", buffer.getvalue())
    add_references(store, references.folder)
    summary = enrol(store, Verifier.load())
    digest = hashlib.sha256((references.folder / "5.png").read_bytes()).hexdigest()
    rows = store.signatures()
    assert list(summary.odd) == rows.loc[rows.digest == digest, "signature_id"].tolist() and len(summary.odd) == 1
    assert f"look at: {summary.odd[0]} (hardly resembles" in summary.text()
    assert enrol(store, Verifier.load()).odd == summary.odd  # nothing is made anew, and it is named again
    store.mark_references(summary.odd, is_reference=False)
    again = enrol(store, Verifier.load())
    assert (again.n_enrolled, again.n_references, again.odd) == (1, 5, ())


def test_writers_are_known_with_and_without_references(store, bank):
    add_references(store, bank.references_dir)
    assert known_writers(store, ["W0001", "W0006", "W9999"]) == {"W0001", "W0006"}


def test_only_changed_writers_are_made_anew(store, verifier, references, scans):
    references.add("1.png", scans[0]).add("2.png", scans[1], writer_id="W2")
    add_references(store, references.folder)
    enrol(store, verifier)
    add_references(store, references.add("3.png", scans[2], writer_id="W2").folder)
    summary = enrol(store, verifier)
    assert (summary.n_enrolled, summary.n_unchanged, summary.n_references) == (1, 1, 2)
    assert {w: len(t.reference_ids) for w, t in templates_of(store, verifier).items()} == {"W1": 1, "W2": 2}


def test_references_are_taken_in_order_of_id_whenever_they_came(store, verifier, references, scans, tmp_path):
    """The template does not depend on the order of arrivals."""
    other = References(tmp_path / "backwards")
    for n, scan in enumerate(scans):
        references.add(f"{n}.png", scan)
    add_references(store, references.folder)
    enrol(store, verifier, max_references=3)
    at_once = templates_of(store, verifier)["W1"]
    with type(store).open(tmp_path / "second", create=True) as second:
        for n, scan in enumerate(reversed(scans)):
            add_references(second, other.add(f"{n}.png", scan).folder)
            enrol(second, verifier, max_references=3)
        one_by_one = templates_of(second, verifier)["W1"]
    assert one_by_one.reference_ids == at_once.reference_ids
    np.testing.assert_array_equal(one_by_one.embeddings, at_once.embeddings)


def test_a_reference_without_a_signature_is_named_and_the_next_takes_its_place(
    store, verifier, references, scans, bank
):
    truth = csv.DictReader((bank.truth_csv).open())
    blank = next(row["item_id"] for row in truth if row["kind"] == "blank")
    references.add("blank", next((bank.landing_dir / "scans").glob(f"{blank}.*")).read_bytes())
    for n in range(3):
        references.add(f"{n}.png", scans[n])
    add_references(store, references.folder)
    summary = enrol(store, verifier, max_references=3)
    assert list(summary.failed.values()) == ["blank"]
    assert len(templates_of(store, verifier)["W1"].reference_ids) == 3
    assert enrol(store, verifier, max_references=3).n_unchanged == 1


def test_a_writer_whose_references_all_fail_is_listed(store, verifier, references, scans, bank):
    truth = csv.DictReader((bank.truth_csv).open())
    blank = next(row["item_id"] for row in truth if row["kind"] == "blank")
    references.add("blank", next((bank.landing_dir / "scans").glob(f"{blank}.*")).read_bytes(), writer_id="W2")
    add_references(store, references.folder)
    with pytest.raises(NotFound, match="no writer has a usable reference"):
        enrol(store, verifier)
    add_references(store, references.add("1.png", scans[0]).folder)
    assert enrol(store, verifier).without_references == ("W2",)


def test_references_that_are_gone_take_the_template_with_them(store, verifier, references, scans):
    add_references(store, references.add("1.png", scans[0]).add("2.png", scans[1], writer_id="W2").folder)
    enrol(store, verifier)
    frame = store.signatures(writer_ids=["W2"])
    store.mark_references(frame.signature_id, is_reference=False)
    summary = enrol(store, verifier)
    assert (summary.n_withdrawn, summary.without_references) == (1, ("W2",))
    assert set(templates_of(store, verifier)) == {"W1"}


def test_the_same_pixels_twice_are_one_reference(store, verifier, references, scans):
    from io import BytesIO

    from PIL import Image as Picture

    buffer = BytesIO()
    Picture.open(BytesIO(scans[0])).save(buffer, "BMP")
    references.add("1.png", scans[0]).add("again.png", scans[0]).add("same.bmp", buffer.getvalue())
    added = add_references(store, references.folder)
    assert (added.n_added, added.n_known) == (2, 1)
    enrol(store, verifier)
    assert len(templates_of(store, verifier)["W1"].reference_ids) == 1


def test_bad_rows_of_a_references_folder_are_refused_with_reasons(store, references, scans):
    (references.folder.parent / "secret.png").write_bytes(scans[3])
    references.add("1.png", scans[0]).add("forged.png", scans[1], label="skilled_forgery").add("gone.png", None)
    references.add("torn.png", scans[2][:200]).add("../secret.png", None).add("text.png", b"no image")
    added = add_references(store, references.folder, Classification.BIOMETRIC)
    assert added.n_added == 1
    assert added.refused == {
        2: "contract_violation", 3: "file_missing", 4: "truncated", 5: "path_outside_landing_folder", 6: "not_an_image",
    }  # fmt: skip
    assert store.signatures().classification.tolist() == ["biometric"]


def test_a_references_manifest_without_its_columns(store, references):
    (references.folder / "manifest.csv").write_text("path,writer\n")
    with pytest.raises(BadTable, match="writer_id"):
        add_references(store, references.folder)


def test_a_named_writer_nobody_has_references_of(enrolled, verifier):
    with pytest.raises(NotFound, match="W7777"):
        enrol(enrolled, verifier, writer_ids=["W0001", "W7777"])


def test_several_processes_prepare_the_same(store, verifier, bank, tmp_path):
    add_references(store, bank.references_dir)
    shutil.copytree(store.folder, tmp_path / "copy")
    enrol(store, verifier)
    with type(store).open(tmp_path / "copy") as copy:
        enrol(copy, verifier, workers=2)
        one, two = templates_of(store, verifier), templates_of(copy, verifier)
    assert all(np.array_equal(one[w].embeddings, two[w].embeddings) for w in one)
