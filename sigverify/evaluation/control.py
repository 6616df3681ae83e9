"""What one control says about a figure, and the verdict that several of them add up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sigverify.evaluation.intervals import Interval
from sigverify.scoring.scored_trials import ScoredTrials

ORDER = ("refused", "invalid", "warning", "valid")  # the worst first: the worst of the controls is the figure's
COUNTS_AS = {"unproven": "warning", "reported": "valid", "not_run": "valid"}
GATING = (  # a figure that any of these did not look at is not known to be sound; order and stress only warn
    "parts", "nuisance_without_references_input", "nuisance_with_references", "wrong_reference", "reference_free",
)  # fmt: skip


@dataclass(frozen=True)
class Control:
    """One control's `status`, the `reasons` for it in words, its `numbers` JSON-ready (rates in per cent).

    refused: the test is no test (an exact duplicate across parts, a writer in two parts); invalid: the figure measures
    something other than the hand; warning; valid; unproven: the control could not show what it should have shown,
    counts as a warning; reported: never gated; not_run: the data do not allow it or nobody asked, a warning for those
    in GATING. `trials` are the scored ones it rests on, kept so that those of several folds can be judged together.
    """

    name: str
    status: str
    reasons: tuple[str, ...] = ()
    numbers: dict[str, Any] = field(default_factory=dict)
    trials: ScoredTrials | None = field(default=None, repr=False, compare=False)


def did_not_run(name: str, why: str, numbers: dict[str, Any] | None = None) -> Control:
    """A control that did not run, and why."""
    return Control(name, "not_run", (f"control {name} did not run: {why}",), numbers or {})


def counts_as(control: Control) -> str:
    """What one control makes of the verdict: refused, invalid, warning or valid."""
    if control.status == "not_run" and control.name in GATING:
        return "warning"
    return COUNTS_AS.get(control.status, control.status)


def verdict(controls: Iterable[Control]) -> str:
    """refused, invalid, warning or valid: the worst among the controls. A warning where there is none at all."""
    held = {counts_as(control) for control in controls} or {"warning"}
    return next((status for status in ORDER if status in held), "valid")


def all_gating_ran(controls: Iterable[Control]) -> bool:
    """Whether every control of GATING is among these and ran."""
    return {*GATING} <= {control.name for control in controls if control.status != "not_run"}


def interval_in_per_cent(interval: Interval) -> list[float]:
    """[low, high] of an interval of shares."""
    return [round(100 * interval.low, 3), round(100 * interval.high, 3)]
