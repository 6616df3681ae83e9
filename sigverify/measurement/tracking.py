"""A measurement as a run in MLflow: parameters, metrics, and the folder of results; through sigverify.registry only."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sigverify.evaluation.result import SHOWN, BenchmarkResult
from sigverify.registry import Evidence, Registry

EXPERIMENT = "benchmark"
EVIDENCE = ("cllr_bits", "min_cllr_bits", "calibration_loss_bits", "ece_above_floor")
_PARAMETERS = (
    "protocol", "lane", "seed", "fold", "catalogue_digest", "copy", "verifier_version", "encoder_id", "draws", "trials",
)  # fmt: skip


def log_measurement(results: Sequence[BenchmarkResult], folder: Path, tracking: str | None = None) -> str:
    """One run for the headline (the first result) with everything in `folder` but its work; returns the run's id."""
    about = results[0].about
    with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
        logged = Path(place) / "benchmark"
        shutil.copytree(folder, logged, ignore=shutil.ignore_patterns("work"))
        evidence = Evidence(
            parameters={name: about.get(name) for name in _PARAMETERS},
            metrics=metrics_of(results[0]),
            folders={"benchmark": logged},
            tags={"status": results[0].status, "verifier_version": about["verifier_version"]},
        )
        return Registry(tracking).log_run(EXPERIMENT, f"{about['protocol']} {about['verifier_version']}", evidence)


def metrics_of(result: BenchmarkResult) -> dict[str, float]:
    """Every headline figure as NAME_REFERENCES, in per cent or bits; the ends of its interval with _low and _high."""
    values = result.values()
    found: dict[str, Any] = {"writers": result.counts["writers"]}
    for name in SHOWN:
        for k, rate in values[name].items():
            found |= _with_interval(f"{name}_{k}", rate, values["intervals"][name].get(k))
    for k, figures in result.figures.items():
        for kind in ("skilled", "random"):
            held = figures.get(kind) or {}
            found |= _with_interval(f"{kind}_auc_{k}", held.get("auc"), held.get("auc_interval"))
            evidence = (figures.get("evidence") or {}).get(kind) or {}
            found |= {f"{kind}_{name}_{k}": evidence.get(name) for name in EVIDENCE}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _with_interval(name: str, value: Any, interval: Any) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
