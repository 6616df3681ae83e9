"""The tasks of one batch: freeze it, decide its shards, close it. The ledger makes each decision once, not Prefect."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from prefect import task
from prefect.context import TaskRunContext

from flows.outcome import outcomes_in
from flows.parameters import Verification
from flows.tasks import RETRIED, WORKERS, Plain, kept_folder, plain
from sigverify.config import digest

WORTH_PROCESSES = 200  # fewer scans are prepared before a second process has imported its libraries


def shard_key(_context: TaskRunContext, parameters: Plain) -> str:
    """What makes a shard's result reusable: its items, the verifier version and the policy, in this catalogue."""
    return f"{parameters['shard']['digest']}-{digest({'catalogue': parameters['catalogue'], 'key': parameters['key']})}"


@task(name="open batch", task_run_name="open {batch_id}", **RETRIED)
def open_batch(catalogue: str, batch_id: str, verifier: str, shard_size: int) -> Plain:
    """Freeze verifier, policy and gallery for the batch and cut its items into shards.

    The first opening counts: a batch begun with one verifier is finished with it, whatever `verifier` is by now.
    """
    from sigverify.batch.decisions import open_for_verification, shards
    from sigverify.storage import ledger
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    with Store.open(Path(catalogue)) as store:
        begun_with = ledger.find_batch(store, batch_id).verifier_version
        kept = kept_folder(catalogue, begun_with) if begun_with else None
        folder = str(kept) if kept and kept.is_dir() else verifier
        frozen = open_for_verification(store, batch_id, Verifier.load(folder))
        cut = shards(store, batch_id, shard_size)
    return {
        "folder": folder,
        "version": frozen.verifier_version,
        "key": f"{frozen.verifier_version}:{frozen.policy_version}",
        "shards": [plain(shard) for shard in cut],
    }


@task(
    name="decide shard",
    task_run_name="decide shard {shard[index]} of {batch_id}",
    cache_key_fn=shard_key,
    cache_expiration=timedelta(days=7),
    **RETRIED,
)
def decide_items(catalogue: str, batch_id: str, verifier: str, key: str, shard: Plain) -> Plain:
    """Decide those items of one shard that are undecided, in one transaction."""
    from sigverify.batch.decisions import Shard, decide_shard
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    with Store.open(Path(catalogue)) as store:
        workers = WORKERS if len(shard["item_ids"]) >= WORTH_PROCESSES else 1
        done = decide_shard(store, Verifier.load(verifier), batch_id, Shard(**shard), workers=workers)
    return plain(done)


def seconds_of(shards: list[Plain]) -> dict[str, float]:
    """What the shards' time went into, added up: preparing (read, decode, clean), embedding (the network), rest."""
    parts = sorted({part for shard in shards for part in shard["seconds"]})
    return {part: round(sum(shard["seconds"].get(part, 0.0) for shard in shards), 3) for part in parts}


@task(name="count undecided", **RETRIED)
def count_undecided(catalogue: str, batch_id: str) -> int:
    """Items of the batch without a decision by its frozen verifier."""
    from sigverify.storage import ledger
    from sigverify.storage.store import Store

    with Store.open(Path(catalogue)) as store:
        return ledger.reconcile(store, batch_id).undecided.count


@task(name="close batch", task_run_name="close {batch_id}", **RETRIED)
def close_batch(settings: Verification, batch_id: str, verifier: str) -> Plain:
    """Add the batch up, write its report, export its decisions; answers with paths and counts.

    A batch that does not add up is reported and not exported (unless the settings allow it).
    """
    from sigverify.batch.decisions import finish_batch
    from sigverify.batch.export import export_batch
    from sigverify.batch.report import write_batch_report
    from sigverify.records import Pictures
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    chosen = Verifier.load(verifier)
    folder = Path(settings.export_to or Path(settings.catalogue) / "exports") / batch_id
    with Store.open(Path(settings.catalogue)) as store:
        totals = finish_batch(store, batch_id)
        report = write_batch_report(store, chosen, batch_id, folder, pictures=Pictures(settings.pictures))
        export_batch(store, batch_id, folder, allow_unreconciled=settings.allow_unreconciled)
    return {
        "batch_id": batch_id,
        "verifier_version": chosen.version,
        "reconciliation": totals.line(),
        "balances": totals.balanced,
        "outcomes": outcomes_in(folder),
        "report": str(report),
        "folder": str(folder),
    }
