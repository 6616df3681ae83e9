"""The command that chooses thresholds: calibrate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sigverify.cli.console import CatalogueOption, JsonOption, TrackingOption, VerifierOption, emit
from sigverify.errors import BadInput, Conflict


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command("calibrate")(calibrate)


def calibrate(
    catalogue: CatalogueOption,
    out: Annotated[Path, typer.Option(help="Folder for the new bundle.")],
    policy: Annotated[str, typer.Option(help="Policy as JSON; unset keys keep their defaults.")] = "{}",
    verifier: VerifierOption = "default",
    size_share: Annotated[
        float | None,
        typer.Option(help="What another physical size counts (0.1; 0: nothing), where resolutions are known.", min=0),
    ] = None,
    tracking: TrackingOption = None,
    register: Annotated[str | None, typer.Option(help="Also register the new version under this name.")] = None,
    seed: Annotated[int, typer.Option(help="Of the reference draws.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Choose thresholds for a policy on a bank's own labelled signatures, without retraining: a new verifier version.

    Example: sigverify calibrate --catalogue ours --policy '{"max_far_skilled": 0.01}' --out bundles/calibrated
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
    if out.is_dir() and any(out.iterdir()):
        raise Conflict("a bundle would be written over what stands there", got=out.name, next="name another folder")
    base, store = open_verifier(verifier, tracking), Store.open(catalogue)
    rows = store.signatures()
    if size_share is not None:
        base = base.with_size(size_share)
        if size_share and not rows["dpi"].notna().any():
            raise BadInput(
                "size on paper counts only where resolutions are known", got="none in the catalogue",
                next="import the scans with --dpi, or leave --size-share out",
            )  # fmt: skip
    chosen = base.with_settings(operating_point=run(store, base, wanted, seed=seed))
    chosen.trained_on = taught_by(rows, (), sorted(rows["writer_id"].unique()), None).after(base.trained_on)
    chosen.card = write_card(chosen)
    bundle = chosen.save(out)
    if register:
        registry = Registry(tracking)
        run_id = registry.log_run("calibrate", chosen.version, Evidence(parameters={"base": base.version}), bundle)
        registry.register(run_id, bundle, register, describe(chosen, {}))
    point = chosen.settings.operating_point
    text = f"{chosen.version} in {bundle}: policy {wanted.name} {wanted.version}, {point.n_writers} writers"
    if point.provisional:
        text += "\nprovisional: chosen on synthetic signatures, no decision may count on it"
    emit({"verifier_version": chosen.version, "bundle": bundle, "operating_point": point}, as_json, text)
