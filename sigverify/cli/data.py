"""Commands that bring signatures in: import-dataset, synthesise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sigverify.cli.console import JsonOption, WorkersOption, emit, progress
from sigverify.records import Classification


class Layout(StrEnum):
    CEDAR = "cedar"
    BHSIG260 = "bhsig260"
    MANIFEST = "manifest"


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command("import-dataset")(import_dataset)
    app.command("synthesise")(synthesise)


def import_dataset(
    layout: Annotated[Layout, typer.Argument(help="How SOURCE is laid out.")],
    source: Annotated[Path, typer.Argument(help="Folder as its authors publish it, or with a manifest.csv.")],
    into: Annotated[Path, typer.Option("--into", help="Catalogue folder; made when it is not there.")],
    name: Annotated[str | None, typer.Option(help="Name of the set; ids become NAME/writer.")] = None,
    classification: Annotated[Classification, typer.Option(help="How they may be shown.")] = Classification.RESEARCH,
    dpi: Annotated[
        float | None, typer.Option(help="Resolution of the original scans, where the files do not state it.", min=1)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a labelled signature set into a catalogue; exact and near duplicates are found and counted.

    Example: sigverify import-dataset manifest data/cedar --into runs/cedar --name cedar
    """
    from sigverify.datasets import import_dataset as run
    from sigverify.storage.store import Store

    store = Store.open(into, create=True)
    with progress("import") as say:
        summary = run(
            layout.value,
            source,
            store,
            name=name,
            classification=classification,
            dpi=dpi,
            on_progress=lambda done, total: say("images", done / max(total, 1)),
        )
    emit(summary, as_json, summary.text())


def synthesise(
    into: Annotated[Path, typer.Option("--into", help="Catalogue folder; made when it is not there.")],
    writers: Annotated[int, typer.Option(help="Synthetic writers.", min=1)] = 60,
    genuine: Annotated[int, typer.Option(help="Genuine signatures of each.", min=1)] = 14,
    forgeries: Annotated[int, typer.Option(help="Skilled forgeries of each.", min=0)] = 10,
    seed: Annotated[int, typer.Option(help="Same seed, same signatures.")] = 0,
    workers: WorkersOption = 2,
) -> None:
    """Draw synthetic writers, genuine signatures and skilled forgeries into a catalogue.

    Example: sigverify synthesise --into runs/synthetic --writers 40 --seed 7
    """
    from sigverify.synthetic_catalogue import synthesise_catalogue

    with progress("synthesise") as say:
        store = synthesise_catalogue(
            into,
            writers,
            genuine,
            forgeries,
            seed=seed,
            workers=workers,
            on_progress=lambda done, total: say("writers", done / total),
        )
    print(f"{len(store.signatures())} synthetic signatures of {writers} writers in {into}")
