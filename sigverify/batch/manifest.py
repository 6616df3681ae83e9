"""A landing folder's manifest.csv: data rows, the trailer with its totals, and whether the file is whole.

Cells stay text here; the contract ``scan_manifest`` says what they must be. The last row has record_type T and holds
the number of data rows (`count`) and the sum of their amounts (`amount_minor`, minor units of `currency`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigverify.batch.folder import DeliveredFolder
from sigverify.contracts import Contract, Trailer
from sigverify.contracts.reading import Delivered, read_csv
from sigverify.errors import BadScan, BadTable
from sigverify.records import Reason

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.csv"
MAX_MANIFEST_BYTES = 512_000_000


@dataclass(frozen=True)
class Manifest:
    """`rows`: every data row as text, indexed by row number (first data row = 1)."""

    digest: str  # SHA-256 of the file's bytes
    rows: pd.DataFrame
    ragged: frozenset[int]  # row numbers with too many or too few cells
    trailer: Trailer | None
    trailer_problems: tuple[str, ...]  # what cannot be read; whether the totals add up is the ledger's to say
    ends_with_line_break: bool


def read_table(folder: DeliveredFolder, name: str = MANIFEST) -> tuple[Delivered, bytes]:
    """A CSV file of a delivered folder, all cells text, and its bytes.

    Raises BadTable when the file is missing, a link, not UTF-8, not CSV, or has no header.
    """
    try:
        data = folder.read(name, MAX_MANIFEST_BYTES)
    except BadScan as error:
        known = {Reason.EMPTY_FILE: "is empty", Reason.PATH_ESCAPES: "is a link", Reason.FILE_MISSING: "is missing"}
        what = f"{name} in {folder.path.name} {known.get(error.reason, 'cannot be read')}"
        raise BadTable(what, got=error.got, next="deliver it again") from error
    return read_csv(data, f"{name} in {folder.path.name}"), data


def read_manifest(folder: DeliveredFolder) -> Manifest:
    """The manifest of a landing folder. Raises BadTable where it cannot be read as a table at all."""
    table, data = read_table(folder)
    if "record_type" not in table.frame:
        raise BadTable(
            f"{MANIFEST} in {folder.path.name} has no column record_type",
            got=", ".join(table.frame.columns)[:200],
            expected="record_type D for an item and T for the trailer, comma-separated",
        )
    ragged = frozenset(int(n) for n in table.ragged["row"])
    rows, trailer, problems = Contract.load("scan_manifest").split_trailer(table.frame)
    if trailer is not None and len(table.frame) in ragged:  # cut short within the trailer
        trailer = None
    return Manifest(
        digest=hashlib.sha256(data).hexdigest(),
        rows=rows,
        ragged=ragged,
        trailer=trailer,
        trailer_problems=tuple(problems),
        ends_with_line_break=data.endswith((b"\n", b"\r")),
    )


def require_whole(manifest: Manifest, name: str) -> None:
    """Raises BadTable for a manifest that is still being written: no trailer, or one cut short in its last cell."""
    if manifest.trailer is None:
        raise BadTable(
            f"{MANIFEST} in {name} has no trailer: it is still being written or was cut off",
            got=f"{len(manifest.rows)} rows without one",
            expected="a last row with record_type T, count and amount_minor",
            next="wait for the rest, or take it as it is with require_trailer=False",
        )
    if not manifest.ends_with_line_break and not _adds_up(manifest, manifest.trailer):
        raise BadTable(
            f"the trailer of {MANIFEST} in {name} may be cut off: its totals are wrong and no line break follows",
            got=f"count {manifest.trailer.count}, amount {manifest.trailer.amount_minor}",
            expected=f"the totals of {len(manifest.rows)} rows",
            next="wait for the rest, or deliver it again",
        )


def _adds_up(manifest: Manifest, trailer: Trailer) -> bool:
    cells = [str(cell).strip() for cell in manifest.rows.get("amount_minor", [])]
    total = sum(int(cell) for cell in cells if cell.isdecimal() and len(cell) <= 18)
    return (trailer.count, trailer.amount_minor) == (len(manifest.rows), total)
