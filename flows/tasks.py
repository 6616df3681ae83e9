"""Each thing worth retrying, as a task. Tasks take and give ids, paths and counts, never images or numbers of a scan.

The library's own errors say what to fix and a programming error stays one: repeating them helps nobody. Other failures
(a busy database, a file share that went away) are retried.
"""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

from prefect import runtime, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from sigverify.errors import SigverifyError
from sigverify.records import as_plain

Plain = dict[str, Any]
PERMANENT = (
    SigverifyError, ImportError, TypeError, AttributeError, LookupError, ValueError, PermissionError, NotADirectoryError
)  # fmt: skip
WORKERS = 2  # processes that decode and prepare scans


def transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether another try may help."""
    try:
        state.result()
    except PERMANENT:
        return False
    except Exception:
        return True
    return False


RETRIED: Plain = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 60],
    "retry_condition_fn": transient,
    "persist_result": True,
    "result_serializer": "json",
}


def run_parameter(name: str) -> Any:
    """A parameter of the flow run in progress, for its name."""
    return runtime.flow_run.parameters[name]


@task(name="find deliveries", **RETRIED)
def find_deliveries(catalogue: str, landing: str) -> list[str]:
    """Complete deliveries beneath `landing` that the catalogue does not hold yet, oldest first."""
    from sigverify.batch.landing import find_landings
    from sigverify.storage.store import Store

    with Store.open(Path(catalogue), create=True) as store:
        return [str(folder) for folder in find_landings(Path(landing), store)]


@task(name="ingest delivery", task_run_name="ingest {landing}", **RETRIED)
def ingest_delivery(catalogue: str, landing: str, business_date: str, classification: str) -> Plain:
    """One delivery into one batch; `open` tells whether anything of it is still to be decided."""
    from sigverify.batch.landing import ingest_batch
    from sigverify.records import Classification
    from sigverify.storage import ledger
    from sigverify.storage.store import Store

    kind = Classification(classification)
    with Store.open(Path(catalogue), create=True, classification=kind) as store:
        summary = ingest_batch(
            store, Path(landing), business_date=date.fromisoformat(business_date), classification=kind
        )
        waits = summary.batch_id in ledger.open_batches(store)
    return {**plain(summary), "text": summary.text(), "open": waits}


@task(name="add references", **RETRIED)
def add_reference_folder(catalogue: str, references: str, classification: str) -> Plain:
    """A folder of references into the catalogue; those it holds already change nothing."""
    from sigverify.batch.enrolment import add_references
    from sigverify.records import Classification
    from sigverify.storage.store import Store

    kind = Classification(classification)
    with Store.open(Path(catalogue), create=True, classification=kind) as store:
        added = add_references(store, Path(references), kind)
    return {**plain(added), "text": str(added)}


@task(name="keep verifier", task_run_name="keep {reference}", **RETRIED)
def keep_verifier(catalogue: str, reference: str) -> Plain:
    """Resolve a verifier once, and keep its bundle with the catalogue: a batch can always be decided by the version
    that was frozen for it, whatever an alias says later."""
    from sigverify.registry import open_verifier

    verifier = open_verifier(reference)
    folder = kept_folder(catalogue, verifier.version)
    if not (folder / "verifier.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        verifier.save(folder)
    return {"folder": str(folder), "version": verifier.version, "policy": verifier.policy_version}


@task(name="enrol references", **RETRIED)
def enrol_references(
    catalogue: str, verifier: str, writer_ids: list[str] | None, max_references: int, withdraw: list[str]
) -> Plain:
    """Templates of the named writers, or of all, without the references that are withdrawn."""
    from sigverify.batch.enrolment import enrol
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    with Store.open(Path(catalogue)) as store:
        store.mark_references(withdraw, is_reference=False)
        done = enrol(
            store,
            Verifier.load(verifier),
            writer_ids=writer_ids,
            max_references=max_references,
            workers=WORKERS,
        )
    return {**plain(done), "text": done.text()}


@task(name="find unfinished batches", **RETRIED)
def find_unfinished(catalogue: str) -> list[str]:
    """Every batch that waits for decisions or for its export, oldest first."""
    from sigverify.records import BatchState
    from sigverify.storage import ledger
    from sigverify.storage.store import Store

    with Store.open(Path(catalogue)) as store:
        return [b.batch_id for b in ledger.list_batches(store) if b.state in (BatchState.OPEN, BatchState.DECIDED)]


def kept_folder(catalogue: str, version: str) -> Path:
    """Where a catalogue keeps the bundle of a verifier version."""
    return Path(catalogue) / "verifiers" / version


def plain(record: Any) -> Plain:
    """A summary as JSON-ready builtins."""
    values: Plain = as_plain({f.name: getattr(record, f.name) for f in dataclasses.fields(record)})
    return {k: str(v) if isinstance(v, (Path, date)) else v for k, v in values.items()}
