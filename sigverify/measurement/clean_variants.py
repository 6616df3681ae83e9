"""Which clean preprocessing leaves the hand and takes the rest: variants side by side, on training writers only.

For each variant the nuisance probes without and with references on what the network would see, and how well a simple
hand-reader (HOG and logistic regression) does on it, over inner writer folds. A good variant fails the probes and
feeds the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput
from sigverify.evaluation.control import Control
from sigverify.evaluation.controls import nuisance_control
from sigverify.evaluation.drawing import near_pairs
from sigverify.evaluation.embedded import embed_signatures
from sigverify.evaluation.nuisance_references import nuisance_reference_control
from sigverify.evaluation.parts import writers_in_part
from sigverify.measurement.baselines import untrained_baseline
from sigverify.measurement.pair_scorer import held_out_eers
from sigverify.records import Image, Part
from sigverify.scans.prepare import prepare

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image as Picture

    from sigverify.storage.store import Store

REFERENCES = (1, 5, 10)
SCANNED = PreprocessingSettings(stroke_width_px=0.0)
VARIANTS: dict[str, PreprocessingSettings] = {
    "binary, strokes as scanned": SCANNED,
    "ink as ranks, strokes as scanned": replace(SCANNED, ink="rank"),
    "centre lines 2.5 px": PreprocessingSettings(stroke_width_px=2.5, stroke_shape="line"),
    "centre lines 3 px": PreprocessingSettings(stroke_width_px=3.0, stroke_shape="line"),
    "mean width 2.5 px": PreprocessingSettings(stroke_width_px=2.5, stroke_shape="pen"),
    "mean width 3 px": PreprocessingSettings(stroke_width_px=3.0, stroke_shape="pen"),
}


@dataclass(frozen=True)
class VariantFigures:
    """`eers` {number of references: skilled EER in per cent} of HOG + logistic regression, fused by `fusion`."""

    name: str
    nuisance: Control
    nuisance_references: Control
    eers: dict[int, float]
    fusion: str
    writers: int
    failures: int


def measure_variants(
    store: Store,
    variants: Mapping[str, PreprocessingSettings] | None = None,
    writer_ids: Sequence[str] | None = None,
    *,
    draws: int = 10,
    seed: int = 0,
    workers: int = 2,
    on_progress: Callable[[str], None] | None = None,
) -> list[VariantFigures]:
    """Figures of each variant on the catalogue's training writers, or on `writer_ids` of them.

    Raises BadInput for a writer outside the train part: variants are a choice, and choices see nobody else.
    """
    rows = store.signatures()
    teaching = writers_in_part(sorted(rows["writer_id"].unique()), Part.TRAIN)
    wanted = teaching if writer_ids is None else list(writer_ids)
    outside = sorted(set(wanted) - set(teaching))
    if outside:
        raise BadInput("variants are chosen on training writers only", got=", ".join(outside[:5]))
    kept = rows[rows["writer_id"].isin(set(wanted))]
    pairs = near_pairs(store)
    found = []
    for name, settings in (VARIANTS if variants is None else variants).items():
        found.append(_measure(store, name, settings, kept, pairs, draws, seed, workers))
        if on_progress is not None:
            on_progress(variants_text(found[-1:]))
    return found


def _measure(
    store: Store,
    name: str,
    settings: PreprocessingSettings,
    rows: pd.DataFrame,
    pairs: list[tuple[str, str]],
    draws: int,
    seed: int,
    workers: int,
) -> VariantFigures:
    held = embed_signatures(store, untrained_baseline("hog", settings), rows, workers)
    by_fusion = held_out_eers(held.embeddings, held.signatures, REFERENCES, draws, seed, pairs)
    fusion = min(by_fusion, key=lambda f: float(np.mean(list(by_fusion[f].values()) or [1.0])))
    return VariantFigures(
        name,
        nuisance_control(held, "input", seed),
        nuisance_reference_control(held, pairs, seed),
        {k: round(100 * rate, 2) for k, rate in by_fusion[fusion].items()},
        fusion,
        int(held.signatures["writer_id"].nunique()),
        sum(held.failures.values()),
    )


def variants_text(found: Sequence[VariantFigures]) -> str:
    """The variants as a Markdown table: EER in per cent; probes high is good, the reader low is good."""
    numbers = sorted({k for figures in found for k in figures.eers})
    head = ["variant", "writers", "nuisance probe, no reference (>= 35)", "with references (>= 30)", "read most by"]
    head += [f"HOG + LR, {k} reference{'s' if k > 1 else ''}" for k in numbers]
    lines = [_cells(figures, numbers) for figures in found]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines])


def variants_sheet(variants: Mapping[str, PreprocessingSettings], writers: int = 4, seed: int = 3) -> Picture:
    """A contact sheet: a row for each variant of what it makes of the same synthetic signatures, drawn here."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    from sigverify.synthesis.sets import draw_signatures

    drawn = draw_signatures(writers, 1, 1, seed=seed)
    first = next(iter(variants.values()))
    width, height, head = first.canvas_width_px + 8, first.canvas_height_px + 8, 20
    sheet = Pillow.new("L", (width * len(drawn.images), (height + head) * len(variants)), 255)
    pen = ImageDraw.Draw(sheet)
    for row, (name, settings) in enumerate(variants.items()):
        pen.text((4, row * (height + head) + 1), name, fill=0, font=ImageFont.load_default(14))
        for column, scan in enumerate(drawn.images):
            cell = _cell(scan, settings, (width - 8, height - 8))
            sheet.paste(cell, (column * width + 4, row * (height + head) + head))
    return sheet


def _cell(scan: Image, settings: PreprocessingSettings, size: tuple[int, int]) -> Picture:
    from PIL import Image as Pillow

    made = prepare(scan, settings).image
    if made is None:
        return Pillow.new("L", size, 200)
    return Pillow.fromarray(255 - made).resize(size, Pillow.Resampling.LANCZOS)


def _cells(figures: VariantFigures, numbers: Sequence[int]) -> list[str]:
    held = figures.nuisance_references.numbers
    single: dict[str, float] = held.get("single_number_eer", {})
    best = min(single, key=lambda name: single[name], default="")
    return [
        figures.name,
        str(figures.writers),
        _probe(figures.nuisance),
        _probe(figures.nuisance_references),
        f"{best} {single[best]:.1f}" if best else "-",
        *(f"{figures.eers[k]:.1f}" if k in figures.eers else "-" for k in numbers),
    ]


def _probe(control: Control) -> str:
    """EER with its interval; whether it passes is for the reader to see in the heading."""
    if "eer" not in control.numbers:
        return "-"
    low, high = control.numbers["interval"]
    return f"{control.numbers['eer']:.1f} [{low:.1f}, {high:.1f}]"
