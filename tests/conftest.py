"""What every test shares: a quiet environment set before any library reads it; skips that count as failures in CI."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from typing import Any

import pytest

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
}
os.environ.update(QUIET)


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
