"""The research verifiers under benchmarks/weights: small, loadable, honest about who taught them, not installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sigverify.model.tensors import read_tensors
from sigverify.verifier import Verifier

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "benchmarks" / "weights"
NAMES = ("all-real", "bengali", "cedar-fold-0", "hindi")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_it_says_whose_signatures_taught_it(name):
    verifier = Verifier.load(WEIGHTS / name)
    assert verifier.settings.terms.startswith("research use: trained on ")
    assert verifier.settings.terms in verifier.card
    assert verifier.trained_on is not None and len(verifier.trained_on.writers) > 20
    held, _ = read_tensors(verifier.weights_path)
    assert {str(t.dtype) for t in held.values() if t.is_floating_point()} == {"torch.float16"}


def test_all_together_stay_small_and_outside_the_package():
    assert sorted(path.name for path in WEIGHTS.iterdir()) == sorted(NAMES)
    assert size(WEIGHTS) + size(ROOT / "sigverify" / "assets" / "default") < 20_000_000
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert not any(pattern.startswith("benchmarks") for pattern in packages)
