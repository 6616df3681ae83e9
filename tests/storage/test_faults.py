"""Processes that are really killed, really race, and really run out of disk; on both databases where it matters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sigverify.records import BatchState
from sigverify.storage import ledger
from sigverify.storage.store import Store
from tests.storage.builders import FROZEN, admitted, begin, item
from tests.storage.worker import N

ROOT = Path(__file__).resolve().parents[2]


def start(store: Store, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.storage.worker", str(arguments[0]), str(store.folder.absolute())]
    command += [str(a) for a in arguments[1:]]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*started: subprocess.Popen[str]) -> list[str]:
    """What each printed; every one must have ended well."""
    outputs = [p.communicate(timeout=240) for p in started]
    assert [p.returncode for p in started] == [0] * len(started), "\n".join(err for _, err in outputs)
    return [out.strip() for out, _ in outputs]


def test_killed_in_the_middle_of_admission(any_store):
    begin(any_store, "b1", N)
    doomed = start(any_store, "die_in_admission")
    out, err = doomed.communicate(timeout=240)
    assert (doomed.returncode, out.strip()) == (-9, "killed in the transaction"), err
    assert ledger.find_batch(any_store, "b1").state is BatchState.RECEIVING
    assert ledger.items_of(any_store, "b1").empty and ledger.quarantined_of(any_store, "b1").empty
    assert finish(start(any_store, "admit")) == ["False"]
    assert len(ledger.items_of(any_store, "b1")) == N


def test_killed_while_recording(any_store):
    admitted(any_store, "b1", [item(n, row=n + 1) for n in range(N)], declared_count=N, declared_minor=100 * N)
    doomed = start(any_store, "decide", 100)
    assert doomed.stdout is not None
    seen = [doomed.stdout.readline() for _ in range(5)]
    doomed.kill()
    doomed.communicate(timeout=60)
    assert seen == ["100\n"] * 5
    before = len(ledger.decisions_of(any_store, "b1"))
    assert before >= 500 and before % 100 == 0  # whole shards
    (out,) = finish(start(any_store, "decide", 1_000))
    assert sum(map(int, out.split())) == N - before
    assert ledger.close_batch(any_store, "b1")
    assert ledger.reconcile(any_store, "b1").balanced


def test_two_workers_record_the_same_decisions(any_store):
    admitted(any_store, "b1", [item(n, row=n + 1) for n in range(N)], declared_count=N, declared_minor=100 * N)
    outputs = finish(start(any_store, "decide", 250), start(any_store, "decide", 400))
    assert sum(int(new) for out in outputs for new in out.split()) == N
    assert ledger.decisions_of(any_store, "b1").item_id.is_unique
    assert ledger.reconcile(any_store, "b1").accepted.count == N


def test_three_callers_freeze_one_verifier(any_store):
    admitted(any_store, "b1", [item(1)])
    answers = [out.split() for out in finish(*(start(any_store, "freeze", n) for n in (7, 8, 9)))]
    assert len({(version, gallery[2:]) for version, gallery, _ in answers}) == 1
    assert sorted(first for _, _, first in answers) == ["False", "False", "True"]


def test_two_processes_admit_one_batch(any_store):
    begin(any_store, "b1", N)
    assert sorted(finish(*(start(any_store, "admit") for _ in range(2)))) == ["False", "True"]
    assert len(ledger.items_of(any_store, "b1")) == N and ledger.redelivered_of(any_store, "b1").empty


@pytest.mark.parametrize("spare", [4_096, 200_000])
def test_a_full_disk_loses_nothing(store, spare):
    begin(store, "b1", N)
    (out,) = finish(start(store, "fill_disk", spare))
    admission, image = out.splitlines()
    assert admission.startswith("BadInput the disk") and "nothing of this step was written" in admission
    assert image.startswith("BadInput an image could not be written")
    assert not [p for p in store.folder.rglob("*") if p.suffix in (".part", ".png")]
    assert ledger.find_batch(store, "b1").state is BatchState.RECEIVING
    assert finish(start(store, "admit")) == ["False"]
    assert len(ledger.undecided(store, "b1")) == N


def test_the_worker_decides_with_what_the_tests_freeze():
    assert FROZEN["verifier_version"] == "v7"
