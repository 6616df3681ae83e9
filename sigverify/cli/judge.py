"""Commands that measure: benchmark, calibrate."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigverify.cli.console import (
    CatalogueOption,
    JsonOption,
    TrackingOption,
    VerifierOption,
    WorkersOption,
    emit,
    progress,
)
from sigverify.errors import BadInput
from sigverify.records import Part

if TYPE_CHECKING:
    from sigverify.evaluation.benchmark import BenchmarkResult
    from sigverify.measurement.makers import Given, Trained


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command("benchmark")(benchmark)
    app.command("calibrate")(calibrate)


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
    draws: Annotated[int, typer.Option(help="Random draws of references for each writer; 0: the protocol's.")] = 0,
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
    tracking: TrackingOption = None,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Measure a verifier on writers it never saw: skilled and random forgeries apart, with intervals and controls.

    Example: sigverify benchmark --data runs/cedar --protocol open --json
    """
    from sigverify.evaluation.protocols import load_protocol
    from sigverify.measurement.everything import measure_everything
    from sigverify.measurement.measuring import Options, measure_protocol
    from sigverify.measurement.outputs import write_outputs
    from sigverify.measurement.sources import Sources
    from sigverify.storage.store import Store

    _check_folders(data, data_root, out, everything=everything, resume=resume)
    if controls not in ("quick", "all"):
        raise BadInput("no such controls", got=controls, expected="quick or all")
    options = Options(
        seeds=_numbers(seeds, "--seeds"),
        fold=fold,
        part=part,
        references=_numbers(references, "--references"),
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
    sources = Sources.open(data, data_root)
    maker = _maker(verifier, train, steps, initial, lane, tracking)
    with _says_how_to_go_on(out), progress("benchmark") as say:
        if chosen is None:
            logged = None if tracking is None else partial(_log, tracking=tracking)
            summary = measure_everything(sources, maker, options, out or Path("."), only, say, logged)
        else:
            results = measure_protocol(chosen, sources, maker, options, None if out is None else out / "work", say)
    if chosen is None:
        (out or Path(".")).mkdir(parents=True, exist_ok=True)
        (out or Path(".")).joinpath("summary.txt").write_text(summary.table() + "\n", encoding="utf-8")
        emit({"protocols": summary.rows()}, as_json, summary.table())
        raise typer.Exit(1 if summary.failures else 0)
    if out is not None:
        write_outputs(results, out)
    if tracking is not None:
        _log(results, out, tracking=tracking)
    emit(json.loads(results[0].to_json()), as_json, results[0].table())


@contextmanager
def _says_how_to_go_on(out: Path | None) -> Iterator[None]:
    """Ctrl-C leaves what is finished; say so before the program ends."""
    try:
        yield
    except KeyboardInterrupt:
        kept = "nothing was kept: give --out next time" if out is None else "what is finished is kept, add --resume"
        print(f"sigverify: interrupted; {kept}", file=sys.stderr, flush=True)
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


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(k) for k in text.split(",")) if text else ()
    except ValueError as error:
        raise BadInput(f"{option} is a list of numbers", got=text, expected="for instance 1,3,5,10") from error


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
    from sigverify.retraining import fine_tuning

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
        settings = from_dict(TrainingSettings, json.loads(train.read_text(encoding="utf-8")))
    else:
        settings = TrainingSettings() if first is None else fine_tuning(first)
    settings = replace(settings, steps=steps or settings.steps)
    if lane is not None:
        settings = replace(
            settings, preprocessing=from_dict(PreprocessingSettings, {**to_dict(settings.preprocessing), "lane": lane})
        )
    return Trained(settings, None if first is None else first.weights_path)


def _log(results: Sequence[BenchmarkResult], folder: Path | None, *, tracking: str) -> None:
    """To MLflow; results that were not asked for in a folder are logged from one that goes again."""
    from sigverify.measurement.outputs import write_outputs
    from sigverify.measurement.tracking import log_measurement

    if folder is not None:
        log_measurement(results, folder, tracking)
        return
    with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
        log_measurement(results, write_outputs(results, Path(place)), tracking)


def calibrate(
    catalogue: CatalogueOption,
    out: Annotated[Path, typer.Option(help="Folder for the new bundle.")],
    policy: Annotated[str, typer.Option(help="Policy as JSON; unset keys keep their defaults.")] = "{}",
    verifier: VerifierOption = "default",
    tracking: TrackingOption = None,
    register: Annotated[str | None, typer.Option(help="Also register the new version under this name.")] = None,
    seed: Annotated[int, typer.Option(help="Of the reference draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Choose thresholds for a policy on a bank's own labelled signatures, without retraining: a new verifier version.

    Example: sigverify calibrate --catalogue bank --policy '{"max_far_skilled": 0.01}' --out bundles/calibrated
    """
    from sigverify.config import Policy, from_dict
    from sigverify.evaluation.calibration_trials import calibrate as run
    from sigverify.model_card import write_card
    from sigverify.registry import Evidence, Registry, describe, open_verifier
    from sigverify.retraining import taught_by
    from sigverify.storage.store import Store

    try:
        wanted = from_dict(Policy, json.loads(policy))
    except ValueError as error:
        raise BadInput("--policy is not JSON", got=policy, expected='{"max_far_skilled": 0.01}') from error
    base, store = open_verifier(verifier, tracking), Store.open(catalogue)
    chosen = base.with_settings(operating_point=run(store, base, wanted, seed=seed))
    rows = store.signatures()
    chosen.trained_on = taught_by(rows, (), sorted(rows["writer_id"].unique()), None).after(base.trained_on)
    chosen.card = write_card(chosen)
    bundle = chosen.save(out)
    if register:
        registry = Registry(tracking)
        run_id = registry.log_run("calibrate", chosen.version, Evidence(parameters={"base": base.version}), bundle)
        registry.register(run_id, bundle, register, describe(chosen, {}))
    point = chosen.settings.operating_point
    text = f"{chosen.version} in {bundle}: policy {wanted.name} {wanted.version}, {point.n_writers} writers"
    emit({"verifier_version": chosen.version, "bundle": bundle, "operating_point": point}, as_json, text)
