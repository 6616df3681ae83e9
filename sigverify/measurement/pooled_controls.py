"""Controls over all folds of a measurement: one judgement over all writers, not the worst of a few small ones.

What reads scans or the network's input, whoever the network is, is run once over the writers of all folds: the nuisance
probes. What depends on a fold's own network keeps its scores fold by fold (strokes re-drawn, wrong references with
each fold's own threshold, classifiers without references); they are put together as the headline's are, and judged
once. Training and test apart, stress, and what a fold did not keep count as the worst fold says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sigverify.config import OperatingPoint
from sigverify.evaluation.benchmark import BenchmarkResult
from sigverify.evaluation.control import ORDER, Control, counts_as
from sigverify.evaluation.controls import (
    CONTROL_REFERENCES,
    judged_wrong_references,
    nuisance_control,
    order_control,
    shown_apart,
)
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.metrics import Scores
from sigverify.evaluation.nuisance_references import nuisance_reference_control
from sigverify.evaluation.raw_scan_proof import expected_of, raw_findings
from sigverify.evaluation.reference_free import judged_reference_free
from sigverify.evaluation.scoring_trials import by_references, largest_up_to
from sigverify.evaluation.stroke_redraw import judged_redrawn
from sigverify.records import TrialKind
from sigverify.scoring.operating_point import thresholds_for
from sigverify.scoring.scored_trials import ScoredTrials

INPUT, SCAN, REFERENCES = (
    "nuisance_without_references_input", "nuisance_without_references_scan", "nuisance_with_references",
)  # fmt: skip


def pooled_controls(
    folds: Sequence[tuple[BenchmarkResult, OperatingPoint]],
    scored: Mapping[int, ScoredTrials],
    seed: int = 0,
    near_duplicates: Iterable[tuple[str, str]] = (),
) -> tuple[Control, ...]:
    """One control of each name, in the first fold's order; `folds` are (result, its verifier's operating point)."""
    results = [result for result, _ in folds]
    names = dict.fromkeys(control.name for result in results for control in result.controls)
    pooled = _Pooled(folds, scored, seed, tuple(near_duplicates), _joint([result.embedded for result in results]))
    return tuple(pooled.control(name) or _worst(name, results) for name in names)


@dataclass(frozen=True)
class _Pooled:
    """All folds' trials and measures; each control is None where a fold kept too little for it."""

    folds: Sequence[tuple[BenchmarkResult, OperatingPoint]]
    scored: Mapping[int, ScoredTrials]
    seed: int
    near: tuple[tuple[str, str], ...]
    joint: Embedded | None

    def control(self, name: str) -> Control | None:
        if name in (INPUT, SCAN, REFERENCES):
            return self._nuisance(name)
        if name == "order":
            return order_control(self.scored[largest_up_to(self.scored, CONTROL_REFERENCES)], seed=self.seed)
        if name == "stroke_redrawn":
            return None if self._redrawn is None else shown_apart(self._redrawn)
        if name == "wrong_reference":
            return self._wrong_reference()
        return self._reference_free() if name == "reference_free" else None

    def _nuisance(self, name: str) -> Control | None:
        if self.joint is None:
            return None
        if name == REFERENCES:
            return nuisance_reference_control(self.joint, self.near, self.seed, self._redrawn)
        raw = raw_findings(self.joint, expected_of(self.joint), self.seed)
        return nuisance_control(self.joint, "input" if name == INPUT else "scan", self.seed, raw)

    @cached_property
    def _redrawn(self) -> Control | None:
        again = self._trials("stroke_redrawn")
        if again is None:
            return None
        apart = [by_references(trials) for trials in again]
        shared = sorted(set.intersection(*({*held} for held in apart)) & {*self.scored})
        after = {k: ScoredTrials.concatenate([held[k] for held in apart]) for k in shared}
        return judged_redrawn(self.scored, after, self.seed)

    def _wrong_reference(self) -> Control | None:
        wrong = self._trials("wrong_reference")
        k = None if wrong is None else self._references(wrong)
        if wrong is None or k is None:
            return None
        accept: Scores | None = None
        points = [point for _, point in self.folds]
        if all(point.thresholds for point in points):
            limits = [thresholds_for(point, k).accept for point in points]
            accept = np.repeat(np.array(limits, np.float64), [len(trials) for trials in wrong])
        most = max(point.policy.max_far_random for point in points)
        every = ScoredTrials.concatenate(wrong)
        return judged_wrong_references(self.scored[k], every, accept, most, self.seed)

    def _reference_free(self) -> Control | None:
        blind = self._trials("reference_free")
        k = None if blind is None else self._references(blind)
        if blind is None or k is None:
            return None
        own = self.scored[k].where(self.scored[k].kind != TrialKind.RANDOM_FORGERY.value)
        models = sorted({str(m) for c in self._held("reference_free") for m in c.numbers.get("models", ())})
        return judged_reference_free(own, ScoredTrials.concatenate(blind), models, self.seed)

    def _held(self, name: str) -> list[Control]:
        return [control for result, _ in self.folds for control in result.controls if control.name == name]

    def _trials(self, name: str) -> list[ScoredTrials] | None:
        """Each fold's trials of a control, None where one kept none."""
        found = [control.trials for control in self._held(name) if control.trials is not None]
        return found if len(found) == len(self.folds) else None

    def _references(self, parts: Sequence[ScoredTrials]) -> int | None:
        """The number of references of all of them, None where they differ or it was not measured in every fold."""
        numbers = {int(k) for part in parts for k in np.unique(part.n_references)}
        k = numbers.pop()
        return k if not numbers and k in self.scored else None


def _worst(name: str, results: Sequence[BenchmarkResult]) -> Control:
    """The worst status of the folds; reasons and numbers say which fold they are of."""
    held = [(r.about["fold"], c) for r in results for c in r.controls if c.name == name]
    if len({(c.status, c.reasons) for _, c in held}) == 1 and held[0][1].status == "not_run":
        return held[0][1]
    worst = min((c for _, c in held), key=lambda c: ORDER.index(counts_as(c)))
    ran = [c.status for _, c in held if c.status != "not_run"]
    status = "unproven" if worst.status == "not_run" and ran and counts_as(worst) == "warning" else worst.status
    if status == "not_run" and ran:
        status = ran[0]
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
