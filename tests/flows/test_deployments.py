"""prefect.yaml on a real server with a real worker: schedules make runs, forms refuse, events start verification."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
from typing import Any

import pytest

from tests.flows.servers import ROOT, Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def deployment(server: Server, name: str) -> dict[str, Any]:
    found: dict[str, Any] = server.ask(f"/deployments/name/{name}")
    return found


@pytest.mark.parametrize(
    ("name", "slug"), [("ingest_scans/ingest-scans", "evening"), ("verify_batch/verify-batch", "sweep")]
)
def test_a_schedule_becomes_scheduled_runs(server: Server, name: str, slug: str) -> None:
    deployed = deployment(server, name)
    assert [s["slug"] for s in deployed["schedules"]] == [slug]
    runs = wait_for(
        lambda: [r for r in server.runs(name.split("/")[0], "SCHEDULED") if r["deployment_id"] == deployed["id"]],
        f"a Scheduled run of {name}",
    )
    assert all(run["auto_scheduled"] for run in runs)


def test_all_four_flows_are_deployed_without_a_folder_of_this_machine(server: Server) -> None:
    found = server.ask("/deployments/filter", {})
    assert {d["name"] for d in found} == {"ingest-scans", "enrol-writers", "verify-batch", "retrain-verifier"}
    for each in found:
        assert each["pull_steps"] in (None, []) and not each["path"]
        assert each["entrypoint"].startswith("flows.")
        assert each["work_pool_name"] == "sigverify"
        assert str(ROOT) not in json.dumps(each)
    verify = deployment(server, "verify_batch/verify-batch")
    assert verify["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert verify["global_concurrency_limit"]["limit"] == 1


def test_the_api_refuses_a_bad_form_before_a_run_exists(server: Server) -> None:
    deployed = deployment(server, "verify_batch/verify-batch")
    settings = deployed["parameters"]["settings"]
    for parameters in (
        {"settings": {**settings, "shard_size": 0}},
        {"settings": {**settings, "pictures": "some"}},
        {"settings": {**settings, "unknown": 1}},
        {"settings": settings, "batch_id": "../elsewhere"},
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.ask(f"/deployments/{deployed['id']}/create_flow_run", {"parameters": parameters})
        assert refused.value.code in (409, 422)


def test_a_run_on_demand_completes(server: Server) -> None:
    ended = server.run("ingest_scans/ingest-scans")
    assert ended["state"]["type"] == "COMPLETED", server.logs(ended["id"])
    assert ended["name"].startswith("ingest 2")


def test_a_backfill_asks_once_for_each_working_day(server: Server) -> None:
    command = [sys.executable, "-m", "flows.backfill", "2026-11-13", "2026-11-16"]  # Friday to Monday
    said = [
        subprocess.run(command, cwd=ROOT, env=server.environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert [line.split()[0] for line in said[0].splitlines()] == ["2026-11-13", "2026-11-16"]
    assert said[0] == said[1]
    run = server.end_of(said[0].split()[-1])
    assert (run["state"]["type"], run["name"]) == ("COMPLETED", "ingest 2026-11-16"), server.logs(run["id"])


def test_the_automation_for_dead_hosts_can_be_created(server: Server) -> None:
    server.prefect("automation", "create", "--from-file", "prefect-automations.yaml")
    found = server.ask("/automations/filter", {})
    made = [a for a in found if a["name"] == "a run without heartbeat has crashed"]
    assert [a["trigger"]["posture"] for a in made] == ["Proactive"]
    verify = deployment(server, "verify_batch/verify-batch")
    assert verify["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "60"


def test_the_event_of_an_ingest_starts_the_verification_of_its_batch(server: Server) -> None:
    code = "from flows.ingest import announce; announce('2026-11-20-no-such-batch')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=server.environment, check=True, timeout=100)
    run = wait_for(
        lambda: [r for r in server.runs("verify_batch") if r["parameters"].get("batch_id")], "a run by the event"
    )[0]
    assert run["parameters"]["batch_id"] == "2026-11-20-no-such-batch"
    assert run["parameters"]["settings"]["catalogue"].endswith("catalogue")
    assert server.end_of(run["id"])["state"]["type"] == "FAILED"  # there is no such batch
