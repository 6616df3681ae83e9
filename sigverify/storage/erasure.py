"""Erasing a customer: references, templates, fingerprints and images go; what was decided stays, without the ink.

Rows go in one transaction, which also writes down whose files are still to be removed; then the files go. Killed in
between, the next erasure finishes what was left. What lies outside a catalogue is not reached: exports, reports,
landing folders, backups, and networks the signatures taught.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sigverify.errors import BadInput, Conflict, NotFound
from sigverify.records import BatchState
from sigverify.storage.database import now, rows_in
from sigverify.storage.store import Store
from sigverify.storage.tables import (
    batches,
    erasures,
    items,
    metadata,
    near_duplicates,
    signatures,
    templates,
    writers,
)


@dataclass(frozen=True)
class Erased:
    """How many rows and files went. `items` keep their decisions; their fingerprint went, and if asked their scan."""

    writer_id: str
    signatures: int
    templates: int
    items: int
    images: int  # files, also those an interrupted erasure had left

    def text(self) -> str:
        """A few words for a person."""
        return (
            f"writer {self.writer_id}: {self.signatures} signatures and {self.templates} templates erased, "
            f"{self.items} items without fingerprint, {self.images} image files removed. Not reached: exports, "
            "reports, landing folders, backups, and networks these signatures taught."
        )


def erase_writer(store: Store, writer_id: str, *, approved_by: str, item_images: bool = False) -> Erased:
    """Erase one writer from a catalogue. With `item_images` the scans of the writer's items go as well.

    A file that another row names stays. Raises BadInput without `approved_by`, NotFound for a writer the catalogue
    does not know, Conflict while an item of the writer lies in a batch that is not decided.
    """
    if not approved_by.strip():
        raise BadInput("an erasure is somebody's decision", expected="a person's or desk's id")
    store.database.create(metadata)  # a catalogue of an earlier release has no table of erasures
    with store.database.write() as connection:
        counts, loose = _erase_rows(connection, writer_id, item_images)
        row = {
            "erasure_id": uuid.uuid4().hex,
            "writer_digest": hashlib.sha256(writer_id.encode()).hexdigest(),
            "approved_by": approved_by,
            "counts": counts,
            "pending": sorted(loose),
            "at": now(),
        }
        connection.execute(erasures.insert(), row)
    return Erased(writer_id, **counts, images=_remove_pending(store))


def _erase_rows(connection: sa.Connection, writer_id: str, item_images: bool) -> tuple[dict[str, int], set[str]]:
    """What went, by table, and the URLs of images that nothing names any more."""
    own = signatures.c.writer_id == writer_id
    held = connection.execute(sa.select(signatures.c.signature_id, signatures.c.image_url).where(own)).all()
    asked = connection.execute(sa.select(items.c.image_url).where(items.c.writer_id == writer_id)).all()
    known = connection.execute(sa.select(writers.c.writer_id).where(writers.c.writer_id == writer_id)).first()
    if not held and not asked and known is None:
        raise NotFound(f"writer {writer_id} is not in this catalogue", next="check the id")
    _refuse_waiting(connection, writer_id)
    ids = [row.signature_id for row in held]
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        either = near_duplicates.c.signature_a.in_(some) | near_duplicates.c.signature_b.in_(some)
        connection.execute(near_duplicates.delete().where(either))
        copies = signatures.c.duplicate_of.in_(some)
        connection.execute(signatures.update().where(copies, ~own).values(duplicate_of=None))
    connection.execute(signatures.delete().where(own))
    gone = connection.execute(templates.delete().where(templates.c.writer_id == writer_id)).rowcount
    connection.execute(writers.delete().where(writers.c.writer_id == writer_id))
    blank = items.update().where(items.c.writer_id == writer_id).values(fingerprint=None)
    n_items = connection.execute(blank).rowcount
    loose = {row.image_url for row in held}
    scans = {row.image_url for row in asked}
    loose = loose | scans if item_images else loose - scans
    counts = {"signatures": len(held), "templates": gone, "items": n_items}
    return counts, loose - _named(connection, loose, items.c.writer_id != writer_id)


def _refuse_waiting(connection: sa.Connection, writer_id: str) -> None:
    waiting = sa.select(items.c.item_id).join(batches, batches.c.batch_id == items.c.batch_id)
    waiting = waiting.where(
        items.c.writer_id == writer_id, batches.c.state.in_([BatchState.OPEN, BatchState.RECEIVING])
    )
    n = len(connection.execute(waiting).all())
    if n:
        raise Conflict(
            f"writer {writer_id} has items in a batch that is not decided", got=n, next="decide it first (verify)"
        )


def _named(connection: sa.Connection, urls: Iterable[str], which_items: sa.ColumnElement[bool]) -> set[str]:
    """Those of `urls` that a signature names, or one of `which_items`."""
    wanted = list(urls)
    of_signatures: sa.Select[Any] = sa.select(signatures.c.image_url)
    of_items: sa.Select[Any] = sa.select(items.c.image_url).where(which_items)
    found = rows_in(connection, of_signatures, signatures.c.image_url, wanted)
    found += rows_in(connection, of_items, items.c.image_url, wanted)
    return {row.image_url for row in found}


def _remove_pending(store: Store) -> int:
    """Remove the files of every erasure that still has some, but for those delivered again; how many there were."""
    removed = 0
    with store.database.read() as connection:
        waiting = [row for row in connection.execute(sa.select(erasures)).all() if row.pending]
    for row in waiting:
        with store.database.read() as connection:
            back = _named(connection, row.pending, items.c.received_at > row.at)
        removed += sum(store.images.remove(url) for url in row.pending if url not in back)
        done = erasures.update().where(erasures.c.erasure_id == row.erasure_id).values(pending=[])
        with store.database.write() as connection:
            connection.execute(done)
    return removed
