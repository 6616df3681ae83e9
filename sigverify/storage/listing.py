"""A batch's rows as tables, in manifest order: for exports, reports and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sigverify.storage.rows import read_batch
from sigverify.storage.store import Store
from sigverify.storage.tables import decisions, items, quarantine, redeliveries

if TYPE_CHECKING:
    import pandas as pd

WHOLE = {"amount_minor": "Int64"}  # pandas integers that may be missing


def decisions_of(store: Store, batch_id: str) -> pd.DataFrame:
    """Decisions of the batch's frozen verifier and policy: the columns of tables.decisions, in manifest order."""
    with store.database.read() as connection:
        batch = read_batch(connection, batch_id)
    mine = sa.select(*decisions.columns, items.c.row_number).join(items, items.c.item_id == decisions.c.item_id)
    mine = mine.where(
        decisions.c.batch_id == batch_id,
        decisions.c.verifier_version == batch.verifier_version,
        decisions.c.policy_version == batch.policy_version,
    )
    frame = _frame(store, mine).astype({"score": float, "accept_threshold": float, "reject_threshold": float})
    return frame.drop(columns="row_number")


def items_of(store: Store, batch_id: str) -> pd.DataFrame:
    """Admitted items: the columns of tables.items."""
    return _frame(store, sa.select(items).where(items.c.batch_id == batch_id))


def quarantined_of(store: Store, batch_id: str) -> pd.DataFrame:
    """Rows that were not admitted: the columns of tables.quarantine; `reasons` is a list of reason, column, detail."""
    return _frame(store, sa.select(quarantine).where(quarantine.c.batch_id == batch_id))


def redelivered_of(store: Store, batch_id: str) -> pd.DataFrame:
    """Rows that repeat an item delivered before: the columns of tables.redeliveries."""
    return _frame(store, sa.select(redeliveries).where(redeliveries.c.batch_id == batch_id))


def _frame(store: Store, statement: sa.Select[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    with store.database.read() as connection:
        result = connection.execute(statement)
        names = list(result.keys())
        rows = [tuple(row) for row in result]
    frame = pd.DataFrame.from_records(rows, columns=names)
    return frame.astype(WHOLE).sort_values("row_number", kind="stable", ignore_index=True)
