"""Rows of the ledger as frozen records: a batch, an item, a row that was not admitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sigverify.errors import NotFound
from sigverify.records import BatchState, Classification, Reason
from sigverify.storage import tables


@dataclass(frozen=True)
class Batch:
    """One delivery. Amounts are minor units; what is None is not known (yet)."""

    batch_id: str
    landing_url: str
    manifest_digest: str
    business_date: str
    state: BatchState
    classification: Classification
    contract_version: str
    received_count: int
    received_minor: dict[str, int]
    received_unreadable: int
    declared_count: int | None
    declared_minor: int | None
    currency: str | None
    trailer_problems: tuple[str, ...]
    verifier_version: str | None
    policy_version: str | None
    gallery_id: str | None
    ingested_at: str | None
    decided_at: str | None
    exported_at: str | None


@dataclass(frozen=True)
class Item:
    """One presented item: an image with a claimed writer and an amount. `row_number` counts data rows from 1."""

    item_id: str
    row_number: int
    writer_id: str
    image_url: str
    digest: str  # SHA-256 of the file's bytes
    amount_minor: int | None  # None = unreadable
    currency: str | None
    page: int = 0
    fingerprint: bytes | None = None
    batch_id: str = ""  # filled by the ledger
    received_at: str = ""  # filled by the ledger


@dataclass(frozen=True)
class Quarantined:
    """A manifest row that was not admitted, with every reason: (reason, column or "", detail without personal data)."""

    row_number: int
    item_id: str | None
    reasons: tuple[tuple[Reason, str, str], ...]
    amount_minor: int | None = None
    currency: str | None = None


def read_batch(connection: sa.Connection, batch_id: str, *, lock: bool = False) -> Batch:
    """The row of a batch; `lock` keeps others from changing it until the transaction ends. Raises NotFound."""
    statement = sa.select(tables.batches).where(tables.batches.c.batch_id == batch_id)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound(f"no batch {batch_id}", next="ingest it first, or list the open ones")
    values: dict[str, Any] = dict(row._mapping)
    values["state"] = BatchState(values["state"])
    values["classification"] = Classification(values["classification"])
    values["trailer_problems"] = tuple(values["trailer_problems"])
    return Batch(**values)


def as_item(row: sa.Row[Any]) -> Item:
    return Item(**row._mapping)
