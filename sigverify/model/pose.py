"""Where and how large a signature stands: centred and scaled by its ink's moments, not by the box around it.

A long stroke or a missing dot moves the box by a third and the moments by a little. Aspect is brought part of the way
to the canvas's: people squeeze and stretch their signatures more than anything else about them. Moment normalisation:
Casey, "Moment normalization of handprinted characters", IBM Journal of Research and Development 1970; in part only, as
aspect-ratio adaptive normalisation does: Liu et al., "Handwritten digit recognition: investigation of normalization
and feature extraction techniques", Pattern Recognition 2004.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sigverify.records import Image

SPREAD_ACROSS, SPREAD_DOWN = 0.24, 0.21  # sd of the ink after normalisation, of the canvas's width and height
_LEAST_SPREAD_PX = 2.0  # a dot is not blown up to a signature


def posed(images: Tensor, stretch: float) -> Tensor:
    """Images (n, 1, h, w) float, ink-positive -> the same shape, the ink's centre in the middle, its spread normalised.

    The wider of the two spreads becomes SPREAD_ACROSS or SPREAD_DOWN; the other axis is stretched towards its own by
    the power `stretch` (0: aspect kept; 1: every signature of one aspect). Bilinear; ink beyond the canvas is cut off.
    An image without ink comes back as it is.
    """
    height, width = images.shape[2:]
    ink = images[:, 0]
    amount = ink.sum((1, 2))
    column, row = ink.sum(1), ink.sum(2)  # (n, w), (n, h)
    x = torch.arange(width, device=images.device, dtype=ink.dtype)
    y = torch.arange(height, device=images.device, dtype=ink.dtype)
    across, wide = _moments(column, x, amount)
    down, tall = _moments(row, y, amount)
    wide, tall = wide / (SPREAD_ACROSS * width), tall / (SPREAD_DOWN * height)
    whole = torch.maximum(wide, tall)
    wide, tall = wide**stretch * whole ** (1 - stretch), tall**stretch * whole ** (1 - stretch)
    empty = amount <= 0
    wide, tall = wide.masked_fill(empty, 1.0), tall.masked_fill(empty, 1.0)
    across = across.masked_fill(empty, (width - 1) / 2)
    down = down.masked_fill(empty, (height - 1) / 2)
    return _sampled(_sampled(ink, _places(y, tall, down), 1), _places(x, wide, across), 2).unsqueeze(1)


def turned(images: Tensor, degrees: float) -> Tensor:
    """Images (n, 1, h, w) turned about the middle of the canvas, counter-clockwise, bilinear; nothing beyond it."""
    n, _, height, width = images.shape
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = [[cos, -sin * height / width, 0.0], [sin * width / height, cos, 0.0]]
    matrix = torch.tensor(rows, device=images.device, dtype=images.dtype).expand(n, 2, 3)
    grid = functional.affine_grid(matrix, [n, 1, height, width], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def shifted(images: Tensor, across: int) -> Tensor:
    """Images (n, 1, h, w) moved `across` px to the right (negative: to the left); what leaves the canvas is lost."""
    return functional.pad(images, (across, -across, 0, 0))


def posed_images(images: Image, stretch: float) -> Image:
    """As `posed`, for prepared images (n, h, w) uint8."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).float()
    found: Image = posed(pixels, stretch).squeeze(1).round().clamp(0, 255).to(torch.uint8).numpy()
    return found


def _places(place: Tensor, scale: Tensor, centre: Tensor) -> Tensor:
    """(n, length): where to look, `scale` px apart, in the middle at `centre` px."""
    return (place - (len(place) - 1) / 2) * scale[:, None] + centre[:, None]


def _sampled(ink: Tensor, places: Tensor, axis: int) -> Tensor:
    """Pictures (n, h, w) linearly interpolated at `places` (n, length) px along axis 1 or 2; nothing beyond them."""
    last = ink.shape[axis] - 1
    lower = places.floor()
    share = places - lower
    parts = []
    for index, weight in ((lower, 1 - share), (lower + 1, share)):
        weight = weight.masked_fill((index < 0) | (index > last), 0.0)
        index = index.clamp(0, last).long()
        shape = [-1, -1, ink.shape[2]] if axis == 1 else [-1, ink.shape[1], -1]
        parts.append(ink.gather(axis, index.unsqueeze(3 - axis).expand(shape)) * weight.unsqueeze(3 - axis))
    return parts[0] + parts[1]


def _moments(profile: Tensor, place: Tensor, amount: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in px (n,) of ink profiles (n, length)."""
    total = amount.clamp(min=1e-6)
    mean = (profile * place).sum(1) / total
    variance = (profile * (place - mean[:, None]).square()).sum(1) / total
    return mean, variance.clamp(min=_LEAST_SPREAD_PX**2).sqrt()
