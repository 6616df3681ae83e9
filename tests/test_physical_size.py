"""The size of a signature on paper: a cue of its own, where the resolution of a scan is known."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from typer.testing import CliRunner

from sigverify.batch.enrolment import enrol
from sigverify.cli import app
from sigverify.config import Policy
from sigverify.datasets import import_dataset
from sigverify.errors import BadInput
from sigverify.evaluation.benchmark import run_benchmark
from sigverify.evaluation.calibration_trials import calibrate
from sigverify.evaluation.embedded import embed_signatures
from sigverify.measurement.headline import headline_rows
from sigverify.measurement.page import write_page
from sigverify.storage.gallery import load_templates
from sigverify.storage.store import Store
from sigverify.synthesis.sets import draw_signatures
from sigverify.synthetic_catalogue import synthesise_catalogue
from sigverify.verification import verify_one
from sigverify.verifier import Verifier

SHARE = 0.2


@pytest.fixture(scope="module")
def looks() -> Verifier:
    return Verifier.load().with_size(SHARE)


def saved(path: Path, image: np.ndarray, dpi: float | None = None) -> Path:
    Pil.fromarray(image).save(path, **({} if dpi is None else {"dpi": (dpi, dpi)}))
    return path


def test_the_same_ink_at_another_resolution_is_another_size_on_paper(looks: Verifier, tmp_path: Path) -> None:
    images = draw_signatures(1, 4, 0, seed=5).images
    references = [saved(tmp_path / f"r{i}.png", images[i], 300) for i in (1, 2, 3)]
    asked = {
        dpi: verify_one(looks, saved(tmp_path / f"q{dpi}.png", images[0], dpi), references) for dpi in (300, 150, None)
    }
    usual, twice, unknown = asked[300], asked[150], asked[None]
    assert twice.size_ratio is not None and usual.size_ratio is not None and unknown.size_ratio is None
    assert np.allclose(np.array(twice.size_ratio) / usual.size_ratio, 2, atol=0.01)
    blind = [a.decision.reference_scores for a in (usual, twice, unknown)]
    before = verify_one(Verifier.load(), tmp_path / "q300.png", references).decision
    assert blind[2] == pytest.approx(before.reference_scores, abs=1e-5)  # nothing is taken off what is not known
    assert np.subtract(blind[0], blind[1]).mean() == pytest.approx(SHARE * np.log(2), abs=0.05)
    scores = [a.decision.score for a in (usual, twice)]
    assert None not in scores and scores[1] < scores[0] - SHARE / 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalogue")


@pytest.fixture(scope="module")
def store(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A labelled set whose forgers write half as large, delivered as copies reduced to half the original width."""
    folder = tmp_path_factory.mktemp("set")
    drawn = draw_signatures(6, 5, 3, seed=21)
    rows, numbers = [], {"genuine": 0, "skilled_forgery": 0}
    for image, writer, label in zip(drawn.images, drawn.writer, drawn.label, strict=True):
        numbers[str(label)] += 1
        name = f"{label}{numbers[str(label)]}.png"
        saved(folder / name, image)
        original = 2 * image.shape[1] // (2 if str(label) == "skilled_forgery" else 1)
        rows.append((name, f"w{int(writer)}", str(label), image.shape[1], original))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "writer_id", "label", "width", "orig_width"), *rows])
    store = Store.open(place, create=True)
    import_dataset("manifest", folder, store, name="sized", dpi=300)
    return store


