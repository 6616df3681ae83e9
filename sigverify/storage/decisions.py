"""Decisions are written once: UNIQUE (item, verifier version, policy version), and a second writer changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sigverify.errors import Mismatch
from sigverify.records import Decision
from sigverify.storage.batches import undecided_items
from sigverify.storage.database import now, rows_in
from sigverify.storage.rows import Batch, Item, as_item, read_batch
from sigverify.storage.store import Store
from sigverify.storage.tables import decisions, items


def undecided(
    store: Store,
    batch_id: str,
    *,
    limit: int | None = None,
    rows: tuple[int, int] | None = None,
    item_ids: Sequence[str] | None = None,
) -> list[Item]:
    """Items of a batch that its frozen verifier and policy have not decided, in manifest order.

    `rows` keeps row numbers from rows[0] to rows[1], both included; `item_ids` keeps those: a shard. `limit` keeps the
    first so many (not with `item_ids`).
    """
    with store.database.read() as connection:
        batch = read_batch(connection, batch_id)
        statement = undecided_items(batch).with_only_columns(*items.columns)
        if rows is not None:
            statement = statement.where(items.c.row_number.between(*rows))
        if item_ids is not None:
            asked = rows_in(connection, statement, items.c.item_id, item_ids)
            return sorted((as_item(row) for row in asked), key=lambda item: item.row_number)
        found = connection.execute(statement.limit(limit) if limit is not None else statement).all()
    return [as_item(row) for row in found]


def record_decisions(
    store: Store,
    batch_id: str,
    decided: Sequence[tuple[Item, Decision]],
    *,
    verifier_version: str,
    policy_version: str,
    gallery_id: str,
    contract_version: str,
) -> int:
    """Write decisions in one transaction; those already there stay as they are. Returns how many were new.

    Raises Mismatch when the batch is frozen for another verifier, policy or gallery, or an item is another batch's.
    """
    frozen = {"verifier_version": verifier_version, "policy_version": policy_version, "gallery_id": gallery_id}
    for item, _ in decided:
        if item.batch_id != batch_id:
            raise Mismatch(f"item {item.item_id} is not of this batch", got=item.batch_id, expected=batch_id)
    common = frozen | {"batch_id": batch_id, "contract_version": contract_version, "decided_at": now()}
    rows = [_row(item, decision, common) for item, decision in decided]
    with store.database.write() as connection:
        _refuse_other_verifier(read_batch(connection, batch_id), frozen)
        return len(store.database.insert_new(connection, decisions, rows))


def decision_id(item_id: str, verifier_version: str, policy_version: str) -> str:
    """The name of a decision: the same work has the same name wherever and however often it is done."""
    key = "\0".join((item_id, verifier_version, policy_version)).encode()
    return f"d-{hashlib.sha256(key).hexdigest()[:32]}"


def _row(item: Item, decision: Decision, common: dict[str, str]) -> dict[str, Any]:
    return common | {
        "decision_id": decision_id(item.item_id, common["verifier_version"], common["policy_version"]),
        "item_id": item.item_id,
        "writer_id": item.writer_id,
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "detail": decision.detail,
        "score": None if decision.score is None else float(decision.score),
        "accept_threshold": None if decision.accept_threshold is None else float(decision.accept_threshold),
        "reject_threshold": None if decision.reject_threshold is None else float(decision.reject_threshold),
        "n_references": decision.n_references,
        "reference_ids": list(decision.reference_ids),
        "reference_scores": [float(s) for s in decision.reference_scores],
        "amount_minor": item.amount_minor,
        "currency": item.currency,
    }


def _refuse_other_verifier(batch: Batch, frozen: dict[str, str]) -> None:
    for name, value in frozen.items():
        held = getattr(batch, name)
        if held != value:
            what = f"is frozen for another {name.replace('_', ' ')}" if held else "is not frozen"
            raise Mismatch(
                f"batch {batch.batch_id} {what}",
                got=value, expected=held, next="freeze it first and decide with what is frozen",
            )  # fmt: skip
