"""A real Prefect server and a real process worker, on free ports, in a folder of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


@dataclass(frozen=True)
class Server:
    """Where it listens, and the environment in which its clients run."""

    api: str
    environment: dict[str, str]
    folder: Path

    def prefect(self, *words: str) -> str:
        """The `prefect` command against this server; its output, or a failed test."""
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == 0, f"prefect {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST (or GET without a body) to the API; the answer from JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, {"Content-Type": "application/json"})
        for wait_s in (1, 3, 9, 0):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code != 503 or not wait_s:  # a busy machine: the server's database is locked for a moment
                    raise
                time.sleep(wait_s)

    def runs(self, flow: str, *states: str) -> list[dict[str, Any]]:
        """Runs of a flow in any of the states (all states when none is named), newest first."""
        body: dict[str, Any] = {"flows": {"name": {"any_": [flow]}}, "limit": 50, "sort": "START_TIME_DESC"}
        if states:
            body["flow_runs"] = {"state": {"type": {"any_": list(states)}}}
        return list(self.ask("/flow_runs/filter", body))

    def run(self, deployment: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """A run of a deployment on demand, once it has ended."""
        deployed = self.ask(f"/deployments/name/{deployment}")
        asked = {"parameters": parameters} if parameters else {}
        return self.end_of(self.ask(f"/deployments/{deployed['id']}/create_flow_run", asked)["id"])

    def end_of(self, run_id: str) -> dict[str, Any]:
        """The flow run, once it has ended one way or another."""

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.ask(f"/flow_runs/{run_id}")
            return run if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

        run: dict[str, Any] = wait_for(ended, f"the end of flow run {run_id}")
        return run

    def logs(self, run_id: str) -> str:
        found = self.ask("/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200})
        return "\n".join(line["message"] for line in found)


def wait_for(what: Callable[[], Any], words: str, seconds: float = PATIENCE_S) -> Any:
    """The first true answer of `what`, asked every quarter second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.25)
    raise AssertionError(f"waited {seconds:.0f} s for {words}")


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group, its output in `log`, gone with everything it started when the block ends."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=15)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def environment_for(folder: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return {
        **kept,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def server_in(folder: Path, **environment: str) -> Iterator[Server]:
    """A server with the pool `sigverify` and the project's deployments, and a worker that takes their runs."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    settings = environment_for(folder, PREFECT_API_URL=api, **environment)
    prefect = [sys.executable, "-m", "prefect"]
    start = [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = Server(api, settings, folder)
    with running(start, settings, folder / "server.log"):
        wait_for(lambda: _healthy(server), "the server")
        server.prefect("work-pool", "create", "sigverify", "--type", "process")
        server.prefect("deploy", "--all")
        work = [*prefect, "worker", "start", "--pool", "sigverify", "--type", "process"]
        with running(work, settings, folder / "worker.log"):
            yield server


def _healthy(server: Server) -> bool:
    try:
        return bool(server.ask("/health"))
    except OSError:
        return False
