"""A set's images into a catalogue, with what says whether two of them are the same. Done twice, done once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sigverify.config import PreprocessingSettings
from sigverify.datasets.layouts import Listed, list_images
from sigverify.datasets.repeats import mark_repeats
from sigverify.errors import BadScan
from sigverify.records import Classification, Label, Reason
from sigverify.scans.pool import Spread
from sigverify.scans.prepare import prepare
from sigverify.scans.read import file_digest, inspect_file, pixel_digest, read_file, read_scan, scanned_at
from sigverify.storage.store import Store

ROWS_AT_A_TIME = 500  # images written and made durable before their rows
SHOWN = 10  # failures listed by `ImportSummary.text`

Examined = dict[str, Any] | tuple[Reason, str]  # a row's facts, or why there are none


@dataclass(frozen=True)
class ImportSummary:
    """What a set brought. All counts are of the whole set in the catalogue, but `new`: rows this import added."""

    datasets: tuple[str, ...]
    images: int
    writers: int
    genuine: int
    forged: int
    exact_duplicates: int  # images that repeat another's pixels; the first of each is not counted
    near_duplicates: int  # pairs of images of one writer with nearly the same ink
    new: int
    failed: tuple[tuple[str, Reason, str], ...] = ()  # (file or manifest row, reason, detail)

    def text(self) -> str:
        """For people, a few lines."""
        lines = [
            f"{', '.join(self.datasets)}: {self.images} images of {self.writers} writers "
            f"({self.genuine} genuine, {self.forged} forged), {self.new} of them new",
            f"{self.exact_duplicates} exact duplicates (left out of every trial), "
            f"{self.near_duplicates} near-duplicate pairs (never reference and query)",
        ]
        if self.failed:
            lines.append(f"{len(self.failed)} not taken:")
            lines += [f"  {place}: {reason.value} ({detail})" for place, reason, detail in self.failed[:SHOWN]]
            lines += [f"  ... and {len(self.failed) - SHOWN} more"] if len(self.failed) > SHOWN else []
        return "\n".join(lines)


def import_dataset(
    layout: str,
    source: str | Path,
    catalogue: Store,
    name: str | None = None,
    classification: Classification = Classification.RESEARCH,
    on_progress: Callable[[int, int], None] | None = None,
    workers: int = 0,
    dpi: float | None = None,
) -> ImportSummary:
    """Take the set at `source` (layout "cedar", "bhsig260" or "manifest") into the catalogue.

    Each image is kept by the digest of its bytes; exact and near duplicates are marked. A file that cannot be read is
    listed in the summary with its reason and the rest goes on. Images already there are left as they are, so a second
    import adds nothing. workers > 1 examines images on that many processes; `on_progress(done, of)` as they come in.

    `dpi` is the resolution of the original scans, where the files do not state it (or state it wrongly).

    Raises NotFound, BadInput or BadTable where the set as a whole cannot be used (see `list_images`), Conflict where
    an id is already there with another image.
    """
    listing = list_images(layout, Path(source), name)
    datasets = sorted({image.dataset for image in listing.images})
    held = _held(catalogue, datasets)
    failed = list(listing.failed)
    new = 0
    work: Spread[Listed, Examined] = Spread(partial(_examine, held), lost=(Reason.UNREADABLE, "the decoder crashed"))
    done = 0
    for start in range(0, len(listing.images), ROWS_AT_A_TIME):
        part = listing.images[start : start + ROWS_AT_A_TIME]
        results: dict[int, Examined] = {}
        for position, examined in work.parallel(part, workers) if workers > 1 else work.serial(part):
            results[position] = examined
            done += 1
            if on_progress is not None:
                on_progress(done, len(listing.images))
        if dpi is not None:
            stated = {i: dpi * image.reduced for i, image in enumerate(part)}
            results = {i: r | {"dpi": stated[i]} if isinstance(r, dict) and r else r for i, r in results.items()}
        new += _keep(catalogue, part, results, classification, failed)
    mark_repeats(catalogue, datasets)
    return _summary(catalogue, datasets, new, failed)


def _held(catalogue: Store, datasets: list[str]) -> dict[str, str]:
    """Digest of each signature already there, by id."""
    rows = catalogue.signatures(datasets=datasets)
    return dict(zip(rows["signature_id"], rows["digest"], strict=True))


def _examine(held: dict[str, str], image: Listed) -> Examined:
    """A row's facts from its file; {} where the same file is already there under this id."""
    settings = PreprocessingSettings()
    try:
        data = read_file(image.path, settings)
        digest = file_digest(data)
        if held.get(image.signature_id) == digest:
            return {}
        facts, pixels = inspect_file(data, settings), read_scan(data, settings)
    except BadScan as error:
        return error.reason, str(error)
    return {
        "digest": digest,
        "pixel_digest": pixel_digest(pixels),
        "fingerprint": prepare(pixels, settings).fingerprint,
        "width_px": pixels.shape[1],
        "height_px": pixels.shape[0],
        "dpi": scanned_at(facts.dpi),
    }


def _keep(
    catalogue: Store,
    images: list[Listed],
    results: dict[int, Examined],
    classification: Classification,
    failed: list[tuple[str, Reason, str]],
) -> int:
    """Copy the images, then add their rows; returns how many rows were new. Failures join `failed`."""
    rows = []
    for position, image in enumerate(images):
        examined = results[position]
        if isinstance(examined, tuple):
            failed.append((image.place, *examined))
        elif examined:
            url = catalogue.write_image(read_file(image.path, PreprocessingSettings()), image.path.suffix)
            rows.append(_row(image, url, classification) | examined)
    catalogue.images.flush()
    return catalogue.add_signatures(rows) if rows else 0


def _row(image: Listed, url: str, classification: Classification) -> dict[str, Any]:
    return {
        "signature_id": image.signature_id,
        "writer_id": image.writer_id,
        "dataset": image.dataset,
        "label": image.label.value,
        "image_url": url,
        "classification": classification.value,
        "source": image.source,
    }


def _summary(catalogue: Store, datasets: list[str], new: int, failed: list[tuple[str, Reason, str]]) -> ImportSummary:
    rows = catalogue.signatures(datasets=datasets)
    near = catalogue.near_duplicates()
    labels = Counter(rows["label"])
    return ImportSummary(
        datasets=tuple(datasets),
        images=len(rows),
        writers=rows["writer_id"].nunique(),
        genuine=labels[Label.GENUINE.value],
        forged=labels[Label.SKILLED_FORGERY.value],
        exact_duplicates=int(rows["duplicate_of"].notna().sum()),
        near_duplicates=int(near["signature_a"].isin(set(rows["signature_id"])).sum()),
        new=new,
        failed=tuple(failed),
    )
