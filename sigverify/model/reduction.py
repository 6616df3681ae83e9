"""The smaller picture that the backbone looks at: strokes widened, then averaged down.

Directions of strokes want fine pixels and cost little; a convolutional network costs by the pixel and wants strokes a
few of them wide. So the canvas may be finer than what the network sees.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sigverify.config import EncoderSettings
from sigverify.records import Image

CHUNK = 256  # pictures reduced at once


def reduced(images: Tensor, settings: EncoderSettings) -> Tensor:
    """Images (n, 1, h, w) float, ink-positive -> (n, 1, learnt_height_px, the width that keeps their aspect).

    Strokes become `learnt_widen_px` wider first, so that they do not fade. Pictures that are no higher come back as
    they are, and so do all where `learnt_height_px` is 0.
    """
    height, width = images.shape[2:]
    wanted = settings.learnt_height_px
    if wanted == 0 or height <= wanted:
        return images
    wider = _widened(_widened(images, settings.learnt_widen_px // 2, 2), settings.learnt_widen_px // 2, 3)
    size = (wanted, round(width * wanted / height))
    return functional.interpolate(wider, size=size, mode="bilinear", antialias=True, align_corners=False)


def _widened(images: Tensor, reach: int, axis: int) -> Tensor:
    """The largest of the pixels up to `reach` away along an axis; several times faster than a max pooling on a CPU."""
    length, found = images.shape[axis], images.clone()
    for away in range(1, reach + 1):
        for there, here in ((0, away), (away, 0)):
            part = found.narrow(axis, there, length - away)
            torch.maximum(part, images.narrow(axis, here, length - away), out=part)
    return found


def reduced_images(images: Image, settings: EncoderSettings) -> Image:
    """As `reduced`, for prepared images (n, h, w) uint8."""
    if settings.learnt_height_px == 0 or images.shape[1] <= settings.learnt_height_px:
        return images
    parts = []
    for start in range(0, len(images), CHUNK):
        pixels = torch.from_numpy(np.ascontiguousarray(images[start : start + CHUNK])).unsqueeze(1).float()
        parts.append(reduced(pixels, settings).squeeze(1).round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(parts)
