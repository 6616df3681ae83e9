"""Plain numbers of the network's own input, the raw material of the nuisance probe.

What a network could tell a scanner, a pen or a cropping by. Four numbers are kept apart, reported but not gated, for
they are the form of the signature and not the way it was scanned:

- aspect, and crop size in canvas px, which is aspect over again: a crop is placed with its aspect kept so that it
  fills the canvas in one direction, so its size there is a function of aspect alone, whatever its size in the scan.
- ink density, ink per area of the crop. With strokes brought to one width it is the length of the writing per area:
  how closely somebody writes. Where stroke width is not normalised, density follows it, and stroke width is gated.
"""

from __future__ import annotations

import numpy as np

from sigverify.records import Image

NUISANCES = (
    "paper_level", "paper_noise", "ink_mean", "ink_spread", "ink_light", "ink_dark", "grey_levels", "soft_share",
    "edge_slope", "stroke_width_px",
)  # fmt: skip
SHAPES = ("aspect", "crop_height_px", "crop_width_px", "ink_density")


def describe_input(image: Image) -> dict[str, float]:
    """Nuisances and shapes of a prepared image (h, w) uint8, 0 paper .. 255 full ink; lengths in canvas px."""
    from scipy.ndimage import distance_transform_edt

    mask = image > 127
    if not mask.any():
        return dict.fromkeys((*NUISANCES, *SHAPES), 0.0)
    grey = image.astype(np.float32)
    ink, paper = grey[mask], grey[~mask]
    slope = np.hypot(*np.gradient(grey))
    soft = (image > 0) & (image < 255)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)
    light, dark = np.quantile(ink, [0.1, 0.9])
    return {
        "paper_level": float(np.median(paper)),
        "paper_noise": float(paper.std()),
        "ink_mean": float(ink.mean()),
        "ink_spread": float(ink.std()),
        "ink_light": float(light),
        "ink_dark": float(dark),
        "grey_levels": float(len(np.unique(image))),
        "soft_share": float(soft.sum() / mask.sum()),
        "edge_slope": float(slope[slope > 0].mean()) if (slope > 0).any() else 0.0,
        "stroke_width_px": 4 * float(distance_transform_edt(mask)[mask].mean() - 0.5),  # mean depth = width / 4
        "aspect": width / height,
        "crop_height_px": float(height),
        "crop_width_px": float(width),
        "ink_density": float(mask.sum() / (height * width)),
    }
