"""The augmentation recipe on tensors, a whole batch at once: what a GPU uses, and a machine without albumentations.

The same changes in the same ranges as sigverify.model.augmentation, not the same pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from sigverify.config import AugmentationSettings
from sigverify.model.pen import change_pens

_COARSE_PX = 16  # distance of the knots that elastic displacements are drawn at


def augment_on_device(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Images (n, 1, h, w) float in [0, 1], ink-positive, on any device -> the same shape. Draws are made on the CPU."""
    if not settings.enabled:
        return images
    images = change_pens(images, settings, generator)
    images = affine_on_device(images, settings, generator)
    images = _erased(images, settings.erase, generator)
    return _blurred(images, settings.blur, generator)


def affine_on_device(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Rotation, anisotropic scale, shear, shift and elastic displacement in one bilinear resampling; paper outside."""
    n, _, height, width = images.shape
    turn = _affine_matrices(n, height, width, settings, generator).to(images.device)
    grid = functional.affine_grid(turn, [n, 1, height, width], align_corners=False)
    if settings.elastic_alpha > 0:
        grid = grid + _elastic(n, height, width, settings.elastic_alpha, images.device, generator)
    return functional.grid_sample(images, grid, align_corners=False)


def _affine_matrices(
    n: int, height: int, width: int, settings: AugmentationSettings, generator: torch.Generator
) -> Tensor:
    """(n, 2, 3) from output to input, in the [-1, 1] coordinates of grid_sample; angles hold in pixels."""
    draw = torch.rand(6, n, generator=generator) * 2 - 1
    angle = draw[0] * math.radians(settings.rotation_deg)
    slant = torch.tan(draw[1] * math.radians(settings.shear_deg))
    across, down = 1 / (1 + draw[2] * settings.scale_share), 1 / (1 + draw[3] * settings.scale_share)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = torch.stack([across * cos, -across * sin + slant * cos, down * sin, down * cos + slant * sin], 1)
    in_pixels = rows.view(n, 2, 2)
    half = torch.tensor([width / 2, height / 2])
    normalised = in_pixels * half.view(1, 1, 2) / half.view(1, 2, 1)
    shift = 2 * settings.shift_share * draw[4:6].T.unsqueeze(2)
    return torch.cat([normalised, shift], 2)


def _elastic(
    n: int, height: int, width: int, rms_px: float, device: torch.device, generator: torch.Generator
) -> Tensor:
    """Smooth random displacements (n, h, w, 2) in [-1, 1] coordinates, `rms_px` pixels in the root mean square."""
    knots = torch.randn(n, 2, height // _COARSE_PX + 2, width // _COARSE_PX + 2, generator=generator).to(device)
    smooth = functional.interpolate(knots, (height, width), mode="bicubic", align_corners=True)
    smooth = smooth * (rms_px / smooth.square().mean().sqrt().clamp(min=1e-6))
    return smooth.permute(0, 2, 3, 1) * torch.tensor([2 / width, 2 / height], device=device)


def _erased(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Hide the ink under one box, or under a thin line right across, in a share of the images."""
    n, _, height, width = images.shape
    draw = torch.rand(6, n, generator=generator).to(images.device)
    line = draw[1] < 0.5
    tall = torch.where(line, 1 + 2 * draw[2], height * (0.1 + 0.2 * draw[2]))
    wide = torch.where(line, torch.full_like(draw[3], 2.0 * width), width * (0.05 + 0.15 * draw[3]))
    y = torch.arange(height, device=images.device).view(1, height, 1)
    x = torch.arange(width, device=images.device).view(1, 1, width)
    inside_y = (y - draw[4].view(n, 1, 1) * height).abs() <= tall.view(n, 1, 1) / 2
    inside_x = (x - draw[5].view(n, 1, 1) * width).abs() <= wide.view(n, 1, 1) / 2
    hidden = inside_y & inside_x & (draw[0] < probability).view(n, 1, 1)
    return images.masked_fill(hidden.unsqueeze(1), 0.0)


def _blurred(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """A random share of the way to a 3 x 3 mean, in a share of the images."""
    draw = torch.rand(2, len(images), 1, 1, 1, generator=generator).to(images.device)
    share = torch.where(draw[0] < probability, draw[1], torch.zeros_like(draw[1]))
    return images + share * (functional.avg_pool2d(images, 3, stride=1, padding=1) - images)
