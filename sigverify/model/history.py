"""The run's diary: one JSON line for each logging interval, appended as it happens."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Row = dict[str, Any]


class History:
    """`history.jsonl` in a run's folder and its rows in memory; reopening drops what came after `step`."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "history.jsonl"
        self.rows: list[Row] = [row for row in _read(self._path) if row["step"] <= step]
        folder.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    @property
    def latest(self) -> Row:
        return self.rows[-1] if self.rows else {}

    def add(self, row: Row) -> None:
        self.rows.append(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class Interval:
    """Gathers the figures of several steps without making the device wait, and turns them into one row."""

    def __init__(self) -> None:
        self._restart(waited=0.0)

    def note(self, images: int, figures: dict[str, Tensor]) -> None:
        """Figures of one step, scalars with or without gradient."""
        self._names = list(figures)
        self._figures.append(torch.stack([figures[name].detach().float() for name in self._names]))
        self._images += images

    def row(self, waited: float) -> Row:
        """Means since the last row, images a second, and the share of the time that steps waited for data.

        `waited` is the loader's count of seconds so far; the time between two rows includes validation and checkpoints.
        """
        means = torch.stack(self._figures).mean(0).tolist()
        seconds = max(time.perf_counter() - self._began, 1e-9)
        row: Row = {name: round(value, 6) for name, value in zip(self._names, means, strict=True)}
        row["images_per_s"] = round(self._images / seconds, 1)
        row["waiting_share"] = round((waited - self._waited) / seconds, 4)
        self._restart(waited)
        return row

    def _restart(self, waited: float) -> None:
        self._began, self._waited = time.perf_counter(), waited
        self._figures: list[Tensor] = []
        self._images = 0


def _read(path: Path) -> list[Row]:
    """Rows of a diary; a last line that a crash cut short is left out."""
    rows: list[Row] = []
    if not path.is_file():
        return rows
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
