"""A benchmark's result as plain text: figures by number of references, then controls, counts and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sigverify.evaluation.deployment import LARGEST_COST, LARGEST_RATIO, RATES
from sigverify.evaluation.figures import SHORT

if TYPE_CHECKING:
    from sigverify.evaluation.result import BenchmarkResult

COLUMNS = (
    ("references", ""),
    ("writers", ""),
    ("skilled EER %", "skilled eer"),
    ("oracle EER %", "skilled oracle"),
    ("random EER %", "random eer"),
    ("FRR % at far_skilled 1 %", "skilled frr_at_far_1"),
    ("FRR % at far_random 0.1 %", "random frr_at_far_0.1"),
    ("far_skilled % at own", "at_own_thresholds skilled_accepted"),
    ("genuine accepted % at own", "at_own_thresholds genuine_accepted"),
)
EVIDENCE = {
    "cllr_bits": "Cllr", "min_cllr_bits": "min Cllr", "calibration_loss_bits": "calibration loss",
    "ece_above_floor": "calibration error above its floor",
}  # fmt: skip
WITHOUT_INTERVAL = ("oracle",)  # beside the headline, never in its place


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
    lines += [*_without_size(result), *_automatic(result), *_evidence(result), *_frozen(result), *_apart(result)]
    verdict = [f"verdict: {result.status}", *controls, counted]
    return "\n".join([head, "", *lines, "", *verdict, *(["notes:", *notes] if notes else [])])


def _without_size(result: BenchmarkResult) -> list[str]:
    """What physical size is worth, where the verifier looks at it: one line a number of references."""
    lines = []
    for k, figures in result.figures.items():
        found = figures.get("without_size", {})
        said = [f"{n} {found[f'{n}_eer']:.2f}, size takes off {_ratio(found, f'{n}_gain')}" for n in SHORT.values()
                if f"{n}_eer" in found]  # fmt: skip
        lines += [f"  {k} references: {'; '.join(said)}"] if said else []
    return ["", "EER % of the same trials without an eye for physical size:", *lines] if lines else []


def _automatic(result: BenchmarkResult) -> list[str]:
    """Shares decided without a person at each risk: one line a number of references and risk."""
    lines = []
    for k, figures in result.figures.items():
        found = figures.get("automatic", {})
        for risk in (name.removeprefix("all_decided_") for name in found if name.startswith("all_decided_")):
            accepted = _with_interval(found[f"genuine_accepted_{risk}"], found[f"genuine_accepted_{risk}_interval"])
            decided = f"{found[f'genuine_decided_{risk}']:.1f} % of genuine and {found[f'all_decided_{risk}']:.1f} %"
            shown = f"{accepted} % accepted; {decided} of trials decided (mean over kinds of trials)"
            lines.append(f"  {k} references, far_skilled {risk} %: {shown}")
    head = "genuine accepted and trials decided without a person, far_random at most 0.1 %, thresholds of these trials:"
    return ["", head, *lines] if lines else []


def _frozen(result: BenchmarkResult) -> list[str]:
    """Thresholds frozen on calibration writers: rates, and below them ratios, for a policy and number of references."""
    lines = []
    for k, policies in result.deployment.items():
        for name, found in policies.items():
            ratios = [f"{n[4:-11]} {_ratio(found, n)} x nominal" for n in found if n.endswith("_to_nominal")]
            rates = [f"{n} {_with_interval(found[n], found[f'{n}_interval'])} %" for n in RATES]
            ratios += [_kept(found, "ratio_kept", LARGEST_RATIO)] if ratios else []
            lines.append(f"  {name}, {k} references: {', '.join(rates)}")
            lines.append(f"    {', '.join([*ratios, *_cost(found)])}")
    return ["", "thresholds frozen on calibration writers:", *lines] if lines else []


def _cost(found: dict[str, Any]) -> list[str]:
    """What the transfer cost in FRR; infinite where the own threshold refuses nobody and the frozen one somebody."""
    held = "inf" if found["frr_cost"] is None and found["cost_kept"] is False else _ratio(found, "frr_cost")
    return [f"FRR {held} x that at the own threshold", _kept(found, "cost_kept", LARGEST_COST)]


def _kept(found: dict[str, Any], name: str, most: float) -> str:
    said = {None: "cannot be said", True: "yes", False: "no"}[found[name]]
    return f"at most {most:g}: {said}"


def _evidence(result: BenchmarkResult) -> list[str]:
    """AUC, and what the verifier's own calibration is worth: one line a number of references and kind of forgery."""
    lines = []
    for k, figures in result.figures.items():
        for kind in (name for name in SHORT.values() if name in figures):
            auc = f"AUC {_with_interval(figures[kind]['auc'], figures[kind]['auc_interval'])} %"
            held = figures.get("evidence", {}).get(kind)
            bits = [] if held is None else [f"{said} {held[name]:.3f}" for name, said in EVIDENCE.items()]
            lines.append(f"  {k} references, {kind}: {', '.join([auc, *bits])}")
    return ["", "ranking and evidence (Cllr in bits):", *lines] if lines else []


def _ratio(found: dict[str, Any], name: str) -> str:
    return "-" if found[name] is None else _with_interval(found[name], found[f"{name}_interval"])


def _apart(result: BenchmarkResult) -> list[str]:
    """Folds, and the spread over seeds."""
    lines = []
    for fold in result.folds:
        rates = "; ".join(f"{k}: {v:.2f}" for k, v in fold["skilled_eer"].items() if v is not None)
        lines.append(f"  fold {fold['fold']}, {fold['writers']} writers: skilled EER % by references {rates}")
    for k, found in result.spread.get("skilled_eer", {}).items():
        said = f"{found['mean']:.2f} +- {found['sd']:.2f} ({found['min']:.2f} to {found['max']:.2f})"
        lines.append(f"  {len(result.spread['seeds'])} seeds, {k} references: skilled EER % {said}")
    return ["", "folds and seeds:", *lines] if lines else []


def _row(k: int, found: dict[str, Any]) -> list[str]:
    cells = [str(k), str(found["counts"]["writers"])]
    for _, where in COLUMNS[2:]:
        group, item = where.split()
        value, interval = found.get(group, {}).get(item), found.get(group, {}).get(f"{item}_interval")
        cells.append("" if value is None else _with_interval(value, None if item in WITHOUT_INTERVAL else interval))
    return cells


def _with_interval(value: float | None, interval: list[float | None] | None) -> str:
    if value is None:
        return "-"
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
