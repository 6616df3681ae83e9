"""The tasks of one batch: freeze it, decide its shards, close it. The ledger makes each decision once, not Prefect."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect import task
from prefect.context import TaskRunContext

from flows.parameters import Verification
from flows.tasks import RETRIED, WORKERS, Plain, plain


def shard_key(_context: TaskRunContext, parameters: Plain) -> str:
    """What makes a shard's result reusable: its items, the verifier version and the policy, in this catalogue."""
    return f"{parameters['catalogue']}:{parameters['shard']['digest']}:{parameters['key']}"


@task(name="open batch", task_run_name="open {batch_id}", **RETRIED)
def open_batch(catalogue: str, batch_id: str, verifier: str, shard_size: int) -> Plain:
    """Freeze verifier, policy and gallery for the batch (the first opening counts) and cut its items into shards."""
    from sigverify.batch.decisions import open_for_verification, shards
    from sigverify.storage.store import Store

    from sigverify.verifier import Verifier

    store = Store.open(Path(catalogue))
    frozen = open_for_verification(store, batch_id, Verifier.load(verifier))
    cut = shards(store, batch_id, shard_size)
    return {
        "folder": verifier,
        "version": frozen.verifier_version,
        "key": f"{frozen.verifier_version}:{frozen.policy_version}",
        "shards": [plain(shard) for shard in cut],
    }


@task(
    name="decide shard",
    task_run_name="decide {shard[index]} of {batch_id}",
    cache_key_fn=shard_key,
    cache_expiration=timedelta(days=7),
    **RETRIED,
)
def decide_items(catalogue: str, batch_id: str, verifier: str, key: str, shard: Plain) -> Plain:
    """Decide the items of one shard that are undecided, in one transaction."""
    from sigverify.batch.decisions import Shard, decide_shard
    from sigverify.storage.store import Store

    from sigverify.verifier import Verifier

    store = Store.open(Path(catalogue))
    return plain(decide_shard(store, Verifier.load(verifier), batch_id, Shard(**shard), workers=WORKERS))


@task(name="count undecided", **RETRIED)
def count_undecided(catalogue: str, batch_id: str) -> int:
    """Items of the batch without a decision by its frozen verifier."""
    from sigverify.batch.decisions import shards
    from sigverify.storage.store import Store

    return sum(len(shard.item_ids) for shard in shards(Store.open(Path(catalogue)), batch_id))


@task(name="close batch", task_run_name="close {batch_id}", **RETRIED)
def close_batch(settings: Verification, batch_id: str, verifier: str) -> Plain:
    """Reconcile, write the report, export the decisions; answers with paths and counts."""
    raise NotImplementedError


def _outcomes(reconciliation: Any) -> list[Plain]:
    raise NotImplementedError
