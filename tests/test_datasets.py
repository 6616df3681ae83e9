"""Labelled sets into a catalogue: layouts, ids, repeats, bad rows, and the second import that adds nothing."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from sigverify.datasets import import_dataset
from sigverify.datasets.layouts import list_images
from sigverify.errors import BadInput, BadTable, Conflict, NotFound
from sigverify.evaluation.parts import load_parts
from sigverify.records import Classification, Image, Label, Reason
from sigverify.storage.store import Store
from tests.scans.drawing import coverage, scan_of

Rows = list[tuple[str, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "catalogue", create=True)


def draw(path: Path, seed: int = 0, **paper: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pil.fromarray(scan_of(coverage(seed, 200, 3, (110, 260), (25, 25)), **paper)).save(path)


def save(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pil.fromarray(image).save(path)


def write_manifest(folder: Path, rows: Rows, header: str = "path,writer_id,label") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        csv.writer(file).writerows(rows)
    return folder


def small_set(folder: Path) -> Path:
    """Two writers, two genuine and one forgery each."""
    rows: Rows = []
    for w, writer in enumerate(("001", "002")):
        for i, label in enumerate(("genuine", "genuine", "forged")):
            draw(folder / writer / f"{i}.png", seed=10 * w + i)
            rows.append((f"{writer}/{i}.png", writer, label))
    return write_manifest(folder, rows)


def cedar(folder: Path) -> None:
    for i, name in enumerate(("full_org/original_1_1", "full_org/original_10_24", "full_forg/forgeries_1_3")):
        draw(folder / f"{name}.png", seed=i)
    (folder / "full_org/Thumbs.db").write_bytes(b"no image")


def bhsig_flat(folder: Path) -> None:
    for i, name in enumerate(("B-S-1-G-01", "B-S-100-F-30", "H-S-001-G-2")):
        draw(folder / f"{name}.tif", seed=i)


def bhsig_folders(folder: Path) -> None:
    for i, name in enumerate(
        ("BHSig260-Bengali/1/B-S-1-G-01", "BHSig260-Bengali/100/B-S-100-F-30", "Hindi/001/H-S-1-G-02")
    ):
        draw(folder / f"{name}.tif", seed=i)


CEDAR_IDS = {"cedar/001/genuine/001", "cedar/010/genuine/024", "cedar/001/skilled_forgery/003"}
BHSIG_IDS = {
    "bhsig260_bengali/b001/genuine/001",
    "bhsig260_bengali/b100/skilled_forgery/030",
    "bhsig260_hindi/h001/genuine/002",
}
AUTHORS = [("cedar", cedar, CEDAR_IDS), ("bhsig260", bhsig_flat, BHSIG_IDS), ("bhsig260", bhsig_folders, BHSIG_IDS)]


@pytest.mark.parametrize(("layout", "lay_out", "ids"), AUTHORS)
def test_authors_layouts_give_the_protocols_ids(
    layout: str, lay_out: Callable[[Path], None], ids: set[str], tmp_path: Path, store: Store
) -> None:
    lay_out(tmp_path / "set")
    summary = import_dataset(layout, tmp_path / "set", store)
    rows = store.signatures()
    assert set(rows["signature_id"]) == ids
    assert set(rows["writer_id"]) <= set(load_parts()["writer_id"])
    assert (summary.images, summary.genuine, summary.forged, summary.failed) == (3, 2, 1, ())


def test_a_manifest_set_is_taken_whole(tmp_path: Path, store: Store) -> None:
    seen: list[tuple[int, int]] = []
    source = small_set(tmp_path / "cedar")
    summary = import_dataset("manifest", source, store, on_progress=lambda done, of: seen.append((done, of)))
    assert (summary.datasets, summary.images, summary.writers, summary.new) == (("cedar",), 6, 2, 6)
    assert seen == [(i, 6) for i in range(1, 7)]
    row = store.signatures().set_index("signature_id").loc["cedar/002/skilled_forgery/001"]
    assert (row["writer_id"], row["dataset"], row["label"]) == ("cedar/002", "cedar", Label.SKILLED_FORGERY.value)
    assert (row["width_px"], row["height_px"], row["source"]) == (260, 110, "002/2.png")
    assert row["classification"] == Classification.RESEARCH.value and not row["is_reference"]
    assert store.read_image(row["image_url"]) == (source / "002/2.png").read_bytes()


def test_a_second_import_adds_nothing(tmp_path: Path, store: Store) -> None:
    source = small_set(tmp_path / "cedar")
    import_dataset("manifest", source, store)
    before = store.signatures()
    again = import_dataset("manifest", source, store)
    assert (again.new, again.images) == (0, 6)
    assert store.signatures().equals(before)


def test_both_words_for_a_forgery_and_another_name(tmp_path: Path, store: Store) -> None:
    draw(tmp_path / "set/a.png", 1)
    draw(tmp_path / "set/b.png", 2)
    source = write_manifest(tmp_path / "set", [("a.png", "w", "forged"), ("b.png", "w", "skilled_forgery")])
    summary = import_dataset("manifest", source, store, name="mine", classification=Classification.BIOMETRIC)
    assert summary.forged == 2
    assert list(store.signatures()["signature_id"]) == ["mine/w/skilled_forgery/001", "mine/w/skilled_forgery/002"]


def test_workers_change_nothing(tmp_path: Path, store: Store) -> None:
    source = small_set(tmp_path / "cedar")
    import_dataset("manifest", source, store, workers=2)
    with Store.open(tmp_path / "other", create=True) as other:
        import_dataset("manifest", source, other)
        columns = ["signature_id", "digest", "pixel_digest", "fingerprint", "image_url"]
        assert store.signatures()[columns].equals(other.signatures()[columns])


def test_exact_and_near_repeats_are_marked(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "set"
    ink = coverage(0, 200, 3, (110, 260), (25, 25))
    save(folder / "first.png", scan_of(ink))
    Pil.fromarray(scan_of(ink)).save(folder / "same_pixels.png", compress_level=0)
    save(folder / "cropped.png", scan_of(ink)[10:, 12:])
    save(folder / "other.png", scan_of(coverage(5, 200, 3, (110, 260), (25, 25))))
    save(folder / "elsewhere.png", np.pad(scan_of(ink), 7, constant_values=235))
    names = ("first", "same_pixels", "cropped", "other")
    rows: Rows = [(f"{n}.png", "a", "genuine") for n in names] + [("elsewhere.png", "b", "genuine")]
    summary = import_dataset("manifest", write_manifest(folder, rows), store)
    assert (summary.exact_duplicates, summary.near_duplicates) == (1, 1)
    marked = store.signatures().set_index("signature_id")["duplicate_of"].dropna()
    assert dict(marked) == {"set/a/genuine/002": "set/a/genuine/001"}
    pairs = store.near_duplicates()  # within a writer only, and not again for the exact repeat
    assert [tuple(p) for p in pairs[["signature_a", "signature_b"]].to_numpy()] == [
        ("set/a/genuine/001", "set/a/genuine/003")
    ]


def test_bad_rows_are_listed_and_the_rest_is_taken(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "set"
    draw(folder / "good.png")
    draw(folder / "later.png", 3)
    draw(tmp_path / "secret.png")
    (folder / "text.png").write_text("no image")
    (folder / "empty.png").write_bytes(b"")
    (folder / "half.png").write_bytes((folder / "good.png").read_bytes()[:300])
    os.symlink(tmp_path / "secret.png", folder / "link.png")
    rows: Rows = [
        ("good.png", "w", "genuine"),
        ("good.png", "w", "real"),
        ("good.png", "../w", "genuine"),
        ("../secret.png", "w", "genuine"),
        (str(tmp_path / "secret.png"), "w", "genuine"),
        ("link.png", "w", "genuine"),
        ("absent.png", "w", "genuine"),
        ("", "w", "genuine"),
        ("text.png", "w", "genuine"),
        ("empty.png", "w", "genuine"),
        ("half.png", "w", "genuine"),
        ("later.png", "w", "genuine"),
    ]
    summary = import_dataset("manifest", write_manifest(folder, rows), store)
    assert {place.removeprefix("manifest.csv row "): reason for place, reason, _ in summary.failed} == {
        "2": Reason.CONTRACT,
        "3": Reason.CONTRACT,
        "4": Reason.PATH_ESCAPES,
        "5": Reason.PATH_ESCAPES,
        "6": Reason.PATH_ESCAPES,
        "7": Reason.FILE_MISSING,
        "8": Reason.CONTRACT,
        "9": Reason.NOT_AN_IMAGE,
        "10": Reason.EMPTY_FILE,
        "11": Reason.TRUNCATED,
    }
    assert summary.images == 2
    assert "10 not taken" in summary.text() and "unknown label" in summary.text()
    draw(folder / "absent.png", 8)  # mended: the others keep their numbers
    assert import_dataset("manifest", folder, store).new == 1


def test_a_link_out_of_an_authors_folder_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "secret.png")
    draw(tmp_path / "set/full_org/original_1_1.png")
    os.symlink(tmp_path / "secret.png", tmp_path / "set/full_org/original_1_2.png")
    listing = list_images("cedar", tmp_path / "set")
    assert [image.number for image in listing.images] == ["001"]
    assert listing.failed[0][1] is Reason.PATH_ESCAPES


def test_the_same_signature_twice_is_listed(tmp_path: Path) -> None:
    draw(tmp_path / "B-S-1-G-01.tif")
    draw(tmp_path / "again/B-S-001-G-1.tif")
    listing = list_images("bhsig260", tmp_path)
    assert len(listing.images) == 1 and "the same signature as" in listing.failed[0][2]


def test_a_manifest_without_a_column_says_which(tmp_path: Path, store: Store) -> None:
    source = write_manifest(tmp_path / "set", [], header="file,writer_id,kind")
    with pytest.raises(BadTable, match=r"lacks path, label; got columns file, writer_id, kind; expected columns path"):
        import_dataset("manifest", source, store)
    (source / "manifest.csv").write_bytes(b"path,writer_id,label\n\xff\xfe,w,genuine\n")
    with pytest.raises(BadTable, match="UTF-8"):
        import_dataset("manifest", source, store)
    (source / "manifest.csv").write_bytes(b"")
    with pytest.raises(BadTable, match="columns none"):
        import_dataset("manifest", source, store)


def test_what_is_no_set_at_all(tmp_path: Path, store: Store) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="original_W_I"):
        import_dataset("cedar", tmp_path / "empty", store)
    with pytest.raises(NotFound, match="manifest"):
        import_dataset("manifest", tmp_path / "empty", store)
    with pytest.raises(NotFound):
        import_dataset("cedar", tmp_path / "absent", store)
    with pytest.raises(BadInput, match="cedar or bhsig260 or manifest"):
        import_dataset("gpds", tmp_path / "empty", store)
    with pytest.raises(BadInput, match="part of every id"):
        import_dataset("manifest", tmp_path / "empty", store, name="../up")
    bhsig_flat(tmp_path / "both")
    with pytest.raises(BadInput, match="one name for two sets"):
        import_dataset("bhsig260", tmp_path / "both", store, name="mine")


def test_another_image_under_a_known_id_is_a_conflict(tmp_path: Path, store: Store) -> None:
    source = small_set(tmp_path / "cedar")
    import_dataset("manifest", source, store)
    draw(source / "001/0.png", seed=77)
    with pytest.raises(Conflict):
        import_dataset("manifest", source, store)


def test_parts_name_every_writer_once() -> None:
    parts = load_parts()
    assert parts["writer_id"].is_unique
    folds = parts[parts["part"] == "fold"]
    assert set(folds["writer_id"].str.split("/").str[0]) == {"cedar"} and set(folds["fold"]) == {0, 1, 2, 3, 4}
    assert parts.loc[parts["part"] != "fold", "fold"].isna().all()
    assert set(parts["part"]) == {"train", "calibration", "test", "fold"}
