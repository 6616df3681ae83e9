"""How signature sets are laid out on disk: which file is whose, genuine or forged. Nothing is opened but manifests.

- cedar: ``full_org/original_W_I.png``, ``full_forg/forgeries_W_I.png``; writer 1 is ``cedar/001``.
- bhsig260: ``B-S-W-G-I.tif``, ``H-S-W-F-I.tif``, numbers padded or not, in one folder or one for each writer; writers
  are ``bhsig260_bengali/b001`` and ``bhsig260_hindi/h001``.
- manifest: ``manifest.csv`` with path, writer_id, label (genuine, forged or skilled_forgery); writers are
  ``name/<writer_id>``, name = the folder's unless given, and a writer's images are numbered in the manifest's order.
  Where it also has width and orig_width (px), an image is a copy of a scan that was so much larger.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sigverify.errors import BadInput, BadTable, NotFound
from sigverify.records import Label, Reason

MANIFEST = "manifest.csv"
COLUMNS = ("path", "writer_id", "label")
SIZES = ("width", "orig_width")  # of the copy and of the original scan, in px, where a manifest has them
LABELS = {
    "genuine": Label.GENUINE,
    "forged": Label.SKILLED_FORGERY,
    "skilled_forgery": Label.SKILLED_FORGERY,
}
WRITER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CEDAR = re.compile(r"(original|forgeries)_(\d+)_(\d+)\.(?:png|tiff?)", re.IGNORECASE)
BHSIG = re.compile(r"([BH])-S-(\d+)-([GF])-(\d+)\.(?:tiff?|png)", re.IGNORECASE)
NO_LABEL = (Reason.CONTRACT, f"unknown label, expected one of {', '.join(LABELS)}")
BHSIG_SETS = {"B": ("bhsig260_bengali", "b"), "H": ("bhsig260_hindi", "h")}


@dataclass(frozen=True)
class Listed:
    """One image of a set, not yet opened. `place` is how a report names it: a file, or a manifest's row."""

    path: Path
    dataset: str
    writer_id: str  # "cedar/001"
    label: Label
    number: str  # "001", of this writer and label
    source: str  # path below the set's folder, as delivered
    place: str
    reduced: float = 1.0  # px of this copy for each px of the original scan, along a row

    @property
    def signature_id(self) -> str:
        return f"{self.writer_id}/{self.label.value}/{self.number}"


@dataclass
class Listing:
    """What a folder holds: the images, and what cannot be one, as (place, reason, detail)."""

    images: list[Listed] = field(default_factory=list)
    failed: list[tuple[str, Reason, str]] = field(default_factory=list)


def list_images(layout: str, source: Path, name: str | None = None) -> Listing:
    """The images of a set in one of the three layouts, in a fixed order; `name` replaces the set's usual name.

    Raises NotFound where `source` is no folder, BadInput for an unknown layout or where no file fits it, BadTable for
    a manifest that cannot be used at all. A row or file that is wrong by itself is listed as failed.
    """
    readers = {"cedar": _cedar, "bhsig260": _bhsig, "manifest": _manifest}
    if layout not in readers:
        raise BadInput("unknown layout", got=layout, expected=" or ".join(readers))
    if not source.is_dir():
        raise NotFound(f"no folder {source}", next="unpack the set and name its folder")
    if name is not None and not WRITER.fullmatch(name):
        raise BadInput("a set's name is part of every id", got=repr(name), expected="letters, digits, . _ -")
    listing = readers[layout](source, name)
    return _without_repeated_ids(listing)


def _cedar(source: Path, name: str | None) -> Listing:
    dataset = name or "cedar"
    listing = Listing()
    for path, match in _matching(source, CEDAR, "full_org/original_W_I.png and full_forg/forgeries_W_I.png", listing):
        kind, writer, number = match[1].lower(), int(match[2]), int(match[3])
        label = Label.GENUINE if kind == "original" else Label.SKILLED_FORGERY
        listing.images.append(_listed(path, source, dataset, f"{writer:03d}", label, number))
    return listing


def _bhsig(source: Path, name: str | None) -> Listing:
    listing = Listing()
    scripts = set()
    for path, match in _matching(source, BHSIG, "B-S-W-G-I.tif or H-S-W-F-I.tif", listing):
        script, writer, number = match[1].upper(), int(match[2]), int(match[4])
        scripts.add(script)
        usual, letter = BHSIG_SETS[script]
        label = Label.GENUINE if match[3].upper() == "G" else Label.SKILLED_FORGERY
        listing.images.append(_listed(path, source, name or usual, f"{letter}{writer:03d}", label, number))
    if name is not None and len(scripts) > 1:
        raise BadInput(
            "one name for two sets", got=f"Bengali and Hindi signatures as {name}",
            next="leave the name out, or import each script's folder by itself",
        )  # fmt: skip
    return listing


