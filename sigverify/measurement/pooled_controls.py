"""Controls over all folds of a measurement.

What reads scans or the network's input, whoever the network is, is run once over the writers of all folds; so is the
order of the kinds of forgery. What depends on a fold's own network counts as its worst fold says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sigverify.evaluation.benchmark import BenchmarkResult
from sigverify.evaluation.control import COUNTS_AS, ORDER, Control
from sigverify.evaluation.controls import CONTROL_REFERENCES, nuisance_control, order_control
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.raw_scan_proof import expected_of, raw_findings
from sigverify.scoring.scored_trials import ScoredTrials

INPUT, SCAN, ORDER_OF_KINDS = "nuisance_without_references_input", "nuisance_without_references_scan", "order"


def pooled_controls(
    results: Sequence[BenchmarkResult], scored: Mapping[int, ScoredTrials], seed: int = 0
) -> tuple[Control, ...]:
    """One control of each name, in the first fold's order."""
    names = dict.fromkeys(control.name for result in results for control in result.controls)
    joint = _joint([result.embedded for result in results])
    found = []
    for name in names:
        if name in (INPUT, SCAN) and joint is not None:
            of = "input" if name == INPUT else "scan"
            found.append(nuisance_control(joint, of, seed, raw_findings(joint, expected_of(joint), seed)))
        elif name == ORDER_OF_KINDS:
            below = [k for k in scored if k <= CONTROL_REFERENCES]
            found.append(order_control(scored[max(below) if below else min(scored)], seed=seed))
        else:
            found.append(_worst(name, results))
    return tuple(found)


def _worst(name: str, results: Sequence[BenchmarkResult]) -> Control:
    """The worst status of the folds; reasons and numbers say which fold they are of."""
    held = [(r.about["fold"], c) for r in results for c in r.controls if c.name == name]
    ran = [c.status for _, c in held if c.status not in ("not_run", "reported")]
    status = min(ran, key=lambda s: ORDER.index(COUNTS_AS.get(s, s))) if ran else held[0][1].status
    reasons = tuple(f"fold {fold}: {reason}" for fold, c in held for reason in c.reasons)
    return Control(name, status, reasons, {"folds": {str(fold): c.numbers for fold, c in held}})


def _joint(parts: Sequence[Embedded | None]) -> Embedded | None:
    """Signatures and measures of all folds, without embeddings; None where a fold kept none."""
    import pandas as pd

    held = [part for part in parts if part is not None]
    if len(held) < len(parts):
        return None
    rows, scan, inner = (
        pd.concat([getattr(part, name) for part in held], ignore_index=True) for name in ("signatures", "scan", "input")
    )
    return Embedded(rows, np.zeros((len(rows), 0), np.float32), scan, inner, sum(p.duplicates for p in held), {})
