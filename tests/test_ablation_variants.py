"""Every variant of benchmarks/ablations.json can be built: a long run must not find out half way that one cannot."""

from __future__ import annotations

import json

import pytest

from sigverify.config import ScoringSettings, VerifierSettings, from_dict, to_dict
from sigverify.model.encoder import build_encoder
from sigverify.scoring.scorer import Scorer
from sigverify.verifier import Verifier
from tests.benchmark_scripts import FOLDER, load

VARIANTS = json.loads((FOLDER / "ablations.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ablations():
    return load("ablations")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_a_valid_change_of_what_ships(name, ablations):
    changes = dict(VARIANTS[name])
    if changes.pop("shipped", False):
        held = Verifier.load().settings
        merged = from_dict(VerifierSettings, ablations.merged(to_dict(held), changes))
        assert (merged != held) == bool(changes)
        encoder, scoring = merged.encoder, merged.scoring
    else:
        scoring = from_dict(ScoringSettings, changes.pop("scoring", {}))
        changes.pop("omniglot_words", None)
        settings = ablations.settings_of(changes, steps=10, seed=0)
        assert (settings != ablations.settings_of({}, steps=10, seed=0)) == bool(changes)
        encoder = settings.encoder
    build_encoder(encoder)
    Scorer(scoring, None, encoder.similarity, encoder.parts, encoder.size)
