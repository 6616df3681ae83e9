"""The flow that decides: one batch, or every batch that is still open."""

from __future__ import annotations

from prefect import flow, get_run_logger, unmapped
from prefect.task_runners import ThreadPoolTaskRunner

from flows.attempts import each
from flows.outcome import publish_outcomes
from flows.parameters import BatchId, Verification
from flows.shards import close_batch, count_undecided, decide_items, open_batch, seconds_of
from flows.tasks import Plain, find_unfinished, keep_verifier, run_parameter


def _run_name() -> str:
    return f"verify {run_parameter('batch_id') or 'every open batch'}"


@flow(
    name="verify_batch",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=1),  # type: ignore[arg-type]  # a shard keeps every core busy
    persist_result=True,
    result_serializer="json",
)
def verify_batch(settings: Verification, batch_id: BatchId | None = None) -> list[Plain]:
    """Decide a batch exactly once, export its decisions, write its report. Without a batch: all that are unfinished.

    Killed and run again, or run twice, it decides what is left: the ledger holds one decision for each item, verifier
    version and policy version. A batch that fails does not keep the others waiting; the run fails at its end.
    """
    waiting = [batch_id] if batch_id else find_unfinished(settings.catalogue)
    return each(waiting, lambda batch: _verify(settings, batch))


def _verify(settings: Verification, batch_id: str) -> Plain:
    """One batch: freeze, decide shard by shard, close."""
    log = get_run_logger()
    kept = keep_verifier(settings.catalogue, settings.verifier)
    opened = open_batch(settings.catalogue, batch_id, kept["folder"], settings.shard_size)
    log.info("batch %s: verifier %s, %s shards", batch_id, opened["version"], len(opened["shards"]))
    where = (unmapped(settings.catalogue), unmapped(batch_id), unmapped(opened["folder"]), unmapped(opened["key"]))
    done = decide_items.map(*where, opened["shards"]).result()
    if count_undecided(settings.catalogue, batch_id):  # a kept result says more than the ledger: the ledger is right
        done = decide_items.with_options(refresh_cache=True).map(*where, opened["shards"]).result()
    closed = {**close_batch(settings, batch_id, opened["folder"]), "seconds": seconds_of(done)}
    publish_outcomes(closed)
    log.info("%s", closed["reconciliation"])
    return closed
