"""What thresholds do, as rows for a page: the verifier's own, those of a risk, and frozen ones on other writers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sigverify.evaluation.deployment import LARGEST_COST, LARGEST_RATIO
from sigverify.evaluation.result import BenchmarkResult

Cells = dict[str, tuple[str, str]]
OWN = {
    "genuine_accepted": "genuine accepted, own thresholds", "genuine_rejected": "genuine rejected",
    "skilled_accepted": "far_skilled", "random_accepted": "far_random",
}  # fmt: skip
EVIDENCE = {
    "cllr_bits": "Cllr, skilled (bits)", "min_cllr_bits": "min Cllr",
    "ece_above_floor": "calibration error above its floor",
}  # fmt: skip
KEPT = {
    "ratio_kept": f"measured / nominal: lower bound at most {LARGEST_RATIO:g}",
    "cost_kept": f"frr cost at most {LARGEST_COST:g}",
}
AUTOMATIC = "genuine_accepted_"


@dataclass(frozen=True)
class DecisionRow:
    """`cells` {heading: (figure, interval)} for one number of references, and for one policy where that is named."""

    references: int
    policy: str
    cells: Cells


def decision_rows(result: BenchmarkResult) -> list[DecisionRow]:
    """A row a number of references; only headings that every row has, so that it is a table. [] where none decide."""
    rows = [DecisionRow(k, "", _cells(found)) for k, found in result.figures.items()]
    shared = [head for head in rows[0].cells if all(head in row.cells for row in rows)] if rows else []
    return [DecisionRow(r.references, "", {h: r.cells[h] for h in shared}) for r in rows] if shared else []


def headings(rows: Sequence[DecisionRow]) -> list[str]:
    """Every heading that any row has, in the order they first occur."""
    return list(dict.fromkeys(head for row in rows for head in row.cells))


def frozen_rows(result: BenchmarkResult) -> list[DecisionRow]:
    """Thresholds frozen on calibration writers, measured on test writers; [] where the protocol has no policy."""
    deployment: Mapping[Any, Mapping[str, Mapping[str, Any]]] = getattr(result, "deployment", None) or {}
    return [
        DecisionRow(int(k), str(policy), _intervalled(found))
        for k, by_policy in deployment.items()
        for policy, found in by_policy.items()
    ]


def _cells(found: Mapping[str, Any]) -> Cells:
    cells: Cells = {}
    for key, head in OWN.items():
        _put(cells, head, found.get("at_own_thresholds", {}), key)
    automatic = found.get("automatic", {})
    for key in automatic:
        if key.startswith(AUTOMATIC) and not key.endswith("_interval"):
            _put(cells, f"genuine accepted at far_skilled {key.removeprefix(AUTOMATIC)} %", automatic, key)
    for key, head in EVIDENCE.items():
        _put(cells, head, found.get("evidence", {}).get("skilled", {}), key, ".3f")
    return cells


def _intervalled(found: Mapping[str, Any]) -> Cells:
    cells: Cells = {}
    for key in found:
        if f"{key}_interval" in found:
            _put(cells, key.replace("_", " "), found, key)
    if found.get("frr_cost") is None and found.get("cost_kept") is False:
        cells["frr cost"] = ("no bound", "")
    for key, head in KEPT.items():
        if key in found:
            cells[head] = ("-" if found[key] is None else "yes" if found[key] else "no", "")
    return cells


def _put(cells: Cells, head: str, held: Mapping[str, Any], key: str, form: str = ".2f") -> None:
    value, interval = held.get(key), held.get(f"{key}_interval")
    if not isinstance(value, int | float):
        return
    known = bool(interval) and all(isinstance(v, int | float) for v in interval or ())
    cells[head] = (f"{value:{form}}", f"{interval[0]:.1f} to {interval[1]:.1f}" if known and interval else "")
