"""What a batch's outcomes are worth where the truth is known: only synthetic days have one.

Truth is a CSV with item_id and kind; kind is genuine, random_forgery, skilled_forgery, or a planted fault.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sigverify.errors import BadTable
from sigverify.records import Outcome, TrialKind

RATES = {
    TrialKind.GENUINE.value: ("frr", "genuine not accepted"),
    TrialKind.RANDOM_FORGERY.value: ("far_random", "random forgeries accepted"),
    TrialKind.SKILLED_FORGERY.value: ("far_skilled", "skilled forgeries accepted"),
}


@dataclass(frozen=True)
class KindOutcomes:
    """One kind of item: how many were decided, and how. `error` is None where outcomes of the kind are no error."""

    kind: str
    n: int
    outcomes: Mapping[str, int]
    error: str | None = None
    error_words: str = ""
    errors: int = 0
    low: float = 0.0  # exact 95 % interval (Clopper-Pearson), items taken as independent
    high: float = 0.0


def outcomes_by_kind(truth_csv: Path, outcomes: Mapping[str, str]) -> list[KindOutcomes]:
    """Outcome by item id held against the truth; items that were not decided are left out.

    Raises BadTable for a file without item_id and kind.
    """
    with truth_csv.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        if not {"item_id", "kind"} <= set(reader.fieldnames or ()):
            raise BadTable(f"{truth_csv.name} is no truth", got=reader.fieldnames, expected="columns item_id and kind")
        rows = [(row["kind"], outcomes[row["item_id"]]) for row in reader if row["item_id"] in outcomes]
    kinds = [*(k for k in RATES if any(k == kind for kind, _ in rows)), *sorted({k for k, _ in rows} - set(RATES))]
    return [_kind(kind, Counter(outcome for k, outcome in rows if k == kind)) for kind in kinds]


def _kind(kind: str, outcomes: Counter[str]) -> KindOutcomes:
    n = outcomes.total()
    if kind not in RATES:
        return KindOutcomes(kind, n, outcomes)
    from scipy.stats import binomtest

    accepted = outcomes[Outcome.ACCEPT.value]
    errors = n - accepted if kind == TrialKind.GENUINE.value else accepted
    interval = binomtest(errors, n).proportion_ci(0.95, "exact")
    return KindOutcomes(kind, n, outcomes, *RATES[kind], errors, float(interval.low), float(interval.high))
