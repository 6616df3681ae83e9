"""Admission: items, quarantine, re-deliveries and the batch's state in one transaction; a kill leaves all or nothing.

An item id that is known with the same content is a re-delivery (counted, never decided again); known with other
content it is quarantined, because one of the two is wrong and a machine cannot know which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from sigverify.errors import BadInput
from sigverify.records import BatchState, Reason
from sigverify.storage.database import now, rows_in
from sigverify.storage.rows import Item, Quarantined, as_item, read_batch
from sigverify.storage.store import Store
from sigverify.storage.tables import batches, items, quarantine, redeliveries

SAME_ITEM = ("digest", "page", "writer_id", "amount_minor", "currency")


@dataclass(frozen=True)
class Admission:
    """How many rows went where. `repeated`: the batch had been admitted before and nothing changed."""

    admitted: int
    redelivered: int
    quarantined: int
    repeated: bool


def admit_items(
    store: Store, batch_id: str, presented: Sequence[Item], quarantined: Sequence[Quarantined] = ()
) -> Admission:
    """Admit a batch's items and quarantined rows and open it, all at once; admitted before: nothing happens.

    Images are on the disk before a row names them. Raises NotFound for an unknown batch, BadInput when two rows share
    a row number.
    """
    _refuse_shared_rows([i.row_number for i in presented] + [q.row_number for q in quarantined])
    store.images.flush()
    at = now()
    with store.database.write() as connection:
        batch = read_batch(connection, batch_id, lock=True)
        if batch.state is not BatchState.RECEIVING:
            return _counts(connection, batch_id, repeated=True)
        repeats, conflicts = _insert_items(store, connection, batch_id, presented, at)
        refused = [*quarantined, *conflicts]
        if repeats:
            connection.execute(redeliveries.insert(), [_short(i, batch_id, at) for i in repeats])
        if refused:
            connection.execute(quarantine.insert(), [_refused(q, batch_id, at) for q in refused])
        sums = _received([*presented, *quarantined])
        opened = {"state": BatchState.OPEN.value, "ingested_at": at, **sums}
        connection.execute(batches.update().where(batches.c.batch_id == batch_id).values(opened))
        return _counts(connection, batch_id, repeated=False)


def _insert_items(
    store: Store, connection: sa.Connection, batch_id: str, presented: Sequence[Item], at: str
) -> tuple[list[Item], list[Quarantined]]:
    """Insert the new ones; of the others, which are re-deliveries and which conflict."""
    first: dict[str, Item] = {}
    for item in sorted(presented, key=lambda i: i.row_number):
        first.setdefault(item.item_id, item)
    rows = [vars(i) | {"batch_id": batch_id, "received_at": at} for i in first.values()]
    written = set(store.database.insert_new(connection, items, rows))
    others = [i for i in presented if i.item_id not in written or first[i.item_id] is not i]
    held = {r.item_id: as_item(r) for r in rows_in(connection, sa.select(items), items.c.item_id, _ids(others))}
    repeats: list[Item] = []
    conflicts: list[Quarantined] = []
    for item in others:
        known = held[item.item_id]
        differs = [c for c in SAME_ITEM if getattr(item, c) != getattr(known, c)]
        if differs:
            conflicts.append(_conflict(item, known.batch_id, differs))
        else:
            repeats.append(item)
    return repeats, conflicts


def _conflict(item: Item, batch_id: str, differs: Sequence[str]) -> Quarantined:
    detail = f"differs from batch {batch_id} in {', '.join(differs)}"
    reasons = ((Reason.ITEM_ID_CONFLICT, "item_id", detail),)
    return Quarantined(item.row_number, item.item_id, reasons, item.amount_minor, item.currency)


def _ids(presented: Iterable[Item]) -> list[str]:
    return [i.item_id for i in presented]


def _short(item: Item, batch_id: str, at: str) -> dict[str, Any]:
    kept = ("row_number", "item_id", "amount_minor", "currency")
    return {"batch_id": batch_id, "at": at, **{k: getattr(item, k) for k in kept}}


def _refused(row: Quarantined, batch_id: str, at: str) -> dict[str, Any]:
    reasons = [{"reason": Reason(r).value, "column": column, "detail": detail} for r, column, detail in row.reasons]
    name = None if row.item_id is None else row.item_id.replace("\0", "\ufffd")  # PostgreSQL's text holds no NUL
    return asdict(row) | {"batch_id": batch_id, "at": at, "reasons": reasons, "item_id": name}


def _received(rows: Sequence[Item | Quarantined]) -> Mapping[str, Any]:
    sums: Counter[str] = Counter()
    unreadable = 0
    for row in rows:
        if row.amount_minor is None or not row.currency:
            unreadable += 1
        else:
            sums[row.currency] += row.amount_minor
    return {"received_minor": dict(sorted(sums.items())), "received_unreadable": unreadable}


def _refuse_shared_rows(numbers: Sequence[int]) -> None:
    shared = sorted(n for n, times in Counter(numbers).items() if times > 1)
    if shared:
        raise BadInput("one manifest row cannot be two rows of the ledger", got=f"row numbers {shared[:5]}")


def _counts(connection: sa.Connection, batch_id: str, *, repeated: bool) -> Admission:
    admitted, again, refused = (
        connection.scalar(sa.select(sa.func.count()).select_from(t).where(t.c.batch_id == batch_id))
        for t in (items, redeliveries, quarantine)
    )
    return Admission(int(admitted or 0), int(again or 0), int(refused or 0), repeated)
