"""What the nightly sweep does when things went wrong: a mismatch, a moved alias, a restored catalogue."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.parameters import Retraining, Verification
from flows.retrain import retrain_verifier
from flows.verify import verify_batch
from sigverify.batch.enrolment import add_references, enrol
from sigverify.batch.landing import ingest_batch
from sigverify.config import OperatingPoint, Policy
from sigverify.errors import Unreconciled
from sigverify.records import BatchState, Classification, Part
from sigverify.registry import Registry
from sigverify.retraining import writers_of
from sigverify.storage import ledger
from sigverify.storage.store import Store
from sigverify.synthesis.bank import SyntheticBank, synthesise_bank
from sigverify.synthetic_catalogue import synthesise_catalogue
from sigverify.verifier import Verifier
from tests.flows.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def api(server: Server) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server.api}):
        yield


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SyntheticBank:
    folder = tmp_path_factory.mktemp("bank") / "bank"
    return synthesise_bank(folder, seed=6, n_writers=2, n_genuine_items=4, n_random_items=1, n_skilled_items=1)


@pytest.fixture(scope="module")
def enrolled(bank: SyntheticBank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue in which everybody is enrolled for the shipped verifier."""
    catalogue = tmp_path_factory.mktemp("enrolled") / "catalogue"
    with Store.open(catalogue, create=True, classification=Classification.SYNTHETIC) as store:
        add_references(store, bank.references_dir)
        enrol(store, Verifier.load())
    return catalogue


@pytest.fixture
def catalogue(enrolled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(enrolled, tmp_path / "catalogue"))


def ingest(catalogue: Path, landing: Path) -> str:
    with Store.open(catalogue) as store:
        return ingest_batch(store, landing).batch_id


def states(catalogue: Path) -> dict[str, BatchState]:
    with Store.open(catalogue) as store:
        return {b.batch_id: b.state for b in ledger.list_batches(store)}


def manifest_of(bank: SyntheticBank, folder: Path, rows: list[str]) -> Path:
    """A delivery of its own: the header of the bank's manifest, other rows."""
    folder.mkdir()
    header = (bank.landing_dir / "manifest.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def test_nothing_open_is_nothing_done(catalogue: Path) -> None:
    assert verify_batch(Verification(catalogue=str(catalogue))) == []


def test_a_batch_of_bad_rows_only_is_closed(catalogue: Path, bank: SyntheticBank, tmp_path: Path) -> None:
    rows = ["D,X1,W0001,scans/none.tif,0,100,EUR,2026-11-20T18:00:00Z,", "T,,,,,100,EUR,,1"]
    batch_id = ingest(catalogue, manifest_of(bank, tmp_path / "bad", rows))
    [closed] = verify_batch(Verification(catalogue=str(catalogue)))
    assert (closed["batch_id"], closed["balances"]) == (batch_id, True)
    assert [(o["outcome"], o["count"]) for o in closed["outcomes"]] == [("quarantined", 1)]


def test_a_mismatch_blocks_its_own_export_and_no_other(catalogue: Path, bank: SyntheticBank, tmp_path: Path) -> None:
    rows = ["D,X1,W0001,scans/none.tif,0,100,EUR,2026-11-20T18:00:00Z,", "T,,,,,999,EUR,,1"]
    wrong = ingest(catalogue, manifest_of(bank, tmp_path / "a-wrong-total", rows))
    right = ingest(catalogue, bank.landing_dir)
    with pytest.raises(Unreconciled, match="does not add up"):
        verify_batch(Verification(catalogue=str(catalogue)))
    assert states(catalogue) == {wrong: BatchState.DECIDED, right: BatchState.EXPORTED}
    assert not (catalogue / "exports" / wrong / "manifest.json").exists()
    [settled] = verify_batch(Verification(catalogue=str(catalogue), allow_unreconciled=True))
    assert (settled["batch_id"], settled["balances"]) == (wrong, False)


def test_a_batch_is_finished_by_the_verifier_it_was_begun_with(
    catalogue: Path, bank: SyntheticBank, tmp_path: Path
) -> None:
    batch_id = ingest(catalogue, bank.landing_dir)
    settings = Verification(catalogue=str(catalogue), export_to="/dev/null/nowhere")
    with pytest.raises(NotADirectoryError):
        verify_batch(settings, batch_id)
    first = Verifier.load()
    policy = Policy(name="another")
    other = first.with_settings(operating_point=OperatingPoint(policy, first.settings.operating_point.thresholds))
    assert other.version != first.version
    [closed] = verify_batch(
        Verification(catalogue=str(catalogue), verifier=str(other.save(tmp_path / "other"))), batch_id
    )
    assert closed["verifier_version"] == first.version


def test_a_catalogue_restored_from_backup_is_decided_again(catalogue: Path, bank: SyntheticBank) -> None:
    """Prefect keeps a result for the shard, the ledger no longer holds its decisions: the ledger is right."""
    batch_id = ingest(catalogue, bank.landing_dir)
    backup = shutil.copytree(catalogue, catalogue.parent / "backup")
    [before] = verify_batch(Verification(catalogue=str(catalogue)))
    shutil.rmtree(catalogue)
    shutil.copytree(backup, catalogue)
    assert states(catalogue) == {batch_id: BatchState.OPEN}
    [after] = verify_batch(Verification(catalogue=str(catalogue)))
    assert after["outcomes"] == before["outcomes"]
    assert states(catalogue) == {batch_id: BatchState.EXPORTED}


def test_a_candidate_is_trained_measured_and_registered(tmp_path: Path) -> None:
    store = synthesise_catalogue(tmp_path / "catalogue", 26, 6, 3, seed=3)
    strangers = writers_of(store.signatures(), Part.TEST)
    writers = sorted(set(store.signatures().writer_id) - set(strangers))
    plan = Retraining(
        catalogue=str(tmp_path / "catalogue"),
        out=str(tmp_path / "out"),
        backbone="mobilenetv3_small_050",
        steps=2,
        train_writers=writers[:10],
        calibration_writers=writers[10:20],
        registered_name="candidate",
        tracking=f"sqlite:///{tmp_path / 'mlflow.db'}",
    )
    made = retrain_verifier(plan)
    registry = Registry(plan.tracking)
    held = registry.show("models:/candidate@challenger")
    assert (held.uri, held.verifier_version) == (made["uri"], made["verifier_version"])
    assert Verifier.load(registry.fetch(made["uri"], tmp_path / "fetched")).version == made["verifier_version"]
    candidate = Verifier.load(made["bundle"])
    assert candidate.settings.encoder.backbone == plan.backbone
    logged = json.loads((tmp_path / "out" / "evidence" / "benchmark" / "benchmark.json").read_text())
    assert logged["counts"]["writers"] == len(strangers) and candidate.version == made["verifier_version"]
    row = next(line for line in candidate.card.splitlines() if line.startswith(f"| {logged['title']} | 1 |"))
    assert f"{logged['skilled_eer']['1']:.1f}" in row and f"{logged['random_eer']['1']:.1f}" in row
