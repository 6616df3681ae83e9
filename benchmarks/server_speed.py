"""What the flows cost: a batch through a real Prefect server from a warm process, and the cold start beside it.

Example: .venv/bin/python benchmarks/server_speed.py --items 5000 --work runs/speed

Starts a Prefect server on a free port, enrols, and lets this process (warm: libraries imported, one small batch
decided) take a batch of ``--items`` synthetic scans through ``ingest_scans`` and ``verify_batch``: ledger, export and
report included. What the wall clock shows beyond decoding, preprocessing and the network is the system's own cost. Up
to a second a flow run of it, shown apart, is Prefect waiting idly for its heartbeat thread once all is done.
The cold start is a fresh process that decides ten scans: against the running server, and with Prefect's embedded one
on an empty home. Prints one JSON document.

Each run keeps its catalogue in a new folder ``run-...`` under ``--work``: ext4 is slow to make files within minutes of
many others' deletion (it passes over inodes freed lately, 0.9 ms a file where 0.05 ms is usual), and a night's batch
does not follow one.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SMALL = 10  # scans of the batches that warm up, and of the cold starts


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5000, help="queries in the batch")
    parser.add_argument("--writers", type=int, default=250)
    parser.add_argument("--work", type=Path, required=True, help="folder for the scans, the catalogue and the server")
    parser.add_argument("--cold", metavar="LANDING", help="decide this landing folder in a fresh process, and end")
    args = parser.parse_args()
    work = args.work.resolve()
    if args.cold:
        prepare_environment(work)
        through_flows(work / "catalogue", Path(args.cold))
        return
    run = work / time.strftime("run-%Y%m%dT%H%M%S")
    run.mkdir(parents=True)
    prepare_environment(run)
    print(json.dumps(measure(work, run, args.items, args.writers), indent=1))


def prepare_environment(work: Path) -> None:
    """Everything of Prefect under `work`, nothing sent anywhere, threads that sleep while they wait."""
    os.environ.setdefault("PREFECT_HOME", str(work / "prefect"))
    os.environ |= {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "true",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    sys.path.insert(0, str(ROOT))


def measure(work: Path, run: Path, n_items: int, n_writers: int) -> dict[str, Any]:
    """Warm batch, then the cold starts: scans drawn (or kept) under `work`, all that is made of them under `run`."""
    from benchmarks.speed import draw

    large = draw(work, n_items, n_writers)
    small = [part_of(large, run / f"landing-small-{i}", i) for i in range(3)]
    enrol(run / "catalogue", work / "references")
    with server(run):
        through_flows(run / "catalogue", small[0])
        warm = through_flows(run / "catalogue", large)
        cold = timed_process(run, small[1])
    os.environ.pop("PREFECT_API_URL", None)
    embedded = timed_process(run, small[2], PREFECT_HOME=str(run / "prefect-cold"))
    inside = warm["seconds"]["preparing"] + warm["seconds"]["embedding"]
    outside = warm["wall_s"] - inside
    allowed = 0.0003 * n_items + 3.0  # the aim for a batch of 5,000
    return {
        "scans": n_items,
        "cpu_count": os.cpu_count(),
        "warm_batch": warm,
        "signatures_per_s": round(n_items / warm["wall_s"]),
        "outside_decoding_preprocessing_network_s": round(outside, 2),
        "allowed_s": round(allowed, 2),
        "cold_start_server_running_s": cold,
        "cold_start_embedded_server_s": embedded,
    }


def through_flows(catalogue: Path, landing: Path) -> dict[str, Any]:
    """One landing folder through both flows in this process: wall seconds and what the shards' time went into."""
    import flows.ingest
    import flows.verify
    from flows.parameters import Delivery, Verification

    with last_moment(flows.ingest, "announce") as ingest_done, last_moment(flows.verify, "publish_outcomes") as done:
        started = time.perf_counter()
        delivery = Delivery(catalogue=str(catalogue), landing=str(landing), classification="synthetic")
        taken = flows.ingest.ingest_scans(delivery)
        ingested = time.perf_counter()
        request = Verification(catalogue=str(catalogue), export_to=str(catalogue.parent / "out"))
        closed = flows.verify.verify_batch(request, taken[0]["batch_id"])[0]
        ended = time.perf_counter()
    return {
        "wall_s": round(ended - started, 2),
        "ingest_s": round(ingested - started, 2),
        "verify_s": round(ended - ingested, 2),
        "of_that_ending_the_flow_runs_s": round(ingested - ingest_done[-1] + ended - done[-1], 2),
        "seconds": closed["seconds"],
        "reconciliation": closed["reconciliation"],
    }


@contextmanager
def last_moment(module: Any, name: str) -> Iterator[list[float]]:
    """When calls of a module's function ended. With the last one a flow's work is done; Prefect then ends the run."""
    moments: list[float] = []
    function = getattr(module, name)

    def noted(*given: Any, **named: Any) -> Any:
        try:
            return function(*given, **named)
        finally:
            moments.append(time.perf_counter())

    setattr(module, name, noted)
    try:
        yield moments
    finally:
        setattr(module, name, function)


def enrol(catalogue: Path, references: Path) -> None:
    """The references into a fresh catalogue, templates by the verifier that ships."""
    from sigverify.batch.enrolment import add_references
    from sigverify.batch.enrolment import enrol as make_templates
    from sigverify.records import Classification
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    with Store.open(catalogue, create=True, classification=Classification.SYNTHETIC) as store:
        add_references(store, references, Classification.SYNTHETIC)
        make_templates(store, Verifier.load(), workers=2)


def part_of(landing: Path, small: Path, number: int) -> Path:
    """A landing folder of SMALL scans of `landing`, under other item ids."""
    small.mkdir(parents=True)
    with (landing / "manifest.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    chosen = rows[number * SMALL : (number + 1) * SMALL]
    for row in chosen:
        row[1] = f"small-{number}-{row[1]}"
        shutil.copy(landing / row[3], small / row[3])
    total = str(sum(int(row[5]) for row in chosen))
    with (small / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *chosen, ["T", "", "", "", "", total, "EUR", "", str(len(chosen))]])
    return small


def timed_process(work: Path, landing: Path, **environment: str) -> float:
    """Seconds a fresh process takes for `landing`, from its start to its end."""
    command = [sys.executable, __file__, "--work", str(work), "--cold", str(landing)]
    started = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - started, 1)


@contextmanager
def server(work: Path) -> Iterator[None]:
    """A Prefect server on a free port; PREFECT_API_URL names it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    with (work / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(api)
            os.environ["PREFECT_API_URL"] = api
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(api: str, seconds: float = 120) -> None:
    """Until the server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise SystemExit(f"the Prefect server did not answer within {seconds:.0f} s; see server.log")


if __name__ == "__main__":
    main()
