"""From a finished training run to a registered version with its evidence: parameters, curves, metrics, plots, card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.bundle import CARD
from sigverify.config import to_dict
from sigverify.model_card import write_card
from sigverify.registry import DEFAULT_NAME, Evidence, Registered, Registry, describe
from sigverify.retraining import Retrained, save_history
from sigverify.verifier import Verifier

if TYPE_CHECKING:
    from sigverify.evaluation.benchmark import BenchmarkResult


def register_retrained(
    done: Retrained,
    out: Path,
    *,
    tracking: str | None = None,
    artifacts: Path | None = None,
    name: str = DEFAULT_NAME,
    experiment: str = "retrain",
    benchmark: BenchmarkResult | None = None,
) -> Registered:
    """Log one run with the bundle and its evidence, register it as ``challenger``. `benchmark`: on test writers."""
    verifier = Verifier.load(done.bundle)
    registry = Registry(tracking, artifacts)
    folders = {"training": save_history(done, out / "evidence" / "training")}
    results: dict[str, Any] = {}
    if benchmark is not None:
        benchmark.save(out / "evidence" / "benchmark")
        folders["benchmark"] = out / "evidence" / "benchmark"
        results = json.loads(benchmark.to_json())
        named = str(benchmark.about.get("title") or ", ".join(results["datasets"]))
        (done.bundle / CARD).write_text(write_card(verifier, {named: benchmark.for_card()}), encoding="utf-8")
    evidence = Evidence(
        parameters=flat(verifier.settings.training.get("settings", {}))
        | {"n_writers": done.n_writers, "n_images": done.n_images},
        metrics=_metrics(done, results),
        curves=_curves(done),
        folders=folders,
        tags={"verifier_version": verifier.version, "terms": verifier.settings.terms},
    )
    run_id = registry.log_run(experiment, verifier.version, evidence, done.bundle)
    shown: dict[str, Any] = {
        k: results[k] for k in ("skilled_eer", "random_eer", "intervals", "counts") if k in results
    }
    return registry.register(run_id, done.bundle, name, describe(verifier, shown))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, keys joined by dots."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def _metrics(done: Retrained, results: Mapping[str, Any]) -> dict[str, float]:
    metrics = {"training_seconds": done.seconds, "images_refused": float(done.n_failed)}
    for kind in ("skilled_eer", "random_eer"):
        metrics |= {f"{kind}_{k}": float(v) for k, v in results.get(kind, {}).items() if v is not None}
    for t in done.operating_point.thresholds:
        rates = {k: v for k, v in to_dict(t).items() if k in ("far_skilled", "far_random", "frr", "frr_auto")}
        metrics |= {f"calibration_{k}_{t.n_references}": float(v) for k, v in rates.items()}
    return metrics


def _curves(done: Retrained) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in done.history:
        for key, value in row.items():
            if key != "step" and isinstance(value, (int, float)) and not isinstance(value, bool):
                curves.setdefault(f"train_{key}", []).append((int(row["step"]), float(value)))
    return curves
