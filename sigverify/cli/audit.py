"""The command that looks at data before anything is trained on it: audit-data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sigverify.cli.console import JsonOption, TrackingOption, VerifierOption, WorkersOption, emit, progress


class AuditPart(StrEnum):
    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"
    ALL = "all"


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command("audit-data")(audit_data)


def audit_data(
    catalogue: Annotated[Path, typer.Argument(help="Catalogue folder with labelled signatures.")],
    part: Annotated[AuditPart, typer.Option(help="Only writers of this part.")] = AuditPart.ALL,
    sizes: Annotated[
        Path | None, typer.Option(help="CSV with path, orig_width, orig_height, of scans that were reduced since.")
    ] = None,
    verifier: VerifierOption = "default",
    tracking: TrackingOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for audit.json, audit.txt and audit.html.")] = None,
    seed: Annotated[int, typer.Option(help="Of folds, reference draws and bootstrap.")] = 0,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Say in plain words what a network could cheat with on labelled signatures: paper, pen, size, repeats, labels.

    Finding something is a result, not an error. The verifier only lends its preprocessing, to show what cleaning
    removes.

    Example: sigverify audit-data runs/cedar --out runs/cedar-audit
    """
    from sigverify.evaluation.audit import audit_data as run
    from sigverify.evaluation.original_sizes import read_sizes
    from sigverify.registry import open_verifier
    from sigverify.storage.store import Store

    store = Store.open(catalogue)
    originals = None if sizes is None else read_sizes(sizes)
    cleaning = open_verifier(verifier, tracking).settings.preprocessing
    wanted = None if part is AuditPart.ALL else part.value
    with progress("audit") as say:
        found = run(store, wanted, cleaning, originals, seed, workers, say)
    if out is not None:
        found.save(out)
    emit(found.values(), as_json, found.text())
