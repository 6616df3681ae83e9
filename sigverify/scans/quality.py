"""Can a signature be taken from this scan? Reasons why not, and the plain numbers that describe it.

A failure here is a failure to acquire: an outcome of its own, never a rejection of the signature.
"""

from __future__ import annotations

import numpy as np

from sigverify.config import PreprocessingSettings
from sigverify.records import Image, Reason
from sigverify.scans.clean import Ink, Mask

FLAT_LEVELS = 2  # grey levels: a scan that varies no more than this holds nothing at all
WHITE_LEVEL = 200  # a flat scan at least this light is a blank sheet, a darker one a scanner fault
DARK_LEVEL = 128  # darker than half way between black and the lightest paper
SLIGHT_TOUCH = 0.005  # border share above which a signature is warned about, though not refused


def refuse_scan(image: Image, settings: PreprocessingSettings) -> Reason | None:
    """What can be said against a scan before looking for ink: too_small, blank, uniform, too_dark."""
    if min(image.shape) < settings.min_side_px:
        return Reason.TOO_SMALL
    sample = image if image.size < 1_000_000 else image[::3, ::3]
    darkest, lightest = int(image.min()), int(image.max())
    if lightest - darkest <= FLAT_LEVELS:
        return Reason.BLANK if lightest >= WHITE_LEVEL else Reason.UNIFORM
    dark = np.count_nonzero(sample < (darkest + lightest) // 2) / sample.size
    return Reason.TOO_DARK if dark > settings.max_ink_fraction else None


def refuse_ink(mask: Mask, settings: PreprocessingSettings) -> Reason | None:
    """What can be said against the ink found, mask (h, w) at most 640 px long: blank, too_dark, touches_border."""
    area = int(np.count_nonzero(mask))
    if area < settings.min_ink_px * (max(mask.shape) / 640) ** 2:
        return Reason.BLANK
    if area > settings.max_ink_fraction * mask.size:
        return Reason.TOO_DARK
    return Reason.TOUCHES_BORDER if border_share(mask) > settings.max_border_share else None


def border_share(mask: Mask) -> float:
    """Ink on the scan's outermost pixels, as a share of the length of all strokes; 0 where nothing touches.

    A stroke of width w that leaves the scan covers w border px, one that runs along the border covers its own length;
    all strokes together are area / w long. One clean crossing of a 1,500 px signature with 4 px strokes is 0.3 %.
    """
    area = int(np.count_nonzero(mask))
    sides = mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]
    touching = sum(int(np.count_nonzero(side)) for side in sides)
    return touching * stroke_width(mask) / area if touching else 0.0


def stroke_width(mask: Mask) -> float:
    """Mean width of the strokes, px: twice the area over the outline, of which a pixel grid counts 4 / pi too much."""
    edges = int(np.count_nonzero(mask[:, 1:] ^ mask[:, :-1])) + int(np.count_nonzero(mask[1:] ^ mask[:-1]))
    return 2.0 * int(np.count_nonzero(mask)) / (edges * np.pi / 4) if edges else 0.0


def measure(view: Image, ink: Ink, mask: Mask) -> dict[str, float]:
    """Plain numbers of the ink in one view, (h, w) each: grey levels of the scan, lengths in px of the view."""
    counts = np.bincount(view[mask], minlength=256)
    area = float(counts.sum())
    across = mask[::2, 1:] ^ mask[::2, :-1]
    left, right = view[::2, :-1][across], view[::2, 1:][across]
    steps = np.maximum(left, right) - np.minimum(left, right)
    return {
        "ink_fraction": area / mask.size,
        "ink_grey_mean": float(counts @ np.arange(256)) / area if area else 0.0,
        "ink_grey_darkest": float(np.searchsorted(np.cumsum(counts), 0.01 * area)),  # 1 % quantile
        "edge_mean": float(steps.mean()) if steps.size else 0.0,  # grey step across the stroke's edge
        "paper_level": ink.paper_level,
        "paper_noise": ink.noise,
        "stroke_width_px": stroke_width(mask),
    }
