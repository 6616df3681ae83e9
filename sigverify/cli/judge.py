"""Commands that measure: benchmark, calibrate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

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


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command("benchmark")(benchmark)
    app.command("calibrate")(calibrate)


def benchmark(
    data: Annotated[Path, typer.Option("--data", help="Catalogue folder with labelled signatures.")],
    protocol: Annotated[str, typer.Option(help="open = any labelled catalogue, nothing is trained.")] = "open",
    part: Annotated[Part | None, typer.Option(help="Only writers of this part.")] = None,
    references: Annotated[str, typer.Option(help="Numbers of references, by comma.")] = "1,3,5,10",
    draws: Annotated[int, typer.Option(help="Random draws of references for each writer.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Of draws and bootstrap.")] = 0,
    verifier: VerifierOption = "default",
    tracking: TrackingOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for JSON, plots and trial scores.")] = None,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Measure a verifier on writers it never saw: skilled and random forgeries apart, with intervals and controls.

    Example: sigverify benchmark --data runs/cedar --protocol open --json
    """
    from sigverify.evaluation.benchmark import run_benchmark
    from sigverify.registry import open_verifier
    from sigverify.storage.store import Store

    try:
        counts = tuple(int(k) for k in references.split(","))
    except ValueError as error:
        raise BadInput("--references is a list of numbers", got=references, expected="for instance 1,3,5,10") from error
    with progress("benchmark") as say:
        result = run_benchmark(
            Store.open(data),
            open_verifier(verifier, tracking),
            protocol=protocol,
            part=part,
            references=counts,
            draws=draws,
            seed=seed,
            workers=workers,
            on_progress=say,
        )
    if out is not None:
        result.save(out)
    emit(json.loads(result.to_json()), as_json, result.table())


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
    from sigverify.storage.store import Store

    try:
        wanted = from_dict(Policy, json.loads(policy))
    except ValueError as error:
        raise BadInput("--policy is not JSON", got=policy, expected='{"max_far_skilled": 0.01}') from error
    base = open_verifier(verifier, tracking)
    chosen = base.with_settings(operating_point=run(Store.open(catalogue), base, wanted, seed=seed))
    chosen.card = write_card(chosen)
    bundle = chosen.save(out)
    if register:
        registry = Registry(tracking)
        run_id = registry.log_run("calibrate", chosen.version, Evidence(parameters={"base": base.version}), bundle)
        registry.register(run_id, bundle, register, describe(chosen, {}))
    point = chosen.settings.operating_point
    text = f"{chosen.version} in {bundle}: policy {wanted.name} {wanted.version}, {point.n_writers} writers"
    emit({"verifier_version": chosen.version, "bundle": bundle, "operating_point": point}, as_json, text)
