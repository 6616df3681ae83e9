"""The synthetic bank: totals add up, every planted fault is there, and the truth knows it."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from sigverify.errors import BadInput
from sigverify.synthesis.bank import LANDING_COLUMNS, SyntheticBank, synthesise_bank
from sigverify.synthesis.day import UNKNOWN_WRITER, ItemKind
from sigverify.synthesis.files import Format, encoded

SMALL = {
    "n_writers": 6, "n_genuine_items": 8, "n_random_items": 3, "n_skilled_items": 4, "n_blank_items": 2,
    "long_side_px": 300,
}  # fmt: skip


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SyntheticBank:
    return synthesise_bank(tmp_path_factory.mktemp("bank"), seed=5, **SMALL)


@pytest.fixture(scope="module")
def manifest(bank: SyntheticBank) -> pd.DataFrame:
    return pd.read_csv(bank.landing_dir / "manifest.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def truth(bank: SyntheticBank) -> pd.DataFrame:
    return pd.read_csv(bank.truth_csv, dtype=str, keep_default_na=False).set_index("item_id")


def test_trailer_is_last_and_adds_up(bank: SyntheticBank, manifest: pd.DataFrame) -> None:
    assert tuple(manifest.columns) == LANDING_COLUMNS
    rows, trailer = manifest.iloc[:-1], manifest.iloc[-1]
    assert (rows["record_type"] == "D").all()
    assert trailer["record_type"] == "T"
    assert int(trailer["count"]) == len(rows) == bank.n_rows
    assert int(trailer["amount_minor"]) == rows["amount_minor"].astype(int).sum() == bank.amount_minor
    assert (rows["amount_minor"].astype(int) > 0).all()


def test_kinds_are_as_ordered(truth: pd.DataFrame, bank: SyntheticBank) -> None:
    expected = Counter(dict.fromkeys(ItemKind, 1))
    expected |= Counter(
        {ItemKind.GENUINE: 9, ItemKind.RANDOM_FORGERY: 3, ItemKind.SKILLED_FORGERY: 4, ItemKind.BLANK: 2}
    )
    assert Counter(truth["kind"]) == expected
    assert bank.n_items == len(truth)


def test_every_enrolled_writer_has_one_to_eight_references_in_files_that_open(bank: SyntheticBank) -> None:
    references = pd.read_csv(bank.references_dir / "manifest.csv")
    per_writer = references.groupby("writer_id").size()
    assert len(per_writer) == bank.n_writers == 6
    assert per_writer.between(1, 8).all()
    assert set(references["label"]) == {"genuine"}
    assert len({Path(path).suffix for path in references["path"]}) == 3
    for path in references["path"]:
        with Pillow.open(bank.references_dir / path) as picture:
            picture.load()


def test_landing_files_are_of_the_kinds_banks_deliver(bank: SyntheticBank, truth: pd.DataFrame) -> None:
    found = Counter()
    for path in (bank.landing_dir / "scans").iterdir():
        if truth.loc[path.stem, "kind"] in ("truncated", "empty_file"):
            continue
        with Pillow.open(path) as picture:
            picture.load()
            found[picture.format] += 1
            if picture.format == "TIFF":
                assert picture.mode == "1"
                assert picture.info["compression"] == "group4"
    assert set(found) == {"TIFF", "PNG", "JPEG"}


def only(truth: pd.DataFrame, kind: ItemKind) -> str:
    (item_id,) = truth.index[truth["kind"] == kind.value]
    return str(item_id)


def path_of(manifest: pd.DataFrame, bank: SyntheticBank, item_id: str) -> Path:
    return bank.landing_dir / manifest.loc[manifest["item_id"] == item_id, "path"].iloc[0]


def test_broken_files(bank: SyntheticBank, manifest: pd.DataFrame, truth: pd.DataFrame) -> None:
    assert not path_of(manifest, bank, only(truth, ItemKind.MISSING_FILE)).exists()
    assert path_of(manifest, bank, only(truth, ItemKind.EMPTY_FILE)).stat().st_size == 0
    cut = path_of(manifest, bank, only(truth, ItemKind.TRUNCATED)).read_bytes()
    with Pillow.open(io.BytesIO(cut)) as picture, pytest.raises(OSError):
        picture.load()


def test_writers_nobody_knows_and_writers_nobody_enrolled(bank: SyntheticBank, truth: pd.DataFrame) -> None:
    holders = set(pd.read_csv(bank.references_dir / "writers.csv")["writer_id"])
    enrolled = set(pd.read_csv(bank.references_dir / "manifest.csv")["writer_id"])
    unknown, bare = (
        truth.loc[only(truth, kind), "writer_id"] for kind in (ItemKind.UNKNOWN_WRITER, ItemKind.NO_REFERENCES)
    )
    assert unknown == UNKNOWN_WRITER and unknown not in holders
    assert bare in holders - enrolled
    assert set(truth["writer_id"]) - {unknown, bare} <= enrolled


def test_forgeries_claim_somebody_else(truth: pd.DataFrame) -> None:
    genuine, random = truth[truth["kind"] == "genuine"], truth[truth["kind"] == "random_forgery"]
    assert (genuine["writer_id"] == genuine["true_writer_id"]).all()
    assert (random["writer_id"] != random["true_writer_id"]).all()
    assert (truth.loc[truth["kind"] == "skilled_forgery", "true_writer_id"] == "").all()


def test_one_item_is_delivered_twice_with_one_file(manifest: pd.DataFrame, truth: pd.DataFrame) -> None:
    (twice,) = truth.index[truth["deliveries"] == "2"]
    rows = manifest[manifest["item_id"] == twice]
    assert len(rows) == 2
    assert (rows.nunique() == 1).all()
    assert manifest["item_id"].value_counts().drop(twice).max() == 1


def ink(path: Path) -> np.ndarray:
    """The ink's own picture, cropped, softened, on a 60 x 120 grid, centred and of unit norm."""
    with Pillow.open(path) as picture:
        grey = np.asarray(picture.convert("L"), np.float64)
    dark = grey < (np.quantile(grey, 0.002) + np.median(grey)) / 2
    rows, columns = np.flatnonzero(dark.sum(axis=1) > 1), np.flatnonzero(dark.sum(axis=0) > 1)
    crop = dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    grid = Pillow.fromarray(crop.astype(np.uint8) * 255).resize((120, 60), Pillow.Resampling.BOX)
    soft = gaussian_filter(np.asarray(grid, np.float64), 1.5)
    return np.asarray((soft - soft.mean()) / np.linalg.norm(soft - soft.mean()))


