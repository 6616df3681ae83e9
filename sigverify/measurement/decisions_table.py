"""What thresholds do, as rows for a page: the verifier's own, those of a risk, and frozen ones on other writers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigverify.evaluation.result import BenchmarkResult

Cells = dict[str, tuple[str, str]]
OWN = {
    "genuine_accepted": "genuine accepted, own thresholds", "genuine_rejected": "genuine rejected",
    "skilled_accepted": "far_skilled", "random_accepted": "far_random",
}  # fmt: skip
EVIDENCE = {"cllr_bits": "Cllr, skilled (bits)", "min_cllr_bits": "min Cllr", "ece": "calibration error"}
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
    return cells


def _put(cells: Cells, head: str, held: Mapping[str, Any], key: str, form: str = ".2f") -> None:
    value, interval = held.get(key), held.get(f"{key}_interval")
    if not isinstance(value, int | float):
        return
    known = bool(interval) and all(isinstance(v, int | float) for v in interval or ())
    cells[head] = (f"{value:{form}}", f"{interval[0]:.1f} to {interval[1]:.1f}" if known and interval else "")
