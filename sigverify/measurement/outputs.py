"""Everything a measurement leaves for people: one place where pages and plots are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sigverify.evaluation.result import BenchmarkResult


def write_outputs(results: Sequence[BenchmarkResult], folder: Path) -> Path:
    """Save the headline (the first result) to `folder`, other seeds and single folds to folders of their own in it.

    `results`: the first seed's figure over all folds, then the other seeds', then single folds (about["fold"]).
    """
    results[0].save(folder)
    for result in results[1:]:
        result.save(folder / name_of(result))
    return folder


def name_of(result: BenchmarkResult) -> str:
    """seed-1, or seed-0-fold-2 for a single fold."""
    fold = result.about.get("fold")
    return f"seed-{result.about['seed']}" + ("" if fold is None else f"-fold-{fold}")
