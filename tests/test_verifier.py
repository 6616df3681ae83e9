"""The bundle: whole or refused; the ids that galleries and decisions depend on; one query beside its references."""

import json

import numpy as np
import pytest
from PIL import Image as Picture

from sigverify.config import EncoderSettings, OperatingPoint, Policy, Thresholds, VerifierSettings
from sigverify.errors import BadInput, Mismatch, NotFound
from sigverify.model.encoder import build_encoder, save_weights
from sigverify.records import Outcome, Reason, Template
from sigverify.synthesis.sets import draw_signatures
from sigverify.verification import verify_one
from sigverify.verifier import COHORT, SETTINGS, WEIGHTS, Verifier

ENCODER = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=16)
POINT = OperatingPoint(Policy(), tuple(Thresholds(k, 1e6, -1e6, 0, 0, 0, 0) for k in (1, 5, 10)), "nothing", 0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verifier")
    save_weights(build_encoder(ENCODER, seed=0), folder / WEIGHTS)
    cohort = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)
    cohort /= np.linalg.norm(cohort, axis=1, keepdims=True)
    settings = VerifierSettings(name="tiny", encoder=ENCODER, operating_point=POINT)
    return Verifier(settings, folder / WEIGHTS, cohort).save(folder / "bundle")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Paths of 4 genuine signatures of one synthetic writer."""
    folder = tmp_path_factory.mktemp("scans")
    paths = []
    for i, image in enumerate(draw_signatures(1, 4, 0, seed=3).images):
        paths.append(folder / f"{i}.png")
        Picture.fromarray(image).save(paths[-1])
    return paths


def test_a_saved_verifier_is_the_same_verifier(bundle, scans):
    first = Verifier.load(bundle)
    again = Verifier.load(first.save(bundle.parent / "again"))
    assert (first.version, first.encoder_id) == (again.version, again.encoder_id)
    images = [p.image for p in first.prepare_many(scans)]
    np.testing.assert_array_equal(first.embed(images), again.embed(images))
    np.testing.assert_allclose(np.linalg.norm(first.embed(images), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 96, 192), np.uint8)])
def test_no_images_have_no_embeddings(bundle, nothing):
    assert Verifier.load(bundle).embed(nothing).shape == (0, 16)


def test_new_thresholds_are_a_new_version_of_the_same_encoder(bundle):
    first = Verifier.load(bundle)
    other = first.with_settings(operating_point=OperatingPoint(Policy(name="strict"), POINT.thresholds))
    assert other.encoder_id == first.encoder_id
    assert other.version != first.version
    assert other.policy_version != first.policy_version


@pytest.mark.parametrize("name", [WEIGHTS, COHORT])
def test_a_changed_file_is_refused(bundle, tmp_path, name):
    broken = Verifier.load(bundle).save(tmp_path / "broken")
    data = bytearray((broken / name).read_bytes())
    data[-1] ^= 1
    (broken / name).write_bytes(data)
    with pytest.raises(Mismatch, match=name):
        Verifier.load(broken)


def test_changed_settings_are_refused(bundle, tmp_path):
    broken = Verifier.load(bundle).save(tmp_path / "broken")
    held = json.loads((broken / SETTINGS).read_text())
    held["settings"]["operating_point"]["thresholds"][0]["accept"] = -9.0
    (broken / SETTINGS).write_text(json.dumps(held))
    with pytest.raises(Mismatch, match="changed after it was saved"):
        Verifier.load(broken)


def test_no_bundle_says_what_to_give(tmp_path):
    with pytest.raises(NotFound, match="--verifier"):
        Verifier.load(tmp_path)


def test_one_query_beside_its_references(bundle, scans):
    answer = verify_one(Verifier.load(bundle), scans[0], scans[1:])
    d = answer.decision
    assert d.outcome is Outcome.REFER and d.reason is Reason.SCORE_REFER
    assert d.n_references == 3 == len(d.reference_scores)
    assert 0 < answer.probability < 1 and answer.provisional


def test_a_query_that_is_a_reference_is_referred_as_a_copy(bundle, scans):
    d = verify_one(Verifier.load(bundle), scans[1], scans[1:]).decision
    assert (d.outcome, d.reason, d.detail) == (Outcome.REFER, Reason.COPY_OF_REFERENCE, "1")


def test_a_blank_query_is_a_failure_to_acquire_and_a_blank_reference_is_left_out(bundle, scans, tmp_path):
    Picture.new("L", (400, 150), 255).save(tmp_path / "blank.png")
    verifier = Verifier.load(bundle)
    d = verify_one(verifier, tmp_path / "blank.png", scans).decision
    assert d.outcome is Outcome.FAILURE_TO_ACQUIRE and d.score is None
    answer = verify_one(verifier, scans[0], [tmp_path / "blank.png", scans[1]])
    assert answer.decision.reference_ids == ("2",)
    with pytest.raises(BadInput, match="no reference"):
        verify_one(verifier, scans[0], [tmp_path / "blank.png"])


def test_a_template_of_another_encoder_stops_the_run(bundle):
    stray = Template("w", ("r",), np.eye(1, 16, dtype=np.float32), "0123456789ab")
    with pytest.raises(Mismatch, match="run enrol_writers"):
        Verifier.load(bundle).decide(np.eye(1, 16, dtype=np.float32), [stray])


def test_a_reference_given_twice_counts_once_and_is_named(bundle, scans):
    once = verify_one(Verifier.load(bundle), scans[0], scans[1:])
    twice = verify_one(Verifier.load(bundle), scans[0], [scans[1], *scans[1:]])
    assert twice.decision.score == once.decision.score and twice.decision.n_references == len(scans) - 1
    assert [p.failure for p in twice.references] == [None, Reason.COPY_OF_REFERENCE, *[None] * (len(scans) - 2)]


def test_a_copy_of_a_reference_has_no_probability_and_more_than_ten_references_are_refused(bundle, scans):
    verifier = Verifier.load(bundle)
    copy = verify_one(verifier, scans[1], scans[1:])
    assert copy.decision.reason is Reason.COPY_OF_REFERENCE and copy.probability is None and copy.if_forged is None
    with pytest.raises(BadInput, match="too many references"):
        verify_one(verifier, scans[0], [scans[1]] * 11)