def test_a_set_tells_its_resolution_and_the_benchmark_what_size_is_worth(looks: Verifier, store: Store) -> None:
    rows = store.signatures()
    assert sorted(set(rows["dpi"].round())) == [150, 300]
    embedded = embed_signatures(store, looks, rows, workers=1)
    assert embedded.sizes_mm is not None and (embedded.sizes_mm > 0).all()
    genuine = (embedded.signatures["label"] == "genuine").to_numpy()
    assert np.median(embedded.sizes_mm[genuine, 0]) > 1.5 * np.median(embedded.sizes_mm[~genuine, 0])
    found = run_benchmark(store, looks, references=[2], draws=3, workers=1, controls="all")
    blind = run_benchmark(store, Verifier.load(), references=[2], draws=3, workers=1, controls="none")
    apart = found.figures[2]["without_size"]
    assert apart["skilled_eer"] == blind.figures[2]["skilled"]["eer"] > found.figures[2]["skilled"]["eer"]
    assert apart["skilled_gain"] == pytest.approx(apart["skilled_eer"] - found.figures[2]["skilled"]["eer"], abs=0.01)
    assert "without an eye for physical size" in found.table() and "without_size" not in blind.figures[2]
    redrawn = next(c for c in found.controls if c.name == "stroke_redrawn").numbers["by_references"]["2"]
    assert abs(redrawn["eer_redrawn"] - redrawn["eer"]) < 15  # the re-drawn keep their sizes


def test_a_gallery_keeps_sizes_and_switching_the_cue_off_is_another_gallery(looks: Verifier, store: Store) -> None:
    store.mark_references(store.signatures()["signature_id"][store.signatures()["label"] == "genuine"].tolist())
    made = enrol(store, looks, max_references=3)
    templates = load_templates(store, made.gallery_id, ["sized/w0"], looks.encoder_id)
    encoder = looks.settings.encoder
    parts = templates["sized/w0"].embeddings.reshape(3, encoder.parts, encoder.size)
    assert (parts[..., -2:] > 0).all() and np.ptp(parts[..., -2:], axis=1).max() == 0
    off = looks.with_size(0)
    assert off.version == Verifier.load().version and off.encoder_id != looks.encoder_id


def test_thresholds_are_chosen_with_the_cue(looks: Verifier, store: Store) -> None:
    policy = Policy(max_far_skilled=0.3, max_far_random=0.3, max_frr_auto=0.1, min_calibration_writers=4)
    with_size, without = (
        calibrate(store, v, policy, draws=3, workers=1).thresholds[0].frr for v in (looks, Verifier.load())
    )
    assert with_size <= without


def test_the_command_switches_it_on_and_says_where_no_resolution_is_known(
    store: Store, place: Path, tmp_path: Path
) -> None:
    assert len(store.signatures()) > 0
    policy = ["--policy", '{"min_calibration_writers": 4, "max_far_skilled": 0.3}', "--size-share", "0.1"]
    done = CliRunner().invoke(app, ["calibrate", "-c", str(place), "--out", str(tmp_path / "b"), *policy])
    assert done.exit_code == 0, done.output
    made = Verifier.load(tmp_path / "b")
    assert made.settings.encoder.physical_size and made.settings.scoring.size_share == 0.1
    assert "size on paper" in made.card
    synthesise_catalogue(tmp_path / "c", 4, 4, 2, seed=1)
    with pytest.raises(BadInput, match="resolutions are known"):
        CliRunner().invoke(
            app, ["calibrate", "-c", str(tmp_path / "c"), "--out", str(tmp_path / "d"), *policy], catch_exceptions=False
        )


def test_a_resolution_no_scanner_has_is_not_taken_into_a_catalogue(tmp_path: Path) -> None:
    (image,) = draw_signatures(1, 1, 0, seed=3).images
    for dpi in (72, 200):
        saved(tmp_path / f"{dpi}.png", image, dpi)
        image = image[:, :-1]
    (tmp_path / "manifest.csv").write_text("path,writer_id,label\n72.png,a,genuine\n200.png,a,genuine\n")
    store = Store.open(tmp_path / "c", create=True)
    import_dataset("manifest", tmp_path, store, name="x")
    assert store.signatures()["dpi"].fillna(0).round().tolist() == [0, 200]


def test_the_page_has_a_row_without_the_cue(looks: Verifier, store: Store, tmp_path: Path) -> None:
    found = run_benchmark(store, looks, references=[1, 2], draws=2, workers=1, controls="none")
    rows = headline_rows([found], published=())
    assert [r.group for r in rows] == ["ours", "ours"] and "without" in rows[1].name
    for k in (1, 2):
        assert rows[1].cells[k][0] == f"{found.figures[k]['without_size']['skilled_eer']:.2f}"
    assert "without an eye for physical size" in write_page([found], tmp_path, published=()).read_text(encoding="utf-8")
