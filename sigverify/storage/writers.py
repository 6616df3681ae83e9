"""Which writers a catalogue knows, with or without references, and whose reference a file is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from sigverify.records import Label
from sigverify.storage.database import now, rows_in
from sigverify.storage.store import Store
from sigverify.storage.tables import signatures, templates, writers


def add_writers(store: Store, writer_ids: Iterable[str]) -> int:
    """Note writers as known; those noted before stay. Returns how many were new."""
    at = now()
    rows = [{"writer_id": w, "added_at": at} for w in sorted(set(writer_ids))]
    with store.database.write() as connection:
        return len(store.database.insert_new(connection, writers, rows))


def known_writers(store: Store, writer_ids: Sequence[str]) -> set[str]:
    """Those of `writer_ids` that were noted or have a signature in the catalogue."""
    found: set[str] = set()
    with store.database.read() as connection:
        for column in (writers.c.writer_id, signatures.c.writer_id):
            statement = sa.select(column).distinct()
            found |= {w for (w,) in rows_in(connection, statement, column, list(set(writer_ids) - found))}
    return found


def references_with_digests(store: Store, digests: Sequence[str]) -> dict[str, str]:
    """SHA-256 of a file -> the id of the reference signature that is this very file, of any writer."""
    statement = sa.select(signatures.c.digest, signatures.c.signature_id)
    statement = statement.where(signatures.c.is_reference, signatures.c.label == Label.GENUINE.value)
    with store.database.read() as connection:
        rows = rows_in(connection, statement, signatures.c.digest, list(digests))
    return dict(sorted(((digest, name) for digest, name in rows), reverse=True))  # the first id wins


def withdraw_templates(store: Store, gallery_id: str, writer_ids: Iterable[str]) -> int:
    """Take the templates of writers whose references are gone out of a gallery. Returns how many there were."""
    wanted = sorted(set(writer_ids))
    one = sa.bindparam("one", type_=sa.String)
    statement = templates.delete().where(templates.c.gallery_id == gallery_id, templates.c.writer_id == one)
    with store.database.write() as connection:
        return sum(connection.execute(statement, {"one": writer}).rowcount for writer in wanted)
