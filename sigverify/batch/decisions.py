"""Deciding a batch: freeze what decides it, cut it into shards, decide each shard once, close it.

A shard may be decided again after a crash, or by two workers at once: the ledger keeps one decision for each item,
verifier version and policy version. Nothing an item's file can hold stops a batch; what cannot be prepared is a
failure to acquire with its reason.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sigverify.batch.collector import collector_paused
from sigverify.batch.copies import Copied, copied_items
from sigverify.batch.preparing import prepare_items
from sigverify.contracts import Contract
from sigverify.errors import Mismatch
from sigverify.records import Decision, Outcome, Preparation, Reason, Template
from sigverify.storage import ledger
from sigverify.storage.gallery import find_gallery, load_templates
from sigverify.storage.ledger import Frozen, Reconciliation
from sigverify.storage.store import Store
from sigverify.storage.writers import known_writers

if TYPE_CHECKING:
    from sigverify.verifier import Verifier

Progress = Callable[[int, int], None]
ADMISSION_FAULTS = (Reason.FILE_MISSING, Reason.PATH_ESCAPES)  # not reasons of a decision: the image store lost a file


@dataclass(frozen=True)
class Shard:
    """Items decided in one transaction. `digest` names exactly these items, for result caches."""

    index: int
    digest: str
    item_ids: Sequence[str]


@dataclass(frozen=True)
class ShardSummary:
    """`n_decided` are decisions this call wrote; the rest of `n_items` had been decided before or meanwhile.

    `seconds`: preparing (read, decode, clean), embedding (the network), and everything else.
    """

    batch_id: str
    index: int
    n_items: int
    n_decided: int
    outcomes: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


def open_for_verification(store: Store, batch_id: str, verifier: Verifier) -> Frozen:
    """Freeze verifier, policy and gallery for a batch; the first opening counts, later ones must be of the same.

    Raises NotFound for an unknown batch or when nobody is enrolled for this verifier, Conflict while it is being
    received, Mismatch when it is frozen for another verifier or the gallery is another encoder's.
    """
    batch = ledger.find_batch(store, batch_id)
    if batch.verifier_version is None:
        gallery_id = find_gallery(store, verifier.encoder_id, verifier.version)
        frozen = ledger.freeze_verifier(
            store,
            batch_id,
            verifier_version=verifier.version,
            policy_version=verifier.policy_version,
            gallery_id=gallery_id,
        )
    else:
        frozen = _frozen(batch)
    _refuse_other(frozen, verifier)
    load_templates(store, frozen.gallery_id, [], verifier.encoder_id, verifier_version=verifier.version)
    return frozen


def shards(store: Store, batch: Frozen | str, size: int = 1000) -> list[Shard]:
    """The undecided items of a batch, cut into shards of about `size`; one writer's items are never parted.

    So two items with the same ink meet in one shard and both are referred, in whatever order shards are decided. A
    shard is larger than `size` only where a single writer has more items.
    """
    batch_id = batch if isinstance(batch, str) else batch.batch_id
    by_writer: dict[str, list[str]] = {}
    for item in ledger.undecided(store, batch_id):
        by_writer.setdefault(item.writer_id, []).append(item.item_id)
    parts: list[list[str]] = []
    for ids in by_writer.values():
        if parts and len(parts[-1]) + len(ids) <= size:
            parts[-1].extend(ids)
        else:
            parts.append(list(ids))
    return [Shard(n, hashlib.sha256("\0".join(p).encode()).hexdigest()[:16], tuple(p)) for n, p in enumerate(parts)]


@collector_paused()
def decide_shard(
    store: Store,
    verifier: Verifier,
    batch: Frozen | str,
    shard: Shard,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> ShardSummary:
    """Decide those items of a shard that wait, in one transaction. `on_progress(done, of)` counts prepared items.

    Raises Mismatch when the batch is frozen for another verifier or the gallery was made by another encoder.
    """
    started = time.perf_counter()
    batch_id = batch if isinstance(batch, str) else batch.batch_id
    frozen = _frozen(ledger.find_batch(store, batch_id))
    _refuse_other(frozen, verifier)
    items = ledger.undecided(store, batch_id, item_ids=shard.item_ids)
    prepare_from = time.perf_counter()
    prepared = prepare_items(store, verifier, items, workers, on_progress)
    rest_from = time.perf_counter()
    decided, embedding = _decide(store, verifier, frozen, items, prepared)
    written = ledger.record_decisions(
        store,
        batch_id,
        list(zip(items, decided, strict=True)),
        verifier_version=frozen.verifier_version,
        policy_version=frozen.policy_version,
        gallery_id=frozen.gallery_id,
        contract_version=Contract.load("verification_decision").version,
    )
    preparing = rest_from - prepare_from
    rest = time.perf_counter() - started - preparing - embedding
    outcomes = Counter(f"{d.outcome.value}.{d.reason.value}" for d in decided)
    seconds = {"preparing": preparing, "embedding": embedding, "rest": rest}
    return ShardSummary(batch_id, shard.index, len(shard.item_ids), written, dict(sorted(outcomes.items())), seconds)


def finish_batch(store: Store, batch_id: str) -> Reconciliation:
    """Mark a batch decided when nothing of it waits, and add it up; what does not add up is in `problems`."""
    ledger.close_batch(store, batch_id)
    return ledger.reconcile(store, batch_id)


def verify_batch(
    store: Store,
    verifier: Verifier,
    batch_id: str,
    shard_size: int = 1000,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> Reconciliation:
    """Open, decide and close a batch in this process; errors as `open_for_verification`. Safe to repeat."""
    frozen = open_for_verification(store, batch_id, verifier)
    todo = shards(store, frozen, shard_size)
    total, before = sum(len(s.item_ids) for s in todo), 0
    for shard in todo:
        told = before

        def tell(done: int, _of: int, told: int = told) -> None:
            if on_progress is not None:
                on_progress(told + done, total)

        decide_shard(store, verifier, frozen, shard, workers, tell)
        before += len(shard.item_ids)
    return finish_batch(store, batch_id)


def _frozen(batch: ledger.Batch) -> Frozen:
    if batch.verifier_version is None:
        raise Mismatch(f"batch {batch.batch_id} is not open for verification", next="call open_for_verification first")
    return Frozen(
        batch.batch_id, batch.verifier_version, batch.policy_version or "", batch.gallery_id or "", first=False
    )  # fmt: skip


def _refuse_other(frozen: Frozen, verifier: Verifier) -> None:
    if (frozen.verifier_version, frozen.policy_version) != (verifier.version, verifier.policy_version):
        raise Mismatch(
            f"batch {frozen.batch_id} is frozen to another verifier",
            got=f"verifier {verifier.version}, policy {verifier.policy_version}",
            expected=f"verifier {frozen.verifier_version}, policy {frozen.policy_version}",
            next=f"finish the batch with verifier {frozen.verifier_version}",
        )


def _decide(
    store: Store,
    verifier: Verifier,
    frozen: Frozen,
    items: Sequence[ledger.Item],
    prepared: Sequence[Preparation],
) -> tuple[list[Decision], float]:
    """One decision for each item, and the seconds the network took."""
    writers = sorted({i.writer_id for i in items})
    templates = load_templates(store, frozen.gallery_id, writers, verifier.encoder_id)
    known = known_writers(store, [w for w in writers if w not in templates])
    usable = [(i, p) for i, p in zip(items, prepared, strict=True) if p.image is not None]
    prints = {i.item_id: p.fingerprint for i, p in usable if p.fingerprint}
    copied = copied_items(store, [i for i, _ in usable], prints, templates)
    scored = [(i, p) for i, p in usable if i.writer_id in templates]
    by_score, embedding = _score(verifier, scored, templates)
    decided = [_one(i, p, by_score, copied, templates, known) for i, p in zip(items, prepared, strict=True)]
    return decided, embedding


def _score(
    verifier: Verifier, scored: Sequence[tuple[ledger.Item, Preparation]], templates: Mapping[str, Template]
) -> tuple[dict[str, Decision], float]:
    """Decisions by score of the items whose embedding is made of numbers, and the seconds the network took."""
    if not scored:
        return {}, 0.0
    started = time.perf_counter()
    images = [p.image for _, p in scored if p.image is not None]
    embedded = verifier.embed(images, sizes_mm=[p.size_mm for _, p in scored if p.image is not None])
    embedding = time.perf_counter() - started
    sound = np.flatnonzero(np.isfinite(embedded).all(axis=1))
    asked = [scored[row][0] for row in sound.tolist()]
    answers = verifier.decide(embedded[sound], [templates[i.writer_id] for i in asked])
    return {item.item_id: answer for item, answer in zip(asked, answers, strict=True)}, embedding


def _one(
    item: ledger.Item,
    prepared: Preparation,
    by_score: Mapping[str, Decision],
    copied: Copied,
    templates: Mapping[str, Template],
    known: set[str],
) -> Decision:
    """Failure to acquire first, then repeated ink, then writers without a template, then the score."""
    scored = by_score.get(item.item_id)
    if prepared.image is None:
        return _failure(prepared.failure or Reason.UNREADABLE, templates.get(item.writer_id))
    if item.item_id in copied:
        reason, other = copied[item.item_id]
        return replace(scored or _unscored(Outcome.REFER, reason), outcome=Outcome.REFER, reason=reason, detail=other)
    if scored is not None:
        return scored
    if item.writer_id in templates:  # the network answered with something that is no number
        return _failure(Reason.UNREADABLE, templates[item.writer_id], "no finite embedding")
    return _unscored(Outcome.REFER, Reason.NO_REFERENCES if item.writer_id in known else Reason.UNKNOWN_WRITER)


def _unscored(outcome: Outcome, reason: Reason, n_references: int = 0, detail: str = "") -> Decision:
    return Decision(outcome, reason, None, None, None, n_references, detail=detail)


def _failure(reason: Reason, template: Template | None, detail: str = "") -> Decision:
    n_references = 0 if template is None else len(template.reference_ids)
    if reason in ADMISSION_FAULTS:
        reason, detail = Reason.UNREADABLE, detail or reason.value
    return _unscored(Outcome.FAILURE_TO_ACQUIRE, reason, n_references, detail)
