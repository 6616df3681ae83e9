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
BORDER_BAND = 0.0125  # of the scan's long side: ink within this distance of the edge lies on the border


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
    """Share of the ink within a band of 1.25 % of the long side along the scan's border (8 px at 640 px)."""
    band = max(1, round(BORDER_BAND * max(mask.shape)))
    area = int(np.count_nonzero(mask))
    inner = int(np.count_nonzero(mask[band:-band, band:-band]))
    return (area - inner) / area if area else 0.0


def measure(view: Image, ink: Ink, mask: Mask) -> dict[str, float]:
    """Plain numbers of the ink in one view (grey levels of the scan, lengths in view px); see `prepare` for the rest."""
    levels = view[mask]
    area = float(levels.size)
    across, down = mask[:, 1:] ^ mask[:, :-1], mask[1:] ^ mask[:-1]
    edges = int(np.count_nonzero(across)) + int(np.count_nonzero(down))
    steps = np.abs(np.diff(view.astype(np.int16), axis=1))[across]
    return {
        "ink_fraction": area / mask.size,
        "ink_grey_mean": float(levels.mean()) if area else 0.0,
        "ink_grey_darkest": float(np.percentile(levels, 1)) if area else 0.0,
        "edge_mean": float(steps.mean()) if steps.size else 0.0,  # grey step across the stroke's edge
        "paper_level": ink.paper_level,
        "paper_noise": ink.noise,
        # a stroke of width w and length l has area w l and an outline of 2 l, of which a pixel grid sees 4 / pi
        "stroke_width_px": 2.0 * area / (edges * np.pi / 4) if edges else 0.0,
        "border_share": border_share(mask),
    }
