"""Random changes a signature survives, on the CPU: albumentations for geometry and damage, tensors for the pen.

albumentations is imported here only and on first use; a machine without it uses sigverify.model.device_augmentation.
"""

from __future__ import annotations

import importlib.util
import math
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sigverify.config import AugmentationSettings
from sigverify.model.device_augmentation import augment_on_device
from sigverify.model.pen import change_pens
from sigverify.records import Image

_ELASTIC_SIGMA_PX = 8.0  # smoothness of elastic displacements


class Augmenter:
    """Augments batches on the CPU; what comes out depends on the images and the seed alone. One for each thread."""

    def __init__(self, settings: AugmentationSettings) -> None:
        self._settings = settings
        wanted = settings.enabled and importlib.util.find_spec("albumentations") is not None
        self._recipe = build_recipe(settings) if wanted else None

    def __call__(self, images: Image, seed: int) -> Tensor:
        """Images (n, h, w) uint8, ink-positive -> (n, 1, h, w) float32 in [0, 1]."""
        generator = torch.Generator().manual_seed(seed)
        if self._recipe is None:
            return augment_on_device(as_pixels(torch.from_numpy(images)), self._settings, generator)
        self._recipe.set_random_seed(seed % 2**32)
        changed = np.stack([self._recipe(image=image)["image"] for image in images])
        return change_pens(as_pixels(torch.from_numpy(changed)), self._settings, generator)


def as_pixels(images: Tensor) -> Tensor:
    """(n, h, w) uint8 -> (n, 1, h, w) float32 in [0, 1], channels last, on the same device."""
    return images.unsqueeze(1).float().div_(255).contiguous(memory_format=torch.channels_last)


def build_recipe(settings: AugmentationSettings) -> Any:
    """The albumentations pipeline for one (h, w) uint8 ink-positive image; paper (0) fills what comes into view."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import otherwise asks the network for a newer version
    import albumentations
    import cv2

    cv2.setNumThreads(0)  # images are small; threads of its own would fight torch for the cores
    s = settings
    scale = (1 - s.scale_share, 1 + s.scale_share)
    steps: list[Any] = [
        albumentations.Affine(
            scale={"x": scale, "y": scale},
            rotate=(-s.rotation_deg, s.rotation_deg),
            shear=(-s.shear_deg, s.shear_deg),
            translate_percent=(-s.shift_share, s.shift_share),
            fill=0,
            p=0.95,
        )
    ]
    if s.elastic_alpha > 0:
        alpha = s.elastic_alpha * 2 * math.sqrt(3 * math.pi) * _ELASTIC_SIGMA_PX  # root mean square of elastic_alpha px
        steps.append(albumentations.ElasticTransform(alpha=alpha, sigma=_ELASTIC_SIGMA_PX, fill=0, p=0.5))
    return albumentations.Compose(steps + _damage(albumentations, s))


def _damage(albumentations: Any, s: AugmentationSettings) -> list[Any]:
    """A hidden box or a line across, blur, and the blocks that JPEG leaves.

    All sizes are shares of the side: CoarseDropout reads both ranges as pixels when the heights reach 1.
    """
    box = albumentations.CoarseDropout(
        num_holes_range=(1, 2), hole_height_range=(0.1, 0.3), hole_width_range=(0.05, 0.2), fill=0, p=1.0
    )
    line = albumentations.CoarseDropout(
        num_holes_range=(1, 1), hole_height_range=(0.0105, 0.04), hole_width_range=(0.9, 0.999), fill=0, p=1.0
    )
    return [
        albumentations.OneOf([box, line], p=s.erase),
        albumentations.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 0.9), p=s.blur),
        albumentations.ImageCompression(quality_range=(40, 90), p=s.blur / 2),
    ]
