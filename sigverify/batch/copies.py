"""Repeated ink: an item that is another item, or a reference, once more. It would score highest of all.

Exact copies are found by the file's digest, among all items and all references. Near ones (photocopies, rescans) by
ink fingerprint, among the claimed writer's items and references. Both sides of a pair are suspect: which of two sheets
is the original cannot be seen from the ink, so each undecided one is referred to a person.

One writer's items share a shard, so both of a pair within a batch are seen. Where two batches hold one each and are
decided at the same time: fingerprints are written before those of others are read, so the later of the two sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sigverify.records import Reason, Template
from sigverify.scans.fingerprint import BYTES, find_copies
from sigverify.storage import ledger
from sigverify.storage.store import Store
from sigverify.storage.writers import references_with_digests

log = logging.getLogger(__name__)
Copied = Mapping[str, tuple[Reason, str]]  # item id -> (copy_of_item or copy_of_reference, the other's id)
POOL = 4_000  # fingerprints compared at once: a query costs about a microsecond for 10 of them


def copied_items(
    store: Store, items: Sequence[ledger.Item], prints: Mapping[str, bytes], templates: Mapping[str, Template]
) -> Copied:
    """Which of `items` repeat other ink; `prints` are their fingerprints by item id, `templates` the writers' own.

    Writes the fingerprints into the ledger first. A copy of a reference says so even where it also repeats an item.
    """
    ledger.set_item_fingerprints(store, dict(prints))
    found: dict[str, tuple[Reason, str]] = {}
    found |= {i: (Reason.COPY_OF_ITEM, other) for i, other in _near_items(store, items, prints).items()}
    found |= {i: (Reason.COPY_OF_ITEM, other) for i, other in _same_files(store, items).items()}
    found |= {i: (Reason.COPY_OF_REFERENCE, other) for i, other in _near_references(items, prints, templates).items()}
    found |= {i: (Reason.COPY_OF_REFERENCE, other) for i, other in _reference_files(store, items).items()}
    return found


def _reference_files(store: Store, items: Sequence[ledger.Item]) -> dict[str, str]:
    owner = references_with_digests(store, [i.digest for i in items if i.page == 0])
    return {i.item_id: owner[i.digest] for i in items if i.page == 0 and i.digest in owner}


def _same_files(store: Store, items: Sequence[ledger.Item]) -> dict[str, str]:
    """The earliest other item that is the same page of the same file."""
    held = ledger.items_with_digests(store, [i.digest for i in items])
    shared = held[held.duplicated(["digest", "page"], keep=False)]
    others: dict[tuple[str, int], list[str]] = {}
    for digest, page, name in zip(shared.digest, shared.page, shared.item_id, strict=True):
        others.setdefault((str(digest), int(page)), []).append(str(name))
    found = {}
    for item in items:
        names = [n for n in others.get((item.digest, item.page), ()) if n != item.item_id]
        if names:
            found[item.item_id] = names[0]
    return found


def _near_references(
    items: Sequence[ledger.Item], prints: Mapping[str, bytes], templates: Mapping[str, Template]
) -> dict[str, str]:
    pool = [
        (writer, name, mark)
        for writer, template in templates.items()
        for name, mark in zip(template.reference_ids, template.fingerprints, strict=False)
        if mark
    ]
    return _nearest(items, prints, pool)


def _near_items(store: Store, items: Sequence[ledger.Item], prints: Mapping[str, bytes]) -> dict[str, str]:
    held = ledger.items_of_writers(store, [i.writer_id for i in items if prints.get(i.item_id)])
    rows = zip(held.writer_id, held.item_id, held.fingerprint, strict=True)
    return _nearest(items, prints, [(writer, name, mark) for writer, name, mark in rows if mark])


def _nearest(
    items: Sequence[ledger.Item], prints: Mapping[str, bytes], pool: Sequence[tuple[Any, Any, Any]]
) -> dict[str, str]:
    """Item id -> id of the most similar ink in `pool` (writer, id, fingerprint) of the same writer, not its own."""
    asked: dict[str, list[ledger.Item]] = {}
    for item in items:
        if prints.get(item.item_id):
            asked.setdefault(item.writer_id, []).append(item)
    comparable = [row for row in pool if len(row[2]) == BYTES]
    if len(comparable) < len(pool):
        log.warning("%d fingerprints of an earlier release cannot be compared with", len(pool) - len(comparable))
    found: dict[str, str] = {}
    for part in _blocks(comparable, asked):
        queries = [i for writer in dict.fromkeys(writer for writer, _, _ in part) for i in asked[writer]]
        matches = find_copies([prints[i.item_id] for i in queries], [bytes(mark) for _, _, mark in part])
        for item, near in zip(queries, matches, strict=True):
            names = [part[at][1] for at, _ in near if part[at][0] == item.writer_id and part[at][1] != item.item_id]
            if names:
                found[item.item_id] = str(names[0])
    return found


def _blocks(pool: Sequence[tuple[Any, Any, Any]], asked: Mapping[str, object]) -> Iterator[list[tuple[Any, Any, Any]]]:
    """The pool of the writers asked about, in blocks of about POOL that never part one writer."""
    by_writer: dict[str, list[tuple[Any, Any, Any]]] = {}
    for row in pool:
        if row[0] in asked:
            by_writer.setdefault(row[0], []).append(row)
    block: list[tuple[Any, Any, Any]] = []
    for rows in by_writer.values():
        if block and len(block) + len(rows) > POOL:
            yield block
            block = []
        block = block + rows
    if block:
        yield block
