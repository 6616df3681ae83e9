"""What a run leaves on Prefect's pages: counts by outcome and reason, and where the files lie. No ids of writers.

The counts are read from the exported files, so that the pages say what the bank received.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.tasks import Plain

ORDER = ("accept", "refer", "reject", "failure_to_acquire", "quarantined", "duplicate")
Key = tuple[str, str, str]  # outcome, reason, currency


def artifact_key(*words: str) -> str:
    """Words as an artifact's key: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def outcomes_in(export: Path) -> list[Plain]:
    """Rows of the batch by outcome, reason and currency: count, amount in minor units, rows of unreadable amount.

    Their counts sum to the rows received: a quarantined row of two reasons is one row, under both together.
    """
    count: Counter[Key] = Counter()
    minor: Counter[Key] = Counter()
    unreadable: Counter[Key] = Counter()
    for outcome, reason, row in _rows(export):
        key = (outcome, reason, row["currency"] if row["amount_minor"] else "")
        count[key] += 1
        minor[key] += int(row["amount_minor"] or 0)
        unreadable[key] += not row["amount_minor"]
    for currency, n, amount in _duplicates(export):
        key = ("duplicate", "delivered_before", currency)
        count[key], minor[key] = n, amount
    names = ("outcome", "reason", "currency")
    return [
        {**dict(zip(names, key, strict=True)), "count": n, "amount_minor": minor[key], "unreadable": unreadable[key]}
        for key, n in sorted(count.items(), key=lambda pair: (ORDER.index(pair[0][0]), -pair[1], pair[0]))
    ]


def _rows(export: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    for row in _table(export / "decisions.csv"):
        yield row["outcome"], row["reason"], row
    for row in _table(export / "quarantine.csv"):
        reasons = sorted({str(each["reason"]) for each in json.loads(row["reasons"])})
        yield "quarantined", " + ".join(reasons), row


def _table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _duplicates(export: Path) -> Iterator[tuple[str, int, int]]:
    """(currency, rows, minor units) of re-deliveries; the rows are counted with the first currency."""
    held = json.loads((export / "reconciliation.json").read_text(encoding="utf-8"))["duplicates"]
    rows = held["count"]
    for currency, amount in held["minor"].items() or ([("", 0)] if rows else []):
        yield currency, rows, amount
        rows = 0


def publish_outcomes(closed: Plain) -> None:
    """The table of a batch's outcomes by reason, and its reconciliation with the paths of report and export."""
    batch_id = closed["batch_id"]
    create_table_artifact(
        key=artifact_key("outcomes", batch_id),
        table=closed["outcomes"],
        description=f"Batch {batch_id}: outcomes by reason, verifier {closed['verifier_version']}",
    )
    create_markdown_artifact(
        key=artifact_key("batch", batch_id),
        markdown=f"## Batch {batch_id}\n\n{closed['reconciliation']}\n\n"
        f"- report: `{closed['report']}`\n- export: `{closed['folder']}`\n"
        f"- verifier: `{closed['verifier_version']}`\n",
        description=f"Batch {batch_id}: reconciliation and files",
    )
