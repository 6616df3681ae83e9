"""What one control says about a figure, and the verdict that several of them add up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sigverify.evaluation.intervals import Interval

ORDER = ("refused", "invalid", "warning", "valid")  # the worst first: the worst of the controls is the figure's
COUNTS_AS = {"unproven": "warning", "reported": "valid", "not_run": "valid"}


@dataclass(frozen=True)
class Control:
    """One control's `status`, the `reasons` for it in words, its `numbers` JSON-ready (rates in per cent).

    refused: the test is no test (an exact duplicate across parts, a writer in two parts); invalid: the figure measures
    something other than the hand; warning; valid; unproven: the control could not show what it should have shown,
    counts as a warning; reported: never gated; not_run: the data do not allow it.
    """

    name: str
    status: str
    reasons: tuple[str, ...] = ()
    numbers: dict[str, Any] = field(default_factory=dict)


def verdict(controls: Iterable[Control]) -> str:
    """refused, invalid, warning or valid: the worst status among the controls."""
    held = {COUNTS_AS.get(control.status, control.status) for control in controls}
    return next((status for status in ORDER if status in held), "valid")


def interval_in_per_cent(interval: Interval) -> list[float]:
    """[low, high] of an interval of shares."""
    return [round(100 * interval.low, 3), round(100 * interval.high, 3)]
