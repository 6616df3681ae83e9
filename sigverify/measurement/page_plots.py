"""A benchmark's plots as data URLs, for a page that loads nothing."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from sigverify.evaluation.plots import figures_of
from sigverify.evaluation.result import BenchmarkResult

DPI = 130


@dataclass(frozen=True)
class Plot:
    """`source` is a data URL; `name` says what it is for people who do not see it."""

    name: str
    title: str
    source: str


TITLES = {
    "det": "Detection error trade-off",
    "eer_by_references": "Equal error rate by number of references",
}


def plots_of(result: BenchmarkResult) -> list[Plot]:
    """DET, EER by references, and the scores of the smallest, the middle and the largest number of references."""
    figures = figures_of(result)
    scores = [name for name in figures if name.startswith("scores_")]
    kept = {scores[i] for i in (0, len(scores) // 2, -1)} if scores else set()
    found = []
    for name, figure in figures.items():
        if name in scores and name not in kept:
            continue
        held = io.BytesIO()
        figure.savefig(held, format="png", dpi=DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        source = f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode('ascii')}"
        found.append(Plot(name, TITLES.get(name) or _scores_title(name), source))
    return found


def _scores_title(name: str) -> str:
    k = int(name.removeprefix("scores_"))
    return f"Scores by kind of trial, {k} reference{'s' if k != 1 else ''}"
