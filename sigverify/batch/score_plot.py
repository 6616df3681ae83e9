"""Scores as drawings in SVG: the batch's histogram, and where one score lies between its thresholds.

Only numbers are computed here; the page's template turns them into marks. Positions are shares of the plot's width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sigverify.records import Outcome

BINS = 44
LABEL_SHARE = 0.09  # of the plot's width that one threshold's name needs
SCORED = (Outcome.REJECT, Outcome.REFER, Outcome.ACCEPT)  # stacked from the axis upwards


@dataclass(frozen=True)
class Axis:
    """A range of scores, with room at both ends."""

    low: float
    high: float

    def place(self, score: float) -> float:
        """In [0, 1]; a score that is not finite lies at an end."""
        if not math.isfinite(score):
            return 1.0 if score > 0 else 0.0
        return min(max((score - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """(place, label) at round numbers, about six of them."""
        step = 10 ** math.floor(math.log10((self.high - self.low) / 5))
        step *= next(f for f in (1, 2, 5, 10) if (self.high - self.low) / (step * f) <= 7)
        digits = max(0, -math.floor(math.log10(step)))
        first = math.ceil(self.low / step)
        marks = [n * step for n in range(first, math.floor(self.high / step) + 1)]
        return [(self.place(m), f"{m:.{digits}f}") for m in marks]


@dataclass(frozen=True)
class Bar:
    """One outcome's part of one bin, in shares of the plot: left, width, bottom, height."""

    outcome: str
    left: float
    width: float
    bottom: float
    height: float
    count: int


@dataclass(frozen=True)
class Histogram:
    """`bands` are (name, from, to): where thresholds lie; a band, because they differ with the number of references.

    `labels` are (name, place, "end" | "start"): where the bands' names are written, inside the plot and apart.
    """

    bars: tuple[Bar, ...]
    axis: Axis
    bands: tuple[tuple[str, float, float], ...]
    tallest: int
    labels: tuple[tuple[str, float, str], ...] = ()


def axis_of(scores: Iterable[float]) -> Axis:
    """An axis on which all finite `scores` have room."""
    finite = [s for s in scores if math.isfinite(s)]
    if not finite:
        return Axis(0.0, 1.0)
    low, high = min(finite), max(finite)
    room = 0.04 * (high - low) or 0.5
    return Axis(low - room, high + room)


def histogram(
    scores: Sequence[float], outcomes: Sequence[str], accept: Sequence[float], reject: Sequence[float]
) -> Histogram:
    """Scores (n,) with their outcomes, stacked; `accept` and `reject` are the thresholds they were held against."""
    axis = axis_of([*scores, *accept, *reject])
    edges = np.linspace(axis.low, axis.high, BINS + 1)
    kinds = np.asarray(outcomes, dtype=object)
    values = np.asarray(scores, dtype=np.float64)
    counts = {o.value: np.histogram(values[kinds == o.value], edges)[0] for o in SCORED}
    tallest = int(sum(counts.values()).max()) if len(values) else 0  # type: ignore[union-attr]
    bars = tuple(_bars(counts, max(tallest, 1)))
    bands = _bands(axis, accept, reject)
    return Histogram(bars, axis, bands, tallest, _labels(bands))


def _bars(counts: dict[str, np.ndarray], tallest: int) -> list[Bar]:
    bars = []
    for i in range(BINS):
        below = 0
        for outcome, each in counts.items():
            n = int(each[i])
            if n:
                bars.append(Bar(outcome, i / BINS, 1 / BINS, below / tallest, n / tallest, n))
            below += n
    return bars


def _labels(bands: tuple[tuple[str, float, float], ...]) -> tuple[tuple[str, float, str], ...]:
    """The reject side's name ends at its band, the accept side's begins there; both inside the plot, never touching."""
    found = []
    taken = 0.0
    later = len(bands)
    for name, low, high in bands:
        later -= 1
        middle = (low + high) / 2
        if name == "reject below":
            taken = max(min(middle, 1 - later * LABEL_SHARE), LABEL_SHARE)
            found.append((name, taken, "end"))
        else:
            found.append((name, max(min(middle, 1 - LABEL_SHARE), taken), "start"))
    return tuple(found)


def _bands(axis: Axis, accept: Sequence[float], reject: Sequence[float]) -> tuple[tuple[str, float, float], ...]:
    found = []
    for name, values in (("reject below", reject), ("accept from", accept)):
        finite = [v for v in values if math.isfinite(v)]
        if finite:
            found.append((name, axis.place(min(finite)), axis.place(max(finite))))
    return tuple(found)
