"""`make demo`: a synthetic bank's day, from scans to decisions, through the flows, in one folder that git ignores.

Prefect and MLflow read their places from the environment when they are imported, so this module sets them first and
imports the flows afterwards.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

FOLDER = Path("demo-run")
MARK = ".sigverify-demo"  # only a folder that holds this is ever removed
SEED = 7
NAME = "sigverify"
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


@dataclass(frozen=True)
class Places:
    """Everything the demo makes lies in one folder."""

    folder: Path

    @property
    def tracking(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def catalogue(self) -> str:
        return str(self.folder / "catalogue")

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What opens the pages of Prefect and MLflow on this day's runs."""
        programs = Path(sys.executable).parent
        home, prefect, mlflow = (
            shlex.quote(str(p)) for p in (self.folder / "prefect", programs / "prefect", programs / "mlflow")
        )
        return [
            ("Prefect, http://127.0.0.1:4200", f"PREFECT_HOME={home} {prefect} server start"),
            (
                "MLflow, http://127.0.0.1:5000",
                f"{mlflow} server --workers 1 --port 5000 --backend-store-uri {shlex.quote(self.tracking)}",
            ),
        ]


def main() -> int:
    """Run the day; 0 when every outcome occurred and the reconciliation balances."""
    started = time.monotonic()
    places = fresh(FOLDER.absolute())
    use_only(places)
    from flows.demo_outcome import outcome_of_items, outcome_table, rate_table, shortfalls

    bank = synthesise(places)
    register(places)
    closed = run_flows(places, bank)
    became = outcome_of_items(bank.truth_csv, Path(closed["folder"]) / "decisions.csv")
    kinds = hold_against_truth(places, bank, closed, became)
    console.print(outcome_table(closed["batch_id"], closed["outcomes"]))
    console.print(closed["reconciliation"])
    console.print(rate_table(kinds))
    lacking = shortfalls(bank.truth_csv, became, closed)
    for line in lacking:
        console.print(f"[red]MISSING[/] {line}")
    point_to(places, closed)
    console.print(f"[dim]{time.monotonic() - started:.0f} s, everything in {FOLDER}/[/]")
    return 1 if lacking else 0


