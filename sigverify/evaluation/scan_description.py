"""Every scan of a catalogue described once: its file, its plain numbers as delivered, and after cleaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadScan
from sigverify.evaluation.raw_measures import measure_lines, measure_ranks, measure_scan
from sigverify.records import Reason
from sigverify.scans.pool import Spread
from sigverify.scans.prepare import prepare
from sigverify.scans.read import inspect_file, read_scan

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

CHUNK = 2048  # scans held in memory at once
LINES_CANVAS = PreprocessingSettings()  # centre lines and ranks of every set are measured on the same canvas
Description = dict[str, Any]


def describe_scans(
    store: Store,
    signatures: pd.DataFrame,
    preprocessing: PreprocessingSettings,
    workers: int = 2,
    on_progress: Callable[[str, float], None] | None = None,
) -> pd.DataFrame:
    """One row a signature, in their order: `failure` ("" = usable), file.* facts, raw.* and clean.* numbers.

    raw.* are raw_measures of the scan, lengths in its px; clean.* the same of what `preprocessing` makes of it, ink on
    white paper. A scan that cannot be read or prepared keeps its row, with the reason.
    """
    import pandas as pd

    say = on_progress or (lambda stage, share: None)
    rows = []
    for row in _described(store, list(signatures["image_url"]), preprocessing, workers):
        rows.append(row)
        say("describing scans", len(rows) / max(1, len(signatures)))
    return pd.DataFrame(rows, index=signatures.index)


def _described(
    store: Store, urls: list[str], preprocessing: PreprocessingSettings, workers: int
) -> Iterator[Description]:
    work: Spread[bytes, Description] = Spread(partial(describe, preprocessing), lost=_failed(Reason.UNREADABLE))
    for start in range(0, len(urls), CHUNK):
        jobs = [store.read_image(url) for url in urls[start : start + CHUNK]]
        found = work.parallel(jobs, workers) if workers > 1 and len(jobs) > 1 else work.serial(jobs)
        held = dict(found)
        yield from (held[i] for i in range(len(jobs)))


def describe(preprocessing: PreprocessingSettings, data: bytes) -> Description:
    """The row of one scan's bytes."""
    try:
        facts, image = inspect_file(data, preprocessing), read_scan(data, preprocessing)
    except BadScan as error:
        return _failed(error.reason)
    levels = np.unique(image)
    row: Description = {
        "failure": "",
        "file.format": facts.format,
        "file.mode": facts.mode,
        "file.dpi": facts.dpi,
        "file.width_px": image.shape[1],
        "file.height_px": image.shape[0],
        "file.grey_levels": len(levels),
        "file.soft_share": float(np.mean((image > levels[0]) & (image < levels[-1]))),
    }
    clean = prepare(image, preprocessing)
    if clean.image is None:
        return row | {"failure": str(clean.failure)}
    standard = clean if preprocessing == LINES_CANVAS else prepare(image, LINES_CANVAS)
    ranked = prepare(image, dataclasses.replace(LINES_CANVAS, ink="rank"))
    raw = measure_scan(image)
    if standard.image is not None and ranked.image is not None:
        raw |= measure_lines(standard.image) | measure_ranks(ranked.image)
    inner = measure_scan(255 - clean.image) | measure_lines(clean.image)
    return row | {f"raw.{k}": v for k, v in raw.items()} | {f"clean.{k}": v for k, v in inner.items()}


def _failed(reason: Reason) -> Description:
    return {"failure": reason.value}
