"""A small planted set: every writer has a stroke pattern, genuine ones wander a little, forgeries bend it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from sigverify.config import (
    AugmentationSettings,
    BatchSettings,
    EncoderSettings,
    MiningSettings,
    PreprocessingSettings,
    TrainingSettings,
)
from sigverify.model.batches import SignatureSet


def planted_set(writers: int = 8, genuine: int = 6, forgeries: int = 4, seed: int = 0) -> SignatureSet:
    """Images (n, 32, 64) uint8, ink-positive, of smooth closed contours."""
    rng = np.random.default_rng(seed)
    images, names, forged = [], [], []
    for writer in range(writers):
        shape = ndimage.gaussian_filter(rng.standard_normal((32, 64)), 4)
        for number in range(genuine + forgeries):
            false = number >= genuine
            bend = ndimage.gaussian_filter(rng.standard_normal((32, 64)), 4) * (0.35 if false else 0.05)
            level = (shape + bend) / shape.std()
            images.append(np.where(np.abs(level) < 0.25, 255, 0).astype(np.uint8))
            names.append(writer)
            forged.append(false)
    return SignatureSet(np.stack(images), np.array(names, np.int64), np.array(forged))


@pytest.fixture(scope="session")
def planted() -> SignatureSet:
    return planted_set()


@pytest.fixture(scope="session")
def make_planted() -> Callable[..., SignatureSet]:
    return planted_set


@pytest.fixture(scope="session")
def small() -> TrainingSettings:
    """Settings of a run of seconds."""
    return TrainingSettings(
        encoder=EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=16),
        preprocessing=PreprocessingSettings(canvas_height_px=32, canvas_width_px=64),
        augmentation=AugmentationSettings(elastic_alpha=0.5),
        batch=BatchSettings(writers=4, genuine=3, forgeries=2),
        mining=MiningSettings(),
        steps=10,
        checkpoint_every=4,
        validate_every=0,
    )
