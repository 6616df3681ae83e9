"""From a scan to the network's input: read, judge, clean, place. A bad scan is a reason, never an exception.

``prepare`` takes decoded pixels, ``prepare_file`` a file or its bytes, ``prepare_many`` many of them on several cores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput, BadScan
from sigverify.records import Image, Preparation, Reason
from sigverify.scans import legacy, quality
from sigverify.scans.clean import Box
from sigverify.scans.fingerprint import fingerprint
from sigverify.scans.locate import View, locate
from sigverify.scans.place import fit, place
from sigverify.scans.pool import Spread
from sigverify.scans.read import read_page

Source = bytes | str | Path
Job = tuple[Source, int]  # a file or its bytes, and the page


def prepare(image: Image, settings: PreprocessingSettings) -> Preparation:
    """The signature in a grey scan (h, w) uint8, 255 white, on the canvas of `settings`.

    Returns a Preparation whose `image` is (canvas_height_px, canvas_width_px) uint8, 0 paper, 255 full ink; or None
    with `failure` = blank, uniform, too_small, too_dark or touches_border. `measures` holds plain numbers in the
    scan's own grey levels and px. Never raises for what an image shows.
    """
    size = {"canvas_height_px": float(image.shape[0]), "canvas_width_px": float(image.shape[1])}
    reason = quality.refuse_scan(image, settings)
    if reason is not None:
        return Preparation(None, failure=reason, measures=size)
    view = locate(image, settings)
    reason = quality.refuse_ink(view.first_mask, settings)
    if reason is not None or view.box is None:
        measures = quality.measure(view.image, view.ink, view.mask) | size
        return Preparation(None, failure=reason or Reason.BLANK, ink_box=view.scan_box(), measures=measures)
    return _placed(image, view, view.box, size, settings)


def _placed(image: Image, view: View, box: Box, size: dict[str, float], settings: PreprocessingSettings) -> Preparation:
    inside = (slice(box[0], box[2]), slice(box[1], box[3]))
    mask = view.mask[inside]
    if settings.lane == "legacy":
        canvas = legacy.stretch_to_canvas(legacy.whiten(image)[1], settings)
    else:
        canvas = place(mask, view.ink.depth[inside], settings)
    measures = _measures(view, mask.shape, settings) | size
    touches = measures["border_share"] > quality.SLIGHT_TOUCH
    return Preparation(
        canvas,
        warnings=(Reason.TOUCHES_BORDER,) if touches else (),
        ink_box=view.scan_box(),
        fingerprint=fingerprint(mask),
        measures=measures,
    )


def _measures(view: View, crop: tuple[int, ...], settings: PreprocessingSettings) -> dict[str, float]:
    """Numbers of the whole scan, lengths in scan px; `scale` is canvas px per scan px."""
    numbers = quality.measure(view.image, view.ink, view.mask)
    height, width = crop[0] / view.scale, crop[1] / view.scale
    numbers["stroke_width_px"] /= view.scale
    numbers["ink_fraction"] = float(np.count_nonzero(view.first_mask)) / view.first_mask.size
    numbers["border_share"] = quality.border_share(view.first_mask)
    return numbers | {
        "crop_height_px": height,
        "crop_width_px": width,
        "aspect": width / height,
        "scale": fit(crop[0], crop[1], settings) * view.scale,
    }


def prepare_file(source: Source, settings: PreprocessingSettings, page: int = 0) -> Preparation:
    """`prepare` for a file or its bytes; what cannot be read becomes the failure's reason."""
    try:
        image, dpi = read_page(source, settings, page)
    except BadScan as error:
        return Preparation(None, failure=error.reason)
    return replace(prepare(image, settings), dpi=dpi)


def prepare_many(
    sources: Sequence[Source],
    settings: PreprocessingSettings,
    page: int | Sequence[int] | None = None,
    workers: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Preparation]:
    """`prepare_file` for each source, in order; page = one for all, one for each, or None for the first.

    workers > 1 spreads the work over that many processes (started afresh, so call it from an importable main module);
    the result is the same as without. `on_progress(done, of)` is called after each scan.
    """
    pages = [page or 0] * len(sources) if page is None or isinstance(page, int) else list(page)
    if len(pages) != len(sources):
        raise BadInput("pages and scans do not match", got=len(pages), expected=f"{len(sources)} pages, one a scan")
    jobs: list[Job] = list(zip(sources, pages, strict=True))
    return _spread(partial(_prepare_job, settings), jobs, workers, on_progress)


def prepare_images(images: Sequence[Image], settings: PreprocessingSettings, workers: int = 0) -> list[Preparation]:
    """`prepare` for each decoded scan, in order, on `workers` processes where that is more than 1."""
    return _spread(partial(prepare, settings=settings), images, workers)


def _spread(
    work: Callable[[Any], Preparation],
    jobs: Sequence[Any],
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Preparation]:
    """`work` of each job, in order; what kills its process is unreadable."""
    spread = Spread(work, lost=Preparation(None, failure=Reason.UNREADABLE))
    found = spread.parallel(jobs, workers) if workers > 1 and len(jobs) > 1 else spread.serial(jobs)
    prepared: dict[int, Preparation] = {}
    for position, preparation in found:
        prepared[position] = preparation
        if on_progress is not None:
            on_progress(len(prepared), len(jobs))
    return [prepared[i] for i in range(len(jobs))]


def _prepare_job(settings: PreprocessingSettings, job: Job) -> Preparation:
    return prepare_file(job[0], settings, job[1])
