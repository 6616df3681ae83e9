"""The registry against a real MLflow store: evidence in, aliases, bundles out again, nothing pickled."""

import numpy as np
import pytest

from sigverify.config import EncoderSettings, VerifierSettings
from sigverify.errors import BadInput, Conflict, NotFound
from sigverify.model.encoder import build_encoder, save_weights
from sigverify.registry import Evidence, Registry, open_verifier
from sigverify.verifier import WEIGHTS, Verifier

ENCODER = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=16)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    place = tmp_path_factory.mktemp("mlflow")
    return Registry(f"sqlite:///{place}/mlflow.db", place / "artifacts")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    place = tmp_path_factory.mktemp("bundles")
    made = []
    for seed in (0, 1):
        weights = place / str(seed) / WEIGHTS
        weights.parent.mkdir()
        save_weights(build_encoder(ENCODER, seed=seed), weights)
        made.append(Verifier(VerifierSettings(name=f"v{seed}", encoder=ENCODER), weights).save(place / f"b{seed}"))
    return made


@pytest.fixture(scope="module")
def registered(registry, bundles):
    found = []
    for i, bundle in enumerate(bundles):
        evidence = Evidence({"seed": i}, {"skilled_eer_5": 30.0 - i}, {"loss": [(1, 0.5), (2, 0.25)]})
        run_id = registry.log_run("test", f"run{i}", evidence, bundle)
        found.append(registry.register(run_id, bundle, "bank", "described"))
    return found


def test_the_last_registered_is_the_challenger(registry, registered):
    assert registered[0].version != registered[1].version
    assert registry.show("models:/bank@challenger").version == registered[1].version
    assert registry.show(registered[0].uri).aliases == ()


def test_a_run_holds_metrics_and_curves(registry, registered):
    assert registry.metrics(registered[0].run_id) == {"skilled_eer_5": 30.0, "loss": 0.25}


def test_a_fetched_bundle_is_the_registered_verifier(registry, registered, bundles):
    fetched = open_verifier(registered[1].uri, registry.tracking_uri)
    assert fetched.version == Verifier.load(bundles[1]).version == registered[1].verifier_version
    image = np.zeros((1, 96, 192), np.uint8)
    np.testing.assert_array_equal(fetched.embed(image), Verifier.load(bundles[1]).embed(image))


def test_promotion_moves_champion_and_keeps_previous(registry, registered):
    with pytest.raises(BadInput, match="approver"):
        registry.promote(registered[0].uri, approved_by=" ")
    registry.promote(registered[0].uri, approved_by="desk-7", note="first")
    assert registry.show("models:/bank@champion").version == registered[0].version
    with pytest.raises(Conflict):
        registry.promote(registered[0].uri, approved_by="desk-7")
    registry.promote("models:/bank@challenger", approved_by="desk-7")
    assert registry.show("models:/bank@champion").version == registered[1].version
    assert registry.show("models:/bank@previous").version == registered[0].version


def test_what_is_not_there_says_what_is(registry, registered):
    with pytest.raises(NotFound, match="models:/bank/1"):
        registry.show("models:/bank/99")
    with pytest.raises(BadInput, match="models:/NAME"):
        registry.show("bank")
