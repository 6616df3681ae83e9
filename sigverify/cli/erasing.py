"""The command that erases a customer."""

from __future__ import annotations

from typing import Annotated

import typer

from sigverify.cli.console import CatalogueOption, JsonOption, emit


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(name="forget")(forget)


def forget(
    writer: Annotated[str, typer.Argument(help="The writer's id.")],
    catalogue: CatalogueOption,
    approved_by: Annotated[str, typer.Option(help="Who decided it: a person's or desk's id.")],
    item_images: Annotated[bool, typer.Option(help="Also the scans of the writer's items.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a customer: signatures, templates, fingerprints, images. Decisions stay, without the ink.

    Refused while an item of the writer waits for its decision. Exports, reports, landing folders, backups and networks
    these signatures taught are not reached.

    Example: sigverify forget w-000123 --catalogue bank --approved-by privacy-desk
    """
    from sigverify.storage.erasure import erase_writer
    from sigverify.storage.store import Store

    with Store.open(catalogue) as store:
        erased = erase_writer(store, writer, approved_by=approved_by, item_images=item_images)
    emit(erased, as_json, erased.text())
