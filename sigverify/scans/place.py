"""Ink onto the canvas: cropped, scaled with its aspect kept, centred, its darkness and its stroke width normalised.

Nothing of the scan's own canvas, paper or pen darkness survives (sigverify's clean lane); what a stroke looked like in
grey is either forgotten ("binary") or kept only as an order ("rank").
"""

from __future__ import annotations

from math import ceil

import numpy as np
from PIL import Image as Pil
from PIL import ImageFilter

from sigverify.config import PreprocessingSettings
from sigverify.records import Image
from sigverify.scans.clean import Mask, bounding_box

FAINTEST_RANK = 64  # ink value of the lightest ink when darkness is kept as ranks; the darkest is 255
RADII = tuple(sorted({(x * x + y * y) ** 0.5 for x in range(10) for y in range(10)} - {0.0}))[:24]  # discs that differ
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

    "pen": every outline moved outward or inward by the same amount, so that thick and thin parts of a signature stay
    apart. "line": the centre lines drawn with a round pen of that width; how rough an outline is, which scanner and pen
    decide as much as the hand, shows in them unless `stroke_smoothing_px` takes it away first.
    """
    from skimage.morphology import skeletonize

    finer = settings.stroke_oversampling
    enlarged = _centred(mask.view(np.uint8) * np.uint8(255), settings, finer)
    if settings.stroke_smoothing_px > 0:
        smooth = ImageFilter.GaussianBlur(settings.stroke_smoothing_px)
        enlarged = np.asarray(Pil.fromarray(enlarged).filter(smooth))
    fine: Mask = enlarged > THIN * 255
    width = settings.stroke_width_px * finer
    room = int(width) + 1
    top, left, bottom, right = bounding_box(fine) or (0, 0, 0, 0)
    around = slice(max(0, top - room), bottom + room), slice(max(0, left - room), right + room)
    part = fine[around]  # the paper beyond costs as much time as the ink
    lines: Mask = skeletonize(part)  # type: ignore[no-untyped-call]
    strokes = np.zeros(fine.shape, np.uint8)
    strokes[around] = _widened(lines if settings.stroke_shape == "line" else part, lines, width)
    reduced: Image = np.asarray(Pil.fromarray(strokes).reduce(finer))
    return reduced


def _widened(strokes: Mask, lines: Mask, width: float) -> Image:
    """`strokes` moved to a mean width of `width` px, 0 to 255; `lines` are their centre lines, which never vanish.

    Between two discs the answer is mixed so that the ink is exactly that much: a pixel more or less in the mask then
    changes the image by as little.
    """
    wanted = width * max(1, int(np.count_nonzero(lines)))
    thinnest = _dilated(lines, 2)
    grow = (width - np.count_nonzero(strokes) / max(1, int(np.count_nonzero(lines)))) / 2
    step = int(np.sign(grow)) * int(np.searchsorted(RADII, abs(grow)))
    less, more = _moved(strokes, thinnest, step), _moved(strokes, thinnest, step + 1)
    for _ in range(2 * len(RADII)):
        if np.count_nonzero(less) > wanted and step > -len(RADII):
            step, more = step - 1, less
            less = _moved(strokes, thinnest, step)
        elif np.count_nonzero(more) < wanted and step < len(RADII) - 1:
            step, less = step + 1, more
            more = _moved(strokes, thinnest, step + 1)
        else:
            break
    few, many = int(np.count_nonzero(less)), int(np.count_nonzero(more))
    share = min(max((wanted - few) / max(1, many - few), 0.0), 1.0)
    mixed: Image = np.where(less, np.uint8(255), more * np.uint8(round(255 * share)))
    return mixed


def _moved(strokes: Mask, thinnest: Mask, step: int) -> Mask:
    """Outlines moved outward (`step` > 0) or inward by the disc RADII[|step| - 1]; never thinner than `thinnest`."""
    if step >= 0:
        return _dilated(strokes, step)
    return ~_dilated(~strokes, -step) | (thinnest & strokes)


def _dilated(mask: Mask, step: int) -> Mask:
    """`mask` (h, w) grown by the disc of radius RADII[step - 1]; itself for step 0."""
    if step == 0:
        return mask
    radius = RADII[step - 1]
    reach = int(radius)
    across = [int((radius**2 - down**2 + 1e-9) ** 0.5) for down in range(reach + 1)]
    wider = [mask]
    for shift in range(1, across[0] + 1):
        row = wider[-1].copy()
        row[:, shift:] |= mask[:, :-shift]
        row[:, :-shift] |= mask[:, shift:]
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
