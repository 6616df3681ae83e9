"""The task that makes a candidate verifier; its progress is on Prefect's page while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.parameters import Retraining
from flows.tasks import RETRIED, WORKERS, Plain

if TYPE_CHECKING:
    from sigverify.config import TrainingSettings
    from sigverify.evaluation.benchmark import BenchmarkResult
    from sigverify.storage.store import Store


@task(name="make candidate", **RETRIED)
def make_candidate(plan: Retraining) -> Plain:
    """Train, choose thresholds on calibration writers, measure on test writers, register. Goes on where it stopped."""
    from sigverify.registration import register_retrained
    from sigverify.retraining import retrain
    from sigverify.storage.store import Store

    store, out = Store.open(Path(plan.catalogue)), Path(plan.out)
    settings, weights = start_of(plan)
    say = progress_page("candidate-training")
    done = retrain(
        store,
        out,
        settings,
        name=plan.registered_name,
        train_writers=plan.train_writers,
        calibration_writers=plan.calibration_writers,
        initial=weights,
        resume=(out / "training").is_dir(),
        workers=WORKERS,
        on_progress=say,
    )
    measured = measure(store, plan, done.bundle) if plan.measure else None
    made = register_retrained(
        done,
        out,
        tracking=plan.tracking,
        name=plan.registered_name,
        experiment=plan.experiment,
        benchmark=measured,
    )
    say("registered", 1.0)
    where = {"uri": made.uri, "run_id": made.run_id, "bundle": str(done.bundle), "description": made.description}
    return {**where, "verifier_version": made.verifier_version, "n_writers": done.n_writers, "n_images": done.n_images}


def start_of(plan: Retraining) -> tuple[TrainingSettings, Path | None]:
    """Training settings and the weights to start from: another verifier's, or a fresh backbone."""
    from sigverify.config import EncoderSettings, TrainingSettings
    from sigverify.registry import open_verifier
    from sigverify.retraining import fine_tuning

    if plan.initial is None:
        settings, weights = TrainingSettings(encoder=EncoderSettings(backbone=plan.backbone)), None
    else:
        first = open_verifier(plan.initial, plan.tracking)
        settings = fine_tuning(first)
        weights = first.weights_path
    return replace(settings, steps=plan.steps or settings.steps, seed=plan.seed), weights


def measure(store: Store, plan: Retraining, bundle: Path) -> BenchmarkResult:
    """The candidate on the catalogue's test writers: those it has not met; the look is registered."""
    from sigverify.evaluation.benchmark import run_benchmark
    from sigverify.measurement.looks import register_test_run
    from sigverify.records import Part
    from sigverify.retraining import writers_of
    from sigverify.verifier import Verifier

    met = {*(plan.train_writers or ()), *(plan.calibration_writers or ())}
    strangers = [w for w in writers_of(store.signatures(), Part.TEST) if w not in met]
    measured = run_benchmark(store, Verifier.load(bundle), writer_ids=strangers, workers=WORKERS)
    register_test_run(measured, f"flow retrain_verifier, {plan.steps or 'default'} steps, seed {plan.seed}")
    return measured


def progress_page(key: str) -> Callable[[str, float], None]:
    """A progress bar among the run's artifacts; gives ``say(stage, share_done)``, at most one write a per cent."""
    artifact = create_progress_artifact(progress=0.0, key=key, description="Making a candidate verifier")
    log, told = get_run_logger(), {"stage": "", "per cent": -1}

    def say(stage: str, share: float) -> None:
        per_cent = math.floor(100 * min(max(share, 0.0), 1.0))
        if stage != told["stage"]:
            log.info("%s", stage)
        if (stage, per_cent) != (told["stage"], told["per cent"]) and isinstance(artifact, UUID):
            update_progress_artifact(artifact, progress=float(per_cent), description=stage)
        told.update({"stage": stage, "per cent": per_cent})

    return say
