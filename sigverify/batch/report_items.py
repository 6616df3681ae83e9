"""The cards of a report: one item beside its references, with scores, thresholds, outcome and reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sigverify.batch.pictures import Album, Picture
from sigverify.batch.score_plot import Axis
from sigverify.records import Classification
from sigverify.storage import ledger
from sigverify.storage.reconciliation import money
from sigverify.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Shown:
    """A picture with what stands beneath it."""

    name: str
    picture: Picture
    score: float | None = None  # similarity of the query with this reference
    marked: bool = False  # the one whose ink the query repeats


@dataclass(frozen=True)
class Card:
    """One decided item."""

    item_id: str
    writer_id: str
    row_number: int
    amount: str
    outcome: str
    reason: str
    detail: str
    score: float | None
    accept: float | None
    reject: float | None
    score_at: float  # places on the axis, in [0, 1]
    accept_at: float
    reject_at: float
    query: Picture
    references: tuple[Shown, ...]
    n_references: int


def cards(store: Store, batch: ledger.Batch, decisions: pd.DataFrame, album: Album, axis: Axis) -> list[Card]:
    """A card for each of `decisions`, in their order."""
    items = {row["item_id"]: row for row in ledger.items_of(store, batch.batch_id).to_dict("records")}
    wanted = sorted({name for ids in decisions.reference_ids for name in ids} | _copied_references(decisions))
    held = store.signatures(writer_ids=sorted({n.rsplit("/", 2)[0] for n in wanted} | set(decisions.writer_id)))
    references = {row["signature_id"]: row for row in held.to_dict("records")}
    return [
        _card(decision, items, references, batch.classification, album, axis)
        for decision in decisions.to_dict("records")
    ]


def _copied_references(decisions: pd.DataFrame) -> set[str]:
    return set(decisions[decisions.reason == "copy_of_reference"].detail)


def _card(
    decision: Mapping[Any, Any],
    items: Mapping[str, Mapping[Any, Any]],
    references: Mapping[str, Mapping[Any, Any]],
    classification: Classification,
    album: Album,
    axis: Axis,
) -> Card:
    item = items[decision["item_id"]]
    score, accept, reject = (_number(decision[c]) for c in ("score", "accept_threshold", "reject_threshold"))
    amount = decision["amount_minor"]
    readable = isinstance(amount, int) and isinstance(decision["currency"], str)
    return Card(
        item_id=decision["item_id"],
        writer_id=decision["writer_id"],
        row_number=int(item["row_number"]),
        amount=money(amount, decision["currency"]) if readable else "amount unreadable",
        outcome=decision["outcome"],
        reason=decision["reason"],
        detail=decision["detail"],
        score=score,
        accept=accept,
        reject=reject,
        score_at=axis.place(score if score is not None else 0.0),
        accept_at=axis.place(accept if accept is not None else 0.0),
        reject_at=axis.place(reject if reject is not None else 0.0),
        query=album.show(item["image_url"], classification, int(item["page"])),
        references=tuple(_references(decision, items, references, classification, album)),
        n_references=int(decision["n_references"]),
    )


def _references(
    decision: Mapping[Any, Any],
    items: Mapping[str, Mapping[Any, Any]],
    references: Mapping[str, Mapping[Any, Any]],
    classification: Classification,
    album: Album,
) -> list[Shown]:
    """The references in their order; before them what the query repeats, where that is none of them."""
    other = decision["detail"] if decision["reason"].startswith("copy_of") else ""
    scores = dict(zip(decision["reference_ids"], decision["reference_scores"], strict=False))
    found = []
    if other in items:
        copied = items[other]
        found.append(Shown(other, album.show(copied["image_url"], classification, int(copied["page"])), marked=True))
    for name in [*([other] if other in references and other not in scores else []), *decision["reference_ids"]]:
        row = references.get(name)
        if row is None:
            picture = Picture(None, "no longer in the catalogue")
        else:
            picture = album.show(row["image_url"], Classification(row["classification"]))
        found.append(Shown(name, picture, scores.get(name), name == other))
    return found


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
