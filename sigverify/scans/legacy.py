"""The legacy lane: what most published figures were measured with. For comparison only, it carries no verdict.

Grey, paper whitened at Otsu's threshold, the whole scan stretched to the canvas: paper level, ink darkness, pen and
canvas size all remain, and on some public sets they alone separate genuine from forged.
"""

from __future__ import annotations

import numpy as np

from sigverify.config import PreprocessingSettings
from sigverify.records import Image
from sigverify.scans.clean import Mask, resize


def whiten(image: Image) -> tuple[Mask, Image]:
    """(mask, ink): what Otsu calls ink, and the scan's darkness there, 0 elsewhere; (h, w) each."""
    from skimage.filters import threshold_otsu

    threshold = threshold_otsu(image)  # type: ignore[no-untyped-call]
    mask: Mask = image <= threshold  # two levels: the threshold is the darker one, which is then the ink
    return mask, np.where(mask, 255 - image, 0).astype(np.uint8)


def stretch_to_canvas(ink: Image, settings: PreprocessingSettings) -> Image:
    """(canvas_height_px, canvas_width_px) uint8, ink-positive, aspect not kept."""
    return resize(ink, settings.canvas_height_px, settings.canvas_width_px)
