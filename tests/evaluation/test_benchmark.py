"""From a catalogue of synthetic scans and a real small verifier to figures; what is saved agrees with what was said."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Picture

from sigverify.config import EncoderSettings, Policy, VerifierSettings
from sigverify.errors import BadInput, TooFewWriters
from sigverify.evaluation.benchmark import run_benchmark
from sigverify.evaluation.calibration_trials import calibrate
from sigverify.evaluation.controls import EVERY
from sigverify.evaluation.embedded import embed_signatures
from sigverify.evaluation.figures import counts, measure
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.scoring_trials import by_image
from sigverify.model.encoder import build_encoder, save_weights
from sigverify.records import Classification
from sigverify.scoring.operating_point import ScoredTrials, choose_operating_point
from sigverify.storage.store import Store
from sigverify.synthesis.sets import draw_signatures
from sigverify.verifier import WEIGHTS, Verifier

WRITERS, GENUINE, SKILLED = 12, 7, 4
LOOSE = Policy(max_far_skilled=0.1, max_far_random=0.05, max_frr_auto=0.1)


def row_of(store: Store, image: np.ndarray, writer: str, label: str, number: int) -> dict[str, object]:
    held = io.BytesIO()
    Picture.fromarray(image).save(held, "PNG", compress_level=1)
    data = held.getvalue()
    return {
        "signature_id": f"{writer}/{label}/{number:03d}",
        "writer_id": writer,
        "dataset": writer.split("/")[0],
        "label": label,
        "image_url": store.write_image(data, ".png"),
        "digest": hashlib.sha256(data).hexdigest(),
        "pixel_digest": hashlib.sha256(image.tobytes()).hexdigest(),
        "width_px": image.shape[1],
        "height_px": image.shape[0],
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """12 synthetic writers, one exact duplicate, one blank scan, one near pair."""
    place = tmp_path_factory.mktemp("catalogue")
    store = Store.open(place / "c", create=True, classification=Classification.SYNTHETIC)
    drawn = draw_signatures(WRITERS, GENUINE, SKILLED, seed=11)
    rows, n = [], {}
    for image, writer, label in zip(drawn.images, drawn.writer, drawn.label, strict=True):
        n[writer, label] = n.get((writer, label), 0) + 1
        rows.append(row_of(store, image, f"syn/{int(writer):03d}", str(label), n[writer, label]))
    rows.append({**rows[0], "signature_id": "syn/000/genuine/900", "duplicate_of": rows[0]["signature_id"]})
    rows.append(row_of(store, np.full((200, 400), 255, np.uint8), "syn/001", "genuine", 901))
    store.add_signatures(rows)
    store.add_near_duplicates([("syn/002/genuine/001", "syn/002/genuine/002", 0.97)])
    return store


@pytest.fixture(scope="module")
def verifier(tmp_path_factory, store):
    folder = tmp_path_factory.mktemp("verifier")
    encoder = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=32)
    save_weights(build_encoder(encoder, seed=0), folder / WEIGHTS)
    bare = Verifier(VerifierSettings(name="tiny", encoder=encoder), folder / WEIGHTS)
    return bare.with_settings(operating_point=calibrate(store, bare, LOOSE, workers=0, draws=4))


@pytest.fixture(scope="module")
def result(store, verifier):
    return run_benchmark(store, verifier, references=(1, 3, 10), draws=3, workers=0)


def test_figures_have_both_kinds_intervals_and_counts(result):
    found = json.loads(result.to_json())
    assert list(found["skilled_eer"]) == list(found["random_eer"]) == ["1", "3"]
    for kind in ("skilled_eer", "random_eer", "far_skilled", "frr_at_far_skilled_1", "frr_at_far_random_0.1"):
        for k, value in found[kind].items():
            low, high = found["intervals"][kind][k]
            assert 0 <= low <= high <= 100 and 0 <= value <= 100
    low, high = found["intervals"]["skilled_eer"]["1"]
    assert low <= found["skilled_eer"]["1"] <= high
    assert any("10 references" in note for note in found["notes"])
    assert set(found["controls"]) >= {
        "parts",
        "nuisance_without_references_input", "nuisance_without_references_scan", "nuisance_with_references",
        "stroke_redrawn", "wrong_reference", "reference_free", "order", "stress",
    }  # fmt: skip
    assert "stroke_redrawn" not in found["controls"]["nuisance_with_references"]
    for name in ("stress", "stroke_redrawn"):
        left_out = found["controls"][name]
        assert left_out["status"] == "not_run" and "ask for controls all" in left_out["reasons"][0]
    assert found["controls"]["parts"]["status"] == "not_run" and found["status"] != "valid"
    assert set(found["oracle_skilled_eer"]) == set(found["accepted_at_far_skilled_0.5"]) == {"1", "3"}


def test_all_controls_prepare_again_and_the_table_shows_oracle_and_automatic_shares(store, verifier):
    found = run_benchmark(store, verifier, references=(3,), draws=1, workers=0, controls="all")
    by_name = {control.name: control for control in found.controls}
    assert set(by_name["nuisance_with_references"].numbers["stroke_redrawn"]["by_references"]) == {"3"}
    assert by_name["stroke_redrawn"].status == "reported"
    assert len(by_name["stress"].numbers["by_stress"]) == 11
    shown = found.figures[3]
    assert f"{shown['skilled']['oracle']:.2f}" in found.table() and "oracle" in found.table()
    assert f"  3 references, skilled: AUC {shown['skilled']['auc']:.2f} [" in found.table()
    assert f"calibration loss {shown['evidence']['skilled']['calibration_loss_bits']:.3f}" in found.table()
    accepted = f"far_skilled 0.5 %: {shown['automatic']['genuine_accepted_0.5']:.2f} ["
    assert f"3 references, {accepted}" in found.table()


def test_curves_over_references_use_the_writers_that_all_columns_share(store, verifier, tmp_path):
    rows = store.signatures()
    genuine = rows[(rows.writer_id == "syn/003") & (rows.label == "genuine")].signature_id
    shorter = Store.open(tmp_path / "c", create=True, images_url=str(store.folder / "images"))
    shorter.add_signatures(rows[~rows.signature_id.isin(sorted(genuine)[:3])])
    found = run_benchmark(shorter, verifier, references=(1, 5), draws=2, workers=0, controls="none")
    assert (found.figures[1]["counts"]["writers"], found.figures[5]["counts"]["writers"]) == (WRITERS, WRITERS - 1)
    assert found.common["writers"] == WRITERS - 1
    assert found.common["skilled_eer"]["5"] == found.figures[5]["skilled"]["eer"]
    kept = found.scored[1].where(found.scored[1].writer_id != "syn/003")
    sides = [kept.score[kept.kind == kind] for kind in ("genuine", "skilled_forgery")]
    assert found.common["skilled_eer"]["1"] == pytest.approx(100 * eer(*sides).rate, abs=1e-3)
    assert any("1 writers have too few" in note for note in found.notes)


def test_duplicates_that_contradict_each_other_are_told(store, verifier, tmp_path):
    rows = store.signatures()
    rows.loc[rows.signature_id == "syn/000/genuine/900", "label"] = "skilled_forgery"
    wrong = Store.open(tmp_path / "c", create=True, images_url=str(store.folder / "images"))
    wrong.add_signatures(rows)
    notes = run_benchmark(wrong, verifier, references=(1,), draws=1, workers=0, controls="none").notes
    assert "1 exact duplicates contradict each other in writer or label" in notes


def test_duplicates_failures_and_near_copies_are_counted_not_hidden(result):
    counts = result.counts
    assert counts["removed_duplicates"] == 1 and counts["failures_to_acquire"] == {"blank": 1}
    assert counts["distinct_genuine"] == WRITERS * GENUINE and counts["distinct_skilled"] == WRITERS * SKILLED
    assert counts["trials"]["1"]["near_copies_left_out"] > 0


def test_the_headline_is_the_eer_of_the_saved_trials(result, tmp_path):
    place = result.save(tmp_path / "out")
    scores = pd.read_parquet(place / "scores.parquet")
    part = scores[scores.n_references == 3]
    again = eer(part[part.kind == "genuine"].score, part[part.kind == "skilled_forgery"].score).rate
    said = json.loads((place / "benchmark.json").read_text())["skilled_eer"]["3"]
    assert said == pytest.approx(100 * again, abs=1e-3)
    assert {p.name for p in place.iterdir()} >= {"det.png", "eer_by_references.png", "scores_01.png", "table.txt"}
    assert (place / "table.txt").read_text().strip() == result.table().strip()


def test_saved_trials_keep_their_contract(result, tmp_path):
    from sigverify.contracts import Contract

    checked = Contract.load("trial_scores").check(result.trial_scores())
    assert len(checked.failures) == 0 and len(checked.good) == len(result.trial_scores())


def test_a_seed_repeats_a_benchmark_and_the_cache_changes_nothing(store, verifier, result, tmp_path):
    for _ in range(2):
        again = run_benchmark(
            store, verifier, references=(1, 3), draws=3, workers=0, cache_dir=tmp_path, controls="none"
        )
        for k in (1, 3):
            np.testing.assert_array_equal(again.scored[k].score, result.scored[k].score)
        assert again.figures[3] == result.figures[3]


def test_a_query_is_the_upright_part_of_what_is_held_of_references(store, verifier):
    shipped = Verifier.load()
    rows = store.signatures().head(3)
    for system, parts in ((shipped, 5), (verifier, verifier.settings.encoder.parts)):
        held = embed_signatures(store, system, rows, workers=0)
        size = system.settings.encoder.size
        assert (held.parts, held.queries.shape[1], held.embeddings.shape[1]) == (parts, size, size * parts)
        assert np.array_equal(held.queries, held.embeddings[:, :size])


def test_nothing_is_measured_where_nobody_is(store, verifier):
    with pytest.raises(TooFewWriters, match="references"):
        run_benchmark(store, verifier, references=(10,), workers=0)
    with pytest.raises(BadInput, match="import cedar"):
        run_benchmark(store, verifier, protocol="cedar-5fold", workers=0)
    with pytest.raises(BadInput, match="no scan yields"):
        rows = store.signatures()
        embed_signatures(store, verifier, rows[rows.signature_id == "syn/001/genuine/901"], workers=0)


def test_calibration_keeps_the_policy_on_its_own_trials_and_is_provisional_on_synthetic_data(verifier):
    point = verifier.settings.operating_point
    assert point.provisional and point.chosen_on == "syn" and point.n_writers == WRITERS
    for limits in point.thresholds:
        assert limits.far_skilled <= 0.1 and limits.far_random <= 0.05 and limits.frr_auto <= 0.1
        assert limits.reject <= limits.accept
    assert [t.n_references for t in point.thresholds if t.measured] == [1, 2, 3, 5]


def test_calibration_refuses_too_few_writers_before_it_prepares_anything(store, verifier):
    with pytest.raises(TooFewWriters, match=r"12 writers.*at least 40.*28 more"):
        calibrate(store, verifier, Policy(min_calibration_writers=40), workers=0)
    with pytest.raises(TooFewWriters, match="3 writers"):
        calibrate(store, verifier, LOOSE, writer_ids=["syn/000", "syn/001", "syn/002"], workers=0)


def synthetic_scores(skilled_mean: float, writers: int = 40, each: int = 25, seed: int = 0) -> ScoredTrials:
    rng = np.random.default_rng(seed)
    names = np.array([f"w{i:02d}" for i in range(writers)])
    own = np.repeat(names, each)
    claimed, author = np.repeat(names, writers), np.tile(names, writers)
    apart = claimed != author
    sides = [rng.normal(m, 1, n) for m, n in ((2, len(own)), (skilled_mean, len(own)), (-2, int(apart.sum())))]
    kind = np.repeat(["genuine", "skilled_forgery", "random_forgery"], [len(s) for s in sides])
    n = len(kind)
    writer, other = (np.concatenate([own, own, c[apart]]) for c in (claimed, author))
    return ScoredTrials(np.concatenate(sides), kind, writer, np.full(n, 5), np.arange(n).astype(str), other)


def test_figures_of_a_system_whose_error_rates_are_known():
    from scipy.stats import norm

    data = synthetic_scores(skilled_mean=0)
    point = choose_operating_point(synthetic_scores(0, seed=1), Policy(max_far_skilled=0.05, max_far_random=0.01), "x")
    found = measure(data, point, resamples=200, seed=0)
    assert found["skilled"]["eer"] == pytest.approx(100 * norm.cdf(-1), abs=2)
    assert found["random"]["eer"] == pytest.approx(100 * norm.cdf(-2), abs=0.8)
    assert found["at_own_thresholds"]["skilled_accepted"] == pytest.approx(5, abs=2)
    low, high = found["skilled"]["eer_interval"]
    assert low < 100 * norm.cdf(-1) < high
    evidence = found["evidence"]["skilled"]
    assert evidence["min_cllr_bits"] <= evidence["cllr_bits"] <= evidence["min_cllr_bits"] + 0.05
    assert evidence["ece"] <= evidence["ece_floor"] + 0.05


def test_a_perfect_system_gets_a_bound_not_a_zero_interval():
    data = synthetic_scores(skilled_mean=-30)
    from sigverify.config import OperatingPoint

    found = measure(data, OperatingPoint(), resamples=50, seed=0)
    assert found["skilled"]["eer"] == 0
    assert found["skilled"]["eer_interval"] == pytest.approx([0, 100 * (1 - 0.05 ** (1 / 1000))], abs=1e-3)
    assert "at_own_thresholds" not in found


def test_without_forgeries_every_control_says_that_it_did_not_run(store, verifier, tmp_path):
    rows = store.signatures()
    genuine = Store.open(tmp_path / "c", create=True, images_url=str(store.folder / "images"))
    genuine.add_signatures(rows[rows.label == "genuine"])
    found = run_benchmark(genuine, verifier, references=(1,), draws=1, workers=0)
    said = {control.name: control for control in found.controls if control.name != "parts"}
    assert set(said) == set(EVERY) and {control.status for control in said.values()} == {"not_run"}
    assert "wrong_reference did not run: no skilled forgeries" in said["wrong_reference"].reasons[0]
    assert found.status == "warning"


def test_a_copy_under_another_id_is_no_second_query_image():
    scored = synthetic_scores(0, writers=4, each=5)
    rows = pd.DataFrame({"signature_id": scored.query_id, "pixel_digest": scored.query_id})
    rows.loc[rows.signature_id == "1", "pixel_digest"] = "0"  # the first writer's second signature repeats the first
    plain, known = (counts(trials)["genuine"] for trials in (scored, by_image(scored, rows)))
    assert (plain["distinct_queries"], known["distinct_queries"]) == (20, 19) and plain["trials"] == known["trials"]
    assert by_image(scored, rows[["signature_id"]]) is scored


def test_one_writer_with_forgeries_gets_a_figure_without_an_interval():
    scored = synthetic_scores(0, writers=6, each=5)
    one = scored.where((scored.kind != "skilled_forgery") | (scored.writer_id == "w00"))
    point = choose_operating_point(synthetic_scores(0, seed=1), Policy(max_far_skilled=0.05, max_far_random=0.01), "x")
    found = measure(one, point, resamples=20, seed=0)
    assert 0 <= found["skilled"]["oracle"] <= 100 and found["skilled"]["oracle_interval"] == [None, None]
    assert found["at_own_thresholds"]["skilled_accepted_interval"] == [None, None]


def test_the_floor_of_the_calibration_error_counts_query_images():
    scored = synthetic_scores(0, writers=8, each=5)
    point = choose_operating_point(synthetic_scores(0, seed=1), Policy(max_far_skilled=0.05, max_far_random=0.01), "x")
    twenty = ScoredTrials.concatenate([scored] * 20)
    alone, again = (measure(t, point, 10, 0)["evidence"]["skilled"]["ece_floor"] for t in (scored, twenty))
    assert again == pytest.approx(alone, rel=0.25)
