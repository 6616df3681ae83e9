"""What copy detection asks the ledger: the ink of items, and the earlier items it might repeat.

Near copies are sought among items of the same claimed writer; exact ones, by file digest, among all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sigverify.storage.database import rows_in
from sigverify.storage.store import Store
from sigverify.storage.tables import items

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("item_id", "batch_id", "row_number", "writer_id", "digest", "page", "fingerprint", "received_at")


def set_item_fingerprints(store: Store, fingerprints: Mapping[str, bytes]) -> None:
    """Keep the ink fingerprints of items (scans.fingerprint), by item id."""
    bound = sa.bindparam("one", type_=sa.String)
    change = items.update().where(items.c.item_id == bound)
    change = change.values(fingerprint=sa.bindparam("print", type_=sa.LargeBinary))
    rows = [{"one": i, "print": fingerprints[i]} for i in sorted(fingerprints)]
    if rows:
        with store.database.write() as connection:
            connection.execute(change, rows)


def items_of_writers(store: Store, writer_ids: Sequence[str]) -> pd.DataFrame:
    """Every item claimed for these writers, in any batch: the pool for near copies, oldest first.

    Columns: item_id, batch_id, row_number, writer_id, digest, page, fingerprint (bytes or None), received_at. The
    order (received_at, batch_id, row_number) says which of two came first.
    """
    return _found(store, items.c.writer_id, writer_ids)


def items_with_digests(store: Store, digests: Sequence[str]) -> pd.DataFrame:
    """Every item whose file has one of these digests, whoever the claimed writer; columns of `items_of_writers`."""
    return _found(store, items.c.digest, digests)


def _found(store: Store, column: sa.Column[Any], values: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    statement = sa.select(*(items.c[name] for name in COLUMNS))
    with store.database.read() as connection:
        rows = rows_in(connection, statement, column, values)
    frame = pd.DataFrame.from_records([tuple(r) for r in rows], columns=list(COLUMNS))
    return frame.sort_values(["received_at", "batch_id", "row_number"], kind="stable", ignore_index=True)
