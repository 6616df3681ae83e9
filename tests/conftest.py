"""What every test shares: a quiet environment set before any library reads it; skips that count as failures in CI."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import PostgresServer

SCRATCH = tempfile.mkdtemp(prefix="sigverify-tests-")
QUIET = {
    "PREFECT_HOME": f"{SCRATCH}/prefect",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_TRACKING_URI": f"sqlite:///{SCRATCH}/mlflow.db",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "MPLBACKEND": "Agg",
    "OMP_WAIT_POLICY": "PASSIVE",
}
os.environ.update(QUIET)
os.environ.pop("SIGVERIFY_DATABASE_URL", None)  # tests never touch the database of whoever runs them


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:
    """SIGVERIFY_NO_SKIPS=1: a test that skips itself has failed; what it needs belongs to the environment."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("SIGVERIFY_NO_SKIPS") == "1" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where skips are not allowed: {report.longrepr}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SIGVERIFY_NO_SKIPS") == "1" and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED  # a module skipped while it was collected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    """A new, empty catalogue on SQLite in the test's own folder; synthetic by default."""
    from sigverify.records import Classification
    from sigverify.storage.store import Store

    with Store.open(tmp_path / "catalogue", create=True, classification=Classification.SYNTHETIC) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of our own for this run; skipped, saying why, where its programs are not installed."""
    server = PostgresServer.start()
    if isinstance(server, str):
        pytest.skip(server)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A new, empty catalogue, once on SQLite and once on PostgreSQL (a database of its own)."""
    from sigverify.storage.store import Store

    url = None if request.param == "sqlite" else request.getfixturevalue("postgres").new_database()
    with Store.open(tmp_path / "catalogue", database_url=url, create=True) as opened:
        yield opened
