"""The decision ledger: the one place to import it from.

A batch's night: begin_batch, admit_items, freeze_verifier, undecided, record_decisions, close_batch, reconcile,
mark_exported. Every step may be repeated after a crash, and by two workers at once.
"""

from __future__ import annotations

from sigverify.storage.admission import Admission, admit_items
from sigverify.storage.batches import (
    Frozen,
    begin_batch,
    close_batch,
    find_batch,
    freeze_verifier,
    list_batches,
    mark_exported,
    open_batches,
)
from sigverify.storage.copies import items_of_writers, items_with_digests, set_item_fingerprints
from sigverify.storage.decisions import decision_id, record_decisions, undecided
from sigverify.storage.listing import decisions_of, items_of, quarantined_of, redelivered_of
from sigverify.storage.reconciliation import Reconciliation, Totals, reconcile
from sigverify.storage.rows import Batch, Item, Quarantined

__all__ = [
    "Admission",
    "Batch",
    "Frozen",
    "Item",
    "Quarantined",
    "Reconciliation",
    "Totals",
    "admit_items",
    "begin_batch",
    "close_batch",
    "decision_id",
    "decisions_of",
    "find_batch",
    "freeze_verifier",
    "items_of",
    "items_of_writers",
    "items_with_digests",
    "list_batches",
    "mark_exported",
    "open_batches",
    "quarantined_of",
    "reconcile",
    "record_decisions",
    "redelivered_of",
    "set_item_fingerprints",
    "undecided",
]
