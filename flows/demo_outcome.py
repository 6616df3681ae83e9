"""The demo's day held against its synthetic truth: what every kind of item became, and what is missing."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

# What must become of an item of each planted kind; genuine signatures and forgeries are the verifier's to judge.
PLANTED = {
    "blank": ("failure_to_acquire",),
    "truncated": ("failure_to_acquire", "quarantined"),
    "empty_file": ("quarantined",),
    "missing_file": ("quarantined",),
    "unknown_writer": ("refer",),
    "no_references": ("refer",),
    "copy_of_reference": ("refer",),
    "copy_of_item": ("refer",),
}
OUTCOMES = ("accept", "refer", "reject", "failure_to_acquire", "quarantined", "duplicate")
JUDGED = ("genuine", "random_forgery", "skilled_forgery")


@dataclass(frozen=True)
class Judged:
    """One item: what it really is, and what became of it."""

    item_id: str
    kind: str
    outcome: str
    reason: str


def judge(truth_csv: Path, decisions_csv: Path) -> list[Judged]:
    """Each item of the truth with its decision; an item without one went to quarantine."""
    decided = {row["item_id"]: row for row in _rows(decisions_csv)}
    found = []
    for row in _rows(truth_csv):
        one = decided.get(row["item_id"], {"outcome": "quarantined", "reason": ""})
        found.append(Judged(row["item_id"], row["kind"], one["outcome"], one["reason"]))
    return found


def rates(judged: list[Judged]) -> list[tuple[str, Counter[str]]]:
    """Outcomes of genuine signatures, random forgeries and skilled forgeries."""
    return [(kind, Counter(j.outcome for j in judged if j.kind == kind)) for kind in JUDGED]


def rate_table(judged: list[Judged]) -> Table:
    """Error rates in words a reader can check: shares and the counts behind them."""
    table = Table(title="against the SYNTHETIC truth (says nothing about real signatures)", title_justify="left")
    for column in ("what it really is", "items", "accepted", "referred", "rejected", "no signature"):
        table.add_column(column, justify="left" if column.startswith("what") else "right")
    for kind, counts in rates(judged):
        n = counts.total()
        shares = [f"{100 * counts[o] / max(n, 1):.1f} % ({counts[o]})" for o in OUTCOMES[:4]]
        table.add_row(kind.replace("_", " "), str(n), *shares)
    return table


def error_rates(judged: list[Judged]) -> dict[str, float]:
    """far_random, far_skilled (accepted automatically) and frr (genuine not accepted) as shares; synthetic."""
    by_kind = dict(rates(judged))
    shares = {kind: counts["accept"] / max(counts.total(), 1) for kind, counts in by_kind.items()}
    return {
        "synthetic_far_random": shares["random_forgery"],
        "synthetic_far_skilled": shares["skilled_forgery"],
        "synthetic_frr": 1.0 - shares["genuine"],
    }


def shortfalls(judged: list[Judged], outcomes: list[dict[str, object]], balances: bool) -> list[str]:
    """What the day lacks, in words; nothing is what `make demo` wants."""
    seen = {str(row["outcome"]) for row in outcomes if row["count"]}
    missing = [f"no item became {outcome}" for outcome in OUTCOMES if outcome not in seen]
    wrong = [
        f"{j.item_id} ({j.kind}) became {j.outcome} {j.reason}".rstrip()
        for j in judged
        if j.kind in PLANTED and j.outcome not in PLANTED[j.kind]
    ]
    return ([] if balances else ["the reconciliation does not balance"]) + missing + wrong


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
