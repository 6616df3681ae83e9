"""A measurement as a run in MLflow: parameters, metrics, and the folder of results; through sigverify.registry only."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sigverify.evaluation.result import BenchmarkResult
from sigverify.registry import Evidence, Registry

EXPERIMENT = "benchmark"
_METRICS = ("skilled_eer", "random_eer", "far_skilled", "far_random", "genuine_accepted")
_PARAMETERS = (
    "protocol", "lane", "seed", "fold", "catalogue_digest", "copy", "verifier_version", "encoder_id", "draws", "trials",
)  # fmt: skip


def log_measurement(results: Sequence[BenchmarkResult], folder: Path, tracking: str | None = None) -> str:
    """One run for the headline (the first result) with everything in `folder` but its work; returns the run's id."""
    about, values = results[0].about, results[0].values()
    metrics = {f"{name}_{k}": float(rate) for name in _METRICS for k, rate in values[name].items() if rate is not None}
    metrics["writers"] = float(results[0].counts["writers"])
    with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
        logged = Path(place) / "benchmark"
        shutil.copytree(folder, logged, ignore=shutil.ignore_patterns("work"))
        evidence = Evidence(
            parameters={name: about.get(name) for name in _PARAMETERS},
            metrics=metrics,
            folders={"benchmark": logged},
            tags={"status": results[0].status, "verifier_version": about["verifier_version"]},
        )
        return Registry(tracking).log_run(EXPERIMENT, f"{about['protocol']} {about['verifier_version']}", evidence)