def _matching(
    source: Path, pattern: re.Pattern[str], expected: str, listing: Listing
) -> Iterator[tuple[Path, re.Match[str]]]:
    found = 0
    for path in sorted(source.rglob("*")):
        match = pattern.fullmatch(path.name)
        if match is None:
            continue
        found += 1
        if _inside(source, path):
            yield path, match
        else:
            listing.failed.append((_below(source, path), Reason.PATH_ESCAPES, "a link that leads out of the folder"))
    if not found:
        raise BadInput(
            f"no images of this layout under {source}", expected=f"files named {expected}",
            next="check the layout's name, or write a manifest.csv and use the manifest layout",
        )  # fmt: skip


def _listed(path: Path, source: Path, dataset: str, writer: str, label: Label, number: int) -> Listed:
    below = _below(source, path)
    return Listed(path, dataset, f"{dataset}/{writer}", label, f"{number:03d}", below, below)


def _manifest(source: Path, name: str | None) -> Listing:
    dataset = name or source.resolve().name
    listing = Listing()
    counts: Counter[tuple[str, Label]] = Counter()
    for number, row in enumerate(_manifest_rows(source / MANIFEST), start=1):
        place = f"{MANIFEST} row {number}"
        label = LABELS.get(row["label"])
        if label is None:
            listing.failed.append((place, *NO_LABEL))
            continue
        counts[row["writer_id"], label] += 1  # also for a row that fails below: mended, it takes its own number
        problem = _row_problem(source, row)
        if problem is not None:
            listing.failed.append((place, *problem))
            continue
        listing.images.append(
            Listed(
                path=source / row["path"],
                dataset=dataset,
                writer_id=f"{dataset}/{row['writer_id']}",
                label=label,
                number=f"{counts[row['writer_id'], label]:03d}",
                source=row["path"],
                place=place,
                reduced=_reduced(row),
            )
        )
    return listing


def _reduced(row: dict[str, str]) -> float:
    """width / orig_width, where the manifest says both: copies are often smaller than what was scanned."""
    try:
        width, original = float(row["width"]), float(row["orig_width"])
    except ValueError:
        return 1.0
    return width / original if width > 0 and original > 0 else 1.0


def _manifest_rows(path: Path) -> list[dict[str, str]]:
    """The rows with stripped values. Raises BadTable with the columns found and expected."""
    if not path.is_file():
        raise NotFound(f"no {MANIFEST} in the folder", expected=f"columns {', '.join(COLUMNS)}", next="write one")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            found = [column.strip() for column in reader.fieldnames or []]
            missing = [column for column in COLUMNS if column not in found]
            if missing:
                raise BadTable(
                    f"{MANIFEST} lacks {', '.join(missing)}", got=f"columns {', '.join(found) or 'none'}",
                    expected=f"columns {', '.join(COLUMNS)}", next="rename or add the missing columns",
                )  # fmt: skip
            reader.fieldnames = found
            return [{column: (row.get(column) or "").strip() for column in (*COLUMNS, *SIZES)} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{MANIFEST} cannot be read", got=str(error), expected="comma-separated UTF-8 text") from error


def _row_problem(source: Path, row: dict[str, str]) -> tuple[Reason, str] | None:
    if not WRITER.fullmatch(row["writer_id"]):
        return Reason.CONTRACT, "writer_id, expected letters, digits, . _ - (64 at most)"
    path = PurePosixPath(row["path"])
    if not row["path"] or "\0" in row["path"]:
        return Reason.CONTRACT, "path is empty"
    if path.is_absolute() or ".." in path.parts or "\\" in row["path"] or not _inside(source, source / path):
        return Reason.PATH_ESCAPES, "path leads out of the folder"
    return None if (source / path).is_file() else (Reason.FILE_MISSING, "no such file")


def _without_repeated_ids(listing: Listing) -> Listing:
    seen: dict[str, str] = {}
    kept = []
    for image in listing.images:
        first = seen.setdefault(image.signature_id, image.place)
        if first == image.place:
            kept.append(image)
        else:
            listing.failed.append((image.place, Reason.CONTRACT, f"the same signature as {first}"))
    return Listing(kept, listing.failed)


def _inside(source: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(source.resolve())


def _below(source: Path, path: Path) -> str:
    return path.relative_to(source).as_posix()
