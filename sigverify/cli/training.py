"""The command that trains: fine-tune on a catalogue, or make the shipped verifier from synthesis alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigverify.cli.console import (
    JsonOption,
    TrackingOption,
    WorkersOption,
    emit,
    progress,
    read_json,
    training_settings,
)
from sigverify.errors import BadInput, BadSettings

if TYPE_CHECKING:
    from sigverify.config import TrainingSettings
    from sigverify.retraining import Retrained
    from sigverify.verifier import Verifier


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command("train")(train)


def train(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, history and the bundle (OUT/verifier).")],
    catalogue: Annotated[Path | None, typer.Option("--catalogue", "-c", help="Labelled signatures.")] = None,
    synthetic: Annotated[Path | None, typer.Option(help="JSON file of a synthetic plan.")] = None,
    omniglot: Annotated[Path | None, typer.Option(help="Omniglot's images_background.zip, with --synthetic.")] = None,
    settings: Annotated[Path | None, typer.Option(help="JSON file of training settings.")] = None,
    initial: Annotated[
        str | None, typer.Option(help="Start from: default, a bundle folder, models:/NAME@ALIAS or a weights file.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps; overrides the settings.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Overrides the settings.", min=0)] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Stop training after this long; --resume goes on.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT.")] = False,
    name: Annotated[str, typer.Option(help="The verifier's name.")] = "trained",
    register: Annotated[str | None, typer.Option(help="Log the run to MLflow and register under this name.")] = None,
    tracking: TrackingOption = None,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Train a verifier with hard triplet mining; thresholds are chosen on calibration writers, never on test writers.

    Example: sigverify train --catalogue runs/cedar --steps 500 --out runs/cedar-model --register sigverify
    """
    from sigverify.retraining import retrain

    if (catalogue is None) == (synthetic is None):
        raise BadInput(
            "train on a catalogue or on a synthetic plan", expected="exactly one of --catalogue, --synthetic"
        )
    first, start = _start(initial, tracking)
    chosen = _settings(settings, first, steps, seed)
    common = {"name": name, "initial": start, "resume": resume, "workers": workers, "max_seconds": max_seconds}
    with progress("train") as say:
        if synthetic is not None:
            done = _pretrain(out, chosen, synthetic, omniglot, {**common, "on_progress": say})
        else:
            from sigverify.storage.store import Store

            done = retrain(Store.open(catalogue or out), out, chosen, **common, on_progress=say)  # type: ignore[arg-type]
    if register:
        from sigverify.registration import register_retrained

        register_retrained(done, out, tracking=tracking, name=register)
    size = f"{done.n_writers} writers, {done.n_images} images, {done.seconds:.0f} s"
    text = f"{done.verifier_version} in {done.bundle}: {size}"
    emit({"verifier_version": done.verifier_version, "bundle": done.bundle, "seconds": done.seconds}, as_json, text)


def _start(initial: str | None, tracking: str | None) -> tuple[Verifier | None, Path | None]:
    """The verifier training goes on from, where `initial` names one, and its weights."""
    from sigverify.registry import open_verifier

    if initial is None:
        return None, None
    if Path(initial).is_file():
        return None, Path(initial)
    first = open_verifier(initial, tracking)
    return first, first.weights_path


def _settings(path: Path | None, first: Verifier | None, steps: int | None, seed: int | None) -> TrainingSettings:
    """From the file, else those to go on from a verifier (its encoder and preprocessing), else the defaults."""
    from dataclasses import replace

    from sigverify.config import TrainingSettings
    from sigverify.retraining import fine_tuning

    if path is not None:
        chosen = training_settings(path, "--settings")
    else:
        chosen = TrainingSettings() if first is None else fine_tuning(first)
    changes = {k: v for k, v in (("steps", steps), ("seed", seed)) if v is not None}
    return replace(chosen, **changes)  # type: ignore[arg-type]


def _pretrain(
    out: Path, settings: TrainingSettings, plan: Path, omniglot: Path | None, common: dict[str, object]
) -> Retrained:
    from sigverify.config import from_dict
    from sigverify.pretraining import SyntheticPlan, pretrain

    held = from_dict(SyntheticPlan, read_json(plan, "--synthetic"))
    if held.seed < 0:
        raise BadSettings("the seed in --synthetic is negative", got=held.seed, expected="0 or more")
    return pretrain(out, settings, held, omniglot=omniglot, **common)  # type: ignore[arg-type]