def fresh(folder: Path) -> Places:
    """An empty folder; an earlier demo's is removed, anybody else's is not."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).is_file():
            raise SystemExit(f"{folder} holds something that is not a demo's: move it away first")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return Places(folder)


def use_only(places: Places) -> None:
    """Point Prefect, MLflow and the catalogue into the folder, whatever the user's settings say; keep logs quiet."""
    if "prefect" in sys.modules or "mlflow" in sys.modules:
        raise RuntimeError("the demo sets the places of Prefect and MLflow before they are imported")
    for name in [n for n in os.environ if n.startswith(("PREFECT_", "MLFLOW_", "SIGVERIFY_"))]:
        del os.environ[name]
    os.environ |= {
        "PREFECT_HOME": str(places.folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
        "MLFLOW_TRACKING_URI": places.tracking,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "MPLBACKEND": "Agg",
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads sleep: on a busy machine the network is 20 times as fast
    }
    warnings.filterwarnings("ignore")
    for noisy in ("alembic", "httpx", "sqlalchemy", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


class _Teller(logging.Handler):
    """Shows what flows and tasks log beside the step in progress."""

    def __init__(self, tell: Any) -> None:
        super().__init__(logging.INFO)
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(record.getMessage().splitlines()[0][:100])


@contextmanager
def step(title: str) -> Iterator[Any]:
    """One line a step: what it does while it runs, how long it took when done."""
    started = time.monotonic()
    with console.status(f"{title} ...") as status:
        if not console.is_terminal:
            console.print(f"{title} ...")
        tell = _Teller(lambda text: status.update(f"{title}: [dim]{text}[/]"))
        logging.getLogger("prefect").addHandler(tell)
        try:
            yield lambda text: status.update(f"{title}: {text}")
        finally:
            logging.getLogger("prefect").removeHandler(tell)
    console.print(f"[green]done[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def synthesise(places: Places) -> Any:
    """The bank: references, a landing folder, and the truth beside it."""
    from sigverify.synthesis.bank import synthesise_bank

    with step("synthesise a bank (writers, references, a day's scans)") as say:
        bank = synthesise_bank(places.folder / "bank", SEED, on_progress=lambda n, of: say(f"{n} of {of} scans"))
    console.print(f"     {bank.n_writers} writers, {bank.n_references} references, {bank.n_rows} manifest rows")
    return bank


def register(places: Places) -> None:
    """The shipped verifier as the registry's first version and champion, so that the flows ask for it by alias."""
    from sigverify.registry import Evidence, Registry, describe
    from sigverify.verifier import DEFAULT_FOLDER, Verifier

    with step("register the shipped verifier in MLflow"):
        verifier = Verifier.load()
        registry = Registry(places.tracking, places.folder / "mlflow-artifacts")
        evidence = Evidence(parameters={"encoder": verifier.settings.encoder.backbone}, tags={"origin": "shipped"})
        run_id = registry.log_run(NAME, "shipped verifier", evidence, DEFAULT_FOLDER)
        made = registry.register(run_id, DEFAULT_FOLDER, NAME, describe(verifier, {}))
        registry.promote(made.uri, approved_by="demo", note="the verifier that ships")
    provisional = verifier.settings.operating_point.provisional
    console.print(f"     {verifier.version}{' (operating point provisional)' if provisional else ''}")


def run_flows(places: Places, bank: Any) -> dict[str, Any]:
    """ingest -> enrol -> verify, embedded: Prefect starts a server of its own for as long as this process lives."""
    with step("start Prefect's embedded server"):
        from flows.enrol import enrol_writers
        from flows.ingest import ingest_scans
        from flows.parameters import Delivery, Enrolment, Verification
        from flows.verify import verify_batch

    verifier = f"models:/{NAME}@champion"
    shown: Any = {"catalogue": places.catalogue, "classification": "synthetic"}
    with step("flow ingest_scans"):
        ingested = ingest_scans(Delivery(landing=str(bank.landing_dir), **shown))
    with step("flow enrol_writers"):
        enrol_writers(Enrolment(references=str(bank.references_dir), verifier=verifier, **shown))
    with step("flow verify_batch"):
        settings = Verification(
            catalogue=places.catalogue, verifier=verifier, shard_size=50, export_to=str(places.folder / "decisions")
        )
        return verify_batch(settings, ingested[0]["batch_id"])[0]


def hold_against_truth(places: Places, bank: Any, closed: dict[str, Any], became: dict[str, str]) -> Any:
    """The report once more, with the synthetic truth in it, and the day as an MLflow run."""
    from sigverify.batch.report import write_batch_report
    from sigverify.batch.truth import outcomes_by_kind
    from sigverify.registry import Evidence, Registry
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    with step("hold the decisions against the synthetic truth, log the day to MLflow"):
        folder, kinds = Path(closed["folder"]), outcomes_by_kind(bank.truth_csv, became)
        with Store.open(places.catalogue) as store:
            write_batch_report(store, Verifier.load(), closed["batch_id"], folder, truth=bank.truth_csv)
        counts = {
            f"{row['outcome']}.{row['reason']}".replace(" + ", "."): float(row["count"]) for row in closed["outcomes"]
        }
        evidence = Evidence(
            parameters={"verifier_version": closed["verifier_version"], "batch_id": closed["batch_id"]},
            metrics=counts | {f"synthetic_{k.error}": k.errors / k.n for k in kinds if k.error},
            folders={"decisions": folder},
            tags={"truth": "synthetic"},
        )
        registry = Registry(places.tracking, places.folder / "mlflow-artifacts")
        registry.log_run(NAME, f"batch {closed['batch_id']}", evidence)
    return kinds


def point_to(places: Places, closed: dict[str, Any]) -> None:
    """Where to look next."""
    console.print(f"\nreport   {closed['report']}\nexport   {closed['folder']}", markup=False)
    for page, command in places.commands:
        console.print(f"{page}:\n    {command}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
