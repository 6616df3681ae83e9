"""The demo's day held against its synthetic truth: what every kind of item became, and what is missing."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from flows.outcome import ORDER
from sigverify.batch.truth import KindOutcomes

# What must become of the faults that were planted; signatures and forgeries are the verifier's to judge.
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
SHOWN = ORDER[:4]


def outcome_of_items(truth_csv: Path, decisions_csv: Path) -> dict[str, str]:
    """Outcome by item id; an item of the truth without a decision went to quarantine."""
    decided = {row["item_id"]: row["outcome"] for row in _rows(decisions_csv)}
    return {row["item_id"]: decided.get(row["item_id"], "quarantined") for row in _rows(truth_csv)}


def outcome_table(batch_id: str, outcomes: list[dict[str, Any]]) -> Table:
    """Rows by outcome and reason, in count and amount."""
    table = Table(title=f"batch {batch_id}", title_justify="left")
    for column in ("outcome", "reason", "rows", "amount"):
        table.add_column(column, justify="right" if column in ("rows", "amount") else "left", overflow="fold")
    for row in outcomes:
        amount = f"{row['amount_minor'] / 100:,.2f} {row['currency']}" if row["currency"] else "unreadable"
        table.add_row(row["outcome"], row["reason"], str(row["count"]), amount)
    return table


def rate_table(kinds: list[KindOutcomes]) -> Table:
    """Error rates with their exact intervals and the counts behind them."""
    table = Table(title="error rates on SYNTHETIC signatures (they say nothing about real ones)", title_justify="left")
    for column in ("signature", "items", "accepted", "referred", "rejected", "failed", "error", "95 %"):
        table.add_column(column, justify="left" if column in ("signature", "error") else "right", overflow="fold")
    for kind in kinds:
        if kind.error is not None:
            counts = [str(kind.outcomes.get(outcome, 0)) for outcome in SHOWN]
            error = f"{kind.error} {100 * kind.errors / kind.n:.1f} %"
            table.add_row(
                kind.kind.replace("_", " "),
                str(kind.n),
                *counts,
                error,
                f"{100 * kind.low:.1f} to {100 * kind.high:.1f}",
            )
    return table


def shortfalls(truth_csv: Path, became: Mapping[str, str], closed: Mapping[str, Any]) -> list[str]:
    """What the day lacks, in words; `make demo` wants nothing of it."""
    seen = {str(row["outcome"]) for row in closed["outcomes"] if row["count"]}
    missing = [f"nothing became {outcome}" for outcome in ORDER if outcome not in seen]
    wrong = [
        f"item {row['item_id']} ({row['kind']}) became {became[row['item_id']]}"
        for row in _rows(truth_csv)
        if row["kind"] in PLANTED and became[row["item_id"]] not in PLANTED[row["kind"]]
    ]
    return ([] if closed["balances"] else ["the reconciliation does not balance"]) + missing + wrong


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
