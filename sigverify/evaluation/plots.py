"""Plots of a benchmark: DET curves, score histograms with thresholds, EER by number of references.

Colours are Okabe and Ito's (2008), told apart by every common kind of colour vision; line styles repeat what colour
says. Figures are drawn without pyplot, so nothing is left open and no display is needed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.evaluation.metrics import Curve, Scores, det_curve
from sigverify.records import TrialKind
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sigverify.evaluation.result import BenchmarkResult

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, INK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#333333",
)  # fmt: skip
BY_REFERENCES = (SKY, BLUE, GREEN, ORANGE, PURPLE, VERMILION)
KINDS = {
    TrialKind.GENUINE: ("genuine", BLUE),
    TrialKind.SKILLED_FORGERY: ("skilled forgery", VERMILION),
    TrialKind.RANDOM_FORGERY: ("random forgery", ORANGE),
}
LINES = ("solid", (0, (6, 1.5)), (0, (3, 1.2)), (0, (1.2, 1)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)))
LABEL_SHARE = 0.09  # of the score axis that one word above it needs
LEGEND_ABOVE = 15.0  # EER in per cent below which curves leave the upper right corner of a DET plot free
TICKS = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
STYLE: dict[Any, Any] = {
    "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8, "axes.axisbelow": True, "axes.edgecolor": "#888888", "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "legend.frameon": False, "figure.dpi": 110, "savefig.dpi": 150,
}  # fmt: skip


def save_plots(result: BenchmarkResult, folder: Path) -> list[Path]:
    """Write det.png, eer_by_references.png and scores_<k>.png for each number of references; returns their paths."""
    made = []
    for name, figure in figures_of(result).items():
        made.append(folder / f"{name}.png")
        with _style():
            figure.savefig(made[-1], bbox_inches="tight", facecolor="white")
    return made


def figures_of(result: BenchmarkResult) -> dict[str, Figure]:
    """{name: figure} of every plot a result allows: det, eer_by_references, scores_<k>."""
    about = f"{result.about['verifier_version']}  ·  {', '.join(result.about['datasets'])}"
    figures: dict[str, Figure] = {}
    with _style():
        if any(_has(result, kind) for kind in KINDS if kind is not TrialKind.GENUINE):
            figures["det"] = det_figure(result, about)
        if result.common["skilled_eer"]:
            figures["eer_by_references"] = references_figure(result, about)
        for k, scored in result.scored.items():
            own = result.figures[k].get("at_own_thresholds", {})
            figures[f"scores_{k:02d}"] = scores_figure(scored, own, f"{about}  ·  {_references(k)}")
    return figures


def det_figure(result: BenchmarkResult, about: str) -> Figure:
    """Detection error trade-off on normal-deviate axes (Martin et al. 1997): skilled left, random right, a line a k."""
    kinds = [k for k in (TrialKind.SKILLED_FORGERY, TrialKind.RANDOM_FORGERY) if _has(result, k)]
    figure = _figure(5.4 * len(kinds), 5.3)
    axes = figure.subplots(1, len(kinds), squeeze=False)
    for axis, kind in zip(axes[0], kinds, strict=True):
        short = "skilled" if kind is TrialKind.SKILLED_FORGERY else "random"
        styles = zip(cycle(BY_REFERENCES), cycle(LINES))
        for (colour, line), (k, scored) in zip(styles, result.scored.items(), strict=False):
            curve = det_curve(scored.of(TrialKind.GENUINE).score, scored.of(kind).score)
            rate = result.figures[k][short]["eer"]
            _det_line(axis, curve, colour, line, f"{_references(k)}, EER {rate:.1f} %")
        worst = max(found[short]["eer"] for found in result.figures.values())
        corner = "upper right" if worst < LEGEND_ABOVE else "lower left"
        _deviate_axes(axis, f"far_{short}: {short} forgeries accepted (%)", corner)
        axis.set_title(f"{short.capitalize()} forgeries")
    figure.suptitle(about, x=0.01, ha="left", fontsize=9, color="#666666")
    return figure


def scores_figure(scored: ScoredTrials, own: dict[str, Any], about: str) -> Figure:
    """Score histograms by kind of trial, each with unit area, and the verifier's own thresholds with the refer band."""
    figure = _figure(6.4, 4.4)
    axis = figure.subplots()
    low, high = np.quantile(scored.score, [0.0005, 0.9995])
    bins = np.linspace(low, high, 81)
    for kind, (name, colour) in KINDS.items():
        score = scored.of(kind).score
        if len(score):
            style: dict[str, Any] = {"bins": bins, "density": True, "color": colour}
            label = f"{name} ({len(score):,})"
            axis.hist(np.clip(score, low, high), histtype="stepfilled", alpha=0.22, **style)
            axis.hist(np.clip(score, low, high), histtype="step", linewidth=1.8, label=label, **style)
    if "accept" in own:  # folds pooled have thresholds each of their own, none to draw
        _refer_band(axis, own["reject"], own["accept"], low, high)
    axis.set(xlabel="score (higher is more genuine)", ylabel="density", xlim=(low, high))
    axis.set_yticks([])
    axis.set_ylim(0, axis.get_ylim()[1] * 1.12)
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=9, columnspacing=1.2)
    axis.set_title(about, fontsize=9, fontweight="normal", color="#666666", pad=18 if own else 6)
    return figure


