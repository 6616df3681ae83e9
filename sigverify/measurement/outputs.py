"""Everything a measurement leaves for people: one place where pages, plots and tables are written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sigverify.config import PreprocessingSettings
from sigverify.evaluation.result import BenchmarkResult
from sigverify.measurement.comparing import as_rows
from sigverify.measurement.headline import published_beside
from sigverify.measurement.page import write_page
from sigverify.measurement.published import caveat_text, published_text
from sigverify.records import Pictures
from sigverify.storage.store import Store

Named = tuple[str, BenchmarkResult]
CELL = 28  # characters a figure with its interval takes


@dataclass(frozen=True)
class Shown:
    """What a page needs beside the figures; without a store it shows no signature."""

    store: Store | None = None
    preprocessing: PreprocessingSettings | None = None
    pictures: Pictures = Pictures.SYNTHETIC
    command: str = ""


def write_outputs(
    results: Sequence[BenchmarkResult], folder: Path, baselines: Sequence[Named] = (), shown: Shown = Shown()
) -> Path:
    """Save the headline (the first result) to `folder`, other seeds and single folds to folders of their own in it.

    `results`: the first seed's figure over all folds, then the other seeds', then single folds (about["fold"]).
    ``benchmark.html`` shows them all beside the baselines and the published record, ``table.txt`` says it in words.
    """
    results[0].save(folder)
    for result in results[1:]:
        result.save(folder / name_of(result))
    if baselines:
        text = json.dumps(as_rows(baselines), indent=1) + "\n"
        (folder / "baselines.json").write_text(text, encoding="utf-8")
    (folder / "table.txt").write_text(as_text(results[0], baselines) + "\n", encoding="utf-8")
    write_page(
        results,
        folder,
        baselines,
        store=shown.store,
        preprocessing=shown.preprocessing,
        pictures=shown.pictures,
        command=shown.command,
    )
    return folder


def as_text(result: BenchmarkResult, baselines: Sequence[Named] = ()) -> str:
    """The result's table, the baselines measured beside it, and the published figures for the same data."""
    parts = [result.table()]
    if baselines:
        parts.append(_baseline_lines(result, baselines))
    datasets = set(result.about["datasets"])
    tables = [t for t in published_beside([result]) if datasets & {c.split(">")[-1] for c in t.columns}]
    parts += [published_text(table) for table in tables]
    return "\n\n".join([*parts, *([caveat_text()] if tables else [])])


def _baseline_lines(result: BenchmarkResult, baselines: Sequence[Named]) -> str:
    numbers = list(result.figures)
    width = max(len(name) for name, _ in baselines)
    lines = [f"{'baselines, skilled EER %':<{width}}" + "".join(f"{f'{k} references':>{CELL}}" for k in numbers)]
    for name, found in baselines:
        cells = [_cell(found, k) for k in numbers]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>{CELL}}" for cell in cells) + f"  {found.status}")
    return "\n".join(lines)


def _cell(result: BenchmarkResult, k: int) -> str:
    found = result.figures.get(k, {}).get("skilled", {})
    if found.get("eer") is None:
        return "-"
    low, high = found["eer_interval"]
    return f"{found['eer']:.2f} [{low:.2f}, {high:.2f}]"


def name_of(result: BenchmarkResult) -> str:
    """seed-1, or seed-0-fold-2 for a single fold."""
    fold = result.about.get("fold")
    return f"seed-{result.about['seed']}" + ("" if fold is None else f"-fold-{fold}")
