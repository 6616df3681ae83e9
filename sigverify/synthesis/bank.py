"""A small synthetic bank on disk: references to enrol, one day's landing folder, and the truth beside it.

::

    FOLDER/references/manifest.csv       path, writer_id, label            (1 to 8 genuine signatures a writer)
    FOLDER/references/writers.csv        writer_id                         (everybody who holds an account)
    FOLDER/landing/manifest.csv          rows D, one an item delivered, and a trailer T of count and amount
    FOLDER/landing/scans/I000001.tif     bilevel TIFF G4, grey PNG, JPEG
    FOLDER/truth.csv                     what every item really is
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from sigverify.errors import BadInput
from sigverify.records import Label
from sigverify.synthesis.day import Counts, Day, Item, Reference
from sigverify.synthesis.files import draw_format, encoded, scan_for
from sigverify.synthesis.writers import SyntheticWriter

Progress = Callable[[int, int], None]
LANDING_COLUMNS = (
    "record_type", "item_id", "writer_id", "path", "page", "amount_minor", "currency", "captured_at", "count",
)  # fmt: skip
TRUTH_COLUMNS = ("item_id", "writer_id", "kind", "true_writer_id", "copied", "deliveries", "amount_minor")
_CURRENCY = "EUR"


@dataclass(frozen=True)
class SyntheticBank:
    """Where the bank lies and what it holds. `n_rows` and `amount_minor` are the trailer's totals."""

    folder: Path
    references_dir: Path
    landing_dir: Path
    truth_csv: Path
    n_writers: int  # enrolled, each with references
    n_references: int
    n_items: int  # distinct item ids
    n_rows: int  # data rows of the manifest: items and re-deliveries
    amount_minor: int


def synthesise_bank(
    folder: Path,
    seed: int,
    n_writers: int = 40,
    n_genuine_items: int = 80,
    n_random_items: int = 12,
    n_skilled_items: int = 20,
    n_blank_items: int = 3,
    long_side_px: int = 600,
    business_date: date = date(2026, 11, 20),
    on_progress: Progress | None = None,
) -> SyntheticBank:
    """Write a bank under `folder`, byte for byte the same for a seed, and say what was planted.

    Beside the items counted by the arguments come, once each: a truncated file, a file of zero bytes, a missing file,
    an unknown writer, a known writer without references, a photocopy of a reference, the ink of one item under another
    id, and one genuine item delivered twice. `on_progress(done, of)` counts scans.

    Raises BadInput when `folder` exists and is not empty, or for counts that make no bank.
    """
    counts = Counts(n_genuine_items, n_random_items, n_skilled_items, n_blank_items)
    _check(folder, n_writers, counts)
    streams = np.random.SeedSequence(seed).spawn(3)
    people, scans, day = (np.random.default_rng(stream) for stream in streams)
    writers = {f"W{i:04d}": SyntheticWriter.draw(people) for i in range(1, n_writers + 2)}
    kept = {writer_id: int(people.integers(1, 9)) for writer_id in list(writers)[:n_writers]}
    total = sum(kept.values()) + sum((n_genuine_items, n_random_items, n_skilled_items, n_blank_items)) + 6
    tick = _ticker(total, on_progress)
    references = _write_references(folder / "references", writers, kept, scans, long_side_px, tick)
    items = Day(writers, references, day, long_side_px).draw(counts, tick)
    rows = _write_landing(folder / "landing", items, business_date)
    _write_csv(folder / "truth.csv", TRUTH_COLUMNS, ([getattr(item, c) for c in TRUTH_COLUMNS] for item in items))
    return SyntheticBank(
        folder, folder / "references", folder / "landing", folder / "truth.csv", n_writers, len(references),
        len(items), rows, sum(item.amount_minor * item.deliveries for item in items),
    )  # fmt: skip


def _check(folder: Path, n_writers: int, counts: Counts) -> None:
    if n_writers < 2 or counts.genuine < 1 or min(counts.random_forgeries, counts.skilled_forgeries, counts.blanks) < 0:
        raise BadInput(
            "a bank needs writers and items",
            got=(n_writers, counts),
            expected="two writers and one genuine item at least",
        )
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(
            f"{folder} is not empty", expected="a new or empty folder", next="Name another folder or remove this one"
        )


def _write_references(
    folder: Path,
    writers: dict[str, SyntheticWriter],
    kept: dict[str, int],
    rng: np.random.Generator,
    long_side_px: int,
    tick: Callable[[], None],
) -> list[Reference]:
    """Each enrolled writer's references in mixed formats, manifest.csv and writers.csv."""
    references = []
    for writer_id, n in kept.items():
        (folder / writer_id).mkdir(parents=True)
        for i in range(1, n + 1):
            form = draw_format(rng)
            image = scan_for(writers[writer_id].sign(rng), form, rng, long_side_px)
            path = f"{writer_id}/{i:02d}.{form.value}"
            (folder / path).write_bytes(encoded(image, form))
            references.append(Reference(writer_id, path, image))
            tick()
    rows = ([r.path, r.writer_id, Label.GENUINE.value] for r in references)
    _write_csv(folder / "manifest.csv", ("path", "writer_id", "label"), rows)
    _write_csv(folder / "writers.csv", ("writer_id",), ([writer_id] for writer_id in writers))
    return references


def _write_landing(folder: Path, items: list[Item], business_date: date) -> int:
    """The scans and the manifest with its trailer; returns the number of data rows."""
    (folder / "scans").mkdir(parents=True)
    captured = datetime.combine(business_date, datetime.min.time()) + timedelta(hours=18)
    rows: list[list[object]] = []
    for item in items:
        path = f"scans/{item.item_id}.{item.form.value}"
        if item.content is not None:
            (folder / path).write_bytes(item.content)
        captured += timedelta(seconds=7)
        row = ["D", item.item_id, item.writer_id, path, 0, item.amount_minor, _CURRENCY, f"{captured.isoformat()}Z", ""]
        rows += [row] * item.deliveries
    amount = sum(item.amount_minor * item.deliveries for item in items)
    trailer: list[object] = ["T", "", "", "", "", amount, _CURRENCY, "", len(rows)]
    _write_csv(folder / "manifest.csv", LANDING_COLUMNS, [*rows, trailer])
    return len(rows)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[list[object]] | Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _ticker(total: int, on_progress: Progress | None) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, total)

    return tick
