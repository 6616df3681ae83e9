"""The life of a batch: receiving -> open -> decided -> exported, each step once.

(`admission` makes it open.) The first caller that opens a batch for verification freezes verifier, policy and gallery;
everybody after gets the frozen ones, so that one batch is never decided by two verifiers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sigverify.errors import Conflict
from sigverify.records import BatchState, Classification
from sigverify.storage.database import now
from sigverify.storage.rows import Batch, read_batch
from sigverify.storage.store import Store
from sigverify.storage.tables import batches, decisions, items


@dataclass(frozen=True)
class Frozen:
    """What decides a batch. `first` says whether this call froze it."""

    batch_id: str
    verifier_version: str
    policy_version: str
    gallery_id: str
    first: bool


def begin_batch(
    store: Store,
    batch_id: str,
    *,
    landing_url: str,
    manifest_digest: str,
    business_date: str,
    contract_version: str,
    received_count: int,
    classification: Classification | None = None,
    declared_count: int | None = None,
    declared_minor: int | None = None,
    currency: str | None = None,
    trailer_problems: Sequence[str] = (),
) -> Batch:
    """Note a delivery as being received; begun before with the same manifest: the row as it is (see its state).

    `declared_*` come from the trailer, None where unreadable; `currency` None with an amount is a hash total over all
    currencies. `received_count` counts the manifest's data rows. Raises Conflict for another manifest.
    """
    row = {
        "batch_id": batch_id, "landing_url": landing_url, "manifest_digest": manifest_digest,
        "business_date": business_date, "state": BatchState.RECEIVING.value,
        "classification": (classification or store.classification).value, "contract_version": contract_version,
        "declared_count": declared_count, "declared_minor": declared_minor, "currency": currency,
        "received_count": received_count, "trailer_problems": list(trailer_problems),
    }  # fmt: skip
    with store.database.write() as connection:
        store.database.insert_new(connection, batches, [row])
        known = read_batch(connection, batch_id)
    if known.manifest_digest != manifest_digest:
        raise Conflict(
            f"batch {batch_id} was begun with another manifest", got=manifest_digest[:12],
            expected=known.manifest_digest[:12], next="deliver late files as a batch with an id of its own",
        )  # fmt: skip
    return known


def find_batch(store: Store, batch_id: str) -> Batch:
    """A batch as it stands. Raises NotFound."""
    with store.database.read() as connection:
        return read_batch(connection, batch_id)


def list_batches(store: Store) -> list[Batch]:
    """Every batch, oldest business date first."""
    key = (batches.c.business_date, batches.c.batch_id)
    with store.database.read() as connection:
        ids = connection.scalars(sa.select(batches.c.batch_id).order_by(*key)).all()
        return [read_batch(connection, i) for i in ids]


def open_batches(store: Store) -> list[str]:
    """Ids of the batches that wait for decisions, oldest business date first."""
    statement = sa.select(batches.c.batch_id).where(batches.c.state == BatchState.OPEN.value)
    with store.database.read() as connection:
        return list(connection.scalars(statement.order_by(batches.c.business_date, batches.c.batch_id)))


def freeze_verifier(
    store: Store, batch_id: str, *, verifier_version: str, policy_version: str, gallery_id: str
) -> Frozen:
    """Freeze what decides an open batch, once; returns what is frozen, which may be what somebody froze before.

    Raises NotFound, or Conflict while the batch is still being received.
    """
    with store.database.write() as connection:
        batch = read_batch(connection, batch_id, lock=True)
        if batch.state is BatchState.RECEIVING:
            raise Conflict(f"batch {batch_id} is still being received", next="run its ingest again to the end")
        first = batch.verifier_version is None
        if first:
            values = {"verifier_version": verifier_version, "policy_version": policy_version, "gallery_id": gallery_id}
            connection.execute(batches.update().where(batches.c.batch_id == batch_id).values(values))
            batch = read_batch(connection, batch_id)
    return Frozen(
        batch_id, batch.verifier_version or "", batch.policy_version or "", batch.gallery_id or "", first
    )  # fmt: skip


def undecided_items(batch: Batch) -> sa.Select[tuple[str]]:
    """Ids of the batch's items without a decision by its frozen verifier and policy, in manifest order."""
    decided = sa.exists().where(
        decisions.c.item_id == items.c.item_id,
        decisions.c.verifier_version == batch.verifier_version,
        decisions.c.policy_version == batch.policy_version,
    )
    mine = sa.select(items.c.item_id).where(items.c.batch_id == batch.batch_id)
    return mine.where(~decided).order_by(items.c.row_number)


def close_batch(store: Store, batch_id: str) -> bool:
    """Mark an open batch decided when none of its items waits. Returns whether it is decided (now or before)."""
    with store.database.write() as connection:
        batch = read_batch(connection, batch_id, lock=True)
        if batch.state is not BatchState.OPEN:
            return batch.state in (BatchState.DECIDED, BatchState.EXPORTED)
        if connection.execute(undecided_items(batch).limit(1)).first() is not None:
            return False
        values = {"state": BatchState.DECIDED.value, "decided_at": now()}
        connection.execute(batches.update().where(batches.c.batch_id == batch_id).values(values))
    return True


def mark_exported(store: Store, batch_id: str) -> None:
    """Mark a decided batch exported; exported before: its time stays. Raises Conflict for one that is not decided."""
    with store.database.write() as connection:
        batch = read_batch(connection, batch_id, lock=True)
        if batch.state is BatchState.EXPORTED:
            return
        if batch.state is not BatchState.DECIDED:
            raise Conflict(
                f"batch {batch_id} is not decided", got=batch.state.value, next="run verify_batch for it first"
            )  # fmt: skip
        values = {"state": BatchState.EXPORTED.value, "exported_at": now()}
        connection.execute(batches.update().where(batches.c.batch_id == batch_id).values(values))
