"""A finer canvas: the same lines, drawn at any oversampling, without the roughness of outlines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigverify.config import PreprocessingSettings
from sigverify.evaluation.network_input import describe_input
from sigverify.records import Image
from sigverify.scans.prepare import prepare
from tests.scans.drawing import coverage, difference, scan_of

FINE = PreprocessingSettings(
    canvas_height_px=128, canvas_width_px=256, margin_px=5, stroke_width_px=2.0, stroke_shape="line",
    stroke_oversampling=2, stroke_smoothing_px=0.6,
)  # fmt: skip
ROUGH = dataclasses.replace(FINE, stroke_smoothing_px=0.0)


def image_of(scan: Image, lane: PreprocessingSettings = FINE) -> Image:
    found = prepare(scan, lane)
    assert found.image is not None, found.failure
    return found.image


def frayed(ink: np.ndarray, seed: int) -> np.ndarray:
    """The same strokes from a pen or scanner with a rough outline: a random half of the edge pixels full or empty."""
    edge = (ink > 0.02) & (ink < 0.98)
    chance = np.random.default_rng(seed).random(ink.shape)
    return np.where(edge, (chance < ink).astype(float), ink)


@given(seed=st.integers(0, 5), oversampling=st.integers(2, 4))
@settings(max_examples=12, deadline=None)
def test_oversampling_is_a_matter_of_precision(seed: int, oversampling: int) -> None:
    scan = scan_of(coverage(seed))
    finest = image_of(scan, dataclasses.replace(FINE, stroke_oversampling=5))
    found = image_of(scan, dataclasses.replace(FINE, stroke_oversampling=oversampling))
    assert found.shape == (128, 256)
    # a centre line may lie a pixel of its raster aside
    assert difference(found, finest) < 0.35
    assert float(found.sum()) == pytest.approx(float(finest.sum()), rel=0.06)


def test_smoothing_takes_the_roughness_of_an_outline_away() -> None:
    """Ink, and what the nuisance probe reads, change less from a smooth to a rough outline than without smoothing."""
    changed, read = {}, {}
    for lane in (FINE, ROUGH):
        pairs = []
        for seed in range(8):
            ink = coverage(seed, pen=5)
            pairs.append([image_of(scan_of(each), lane) for each in (ink, frayed(ink, seed))])
        changed[lane] = np.mean([difference(even, rough) for even, rough in pairs])
        soft = np.array([[describe_input(image)["soft_share"] for image in pair] for pair in pairs])
        read[lane] = abs(soft[:, 1].mean() - soft[:, 0].mean())
    assert changed[FINE] < 0.95 * changed[ROUGH]
    assert read[FINE] < read[ROUGH]


def test_smoothing_breaks_no_thin_stroke() -> None:
    for seed in range(4):
        scan = scan_of(coverage(seed, pen=1.5))
        smooth, plain = (image_of(scan, lane) for lane in (FINE, ROUGH))
        assert smooth.sum() > 0.93 * plain.sum()
