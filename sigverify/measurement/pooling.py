"""Folds, each with a verifier of its own, as one figure over all writers; and how much seeds move it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sigverify.config import OperatingPoint, Thresholds, digest
from sigverify.evaluation.benchmark import BenchmarkResult, deployed, unsupported
from sigverify.evaluation.common_writers import common_writers
from sigverify.evaluation.figures import at_thresholds, evidence, measure
from sigverify.evaluation.protocols import Protocol
from sigverify.evaluation.scoring_trials import by_image
from sigverify.measurement.pooled_controls import pooled_controls
from sigverify.scoring.operating_point import thresholds_for
from sigverify.scoring.scored_trials import ScoredTrials

Fold = tuple[BenchmarkResult, OperatingPoint]
_ADDED = ("writers", "signatures", "distinct_genuine", "distinct_skilled", "removed_duplicates")
_DECIDED = Thresholds(0, accept=2.0, reject=1.0, far_skilled=0, far_random=0, frr=0, frr_auto=0)


def pool(
    folds: Sequence[Fold], protocol: Protocol, seed: int = 0, near_duplicates: Iterable[tuple[str, str]] = ()
) -> BenchmarkResult:
    """One result over the writers of all folds.

    EERs put one global threshold over the scores of all folds' verifiers. Decisions at own thresholds and evidence are
    each fold's own, counted together. Controls: see measurement.pooled_controls, which needs the `near_duplicates`.
    """
    import pandas as pd

    results = [result for result, _ in folds]
    numbers = sorted(set.intersection(*(set(result.scored) for result in results)))
    scored = {k: ScoredTrials.concatenate([result.scored[k] for result in results]) for k in numbers}
    resamples = protocol.seeds.bootstrap
    seen = pd.concat([r.embedded.signatures for r in results if r.embedded is not None] or [pd.DataFrame()])
    folds = [(replace(r, scored={k: by_image(r.scored[k], seen) for k in numbers}), point) for r, point in folds]
    of_images = {k: by_image(trials, seen) for k, trials in scored.items()}
    figures = {k: _figures(folds, of_images[k], k, resamples, seed) for k in numbers}
    of_folds = {note for result in results for note in unsupported(result.figures)}
    notes = dict.fromkeys(note for result in results for note in result.notes if note not in of_folds)
    return BenchmarkResult(
        _about(results),
        _counts(results),
        figures,
        common_writers(of_images, figures, resamples, seed),
        pooled_controls(folds, scored, seed, near_duplicates),
        (*notes, *unsupported(figures)),
        scored,
        deployment=deployed([(result.calibration, result.scored) for result in results], protocol, seed),
        folds=tuple(_brief(result) for result in results),
    )


def spread_over_seeds(results: Sequence[BenchmarkResult]) -> dict[str, Any]:
    """{seeds, skilled_eer, random_eer: {number of references: mean, sd (n - 1), min, max, in per cent}}; {} for one."""
    if len(results) < 2:
        return {}
    found: dict[str, Any] = {"seeds": [result.about["seed"] for result in results]}
    for name in ("skilled", "random"):
        numbers = set.intersection(*({k for k in r.figures if name in r.figures[k]} for r in results))
        values = {k: np.array([r.figures[k][name]["eer"] for r in results], np.float64) for k in sorted(numbers)}
        found[f"{name}_eer"] = {
            str(k): {
                "mean": round(float(v.mean()), 4),
                "sd": round(float(v.std(ddof=1)), 4),
                "min": round(float(v.min()), 4),
                "max": round(float(v.max()), 4),
            }
            for k, v in values.items()
        }
    return found


def _figures(folds: Sequence[Fold], scored: ScoredTrials, k: int, resamples: int, seed: int) -> dict[str, Any]:
    found = measure(scored, OperatingPoint(), resamples, seed)
    if not all(point.thresholds for _, point in folds):
        return found
    parts = [(result.scored[k], thresholds_for(point, k)) for result, point in folds]
    decided = ScoredTrials.concatenate([_decided(trials, limits) for trials, limits in parts])
    llr = [replace(t, score=limits.calibration_slope * t.score + limits.calibration_intercept) for t, limits in parts]
    own = at_thresholds(decided, _DECIDED, resamples, seed)
    own = {name: value for name, value in own.items() if name not in ("accept", "reject")}
    own["thresholds_of_folds"] = [{"accept": limits.accept, "reject": limits.reject} for _, limits in parts]
    found["at_own_thresholds"] = own
    found["evidence"] = evidence(ScoredTrials.concatenate(llr), replace(_DECIDED, calibration_slope=1.0))
    return found


def _decided(trials: ScoredTrials, limits: Thresholds) -> ScoredTrials:
    """2 for what a fold's own thresholds accept, 0 for what they reject, 1 between."""
    score = np.where(trials.score >= limits.accept, 2.0, np.where(trials.score < limits.reject, 0.0, 1.0))
    return replace(trials, score=score)


def _about(results: Sequence[BenchmarkResult]) -> dict[str, Any]:
    first = results[0].about
    versions = [result.about["verifier_version"] for result in results]
    return {
        **first,
        "fold": None,
        "pooled_folds": [result.about["fold"] for result in results],
        "verifier_version": f"{versions[0].rsplit('-', 1)[0]}-{digest({'folds': versions}, 8)}",
        "verifier_versions": versions,
        "encoder_id": digest({"folds": [result.about["encoder_id"] for result in results]}),
        "catalogue_digest": digest({"folds": [result.about["catalogue_digest"] for result in results]}, 16),
        "seconds": round(sum(result.about["seconds"] for result in results), 1),
    }


def _counts(results: Sequence[BenchmarkResult]) -> dict[str, Any]:
    failures: dict[str, int] = {}
    trials: dict[str, dict[str, int]] = {}
    for result in results:
        for reason, n in result.counts["failures_to_acquire"].items():
            failures[reason] = failures.get(reason, 0) + n
        for k, counts in result.counts["trials"].items():
            held = trials.setdefault(k, {})
            for name, n in counts.items():
                held[name] = held.get(name, 0) + n
    added = {name: sum(result.counts[name] for result in results) for name in _ADDED}
    return {**added, "failures_to_acquire": failures, "trials": trials}


def _brief(result: BenchmarkResult) -> dict[str, Any]:
    values = result.values()
    shown = ("fold", "verifier_version", "status", "skilled_eer", "random_eer")
    return {**{name: values[name] for name in shown}, "writers": result.counts["writers"]}
