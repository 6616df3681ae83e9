"""Days that were missed: one ingest run a day, each asked for once however often this is typed.

    python -m flows.backfill 2026-11-16 2026-11-20      (needs PREFECT_API_URL; weekends are left out)

Prefect has no backfill of its own. A run is named by its day (idempotency key), so a day that was asked for already is
not asked for again, and an ingest of a delivery that was taken in changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import date, timedelta

DEPLOYMENT = "ingest_scans/ingest-scans"


def working_days(first: date, last: date) -> Iterator[date]:
    """Monday to Friday from `first` to `last`, both included."""
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        if day.isoweekday() <= 5:
            yield day


def backfill(first: date, last: date, again: str = "") -> list[tuple[date, str]]:
    """Ask for the ingest of each working day; (day, flow run id). `again`: any word, to ask once more for a day."""
    from prefect.client.orchestration import get_client
    from prefect.deployments import run_deployment

    with get_client(sync_client=True) as client:
        held = client.read_deployment_by_name(DEPLOYMENT).parameters
    asked = []
    for day in working_days(first, last):
        delivery = {**held["delivery"], "business_date": day.isoformat()}
        run = run_deployment(
            DEPLOYMENT,
            parameters={"delivery": delivery},
            timeout=0,
            idempotency_key=f"ingest {day} {again}".strip(),
            as_subflow=False,
        )
        asked.append((day, str(run.id)))  # type: ignore[union-attr]  # awaitable only inside an event loop
    return asked


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m flows.backfill", description="Ask for the ingest of missed days.")
    reader.add_argument("first", type=date.fromisoformat, help="YYYY-MM-DD")
    reader.add_argument("last", type=date.fromisoformat, help="YYYY-MM-DD")
    reader.add_argument("--again", default="", help="any word: ask once more for days that were asked for already")
    asked = reader.parse_args()
    for day, run in backfill(asked.first, asked.last, asked.again):
        print(f"{day}  flow run {run}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
