"""An export is whole, checked, the same every time, and never leaves a batch that does not add up."""

from __future__ import annotations

import csv
import hashlib
import json

import pandas as pd
import pytest

from sigverify.batch.decisions import open_for_verification, verify_batch
from sigverify.batch.export import export_batch, write_whole
from sigverify.batch.landing import ingest_batch
from sigverify.contracts import Contract
from sigverify.errors import Conflict, NotFound, Unreconciled
from sigverify.records import BatchState
from sigverify.storage import ledger


@pytest.fixture
def decided(enrolled, bank, verifier):
    batch_id = ingest_batch(enrolled, bank.landing_dir).batch_id
    verify_batch(enrolled, verifier, batch_id)
    return enrolled, batch_id


def test_everything_that_leaves_is_whole_and_keeps_its_contract(decided, tmp_path):
    store, batch_id = decided
    exported = export_batch(store, batch_id, tmp_path / "out")
    out = exported.folder
    names = ["decisions.csv", "decisions.parquet", "manifest.json", "quarantine.csv", "reconciliation.json"]
    assert sorted(p.name for p in out.iterdir()) == names
    about = json.loads((out / "manifest.json").read_text())
    assert {n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in about["sha256"]} == about["sha256"]
    assert set(about["sha256"]) == set(names) - {"manifest.json"}
    contract = Contract.load("verification_decision")
    for name in ("decisions.csv", "decisions.parquet"):
        checked = contract.check_file(out / name)
        assert checked.failures.empty
        assert len(checked.good) == exported.n_decisions == len(ledger.items_of(store, batch_id))
    assert json.loads((out / "reconciliation.json").read_text())["state"] == "reconciled"
    assert ledger.find_batch(store, batch_id).state is BatchState.EXPORTED


def test_parquet_and_csv_say_the_same(decided, tmp_path):
    store, batch_id = decided
    out = export_batch(store, batch_id, tmp_path).folder
    parquet = pd.read_parquet(out / "decisions.parquet")
    with (out / "decisions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["item_id"] for r in rows] == parquet.item_id.tolist()
    for row, score, names in zip(rows, parquet.score, parquet.reference_ids, strict=True):
        assert (row["score"] == "") if pd.isna(score) else float(row["score"]) == score
        assert json.loads(row["reference_ids"]) == list(names)


def test_exporting_again_writes_the_same_bytes_and_keeps_the_time(decided, tmp_path):
    store, batch_id = decided
    first = export_batch(store, batch_id, tmp_path / "one")
    at = ledger.find_batch(store, batch_id).exported_at
    again = export_batch(store, batch_id, tmp_path / "two")
    over = export_batch(store, batch_id, tmp_path / "one")
    assert first.files == again.files == over.files
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert ledger.find_batch(store, batch_id).exported_at == at


def test_quarantine_leaves_with_every_reason(enrolled, delivery, scans, verifier, tmp_path):
    delivery.add("ok", scans[0]).add("bad", None, currency="euro", path="../x")
    batch_id = ingest_batch(enrolled, delivery.write()).batch_id
    verify_batch(enrolled, verifier, batch_id)
    out = export_batch(enrolled, batch_id, tmp_path / "out", allow_unreconciled=True).folder
    with (out / "quarantine.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    reasons = {r["reason"] for r in json.loads(row["reasons"])}
    assert reasons == {"contract_violation", "path_outside_landing_folder"}


@pytest.mark.parametrize("trouble", ["count", "amount", "unreadable"])
def test_what_does_not_add_up_does_not_leave_unless_marked(enrolled, delivery, scans, verifier, tmp_path, trouble):
    delivery.add("a", scans[0]).add("b", scans[1], **({"amount_minor": "?"} if trouble == "unreadable" else {}))
    folder = delivery.write(**{"count": {"count": 5}, "amount": {"amount_minor": 1}}.get(trouble, {}))
    batch_id = ingest_batch(enrolled, folder).batch_id
    verify_batch(enrolled, verifier, batch_id)
    out = tmp_path / "out"
    with pytest.raises(Unreconciled, match="nothing was exported"):
        export_batch(enrolled, batch_id, out)
    assert not out.exists()
    assert ledger.find_batch(enrolled, batch_id).state is BatchState.DECIDED
    exported = export_batch(enrolled, batch_id, out, allow_unreconciled=True)
    assert exported.problems
    assert "UNRECONCILED" in exported.text()
    assert json.loads((out / "reconciliation.json").read_text())["state"] == "unreconciled"
    assert json.loads((out / "manifest.json").read_text())["reconciled"] is False


def test_a_batch_that_is_not_decided_does_not_leave(enrolled, bank, verifier, tmp_path):
    batch_id = ingest_batch(enrolled, bank.landing_dir).batch_id
    open_for_verification(enrolled, batch_id, verifier)
    with pytest.raises(Conflict, match="not decided"):
        export_batch(enrolled, batch_id, tmp_path, allow_unreconciled=True)
    with pytest.raises(NotFound):
        export_batch(enrolled, "no such batch", tmp_path)
    assert list(tmp_path.glob("decisions*")) == []


def test_an_export_that_fails_half_way_has_no_manifest(decided, tmp_path):
    store, batch_id = decided
    out = export_batch(store, batch_id, tmp_path / "out").folder
    (out / "quarantine.csv").unlink()
    (out / "quarantine.csv").mkdir()
    (out / "quarantine.csv" / "in the way").touch()
    with pytest.raises(OSError, match="quarantine"):
        export_batch(store, batch_id, out)
    assert not (out / "manifest.json").exists()
    assert not list(out.glob(".*"))


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", "text")  # type: ignore[arg-type]
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
