"""Ink onto the canvas: cropped, scaled with its aspect kept, centred, its darkness and its stroke width normalised.

Nothing of the scan's own canvas, paper or pen darkness survives (sigverify's clean lane); what a stroke looked like in
grey is either forgotten ("binary") or kept only as an order ("rank").
"""

from __future__ import annotations

from math import ceil

import numpy as np
from PIL import Image as Pil

from sigverify.config import PreprocessingSettings
from sigverify.records import Image
from sigverify.scans.clean import Mask

OVERSAMPLING = 3  # strokes are redrawn at this many times the canvas resolution, then averaged
FAINTEST_RANK = 64  # ink value of the lightest ink when darkness is kept as ranks; the darkest is 255
THINNEST = 0.4  # of the mean width: as thin as a stroke may become when outlines move inward
THIN = 0.3  # coverage above which an enlarged or reduced pixel still belongs to the stroke


def fit(height: int, width: int, settings: PreprocessingSettings) -> float:
    """Canvas px per px of a crop (height, width) that fills the room inside the canvas's margins, aspect kept."""
    room_down = settings.canvas_height_px - 2 * settings.margin_px
    room_across = settings.canvas_width_px - 2 * settings.margin_px
    return min(room_down / height, room_across / width)


def place(mask: Mask, depth: Image, settings: PreprocessingSettings) -> Image:
    """Cropped ink (h, w) on the canvas: (canvas_height_px, canvas_width_px) uint8, 0 paper, 255 full ink."""
    if settings.stroke_width_px > 0:
        return _of_one_width(mask, settings)
    ink = _ranked(mask, depth) if settings.ink == "rank" else mask.view(np.uint8) * np.uint8(255)
    return _centred(ink, settings)


def _centred(ink: Image, settings: PreprocessingSettings, finer: int = 1) -> Image:
    """The crop's middle in the canvas's middle, to a fraction of a pixel; the canvas `finer` times its size."""
    height, width = ink.shape
    scale = fit(height, width, settings)
    across, down = settings.canvas_width_px / scale, settings.canvas_height_px / scale  # of the canvas, in crop px
    left, top = max(0, ceil((across - width) / 2)), max(0, ceil((down - height) / 2))
    padded = Pil.fromarray(np.pad(ink, ((top, top), (left, left))))
    corner = (left + (width - across) / 2, top + (height - down) / 2)
    window = (max(0.0, corner[0]), max(0.0, corner[1]), corner[0] + across, corner[1] + down)
    window = (*window[:2], min(window[2], float(padded.width)), min(window[3], float(padded.height)))
    size = (settings.canvas_width_px * finer, settings.canvas_height_px * finer)
    way = Pil.Resampling.HAMMING if scale * finer < 1 else Pil.Resampling.BICUBIC
    return np.asarray(padded.resize(size, way, box=window))


def _of_one_width(mask: Mask, settings: PreprocessingSettings) -> Image:
    """Strokes with the mean width the settings ask for, anti-aliased: how thick the pen was is gone.

    "line": the centre lines drawn with a round pen of that width. "pen": every outline moved outward or inward by the
    same amount, so that thick and thin parts of a signature stay apart.
    """
    from skimage.morphology import skeletonize

    fine: Mask = _centred(mask.view(np.uint8) * np.uint8(255), settings, OVERSAMPLING) > THIN * 255
    lines: Mask = skeletonize(fine)  # type: ignore[no-untyped-call]
    width = settings.stroke_width_px * OVERSAMPLING
    strokes = _widened(fine, lines, width) if settings.stroke_shape == "pen" else dilated(lines, (width - 1) / 2)
    reduced: Image = np.asarray(Pil.fromarray(strokes.view(np.uint8) * np.uint8(255)).reduce(OVERSAMPLING))
    return reduced


def _widened(strokes: Mask, lines: Mask, width: float) -> Mask:
    """`strokes` whose mean width becomes `width`; `lines` are their centre lines, which never vanish."""
    length = max(1, int(np.count_nonzero(lines)))
    thinnest = dilated(lines, THINNEST * width / 2)
    for _ in range(2):  # what is kept of thin strokes makes the first step fall short
        grow = (width - np.count_nonzero(strokes) / length) / 2
        strokes = dilated(strokes, grow) if grow > 0 else ~dilated(~strokes, -grow) | thinnest
    return strokes


def dilated(mask: Mask, radius: float) -> Mask:
    """`mask` (h, w) grown by a disc of `radius` px; a disc below 1 px changes nothing."""
    reach = int(radius)
    if reach < 1:
        return mask
    across = [int((radius**2 - down**2) ** 0.5) for down in range(reach + 1)]
    wider = [mask]
    for step in range(1, across[0] + 1):
        row = wider[-1].copy()
        row[:, step:] |= mask[:, :-step]
        row[:, :-step] |= mask[:, step:]
        wider.append(row)
    grown = wider[across[0]].copy()
    for down in range(1, reach + 1):
        grown[down:] |= wider[across[down]][:-down]
        grown[:-down] |= wider[across[down]][down:]
    return grown


def _ranked(mask: Mask, depth: Image) -> Image:
    """Depth replaced by its mid-rank among the ink's pixels: equal ink (bilevel) is mid-way, whatever its level."""
    counts = np.bincount(depth[mask], minlength=256)
    middle = (np.cumsum(counts) - 0.5 * counts) / max(1, counts.sum())
    values = np.round(FAINTEST_RANK + (255 - FAINTEST_RANK) * middle).astype(np.uint8)
    return np.where(mask, values[depth], np.uint8(0))
