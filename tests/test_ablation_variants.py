"""Every variant of benchmarks/ablations.json can be built: a long run must not find out half way that one cannot."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from sigverify.config import ScoringSettings, VerifierSettings, from_dict, to_dict
from sigverify.model.encoder import build_encoder
from sigverify.scoring.scorer import Scorer
from sigverify.verifier import Verifier

PLACE = Path(__file__).parents[1] / "benchmarks"
VARIANTS = json.loads((PLACE / "ablations.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ablations():
    spec = importlib.util.spec_from_file_location("ablations", PLACE / "ablations.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
