"""The register of looks at test writers: every one is written down, so that nobody can look until it pleases."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

from sigverify.evaluation.parts import load_parts
from sigverify.evaluation.result import BenchmarkResult

COLUMNS = (
    "date", "protocol", "fold", "data_digest", "verifier_version", "lane", "seed", "skilled_eer", "random_eer",
    "command",
)  # fmt: skip
DEFAULT = Path("benchmarks") / "test_runs.csv"


def touches_test_writers(result: BenchmarkResult) -> bool:
    """Whether a result is of public test writers (of writer_parts.csv); never for a development protocol."""
    if result.about.get("development"):
        return False
    parts = load_parts()
    named = set(parts.loc[parts["part"].isin(["test", "fold"]), "writer_id"])
    measured = {str(w) for trials in result.scored.values() for w in set(trials.writer_id.tolist())}
    return bool(measured & named)


def register_test_run(result: BenchmarkResult, command: str, register: Path | None = None) -> bool:
    """Append one row for a look at test writers. Without `register`: to benchmarks/test_runs.csv where that exists."""
    place = register or DEFAULT
    if not touches_test_writers(result) or (register is None and not place.is_file()):
        return False
    about, values = result.about, result.values()
    row = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "protocol": about["protocol"],
        "fold": "" if about["fold"] is None else about["fold"],
        "data_digest": about["catalogue_digest"],
        **{name: about[name] for name in ("verifier_version", "lane", "seed")},
        **{name: _rates(values[name]) for name in ("skilled_eer", "random_eer")},
        "command": command,
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    new = not place.is_file() or not place.stat().st_size
    with place.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        if new:
            table.writeheader()
        table.writerow(row)
    return True


def _rates(by_references: dict[str, float | None]) -> str:
    """1: 20.10, 5: 14.22"""
    return ", ".join(f"{k}: {rate:.2f}" for k, rate in by_references.items() if rate is not None)
