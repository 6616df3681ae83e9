"""The register of looks at test writers: every one is written down, so that nobody can look until it pleases."""

from __future__ import annotations

import csv
import datetime
import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from sigverify.evaluation.parts import load_parts, named_parts, part_of
from sigverify.evaluation.result import BenchmarkResult
from sigverify.records import Part

COLUMNS = (
    "date", "protocol", "fold", "data_digest", "verifier_version", "lane", "seed", "skilled_eer", "random_eer",
    "command",
)  # fmt: skip
DEFAULT = Path("benchmarks") / "test_runs.csv"  # of the working directory
log = logging.getLogger(__name__)


def measured_writers(result: BenchmarkResult) -> set[str]:
    """Whose signatures were scored; empty for a result without its trials."""
    return {str(w) for trials in result.scored.values() for w in set(trials.writer_id.tolist())}


def looked_at_training_writers_only(result: BenchmarkResult) -> bool:
    """Whether a development protocol measured training writers and nobody else. The writers decide, not the name."""
    measured = measured_writers(result)
    named = named_parts()
    return bool(result.about.get("development") and measured) and all(part_of(w, named) is Part.TRAIN for w in measured)


def touches_test_writers(result: BenchmarkResult) -> bool:
    """Whether a result is of public test writers (of writer_parts.csv), whatever its protocol is called."""
    return not looked_at_training_writers_only(result) and bool(measured_writers(result) & _public_test_writers())


def register_test_run(result: BenchmarkResult, command: str, register: Path | None = None) -> bool:
    """Append one row for a look at test writers. Without `register`: to benchmarks/test_runs.csv where that exists.

    A look that is written down nowhere is said in one line (logging: on stderr unless set up otherwise).
    """
    if not touches_test_writers(result):
        return False
    about, values = result.about, result.values()
    row = {
        "protocol": about["protocol"],
        "fold": "" if about["fold"] is None else about["fold"],
        "data_digest": about["catalogue_digest"],
        **{name: about[name] for name in ("verifier_version", "lane", "seed")},
        **{name: _rates(values[name]) for name in ("skilled_eer", "random_eer")},
        "command": command,
    }
    return _append(row, register)


def register_look(writer_ids: Collection[str], row: Mapping[str, object], register: Path | None = None) -> bool:
    """Append `row` (some of COLUMNS) for figures of `writer_ids` that no benchmark made; rules of `register_test_run`.

    ValueError for a column there is not.
    """
    return bool(set(writer_ids) & _public_test_writers()) and _append(row, register)


def _public_test_writers() -> set[str]:
    parts = load_parts()
    return {str(w) for w in parts.loc[parts["part"].isin(["test", "fold"]), "writer_id"]}


def _append(row: Mapping[str, object], register: Path | None) -> bool:
    place = register or DEFAULT
    if register is None and not place.is_file():
        log.warning("test writers were measured and no register holds it: no %s in the working directory", place)
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    new = not place.is_file() or not place.stat().st_size
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with place.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        if new:
            table.writeheader()
        table.writerow({"date": now, **row})
    return True


def _rates(by_references: dict[str, float | None]) -> str:
    """1: 20.10, 5: 14.22"""
    return ", ".join(f"{k}: {rate:.2f}" for k, rate in by_references.items() if rate is not None)
