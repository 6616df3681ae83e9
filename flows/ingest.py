"""The flow that takes deliveries in, and the event that says so."""

from __future__ import annotations

from prefect import flow, get_run_logger, runtime
from prefect.events import emit_event

from flows.attempts import each
from flows.parameters import Delivery
from flows.tasks import Plain, find_deliveries, ingest_delivery, run_parameter

INGESTED = "sigverify.batch.ingested"
BATCH = "sigverify.batch."  # what a batch is called in events: this and its id


def _run_name() -> str:
    delivery = Delivery.model_validate(run_parameter("delivery"))
    return f"ingest {delivery.day(runtime.flow_run.scheduled_start_time)}"


@flow(name="ingest_scans", flow_run_name=_run_name, persist_result=True, result_serializer="json")
def ingest_scans(delivery: Delivery) -> list[Plain]:
    """Take in every delivery of the landing folder: good rows become a batch, bad rows go to quarantine with reasons.

    A delivery that was taken in before is passed over; one that fails keeps no other waiting. Each new batch is
    announced by the event `sigverify.batch.ingested`, which starts its verification.
    """
    log = get_run_logger()
    day = delivery.day(runtime.flow_run.scheduled_start_time)
    folders = find_deliveries(delivery.catalogue, delivery.folder(day))
    if not folders:
        log.warning("no new delivery for %s", day)

    def take(folder: str) -> Plain:
        summary = ingest_delivery(delivery.catalogue, folder, day.isoformat(), delivery.classification)
        log.info("%s", summary["text"])
        if summary["open"]:
            announce(summary["batch_id"])
        return summary

    return each(folders, take)


def announce(batch_id: str) -> None:
    """Say that a batch is there to be decided; a deployment of verify_batch listens."""
    emit_event(event=INGESTED, resource={"prefect.resource.id": BATCH + batch_id}, payload={"batch_id": batch_id})
