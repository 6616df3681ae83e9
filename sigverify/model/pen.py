"""Another pen for every image: strokes thinner or thicker, ink paler, on a whole batch and on any device.

In every public set one writer signs with one pen in one sitting, and the forger uses another; a network reads that
before it reads the hand. So every training image gets a pen of its own, whatever pen it was written with.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sigverify.config import AugmentationSettings

_PALEST = 0.6  # of full ink
_WEIGHTS = (1.0, 4.0, 6.0, 4.0, 1.0)  # binomial smoothing, sigma 1 px


def change_pens(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Images (n, 1, h, w) float in [0, 1], ink-positive; each is redrawn with probability `stroke_change`.

    Redrawing moves the stroke's edge by up to about one pixel either way. A thin stroke becomes fainter at its edges
    but never vanishes: ink is measured against the strongest ink nearby, not against a fixed level.
    """
    if settings.stroke_change <= 0:
        return images
    drawn = torch.rand(3, len(images), 1, 1, 1, generator=generator).to(images.device)
    changed = drawn[0] < settings.stroke_change
    level = drawn[1] * 2 - 1  # -1 thinnest, +1 thickest
    redrawn = torch.where(level > 0, _thicker(images, level), _thinner(images, -level))
    ink = 1 - (1 - _PALEST) * drawn[2]
    return torch.where(changed, redrawn * ink, images)


def _thicker(images: Tensor, share: Tensor) -> Tensor:
    """A share (0..1) of the way to strokes one pixel wider on each side."""
    wide = functional.max_pool2d(images, 3, stride=1, padding=1)
    return images + share.clamp(min=0) * (wide - images)


def _thinner(images: Tensor, share: Tensor) -> Tensor:
    """A share (0..1) of the way to the ridge of the smoothed ink: where it is close to the strongest within 2 px."""
    smooth = _smoothed(images)
    strongest = functional.max_pool2d(smooth, 5, stride=1, padding=2)
    ridge = ((smooth / strongest.clamp(min=1e-3) - 0.7) / 0.25).clamp(0, 1)
    return images * (1 - share.clamp(min=0) * (1 - ridge))


def _smoothed(images: Tensor) -> Tensor:
    weights = torch.tensor(_WEIGHTS, dtype=images.dtype, device=images.device) / sum(_WEIGHTS)
    rows = functional.conv2d(images, weights.view(1, 1, 5, 1), padding=(2, 0))
    return functional.conv2d(rows, weights.view(1, 1, 1, 5), padding=(0, 2))
