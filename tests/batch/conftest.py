"""A tiny untrained verifier, a synthetic bank, and a catalogue in which the bank's writers are enrolled."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sigverify.batch.enrolment import add_references, enrol
from sigverify.config import EncoderSettings, OperatingPoint, Policy, ScoringSettings, Thresholds, VerifierSettings
from sigverify.model.encoder import build_encoder, save_weights
from sigverify.records import Classification
from sigverify.storage.store import Store
from sigverify.synthesis.bank import SyntheticBank, synthesise_bank
from sigverify.verifier import WEIGHTS, Verifier
from tests.batch.deliveries import Delivery

ENCODER = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=16)
POINT = OperatingPoint(Policy(), tuple(Thresholds(k, 0.9, 0.5, 0.0, 0.0, 0.0, 0.0) for k in range(1, 11)), "nothing", 0)


def make_verifier(folder: Path, seed: int = 0, name: str = "tiny") -> Verifier:
    """An untrained verifier saved as a bundle; it accepts nearly everything, which is all the plumbing needs."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(build_encoder(ENCODER, seed=seed), folder / WEIGHTS)
    settings = VerifierSettings(
        name=name, encoder=ENCODER, operating_point=POINT, scoring=ScoringSettings(normalisation="none")
    )
    return Verifier.load(Verifier(settings, folder / WEIGHTS).save(folder / "bundle"))


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    return make_verifier(tmp_path_factory.mktemp("verifier"))


@pytest.fixture(scope="session")
def other_verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    """Other weights, hence another encoder id."""
    return make_verifier(tmp_path_factory.mktemp("other"), seed=1, name="other")


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SyntheticBank:
    """Read only: copy what a test changes."""
    return synthesise_bank(
        tmp_path_factory.mktemp("bank") / "bank", seed=11, n_writers=5, n_genuine_items=8, n_random_items=2,
        n_skilled_items=2, n_blank_items=1,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "catalogue", create=True, classification=Classification.SYNTHETIC) as opened:
        yield opened


@pytest.fixture(scope="session")
def enrolled_folder(tmp_path_factory: pytest.TempPathFactory, bank: SyntheticBank, verifier: Verifier) -> Path:
    folder = tmp_path_factory.mktemp("enrolled") / "catalogue"
    with Store.open(folder, create=True, classification=Classification.SYNTHETIC) as opened:
        add_references(opened, bank.references_dir)
        enrol(opened, verifier)
    return folder


@pytest.fixture
def enrolled(tmp_path: Path, enrolled_folder: Path) -> Iterator[Store]:
    """A catalogue of one's own with W0001 .. W0005 enrolled; W0006 is known and has no references."""
    shutil.copytree(enrolled_folder, tmp_path / "enrolled")
    with Store.open(tmp_path / "enrolled") as opened:
        yield opened


@pytest.fixture
def scans(bank: SyntheticBank) -> list[bytes]:
    """Scan files of different genuine signatures of W0001, none of them enrolled."""
    from sigverify.synthesis.files import Format, encoded
    from sigverify.synthesis.sets import draw_signatures

    return [encoded(image, Format.PNG) for image in draw_signatures(1, 6, 0, seed=5).images]


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    return Delivery(tmp_path / "landing" / "day-1")
