"""A shard's scans from the image store to the network's input, a bounded number of bytes at a time.

Whatever happens to one item costs that item: a lost or changed file, a decoder that dies, an error nobody foresaw.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sigverify.errors import SigverifyError
from sigverify.records import Preparation, Reason
from sigverify.storage import ledger
from sigverify.storage.store import Store

if TYPE_CHECKING:
    from sigverify.verifier import Verifier

log = logging.getLogger(__name__)
HELD_BYTES = 256_000_000  # files in memory at once
Progress = Callable[[int, int], None]


def prepare_items(
    store: Store,
    verifier: Verifier,
    items: Sequence[ledger.Item],
    workers: int = 1,
    on_progress: Progress | None = None,
) -> list[Preparation]:
    """One Preparation for each item, in order; never raises for what an item's file holds or lacks."""
    prepared: list[Preparation] = []
    for group in _groups(store, items):
        readable = [(item, data) for item, data in group if data is not None]
        made = iter(_prepare(verifier, readable, workers))
        lost = Preparation(None, failure=Reason.UNREADABLE)
        prepared += [lost if data is None else next(made) for _, data in group]
        if on_progress is not None:
            on_progress(len(prepared), len(items))
    return prepared


def _groups(store: Store, items: Sequence[ledger.Item]) -> Iterator[list[tuple[ledger.Item, bytes | None]]]:
    """Items with their files' bytes (None: not to be had), about HELD_BYTES at a time."""
    group: list[tuple[ledger.Item, bytes | None]] = []
    held = 0
    for item in items:
        data = _read(store, item)
        group.append((item, data))
        held += len(data or b"")
        if held >= HELD_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _read(store: Store, item: ledger.Item) -> bytes | None:
    try:
        return store.read_image(item.image_url)
    except (SigverifyError, OSError) as error:
        log.error("item %s: its image is lost (%s)", item.item_id, type(error).__name__)
        return None


def _prepare(verifier: Verifier, group: Sequence[tuple[ledger.Item, bytes]], workers: int) -> list[Preparation]:
    sources, pages = [data for _, data in group], [item.page for item, _ in group]
    try:
        return verifier.prepare_many(sources, pages, workers=workers)
    except Exception as error:
        log.error("preparing %d items together failed (%s): one by one", len(group), type(error).__name__)
        return [_prepare_one(verifier, item, data) for item, data in group]


def _prepare_one(verifier: Verifier, item: ledger.Item, data: bytes) -> Preparation:
    try:
        return verifier.prepare(data, item.page)
    except Exception as error:
        log.error("item %s: preparing it failed (%s)", item.item_id, type(error).__name__)
        return Preparation(None, failure=Reason.UNREADABLE)
