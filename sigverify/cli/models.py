"""Commands over the registry: list, show, promote."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated

import typer

from sigverify.cli.console import JsonOption, TrackingOption, emit

app = typer.Typer(help="Registered verifiers: list, show, promote.", no_args_is_help=True, rich_markup_mode=None)
Reference = Annotated[str, typer.Argument(help="models:/NAME/3 or models:/NAME@champion")]


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option(help="Only this registered name.")] = None,
    tracking: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every registered version with its aliases, newest first.

    Example: sigverify models list
    """
    from sigverify.registry import Registry

    found = Registry(tracking).versions(name)
    lines = [
        f"{r.uri:30}  {'/'.join(r.aliases) or '-':22}  {r.verifier_version:32}  "
        f"{dt.datetime.fromtimestamp(r.created_at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
        for r in found
    ]
    emit([dataclasses.asdict(r) for r in found], as_json, "\n".join(lines) or "nothing registered")


@app.command()
def show(reference: Reference, tracking: TrackingOption = None, as_json: JsonOption = False) -> None:
    """One version: aliases, run, description, metrics.

    Example: sigverify models show models:/sigverify@challenger
    """
    from sigverify.registry import Registry

    registry = Registry(tracking)
    found = registry.show(reference)
    metrics = registry.metrics(found.run_id) if found.run_id else {}
    values = "\n".join(f"  {k}: {v:.4g}" for k, v in sorted(metrics.items()))
    text = f"{found.uri} ({'/'.join(found.aliases) or 'no alias'}) run {found.run_id}\n{found.description}\n{values}"
    emit({**dataclasses.asdict(found), "metrics": metrics}, as_json, text)


@app.command()
def promote(
    reference: Reference,
    approved_by: Annotated[str, typer.Option(help="Who approved it: a person's or desk's id.")],
    note: Annotated[str, typer.Option(help="Why.")] = "",
    tracking: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version champion; the old champion becomes `previous`.

    Example: sigverify models promote models:/sigverify/3 --approved-by model-risk-desk
    """
    from sigverify.registry import Registry

    done = Registry(tracking).promote(reference, approved_by=approved_by, note=note)
    mark = "; its thresholds are provisional, no decision may count on them" if done.provisional else ""
    emit(done, as_json, f"{done.uri} is champion ({done.verifier_version}), approved by {approved_by}{mark}")
