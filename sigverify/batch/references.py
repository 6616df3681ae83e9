"""A folder of references into the catalogue: manifest.csv of path, writer_id, label; optionally writers.csv.

``writers.csv`` (one column, writer_id) names everybody who holds an account, so that a writer without references can be
told from one nobody knows. Ids come from the file's content: the same folder again adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigverify.batch.folder import DeliveredFolder
from sigverify.batch.manifest import MANIFEST, read_table
from sigverify.config import PreprocessingSettings
from sigverify.errors import BadScan, BadTable
from sigverify.records import Classification, Label, Reason
from sigverify.scans.read import file_digest, inspect_file, pixel_digest, read_scan, scanned_at
from sigverify.storage.store import Store
from sigverify.storage.writers import add_writers

COLUMNS = ("path", "writer_id", "label")
WRITERS = "writers.csv"
SUFFIXES = {"TIFF": ".tif", "PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp"}
DATASET = "references"


@dataclass(frozen=True)
class ReferencesAdded:
    """What a folder of references brought. `refused` maps manifest row -> reason."""

    n_rows: int
    n_added: int
    n_known: int  # in the catalogue before, or the same file twice
    n_writers: int
    refused: Mapping[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        why = ", ".join(f"row {row} {reason}" for row, reason in list(self.refused.items())[:10])
        tail = f", {len(self.refused)} refused ({why})" if self.refused else ""
        return f"{self.n_added} references of {self.n_writers} writers added, {self.n_known} known before{tail}"

    text = __str__


def add_references(
    store: Store,
    folder: Path,
    classification: Classification | None = None,
    settings: PreprocessingSettings | None = None,
) -> ReferencesAdded:
    """Add the genuine signatures of a references folder to the catalogue, marked as references.

    Ids are ``<writer_id>/reference/<12 hex digits of the file's digest>``. A row whose file is missing, outside the
    folder, or no image is refused with its reason; rows labelled anything but genuine are refused too.
    Raises NotFound for no such folder, BadTable for a manifest without the columns path, writer_id, label.
    """
    limits = settings or PreprocessingSettings()
    kind = (classification or store.classification).value
    rows: dict[str, dict[str, Any]] = {}
    refused: dict[int, str] = {}
    with DeliveredFolder(Path(folder)) as opened:
        manifest = _manifest(opened)
        for number, cells in enumerate(manifest, 1):
            try:
                row = _signature(store, opened, cells, limits) | {"classification": kind}
                rows.setdefault(row["signature_id"], row)
            except BadScan as error:
                refused[number] = error.reason.value
        holders = _writers(opened)
    store.images.flush()
    _mark_duplicates(rows, _held(store, rows))
    added = store.add_signatures(rows.values())
    store.mark_references(rows)
    writers = {str(row["writer_id"]) for row in rows.values()}
    add_writers(store, writers | holders)
    return ReferencesAdded(len(manifest), added, len(manifest) - len(refused) - added, len(writers), refused)


def _manifest(folder: DeliveredFolder) -> list[dict[str, str]]:
    frame = read_table(folder)[0].frame
    missing = [c for c in COLUMNS if c not in frame]
    if missing:
        got = ", ".join(frame.columns)[:200]
        what = f"{MANIFEST} in {folder.path.name} lacks {', '.join(missing)}"
        raise BadTable(what, got=got, expected=", ".join(COLUMNS))
    cells = zip(*(frame[c].str.strip() for c in COLUMNS), strict=True)
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells]


def _writers(folder: DeliveredFolder) -> set[str]:
    if not (folder.path / WRITERS).is_file():
        return set()
    frame = read_table(folder, WRITERS)[0].frame
    if "writer_id" not in frame:
        raise BadTable(f"{WRITERS} in {folder.path.name} lacks writer_id", got=", ".join(frame.columns)[:200])
    return set(frame["writer_id"].str.strip()) - {""}


def _signature(
    store: Store, folder: DeliveredFolder, cells: Mapping[str, str], limits: PreprocessingSettings
) -> dict[str, Any]:
    """One row of tables.signatures; BadScan where the row brings none."""
    if cells["label"] != Label.GENUINE.value or not cells["writer_id"]:
        raise BadScan(Reason.CONTRACT, "a reference is a genuine signature of a named writer")
    data = folder.read(cells["path"], limits.max_file_bytes)
    facts = inspect_file(data, limits)
    digest = file_digest(data)
    return {
        "signature_id": f"{cells['writer_id']}/reference/{digest[:12]}",
        "writer_id": cells["writer_id"],
        "dataset": DATASET,
        "label": Label.GENUINE.value,
        "is_reference": True,
        "image_url": store.write_image(data, SUFFIXES.get(facts.format, "")),
        "digest": digest,
        "pixel_digest": pixel_digest(read_scan(data, limits)),
        "width_px": facts.width,
        "height_px": facts.height,
        "dpi": scanned_at(facts.dpi),
        "source": cells["path"],
    }


def _held(store: Store, rows: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """(writer, pixel digest) -> id of the references the catalogue holds already, other than `rows` themselves."""
    held = store.signatures(writer_ids=sorted({str(r["writer_id"]) for r in rows.values()}))
    held = held[held.is_reference & held.duplicate_of.isna() & ~held.signature_id.isin(list(rows))]
    keys = zip(held.writer_id.astype(str), held.pixel_digest.astype(str), strict=True)
    return dict(zip(keys, held.signature_id.astype(str), strict=True))


def _mark_duplicates(rows: Mapping[str, dict[str, Any]], known: Mapping[tuple[str, str], str]) -> None:
    """The same pixels of one writer under another id are enrolled once."""
    first = dict(known)
    for name in sorted(rows):
        row = rows[name]
        origin = first.setdefault((row["writer_id"], row["pixel_digest"]), name)
        row["duplicate_of"] = origin if origin != name else None
