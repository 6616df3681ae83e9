"""A day through deployed flows, from ingest to verification by event; and one killed half way, embedded, run again."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sigverify.batch.enrolment import add_references, enrol
from sigverify.batch.landing import ingest_batch
from sigverify.records import Classification
from sigverify.storage import ledger
from sigverify.storage.store import Store
from sigverify.synthesis.bank import SyntheticBank, synthesise_bank
from sigverify.verifier import Verifier
from tests.flows.servers import ROOT, Server, environment_for, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SyntheticBank:
    folder = tmp_path_factory.mktemp("bank") / "bank"
    return synthesise_bank(folder, seed=5, n_writers=4, n_genuine_items=16, n_random_items=2, n_skilled_items=3)


def decisions_in(catalogue: Path, batch_id: str) -> list[dict[str, Any]]:
    with Store.open(catalogue) as store:
        return [dict(row) for row in ledger.decisions_of(store, batch_id).to_dict("records")]


def written(decisions: list[dict[str, Any]]) -> dict[str, str]:
    """When each decision was written; a decision written again would have another time."""
    return {d["decision_id"]: d["decided_at"] for d in decisions}


def exported(folder: Path) -> list[dict[str, str]]:
    with (folder / "decisions.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def assert_decided_once(catalogue: Path, batch_id: str) -> list[dict[str, Any]]:
    """Every item of the batch has one decision, and the batch adds up."""
    decisions = decisions_in(catalogue, batch_id)
    with Store.open(catalogue) as store:
        items = list(ledger.items_of(store, batch_id).item_id)
        assert ledger.reconcile(store, batch_id).balanced
        assert batch_id not in ledger.open_batches(store)
    assert Counter(d["item_id"] for d in decisions) == Counter(items)
    return decisions


def test_a_delivery_is_decided_by_the_event_of_its_ingest(server: Server, bank: SyntheticBank) -> None:
    catalogue = server.folder / "catalogue"
    enrolled = server.run(
        "enrol_writers/enrol-writers",
        {"enrolment": {"catalogue": str(catalogue), "references": str(bank.references_dir)}},
    )
    assert enrolled["state"]["type"] == "COMPLETED", server.logs(enrolled["id"])
    shutil.copytree(bank.landing_dir, server.folder / "landing" / "day")
    ingested = server.run("ingest_scans/ingest-scans")
    assert ingested["state"]["type"] == "COMPLETED", server.logs(ingested["id"])
    with Store.open(catalogue) as store:
        [batch_id] = ledger.open_batches(store) or [b.batch_id for b in ledger.list_batches(store)]
    started = wait_for(
        lambda: [r for r in server.runs("verify_batch") if r["parameters"].get("batch_id") == batch_id],
        "the verification the event starts",
    )[0]
    ended = server.end_of(started["id"])
    assert ended["state"]["type"] == "COMPLETED", server.logs(started["id"])
    decisions = assert_decided_once(catalogue, batch_id)
    assert len(exported(catalogue / "exports" / batch_id)) == len(decisions)
    artifacts = server.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [started["id"]]}}})
    assert {a["type"] for a in artifacts} >= {"table", "markdown"}
    swept = server.run("verify_batch/verify-batch")
    assert swept["state"]["type"] == "COMPLETED"
    assert written(decisions_in(catalogue, batch_id)) == written(decisions)


VERIFY = """
import sys
from flows.parameters import Verification
from flows.verify import verify_batch
verify_batch(Verification(catalogue=sys.argv[1], shard_size=2))
"""


def prepare(catalogue: Path, bank: SyntheticBank) -> str:
    """Everybody enrolled for the shipped verifier and the day taken in, by the library; the batch's id."""
    with Store.open(catalogue, create=True, classification=Classification.SYNTHETIC) as store:
        add_references(store, bank.references_dir)
        enrol(store, Verifier.load())
        return ingest_batch(store, bank.landing_dir).batch_id


def test_killed_half_way_and_run_again_every_item_is_decided_once(tmp_path: Path, bank: SyntheticBank) -> None:
    """Embedded, without a server set up: SIGKILL to the whole process, then the same sweep again."""
    catalogue, environment = tmp_path / "catalogue", environment_for(tmp_path)
    batch_id = prepare(catalogue, bank)
    command = [sys.executable, "-c", VERIFY, str(catalogue)]
    killed = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, stderr=subprocess.PIPE)
    before = wait_for(
        lambda: killed.poll() is not None or decisions_in(catalogue, batch_id), "the first decisions", seconds=100
    )
    assert killed.poll() is None, killed.communicate()[1].decode()[-3000:]
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = decisions_in(catalogue, batch_id)
    with Store.open(catalogue) as store:
        assert batch_id in ledger.open_batches(store)
        assert 0 < len(before) < len(ledger.items_of(store, batch_id))
    run_python(VERIFY, environment, str(catalogue))
    assert written(assert_decided_once(catalogue, batch_id)).items() >= written(before).items()


def run_python(code: str, environment: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
