"""The published record beside our figures, quoted as quoted: rows of ``published.json`` with their provenance marks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sigverify.errors import NotFound

DOCUMENT = resources.files("sigverify.measurement") / "published.json"
ABSENT = "-"


@dataclass(frozen=True)
class PublishedRow:
    """`figures` {column: text as quoted}: EER in per cent, or "acc 95.32". `mark` is one of Published.marks or ""."""

    method: str
    figures: dict[str, str]
    mark: str
    year: int | None = None
    what: str = ""
    references: tuple[int, ...] = (1,)
    remark: str = ""

    @property
    def source(self) -> str:
        """The mark and what was said beside it."""
        return "; ".join(word for word in (self.mark, self.remark) if word)


@dataclass(frozen=True)
class PublishedTable:
    """One table of the record. A column is a test set, or "train set>test set"; `heads` {column: its heading}."""

    name: str
    title: str
    protocol: str
    lane: str
    columns: tuple[str, ...]
    heads: dict[str, str]
    rows: tuple[PublishedRow, ...]

    def rows_for(self, test_set: str) -> list[PublishedRow]:
        """Rows with a figure for a test set, cut down to its columns."""
        wanted = [c for c in self.columns if c.split(">")[-1] == test_set]
        return [row for row in self.rows if any(c in row.figures for c in wanted)]


@dataclass(frozen=True)
class Published:
    """The whole record: `caveat` says why its figures cannot be taken as they stand, `marks` what a mark means."""

    caveat: tuple[str, ...]
    marks: dict[str, str]
    tables: tuple[PublishedTable, ...]

    def table(self, name: str) -> PublishedTable:
        """The table `name`. Raises NotFound with the names there are."""
        for table in self.tables:
            if table.name == name:
                return table
        raise NotFound("no such published table", got=name, expected=", ".join(t.name for t in self.tables))


def load_published() -> Published:
    """The record that ships."""
    held: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return Published(tuple(held["caveat"]), held["marks"], tuple(_table(t) for t in held["tables"]))


def published_for(datasets: Sequence[str]) -> list[PublishedTable]:
    """The tables with figures for any of the test sets named, in the record's order."""
    wanted = set(datasets)
    return [t for t in load_published().tables if wanted & {c.split(">")[-1] for c in t.columns}]


def published_text(table: PublishedTable, ours: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """A published table as plain text, `ours` {name: {column: figure}} above it."""
    head = ["method", "year", *(table.heads[c] for c in table.columns), "source"]
    lines = [[name, "", *(figures.get(c, ABSENT) for c in table.columns), "ours"] for name, figures in _named(ours)]
    for row in table.rows:
        figures = [row.figures.get(c, ABSENT) for c in table.columns]
        lines.append([_method(row), str(row.year or ""), *figures, row.source])
    width = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    made = [_aligned(line, width) for line in [head, ["-" * w for w in width], *lines]]
    return "\n".join([f"{table.title} ({table.protocol}), quoted as quoted", *made])


def caveat_text() -> str:
    """Why the published figures cannot be taken as they stand, and what the marks mean."""
    published = load_published()
    marks = ", ".join(f"{mark} = {meaning}" for mark, meaning in published.marks.items())
    return "\n".join([*published.caveat, f"Marks: {marks}."])


def _table(values: dict[str, Any]) -> PublishedTable:
    rows = tuple(PublishedRow(**{**row, "references": _references(row.get("references", 1))}) for row in values["rows"])
    return PublishedTable(**{**values, "columns": tuple(values["columns"]), "rows": rows})


def _references(value: int | list[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _method(row: PublishedRow) -> str:
    return f"{row.method} ({row.what})" if row.what else row.method


def _named(ours: Mapping[str, Mapping[str, str]] | None) -> list[tuple[str, Mapping[str, str]]]:
    return list((ours or {}).items())


def _aligned(line: Sequence[str], width: Sequence[int]) -> str:
    first, *middle, last = line
    numbers = [cell.rjust(w) for cell, w in zip(middle, width[1:-1], strict=True)]
    return "  ".join([first.ljust(width[0]), *numbers, last]).rstrip()