def alike(a: Path, b: Path) -> float:
    return float((ink(a) * ink(b)).sum())


def test_copies_repeat_the_ink_they_copy(bank: SyntheticBank, manifest: pd.DataFrame, truth: pd.DataFrame) -> None:
    item = only(truth, ItemKind.COPY_OF_ITEM)
    original = truth.loc[item, "copied"]
    assert truth.loc[original, "kind"] == "genuine"
    assert truth.loc[original, "writer_id"] == truth.loc[item, "writer_id"]
    copy, source = path_of(manifest, bank, item), path_of(manifest, bank, original)
    photocopied = only(truth, ItemKind.COPY_OF_REFERENCE)
    reference = bank.references_dir / truth.loc[photocopied, "copied"]
    assert reference.parent.name == truth.loc[photocopied, "writer_id"]
    for ours, theirs in ((copy, source), (path_of(manifest, bank, photocopied), reference)):
        assert ours.read_bytes() != theirs.read_bytes()
        writer_id = truth.loc[ours.stem, "writer_id"]
        others = [path for path in (bank.references_dir / writer_id).iterdir() if path != theirs]
        assert alike(ours, theirs) > max((alike(path, theirs) for path in others), default=0.5)


def test_a_bilevel_copy_keeps_the_thin_strokes() -> None:
    grey = np.full((60, 120), 230, np.uint8)
    grey[20:24, 10:110] = 60  # a firm stroke
    grey[40, 10:110] = 160  # a hairline, much paler
    with Pillow.open(io.BytesIO(encoded(grey, Format.TIFF_G4))) as picture:
        black = ~np.asarray(picture)
    assert black[20:24, 10:110].all()
    assert black[40, 10:110].all()
    assert black.sum() == 500
    for level in (255, 200):
        with Pillow.open(io.BytesIO(encoded(np.full((9, 9), level, np.uint8), Format.TIFF_G4))) as picture:
            assert np.asarray(picture).all()


def tree_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_the_same_seed_writes_the_same_bank(bank: SyntheticBank, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    synthesise_bank(tmp_path / "again", seed=5, on_progress=lambda done, of: seen.append((done, of)), **SMALL)
    assert tree_digest(tmp_path / "again") == tree_digest(bank.folder)
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    synthesise_bank(tmp_path / "other", seed=6, **SMALL)
    assert tree_digest(tmp_path / "other") != tree_digest(bank.folder)


def test_a_full_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BadInput, match="not empty"):
        synthesise_bank(tmp_path, seed=0, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
