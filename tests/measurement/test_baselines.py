"""Baselines against planted catalogues: each wins where its own cue was planted, and none elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import save_file

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput, BadSettings, NotFound, TooFewWriters
from sigverify.evaluation.embedded import embed_signatures
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.parts_control import parts_control
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.trials import draw_trials
from sigverify.measurement.baselines import plain_backbone, train_baseline, variant
from sigverify.measurement.pair_scorer import PairScorer, fit_pair_scorer, held_out_eers
from sigverify.measurement.signature_pairs import draw_pairs
from sigverify.records import TrialKind
from sigverify.scoring.fusion import fuse
from sigverify.storage.store import Store
from sigverify.trained_on import TrainedOn, short_digest
from tests.measurement.planted import planted_catalogue

BINARY = PreprocessingSettings(stroke_width_px=0.0)  # strokes as scanned
WRITERS = [f"planted/{w:03d}" for w in range(16)]
TRAIN, TEST = WRITERS[:11], WRITERS[11:]


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    return planted_catalogue(tmp_path_factory.mktemp("hand"), cue="hand")


@pytest.fixture(scope="module")
def pen(tmp_path_factory):
    return planted_catalogue(tmp_path_factory.mktemp("pen"), cue="pen")


def skilled_eer(store, baseline, k=3):
    held = embed_signatures(store, baseline, store.signatures(writer_ids=TEST), workers=0)
    trials = draw_trials(held.signatures, k, draws=3)
    scored = score_trials(baseline.scorer, trials, held.embeddings, held.signatures["signature_id"])
    return 100 * eer(*(scored.of(kind).score for kind in (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY))).rate


def test_where_the_hand_differs_gradients_see_it_and_pens_do_not(hand):
    gradients = skilled_eer(hand, train_baseline(hand, "hog", TRAIN, workers=0))
    pens = skilled_eer(hand, train_baseline(hand, "nuisance", TRAIN, BINARY, workers=0))
    assert gradients < 15 < pens


def test_where_only_the_pen_differs_the_nuisance_baseline_wins_and_a_skeleton_is_blind(pen):
    nuisance = skilled_eer(pen, train_baseline(pen, "nuisance", TRAIN, BINARY, workers=0))
    skeleton = skilled_eer(pen, train_baseline(pen, "hog", TRAIN, workers=0))
    assert nuisance < 15 and skeleton > nuisance + 15


def test_a_baseline_is_a_function_of_data_and_seed_and_never_sees_other_writers(hand):
    one, again = (train_baseline(hand, "hog", TRAIN, workers=0) for _ in range(2))
    assert one.version == again.version and one.encoder_id == again.encoder_id
    fewer = train_baseline(hand, "hog", TRAIN[:-1], workers=0)
    assert fewer.version != one.version and fewer.encoder_id == one.encoder_id
    other = train_baseline(hand, "hog", TRAIN, BINARY, workers=0)
    assert other.encoder_id != one.encoder_id
    assert "3-pixel skeleton" in one.title and "binary as scanned" in other.title


def test_a_baseline_learns_from_several_catalogues_and_says_from_whom(hand, pen, tmp_path):
    other = Store.open(tmp_path / "c", create=True, images_url=str(pen.folder / "images"))
    rows = pen.signatures().drop(columns=["added_at", "fingerprint", "dpi"], errors="ignore")
    for column in ("writer_id", "signature_id"):
        rows[column] = "other/" + rows[column]
    other.add_signatures(rows.assign(classification="research", dataset="other"))
    writers = [*TRAIN[:3], *(f"other/{w}" for w in TRAIN[:3])]
    both = train_baseline([hand, other], "hog", writers, workers=0)
    alone = train_baseline(hand, "hog", TRAIN[:3], workers=0)
    assert both.version != alone.version
    real = {short_digest(w) for w in writers if hand_is_real(hand) or w.startswith("other/")}
    assert set(both.trained_on.writers) == real and "other" in both.trained_on.statement
    seen = parts_control(other.signatures(writer_ids=writers[3:4]), both.trained_on)
    assert seen.status == "refused"
    assert plain_backbone("mobilenetv3_small_050").trained_on == TrainedOn("no training on signatures")


def hand_is_real(store):
    return set(store.signatures().classification) != {"synthetic"}


def test_what_cannot_be_trained_says_why(hand):
    with pytest.raises(BadInput, match="hog"):
        train_baseline(hand, "magic", TRAIN, workers=0)
    with pytest.raises(TooFewWriters):
        train_baseline(hand, "hog", TRAIN[:1], workers=0)


def test_pairs_are_never_two_forgeries_and_never_one_image(hand):
    rows = hand.signatures()
    one, other, same = draw_pairs(rows, seed=1)
    label, writer = rows["label"].to_numpy(str), rows["writer_id"].to_numpy(str)
    assert (label[one] == "genuine").all() and not (one == other).any()
    own = writer[one] == writer[other]
    np.testing.assert_array_equal(same == 1, own & (label[other] == "genuine"))
    assert (label[other][~own] == "genuine").all() and (~own).any()


def test_scores_agree_with_a_loop_and_are_symmetric():
    rng = np.random.default_rng(0)
    held = rng.normal(size=(9, 5)).astype(np.float32)
    scorer = PairScorer(rng.normal(size=5), 0.3, "mean")
    references, query, template = np.array([[0, 1], [2, 3]]), np.array([4, 5, 4, 6, 4]), np.array([0, 1, 1, 0, 0])
    for fusion in ("mean", "max"):
        found = replace(scorer, fusion=fusion).score_trials(held, references, query, template)
        slow = [
            fuse(np.array([np.abs(held[q] - held[r]) @ scorer.weight + 0.3 for r in references[t]]), fusion)
            for q, t in zip(query, template, strict=True)
        ]
        np.testing.assert_allclose(found, slow, rtol=1e-5)
        assert found[0] == found[4]
    one, other = np.array([0, 1, 2]), np.array([5, 6, 7])
    np.testing.assert_array_equal(scorer.score_pairs(held, one, other), scorer.score_pairs(held, other, one))


def test_numbers_compared_with_references_score_alike_in_any_order_and_in_any_company(pen):
    baseline = train_baseline(pen, "nuisance", TRAIN, BINARY, workers=0)
    held = embed_signatures(pen, baseline, pen.signatures(writer_ids=TEST), workers=0)
    trials = draw_trials(held.signatures, 3, draws=2)
    whole = baseline.scorer.score_trials(held.embeddings, trials.references, trials.query, trials.template)
    swapped = baseline.scorer.score_trials(held.embeddings, trials.references[:, ::-1], trials.query, trials.template)
    np.testing.assert_allclose(whole, swapped, rtol=1e-3, atol=1e-3)
    some = np.arange(0, len(trials), 7)
    part = baseline.scorer.score_trials(held.embeddings, trials.references, trials.query[some], trials.template[some])
    np.testing.assert_allclose(whole[some], part, rtol=1e-4, atol=1e-4)
    assert set(baseline.scorer.models) == {1, 3, 5}  # 8 genuine signatures allow no more


def test_inner_folds_tell_signal_from_noise(hand):
    rows = hand.signatures()
    rng = np.random.default_rng(0)
    homes = {w: rng.normal(size=16) for w in rows.writer_id.unique()}
    forged = (rows.label == "skilled_forgery").to_numpy()
    noise = rng.normal(size=(len(rows), 16)).astype(np.float32)
    signal = np.stack([homes[w] for w in rows.writer_id]) + np.where(forged, 1.5, 0.3)[:, None] * noise
    for held, low, high in ((signal.astype(np.float32), 0.0, 0.15), (noise, 0.35, 0.65)):
        rates = held_out_eers(held, rows, [1, 5, 40], draws=3)
        assert all(set(found) == {1, 5} and low <= found[5] <= high for found in rates.values())
    assert fit_pair_scorer(signal.astype(np.float32), rows).fusion in ("mean", "max")


def test_a_backbone_says_whether_its_weights_are_random(tmp_path):
    import timm

    name = "mobilenetv3_small_050"
    images = list(np.random.default_rng(0).integers(0, 256, (3, 96, 192), dtype=np.uint8))
    random = plain_backbone(name)
    assert "random weights" in random.title and "random-weights" in random.version
    held = random.embed(images)
    np.testing.assert_allclose(np.linalg.norm(held, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(held, plain_backbone(name).embed(images))
    np.testing.assert_allclose(held[1:2], random.embed(images[1:2]), atol=1e-5)
    path = tmp_path / "w.safetensors"
    save_file(timm.create_model(name, pretrained=False).state_dict(), path)
    loaded = plain_backbone(name, path)
    assert "ImageNet weights" in loaded.title and loaded.encoder_id != random.encoder_id
    assert np.abs(loaded.embed(images) - held).max() > 1e-3
    with pytest.raises(NotFound):
        plain_backbone(name, tmp_path / "none.safetensors")
    with pytest.raises(BadSettings, match="mobilenetv3"):
        plain_backbone("mobilenetv3_smal_050")
    with pytest.raises(BadInput, match="does not fit"):
        plain_backbone("resnet18", path)


def test_variants_have_names():
    settings = [
        BINARY,
        replace(BINARY, ink="rank"),
        replace(BINARY, stroke_width_px=2.5),
        replace(BINARY, lane="legacy"),
    ]
    assert len({variant(s) for s in settings}) == 4
