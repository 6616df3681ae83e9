"""Ink onto the canvas: cropped, scaled with its aspect kept, centred, its darkness and its stroke width normalised.

Nothing of the scan's own canvas, paper or pen darkness survives (sigverify's clean lane); what a stroke looked like in
grey is either forgotten ("binary") or kept only as an order ("rank").
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sigverify.config import PreprocessingSettings
from sigverify.records import Image
from sigverify.scans.clean import Mask, resize

OVERSAMPLING = 3  # strokes are redrawn at this many times the canvas resolution, then averaged
FAINTEST_RANK = 64  # ink value of the lightest ink when darkness is kept as ranks; the darkest is 255
THIN = 0.3  # coverage above which an enlarged or reduced pixel still belongs to the stroke


def fit(height: int, width: int, settings: PreprocessingSettings) -> tuple[int, int, float]:
    """(height, width, scale) of a crop placed inside the canvas's margins, aspect kept, at least 1 px each way."""
    room_down = settings.canvas_height_px - 2 * settings.margin_px
    room_across = settings.canvas_width_px - 2 * settings.margin_px
    scale = min(room_down / height, room_across / width)
    return max(1, round(height * scale)), max(1, round(width * scale)), scale


def place(mask: Mask, depth: Image, settings: PreprocessingSettings) -> Image:
    """Cropped ink (h, w) on the canvas: (canvas_height_px, canvas_width_px) uint8, 0 paper, 255 full ink."""
    height, width, _ = fit(mask.shape[0], mask.shape[1], settings)
    if settings.stroke_width_px > 0:
        placed = redraw(mask, height, width, settings.stroke_width_px)
    elif settings.ink == "rank":
        placed = resize(_ranked(mask, depth), height, width)
    else:
        placed = resize(mask.astype(np.uint8) * np.uint8(255), height, width)
    canvas = np.zeros((settings.canvas_height_px, settings.canvas_width_px), dtype=np.uint8)
    top, left = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    canvas[top : top + height, left : left + width] = placed
    return canvas


def redraw(mask: Mask, height: int, width: int, stroke_width: float) -> Image:
    """The mask's centre lines as (height, width) strokes of one width in px, anti-aliased: the pen's width is gone."""
    from skimage.morphology import skeletonize

    fine = resize(mask.astype(np.uint8) * np.uint8(255), height * OVERSAMPLING, width * OVERSAMPLING)
    lines: Mask = skeletonize(fine > THIN * 255)  # type: ignore[no-untyped-call]
    distance = ndimage.distance_transform_edt(~lines)
    strokes = np.clip(0.5 * stroke_width * OVERSAMPLING + 0.5 - distance, 0.0, 1.0)
    cells = strokes.reshape(height, OVERSAMPLING, width, OVERSAMPLING).mean(axis=(1, 3))
    redrawn: Image = np.round(255 * cells).astype(np.uint8)
    return redrawn


def _ranked(mask: Mask, depth: Image) -> Image:
    """Depth replaced by its mid-rank among the ink's pixels: equal ink (bilevel) is mid-way, whatever its level."""
    counts = np.bincount(depth[mask], minlength=256)
    middle = (np.cumsum(counts) - 0.5 * counts) / max(1, counts.sum())
    values = np.round(FAINTEST_RANK + (255 - FAINTEST_RANK) * middle).astype(np.uint8)
    return np.where(mask, values[depth], np.uint8(0))
