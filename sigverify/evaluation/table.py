"""A benchmark's result as plain text: figures by number of references, then controls, counts and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigverify.evaluation.result import BenchmarkResult

COLUMNS = (
    ("references", ""),
    ("writers", ""),
    ("skilled EER %", "skilled eer"),
    ("random EER %", "random eer"),
    ("FRR % at far_skilled 1 %", "skilled frr_at_far_1"),
    ("FRR % at far_random 0.1 %", "random frr_at_far_0.1"),
    ("far_skilled % at own", "at_own_thresholds skilled_accepted"),
    ("genuine accepted % at own", "at_own_thresholds genuine_accepted"),
)


def as_text(result: BenchmarkResult) -> str:
    """The table (one row a number of references), verdict, controls, counts and notes, under 140 columns."""
    about = result.about
    head = f"{about['title']}\n{about['verifier_version']} on {', '.join(about['datasets'])}, seed {about['seed']}"
    rows = [_row(k, found) for k, found in result.figures.items()]
    shown = [i for i in range(len(COLUMNS)) if i < 2 or any(row[i] for row in rows)]
    lines = _aligned([[name for name, _ in COLUMNS], *rows], shown)
    controls = [f"  {c.name}: {c.status}{''.join(f'; {r}' for r in c.reasons)}" for c in result.controls]
    failures = sum(result.counts["failures_to_acquire"].values())
    counted = (
        f"signatures {result.counts['signatures']}, exact duplicates left out {result.counts['removed_duplicates']}, "
        f"failures to acquire {failures}"
    )
    notes = [f"  {note}" for note in result.notes]
    verdict = [f"verdict: {result.status}", *controls, counted]
    return "\n".join([head, "", *lines, "", *verdict, *(["notes:", *notes] if notes else [])])


def _row(k: int, found: dict[str, Any]) -> list[str]:
    cells = [str(k), str(found["counts"]["writers"])]
    for _, where in COLUMNS[2:]:
        group, item = where.split()
        value, interval = found.get(group, {}).get(item), found.get(group, {}).get(f"{item}_interval")
        cells.append("" if value is None else _with_interval(value, interval))
    return cells


def _with_interval(value: float, interval: list[float | None] | None) -> str:
    if not interval or None in interval:
        return f"{value:.2f}"
    return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _aligned(rows: list[list[str]], shown: list[int]) -> list[str]:
    """Rows with columns of one width; header words stacked so that no column is wider than its figures."""
    header = [_wrapped(rows[0][i], max(11, *(len(row[i]) for row in rows[1:]))) for i in shown]
    columns = [[*words, *(row[i] for row in rows[1:])] for i, words in zip(shown, header, strict=True)]
    width = [max(map(len, column)) for column in columns]
    height = max(len(words) for words in header)
    stacked = [[""] * (height - len(words)) + words for words in header]
    lines = [[column[n] for column in stacked] for n in range(height)]
    lines += [["-" * w for w in width], *([row[i] for i in shown] for row in rows[1:])]
    return ["  ".join(cell.rjust(w) for cell, w in zip(line, width, strict=True)).rstrip() for line in lines]


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)
