"""Two drawings of an audit as SVG text: what each probe tells, with intervals, and the sizes of the scans by label."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.evaluation.audit_text import titled
from sigverify.evaluation.data_probes import CLEAN, QUESTIONS, RAW, Answer
from sigverify.evaluation.findings import SERIOUS_EER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sigverify.evaluation.audit import Audit

BLUE, VERMILION, INK, PALE = "#0072B2", "#D55E00", "#333333", "#888888"  # Okabe and Ito (2008)
SIDES = ((RAW, "scans as delivered", VERMILION, "o", -0.16), (CLEAN, "after cleaning", BLUE, "s", 0.16))
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
SHOWN = 3000  # points of a scatter plot
STYLE: dict[Any, Any] = {
    "font.size": 10, "font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "sigverify",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": PALE, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "legend.frameon": False,
}  # fmt: skip


def probes_svg(audit: Audit) -> str:
    """A dot with its 95 % interval for each probe and side; 50 % tells nothing."""
    import matplotlib

    held = {(a.question.name, a.side): a for a in audit.answers}
    asked = [q for q in QUESTIONS if any((q.name, side) in held for side, *_ in SIDES)]
    with matplotlib.rc_context(STYLE):
        figure = _figure(9.4, 0.5 * len(asked) + 1.3)
        axis = figure.subplots()
        axis.axvspan(0, 100 * SERIOUS_EER, color=VERMILION, alpha=0.06, linewidth=0)
        axis.axvline(50, color=PALE, linewidth=1, linestyle=(0, (4, 3)))
        for side, name, colour, marker, shift in SIDES:
            answers = [(row, held[q.name, side]) for row, q in enumerate(asked) if (q.name, side) in held]
            _dots(axis, answers, shift, colour, marker, name)
        names = [titled(held.get((q.name, RAW)) or held.get((q.name, CLEAN))) for q in asked]
        axis.set_yticks(range(len(asked)), names)
        axis.set(xlim=(-1, 62), ylim=(len(asked) - 0.5, -0.5), xlabel="EER of the probe on unseen writers (%)")
        axis.tick_params(axis="y", length=0)
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        return _svg(figure)


def sizes_svg(audit: Audit, seed: int = 0) -> str:
    """Width and height of the raw scans, genuine beside forged, same axes; "" where there are none."""
    import matplotlib

    table = audit.sizes
    if table is None or table.empty:
        return ""
    shown = table.sample(min(len(table), SHOWN), random_state=seed)
    with matplotlib.rc_context(STYLE):
        figure = _figure(9.4, 3.6)
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axis, genuine, name, colour in (
            (left, True, "genuine", BLUE),
            (right, False, "skilled forgery", VERMILION),
        ):
            part = shown[shown["genuine"] == genuine]
            axis.scatter(part["width_px"], part["height_px"], s=7, alpha=0.3, color=colour, linewidths=0)
            count = int((table["genuine"] == genuine).sum())
            axis.set_title(f"{name} ({count:,})", loc="left", fontsize=10, color=colour, fontweight="bold")
            axis.set_xlabel("width (px)")
        left.set_ylabel("height (px)")
        return _svg(figure)


def _dots(axis: Axes, answers: list[tuple[int, Answer]], shift: float, colour: str, marker: str, name: str) -> None:
    place = np.array([row for row, _ in answers]) + shift
    rate = 100 * np.array([a.eer for _, a in answers])
    ends = 100 * np.array([[a.interval.low, a.interval.high] for _, a in answers]).T
    spread = np.maximum(np.abs(ends - rate), 0)
    axis.errorbar(
        rate, place, xerr=spread, fmt=marker, color=colour, markersize=6, elinewidth=1.4, capsize=3, label=name
    )
    for value, y, high, (_, answer) in zip(rate, place, ends[1], answers, strict=True):
        text = "says nothing" if answer.constant else f"{value:.1f}"
        style: dict[str, Any] = {"va": "center", "fontsize": 8, "color": colour, "bbox": BEHIND}
        axis.annotate(text, (max(value, high), y), xytext=(6, 0), textcoords="offset points", **style)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    """The drawing without XML header, date or fixed size, so that it sits in a page."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    text = held.getvalue()
    text = text[text.index("<svg") :]
    for side in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {side}="[^"]*"', r"\1", text, count=1)
    return text