def references_figure(result: BenchmarkResult, about: str) -> Figure:
    """EER by number of references with 95 % intervals, over the writers that all numbers share."""
    figure = _figure(6.4, 4.2)
    axis = figure.subplots()
    numbers = [int(k) for k in result.common["skilled_eer"]]
    for name, colour, marker in (("skilled", VERMILION, "o"), ("random", ORANGE, "s")):
        rates, intervals = result.common[f"{name}_eer"], result.common["intervals"][f"{name}_eer"]
        if rates:
            held = [rates[str(k)] for k in numbers], [intervals[str(k)] for k in numbers]
            _error_line(axis, numbers, *held, colour, marker, name)
    axis.set(xlabel="references", ylabel="EER (%)", xticks=numbers, xlim=(min(numbers) - 0.6, max(numbers) + 1.6))
    axis.set_ylim(bottom=0)
    axis.grid(axis="x", visible=False)
    axis.set_title(f"Equal error rate, 95 % intervals, {result.common['writers']} writers")
    figure.suptitle(about, x=0.01, ha="left", fontsize=9, color="#666666")
    return figure


def _style() -> AbstractContextManager[None]:
    import matplotlib

    return matplotlib.rc_context(STYLE)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _det_line(axis: Axes, curve: Curve, colour: str, line: Any, label: str) -> None:
    low, high = _deviate(np.array([TICKS[0] / 2, 0.9]))
    far, frr = (np.clip(_deviate(rate), low, high) for rate in (curve.far, curve.frr))
    inside = (far > low) & (far < high) | (frr > low) & (frr < high)
    axis.plot(far[inside], frr[inside], color=colour, linewidth=2, linestyle=line, label=label)


def _deviate_axes(axis: Axes, xlabel: str, corner: str) -> None:
    """`corner` is where the legend hides no curve."""
    place, names = _deviate(np.array(TICKS)), [f"{100 * t:g}" for t in TICKS]
    limits = _deviate(np.array([TICKS[0] / 1.5, 0.85]))
    axis.plot(limits, limits, color="#999999", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axis.set(xlabel=xlabel, ylabel="FRR: genuine not accepted (%)", xlim=limits, ylim=limits, aspect="equal")
    axis.set_xticks(place, names)
    axis.set_yticks(place, names)
    axis.tick_params(length=0)
    box: dict[str, Any] = {"loc": corner, "frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 1}
    axis.legend(fontsize=9, handlelength=3, **box)


def _refer_band(axis: Axes, reject: float, accept: float, low: float, high: float) -> None:
    """Thresholds with what lies on their sides, in a strip above the histograms so that nothing hides the words."""
    axis.axvspan(reject, accept, color="#000000", alpha=0.06, linewidth=0)
    for place, style in ((reject, (0, (4, 2))), (accept, "solid")):
        if low < place < high:
            axis.axvline(place, color=INK, linewidth=1.3, linestyle=style)
    written: dict[str, Any] = {"va": "bottom", "fontsize": 9, "color": INK, "transform": axis.get_xaxis_transform()}
    for word, where, side in threshold_labels(reject, accept, low, high):
        axis.text(where, 1.015, word, ha=side, **written)


def threshold_labels(reject: float, accept: float, low: float, high: float) -> list[tuple[str, float, str]]:
    """(word, score, "left" | "right" | "center") of the outcomes that an axis from `low` to `high` shows.

    A word stands in its own zone where that is wide enough, beside the plot's edge otherwise, and never on another.
    """
    span = high - low
    room = LABEL_SHARE * span
    reject_at, accept_at = (float(np.clip(place, low, high)) for place in (reject, accept))
    found: list[tuple[str, float, str]] = []
    end = low  # everything left of here is taken
    if low < reject:
        right = max(min(reject_at, high - room) if accept < high else reject_at, low + room)
        found.append(("reject", right - 0.01 * span, "right"))
        end = right
    start = high
    if accept < high:
        left = max(min(accept_at, high - room), end)
        found.append(("accept", left + 0.01 * span, "left"))
        start = left
    if accept_at - reject_at > 0 and start - end > room:
        found.append(("refer", (start + end) / 2, "center"))
    return found


def _error_line(
    axis: Axes, x: list[int], y: list[float], intervals: list[list[float]], colour: str, marker: str, name: str
) -> None:
    limits = np.array(intervals, float).T
    spread = np.maximum(np.abs(limits - np.array(y)), 0)
    style: dict[str, Any] = {"capsize": 4, "linewidth": 1.8, "elinewidth": 1.4, "markersize": 6}
    axis.errorbar(x, y, yerr=spread, color=colour, marker=marker, **style)
    beside: dict[str, Any] = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
    axis.annotate(f"{name} {y[-1]:.1f} %", (x[-1], y[-1]), color=colour, **beside)


def _has(result: BenchmarkResult, kind: TrialKind) -> bool:
    return all(len(scored.of(kind)) > 0 for scored in result.scored.values())


def _deviate(rate: Scores) -> Scores:
    from scipy.stats import norm

    deviate: Scores = norm.ppf(np.clip(rate, 1e-6, 1 - 1e-6))
    return deviate


def _references(k: int) -> str:
    return "1 reference" if k == 1 else f"{k} references"
