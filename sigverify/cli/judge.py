"""The command that measures: benchmark."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigverify.cli.console import (
    JsonOption,
    TrackingOption,
    VerifierOption,
    WorkersOption,
    emit,
    progress,
    training_settings,
)
from sigverify.errors import BadInput, NotFound
from sigverify.records import Part, Pictures

if TYPE_CHECKING:
    from sigverify.measurement.makers import Given, Trained


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command("benchmark")(benchmark)


def benchmark(
    data: Annotated[Path | None, typer.Option("--data", help="Catalogue folder with labelled signatures.")] = None,
    protocol: Annotated[
        str, typer.Option(help="A protocol's name or JSON file; open = any labelled catalogue, nothing is trained.")
    ] = "open",
    verifier: VerifierOption = "default",
    train: Annotated[Path | None, typer.Option(help="Train first: JSON file of training settings.")] = None,
    steps: Annotated[int | None, typer.Option(help="Train first: so many steps from --initial.", min=1)] = None,
    initial: Annotated[
        str, typer.Option(help="Training starts from: default, none, a bundle folder or models:/NAME@ALIAS.")
    ] = "default",
    lane: Annotated[
        str | None, typer.Option(help="clean or legacy: the lane the verifier must have, or is trained in.")
    ] = None,
    fold: Annotated[int | None, typer.Option(help="Only this fold of the protocol.", min=0)] = None,
    part: Annotated[Part | None, typer.Option(help="Only writers of this part.")] = None,
    references: Annotated[str, typer.Option(help="Numbers of references, by comma; default: the protocol's.")] = "",
    draws: Annotated[
        int, typer.Option(help="Random draws of references for each writer; 0: the protocol's.", min=0)
    ] = 0,
    seeds: Annotated[str, typer.Option("--seeds", "--seed", help="Of training, draws and bootstrap, by comma.")] = "",
    controls: Annotated[str, typer.Option(help="quick, or all: also re-drawn strokes and stress.")] = "quick",
    random_only: Annotated[
        bool, typer.Option("--random-only", help="Accept signatures without any skilled forgery.")
    ] = False,
    transfer_to: Annotated[
        Path | None, typer.Option(help="Freeze thresholds on --data, measure them on this catalogue.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every protocol whose data are in --data-root.")] = False,
    only: Annotated[str, typer.Option(help="With --all: protocols of this pattern, for instance '*-dev'.")] = "",
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of catalogues: of --all, and of sets that crosses train on.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for JSON, plots and trial scores.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what OUT holds.")] = False,
    test_runs: Annotated[
        Path | None, typer.Option(help="Register of looks at test writers; default benchmarks/test_runs.csv, if there.")
    ] = None,
    baselines: Annotated[bool, typer.Option("--baselines", help="Also measure simple systems beside it.")] = False,
    imagenet: Annotated[
        Path | None, typer.Option(help="With --baselines: safetensors of the timm backbone trained on ImageNet.")
    ] = None,
    pictures: Annotated[
        Pictures, typer.Option(help="Which signatures the page may show: a signature is biometric data.")
    ] = Pictures.SYNTHETIC,
    tracking: TrackingOption = None,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Measure a verifier on writers it never saw: skilled and random forgeries apart, with intervals and controls.

    Example: sigverify benchmark --data runs/cedar --protocol open --json
    """
    from sigverify.cli.benchmark_run import BenchmarkRun
    from sigverify.evaluation.protocols import load_protocol
    from sigverify.measurement.measuring import Options
    from sigverify.measurement.sources import Sources
    from sigverify.storage.store import Store

    _check_folders(data, data_root, out, everything=everything, resume=resume)
    if imagenet is not None and not imagenet.is_file():
        raise NotFound("no file for --imagenet", got=imagenet, expected="a safetensors file")
    if controls not in ("quick", "all"):
        raise BadInput("no such controls", got=controls, expected="quick or all")
    options = Options(
        seeds=_numbers(seeds, "--seeds", 0),
        fold=fold,
        part=part,
        references=_numbers(references, "--references", 1),
        draws=draws,
        controls="all" if controls == "all" else "quick",
        random_only=random_only,
        resume=resume,
        workers=workers,
        transfer_to=None if transfer_to is None else Store.open(transfer_to),
        register=test_runs,
        command=_typed(),
    )
    chosen = None if everything else load_protocol(protocol)
    maker = _maker(verifier, train, steps, initial, lane, tracking)
    run = BenchmarkRun(Sources.open(data, data_root), maker, options, out, baselines, imagenet, pictures, tracking)
    with _says_how_to_go_on(out), progress("benchmark") as say:
        if chosen is None:
            values, text, failed = run.everything(only, say)
        else:
            values, text, failed = run.one(chosen, say)
    emit(values, as_json, text)
    raise typer.Exit(1 if failed else 0)


@contextmanager
def _says_how_to_go_on(out: Path | None) -> Iterator[None]:
    """Ctrl-C leaves what is finished; say so before the program ends."""
    try:
        yield
    except KeyboardInterrupt:
        kept = "nothing is kept without --out" if out is None else "finished folds are kept, --resume goes on with them"
        print(f"benchmark: {kept}", file=sys.stderr, flush=True)
        raise


def _check_folders(
    data: Path | None, data_root: Path | None, out: Path | None, *, everything: bool, resume: bool
) -> None:
    if everything and (data_root is None or out is None):
        raise BadInput("--all measures a folder of catalogues", expected="--data-root FOLDER and --out FOLDER")
    if not everything and data is None:
        raise BadInput("no catalogue to measure on", expected="--data CATALOGUE, or --all --data-root FOLDER")
    if resume and out is None:
        raise BadInput("--resume goes on with what --out holds", expected="--out FOLDER")


def _numbers(text: str, option: str, least: int) -> tuple[int, ...]:
    try:
        found = tuple(int(k) for k in text.split(",")) if text else ()
    except ValueError as error:
        raise BadInput(f"{option} is a list of numbers", got=text, expected="for instance 1,3,5,10") from error
    if found and min(found) < least:
        raise BadInput(f"{option} holds a number that is too small", got=min(found), expected=f"{least} or more")
    return found


def _typed() -> str:
    """The command as typed, places shortened to their names: no register holds a machine's paths."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["sigverify", *words])


def _maker(
    verifier: str, train: Path | None, steps: int | None, initial: str, lane: str | None, tracking: str | None
) -> Given | Trained:
    """The verifier that is named, or the settings that one is trained with for each split."""
    from sigverify.config import PreprocessingSettings, TrainingSettings, from_dict, to_dict
    from sigverify.measurement.makers import Given, Trained, check_lane
    from sigverify.registry import open_verifier
    from sigverify.retraining import check_start, fine_tuning

    if lane not in (None, "clean", "legacy"):
        raise BadInput("no such lane", got=lane, expected="clean or legacy")
    if train is None and steps is None:
        given = Given(open_verifier(verifier, tracking))
        check_lane(given, lane)
        return given
    if verifier != "default":
        raise BadInput("a verifier is given or trained, not both", next="give --initial where training starts from it")
    first = None if initial == "none" else open_verifier(initial, tracking)
    if train is not None:
        settings = training_settings(train, "--train")
    else:
        settings = TrainingSettings() if first is None else fine_tuning(first)
    settings = replace(settings, steps=steps or settings.steps)
    if lane is not None:
        settings = replace(
            settings, preprocessing=from_dict(PreprocessingSettings, {**to_dict(settings.preprocessing), "lane": lane})
        )
    weights = None if first is None else first.weights_path
    check_start(settings, weights)
    return Trained(settings, weights)
