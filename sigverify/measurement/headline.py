"""The one table that matters: our figures, the baselines, and the published rows for the same data, in one shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sigverify.evaluation.result import BenchmarkResult
from sigverify.evaluation.scoring_trials import largest_up_to
from sigverify.measurement.published import PublishedTable, load_published

RANDOM_REFERENCES = 5  # the number of references that the random EER is shown for, or the largest below it


@dataclass(frozen=True)
class Row:
    """`cells` {number of references: (figure, interval)} of skilled EER as text; `group`: ours, baseline, published."""

    group: str
    name: str
    cells: dict[int, tuple[str, str]]
    random: tuple[str, str] = ("", "")
    status: str = ""
    lane: str = ""
    source: str = ""


@dataclass(frozen=True)
class Spread:
    """A skilled EER (per cent) `over` folds or seeds: mean, standard deviation, extremes, and how many results."""

    over: str
    references: int
    results: int
    mean: float
    deviation: float
    low: float
    high: float
    values: tuple[float, ...] = field(default=())


def headline_rows(
    results: Sequence[BenchmarkResult],
    baselines: Sequence[tuple[str, BenchmarkResult]] = (),
    published: Sequence[PublishedTable] | None = None,
) -> list[Row]:
    """Rows in the order ours, baselines, published; `published` None takes what fits the data sets and training."""
    rows = [row for result in results for row in _ours(result)]
    rows += [_measured("baseline", name, result) for name, result in baselines]
    tables = published_beside(results) if published is None else published
    datasets = sorted({d for result in results for d in result.about["datasets"]})
    return rows + [row for table in tables for dataset in datasets for row in _quoted(table, dataset, len(datasets))]


def published_beside(results: Iterable[BenchmarkResult]) -> list[PublishedTable]:
    """Across data sets: the record's cross table. Otherwise the pairwise one."""
    crossed = {is_cross(str(result.about["protocol"])) for result in results}
    names = [name for name, wanted in (("pairwise", False), ("cross-data-set", True)) if wanted in crossed]
    return [load_published().table(name) for name in names]


def is_cross(protocol: str) -> bool:
    """Whether a protocol's name says that training and test sets differ."""
    return "-to-" in protocol


def references_of(results: Iterable[BenchmarkResult]) -> list[int]:
    """The numbers of references that any result has, ascending."""
    return sorted({k for result in results for k in result.figures})


def headlines(results: Sequence[BenchmarkResult]) -> list[BenchmarkResult]:
    """The results over all writers, one a seed, where there are such; otherwise the single folds there are."""
    whole = [result for result in results if result.about.get("fold") is None]
    return whole or list(results)


def spreads(results: Sequence[BenchmarkResult]) -> list[Spread]:
    """Skilled EER over seeds and over single folds, for each number of references that two or more of them have."""
    whole = [result for result in results if result.about.get("fold") is None]
    folds = [result for result in results if result.about.get("fold") is not None]
    return [*_spread("seeds", whole), *_spread("folds", folds)]


def _spread(over: str, results: Sequence[BenchmarkResult]) -> list[Spread]:
    found = []
    for k in references_of(results):
        held = [r.figures[k].get("skilled", {}).get("eer") for r in results if k in r.figures]
        values = [float(v) for v in held if v is not None]
        if len(values) > 1:
            mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
            found.append(Spread(over, k, len(values), mean, deviation, min(values), max(values), tuple(values)))
    return found


def name_of(result: BenchmarkResult) -> str:
    """What is measured: version, and fold and seed where they tell results apart."""
    about = result.about
    parts = [str(about["verifier_version"])]
    if about.get("fold") is not None:
        parts.append(f"fold {about['fold']}")
    elif about.get("pooled_folds"):
        parts.append(f"all {len(about['pooled_folds'])} folds")
    parts.append(f"seed {about['seed']}")
    return ", ".join(parts)


def _ours(result: BenchmarkResult) -> list[Row]:
    """A result; below it, where it looks at physical size, the same trials without."""
    blind = {k: found.get("without_size", {}) for k, found in result.figures.items()}
    row = _measured("ours", name_of(result), result)
    if not any(blind.values()):
        return [row]
    cells = {k: _without(found, "skilled") for k, found in blind.items()}
    random = _without(blind[largest_up_to(blind, RANDOM_REFERENCES)], "random")
    name = "the same without an eye for physical size (size takes off)"
    return [row, Row("ours", name, cells, random, "", row.lane, "measured here")]


def _without(found: dict[str, Any], kind: str) -> tuple[str, str]:
    """The EER without physical size; in the interval's place what size takes off, in points."""
    if found.get(f"{kind}_eer") is None:
        return "", ""
    low, high = found[f"{kind}_gain_interval"]
    return f"{found[f'{kind}_eer']:.2f}", f"{low:+.1f} to {high:+.1f}"


def _measured(group: str, name: str, result: BenchmarkResult) -> Row:
    cells = {k: _cell(found.get("skilled", {})) for k, found in result.figures.items()}
    k = largest_up_to(result.figures, RANDOM_REFERENCES)
    lane = str(result.about.get("lane", ""))
    random = _cell(result.figures[k].get("random", {}))
    return Row(group, name, cells, random, result.status, lane, "measured here")


def _cell(found: dict[str, Any]) -> tuple[str, str]:
    if found.get("eer") is None:
        return "", ""
    interval = found.get("eer_interval") or [None]
    return f"{found['eer']:.2f}", "" if None in interval else f"{interval[0]:.1f} to {interval[1]:.1f}"


def _quoted(table: PublishedTable, dataset: str, of: int) -> list[Row]:
    rows = []
    for row in table.rows_for(dataset):
        for column in (c for c in table.columns if c.split(">")[-1] == dataset and c in row.figures):
            name = f"{row.method} {row.year or ''}".strip()
            where = f" ({table.heads[column]})" if of > 1 or ">" in column else ""
            cells = {row.references[0]: (row.figures[column], "")}
            rows.append(Row("published", name + where, cells, lane=table.lane, source=row.source))
    return rows
