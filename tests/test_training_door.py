"""What `train` and `calibrate` refuse before they open anything: files, JSON, keys, seeds, other lanes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sigverify.bundle import SETTINGS
from sigverify.cli import app
from sigverify.config import EncoderSettings, PreprocessingSettings, TrainingSettings
from sigverify.errors import BadInput, BadSettings, Mismatch, NotFound, TooFewWriters
from sigverify.pretraining import SyntheticPlan, pretrain
from sigverify.records import Part
from sigverify.retraining import fine_tuning, retrain
from sigverify.verifier import WEIGHTS, Verifier
from tests.measurement.synthetic_set import catalogue, names_of


@pytest.mark.parametrize("option", ["--settings", "--synthetic"])
@pytest.mark.parametrize(
    ("held", "kind", "said"),
    [(None, NotFound, "no file for"), ("{", BadInput, "is not JSON"), ('{"seed": -1}', BadSettings, "negative"),
     ('{"sede": 1}', BadSettings, "unknown keys"), ("[1]", BadSettings, "must be a table")],
)  # fmt: skip
def test_train_says_what_is_wrong_with_a_file(tmp_path, option, held, kind, said):
    path, fine = tmp_path / "given.json", tmp_path / "fine.json"
    fine.write_text("{}")
    if held is not None:
        path.write_text(held)
    words = ["--synthetic", str(fine), "--settings", str(path)] if option == "--settings" else [option, str(path)]
    with pytest.raises(kind, match=said):
        app(["train", "--out", str(tmp_path / "o"), *words], standalone_mode=False)


@pytest.mark.parametrize("policy", ['{"max_far": 1}', "[1]", "1", "{", '{"max_far_skilled": "x"}'])
def test_calibrate_says_what_is_wrong_with_a_policy(tmp_path, policy):
    with pytest.raises(BadInput, match=r"Policy|--policy"):
        app(["calibrate", "-c", str(tmp_path), "--out", str(tmp_path), "--policy", policy], standalone_mode=False)


def test_training_does_not_start_from_weights_of_the_other_lane_nor_from_nobody(tmp_path):
    store = catalogue(tmp_path / "c", names_of(Part.TRAIN, 9))
    clean = tmp_path / "clean"
    clean.mkdir()
    (clean / SETTINGS).write_text(json.dumps({"settings": {"preprocessing": {"lane": "clean"}}}))
    settings = TrainingSettings(
        encoder=EncoderSettings(backbone="mobilenetv3_small_050"), preprocessing=PreprocessingSettings(lane="legacy")
    )
    with pytest.raises(Mismatch, match="other lane; got clean; expected legacy"):
        retrain(store, tmp_path / "o", settings, initial=clean / WEIGHTS)
    with pytest.raises(Mismatch, match="other lane"):
        pretrain(tmp_path / "o", settings, SyntheticPlan(), initial=clean / WEIGHTS)
    with pytest.raises(TooFewWriters, match="got 0"):  # an empty list is nobody, not everybody
        retrain(store, tmp_path / "o", settings, train_writers=[])


def test_fine_tuning_keeps_margins_in_the_range_of_the_similarity():
    shipped = Verifier.load()
    settings = fine_tuning(shipped)
    assert settings.encoder == shipped.settings.encoder and settings.preprocessing == shipped.settings.preprocessing
    plain = fine_tuning(
        shipped.with_settings(encoder=replace(shipped.settings.encoder, similarity="cosine", directions=0))
    )
    assert settings.steps == plain.steps == 300  # a bank that says nothing gets what was measured
    assert settings.mining.margin == plain.mining.margin / 2  # overlaps lie in 0 to 1, cosines in -1 to 1
    assert settings.identity_temperature == plain.identity_temperature / 2
