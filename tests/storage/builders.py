"""Small batches, items and decisions, so that a test shows only what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sigverify.records import Decision, Outcome, Reason
from sigverify.storage import ledger
from sigverify.storage.store import Store

FROZEN = {"verifier_version": "v7", "policy_version": "standard-1", "gallery_id": "g-41"}
REASONS = {
    Outcome.ACCEPT: Reason.SCORE_ACCEPT,
    Outcome.REFER: Reason.SCORE_REFER,
    Outcome.REJECT: Reason.SCORE_REJECT,
    Outcome.FAILURE_TO_ACQUIRE: Reason.BLANK,
}


def item(n: int, *, row: int | None = None, amount: int | None = 100, currency: str | None = "EUR", **other: object):
    digest = hashlib.sha256(f"scan {n}".encode()).hexdigest()
    values = {"writer_id": f"w{n % 7}", "image_url": f"{digest[:2]}/{digest}.png", "digest": digest} | other
    return ledger.Item(f"i{n:06d}", n if row is None else row, amount_minor=amount, currency=currency, **values)


def refused(row: int, amount: int | None = None, currency: str | None = None) -> ledger.Quarantined:
    return ledger.Quarantined(row, None, ((Reason.FILE_MISSING, "path", "no such file"),), amount, currency)


def begin(store: Store, batch_id: str, received: int, **other: object) -> ledger.Batch:
    values = {
        "landing_url": f"landing/{batch_id}",
        "manifest_digest": f"digest of {batch_id}",
        "business_date": "2026-11-20",
        "contract_version": "1.0.0",
        "received_count": received,
    }
    return ledger.begin_batch(store, batch_id, **(values | other))  # type: ignore[arg-type]


def admitted(store: Store, batch_id: str, items: Sequence[ledger.Item], **other: object) -> ledger.Admission:
    begin(store, batch_id, len(items), **other)
    return ledger.admit_items(store, batch_id, items)


def frozen(store: Store, batch_id: str) -> ledger.Frozen:
    return ledger.freeze_verifier(store, batch_id, **FROZEN)


def decision(outcome: Outcome = Outcome.ACCEPT) -> Decision:
    if outcome is Outcome.FAILURE_TO_ACQUIRE:
        return Decision(outcome, REASONS[outcome], None, None, None, 2, ("r1", "r2"))
    return Decision(outcome, REASONS[outcome], 0.5, 0.4, 0.2, 2, ("r1", "r2"), (0.4, 0.6))


def record(store: Store, batch_id: str, items: Sequence[ledger.Item], outcome: Outcome = Outcome.ACCEPT) -> int:
    pairs = [(i, decision(outcome)) for i in items]
    return ledger.record_decisions(store, batch_id, pairs, contract_version="1.0.0", **FROZEN)
