"""Augmentation: a function of image and seed, ranges that are kept, strokes that never vanish, on both paths."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from sigverify.config import AugmentationSettings
from sigverify.model.augmentation import Augmenter, as_pixels, build_recipe
from sigverify.model.batches import SignatureSet
from sigverify.model.device_augmentation import affine_on_device, augment_on_device
from sigverify.model.pen import change_pens, smoothed, strongest_near, thicker, thinner

NOTHING = AugmentationSettings(
    rotation_deg=0, scale_share=0, shear_deg=0, shift_share=0, stroke_change=0, erase=0, blur=0
)
STRONG = AugmentationSettings(elastic_alpha=1.5, stroke_change=1.0, erase=1.0, blur=1.0)


def cross(height: int = 48, width: int = 96, thick: int = 2) -> torch.Tensor:
    """One image (1, 1, h, w) with a horizontal and a vertical stroke."""
    image = torch.zeros(1, 1, height, width)
    image[..., height // 2 : height // 2 + thick, 10:-10] = 1
    image[..., 6:-6, width // 3 : width // 3 + thick] = 1
    return image


def centre(image: torch.Tensor) -> tuple[float, float]:
    """Centre of the ink (y, x) in px."""
    ink = image.squeeze()
    y, x = torch.meshgrid(torch.arange(ink.shape[0]), torch.arange(ink.shape[1]), indexing="ij")
    return float((ink * y).sum() / ink.sum()), float((ink * x).sum() / ink.sum())


def test_image_and_seed_decide(planted: SignatureSet) -> None:
    images = planted.images[:6]
    one, two = Augmenter(STRONG), Augmenter(STRONG)
    two(images, 99)
    assert torch.equal(one(images, 7), two(images, 7))
    assert not torch.equal(one(images, 7), one(images, 8))


@pytest.mark.parametrize("settings", [NOTHING, AugmentationSettings(enabled=False)], ids=["zero ranges", "disabled"])
def test_nothing_asked_changes_nothing(settings: AugmentationSettings, planted: SignatureSet) -> None:
    pixels = as_pixels(torch.from_numpy(planted.images[:5]))
    assert torch.equal(Augmenter(settings)(planted.images[:5], 1), pixels)
    assert torch.allclose(augment_on_device(pixels, settings, torch.Generator()), pixels, atol=1e-5)


@pytest.mark.parametrize("on_device", [False, True])
def test_pixels_stay_pixels(on_device: bool, planted: SignatureSet) -> None:
    pixels = as_pixels(torch.from_numpy(planted.images))
    out = augment_on_device(pixels, STRONG, torch.Generator()) if on_device else Augmenter(STRONG)(planted.images, 0)
    assert out.shape == pixels.shape and out.dtype == torch.float32
    assert out.min() >= 0 and out.max() <= 1
    share = out.mean() / pixels.mean()
    assert 0.4 < share < 1.4, "ink was lost or made up"


def test_each_image_gets_its_own_change(planted: SignatureSet) -> None:
    same = np.repeat(planted.images[:1], 8, axis=0)
    for out in (
        Augmenter(STRONG)(same, 0),
        augment_on_device(as_pixels(torch.from_numpy(same)), STRONG, torch.Generator()),
    ):
        assert len({tuple(image.flatten().tolist()) for image in out}) == 8


def test_strongest_near_and_smoothed_are_the_filters_they_name() -> None:
    images = torch.rand(3, 1, 11, 17, generator=torch.Generator().manual_seed(0))
    assert torch.equal(strongest_near(images), max_pool2d(images, 3, stride=1, padding=1))
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    expected = torch.nn.functional.conv2d(images, (kernel[:, None] * kernel[None, :]).view(1, 1, 3, 3), padding=1)
    assert torch.allclose(smoothed(images), expected, atol=1e-6)
    before = images.clone()
    thinner(images, torch.ones(3, 1, 1, 1))
    assert torch.equal(images, before), "the caller's image was changed"


@pytest.mark.parametrize("thick", [1, 2, 3, 5])
def test_pens_widen_and_narrow_without_losing_a_stroke(thick: int) -> None:
    image, one = cross(thick=thick), torch.ones(1, 1, 1, 1)
    wide, narrow = thicker(image, one), thinner(image, one)
    assert (wide >= image).all() and (narrow <= image).all()
    across = image.shape[-1] * 2 // 3  # a column that only the horizontal stroke crosses
    assert wide[0, 0, :, across].sum().item() == thick + 2
    assert narrow[0, 0, :, across].max().item() > 0.9, "the stroke vanished"
    assert thick < 3 or narrow[0, 0, :, across].sum().item() < thick
    assert torch.equal(thicker(image, 0 * one), image) and torch.equal(thinner(image, 0 * one), image)


def test_stroke_change_is_a_probability() -> None:
    images = cross().expand(400, 1, 48, 96)
    out = change_pens(images, AugmentationSettings(stroke_change=0.3), torch.Generator().manual_seed(0))
    changed = (out != images).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.06)


def test_rotation_turns_in_pixels_and_keeps_within_its_range() -> None:
    bar = torch.zeros(64, 1, 96, 192)
    bar[..., 46:50, 20:172] = 1
    only = AugmentationSettings(rotation_deg=10, scale_share=0, shear_deg=0, shift_share=0)
    out = affine_on_device(bar, only, torch.Generator().manual_seed(0))
    angles = []
    for image in out[:, 0]:
        y, x = torch.nonzero(image > 0.5).float().T
        slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
        angles.append(float(torch.rad2deg(torch.atan(slope))))
    assert max(angles) > 6 and min(angles) < -6 and max(map(abs, angles)) < 10.3
    assert out.sum((1, 2, 3)).sub(bar.sum((1, 2, 3))).abs().max() < 0.03 * bar[0].sum(), "a rotation keeps the ink"


def test_shift_and_scale_keep_within_their_ranges() -> None:
    image = cross(96, 192).expand(64, 1, 96, 192)
    only_shift = AugmentationSettings(rotation_deg=0, scale_share=0, shear_deg=0, shift_share=0.05)
    y0, x0 = centre(image[:1])
    moved = [centre(i) for i in affine_on_device(image, only_shift, torch.Generator().manual_seed(0))]
    assert 3.5 < max(abs(y - y0) for y, _ in moved) < 4.9 and 7 < max(abs(x - x0) for _, x in moved) < 9.7
    only_scale = AugmentationSettings(rotation_deg=0, scale_share=0.2, shear_deg=0, shift_share=0)
    out = affine_on_device(image, only_scale, torch.Generator().manual_seed(0))
    wide = (out.squeeze(1).amax(1) > 0.5).sum(1) / 172  # columns with ink, of those before
    tall = (out.squeeze(1).amax(2) > 0.5).sum(1) / 84
    assert 0.78 < wide.min() < 0.87 and wide.max() > 1.08
    assert (wide - tall).abs().max() > 0.1, "scale differs along the two axes"


def test_elastic_displacements_are_as_large_as_asked() -> None:
    ramp = torch.arange(192.0).expand(32, 1, 96, 192)  # grey says where a pixel came from
    only = AugmentationSettings(rotation_deg=0, scale_share=0, shear_deg=0, shift_share=0, elastic_alpha=2.0)
    out = affine_on_device(ramp, only, torch.Generator().manual_seed(0))
    moved = (out - ramp)[..., 10:-10, 10:-10]
    assert moved.square().mean().sqrt().item() == pytest.approx(2.0, rel=0.15)


def test_erasing_hides_boxes_and_lines_across() -> None:
    image = np.full((96, 192), 255, np.uint8)
    recipe = build_recipe(dataclasses.replace(NOTHING, erase=1.0))
    recipe.set_random_seed(0)
    hidden = [recipe(image=image)["image"] == 0 for _ in range(40)]
    lines = [h for h in hidden if h.any(0).mean() > 0.85]
    assert 8 < len(lines) < 32
    assert all(1 <= h.any(1).sum() <= 3 for h in lines)
    assert all(0.002 < h.mean() < 0.2 for h in hidden)


def test_a_machine_without_albumentations_augments_all_the_same() -> None:
    code = """
import sys
sys.modules["albumentations"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "albumentations" else find(name, *rest)
import numpy as np
from sigverify.config import AugmentationSettings
from sigverify.model.augmentation import Augmenter
image = np.zeros((3, 32, 64), np.uint8)
image[:, 10:14, 8:50] = 255
one, two = (Augmenter(AugmentationSettings(stroke_change=1.0))(image, 5) for _ in range(2))
print(tuple(one.shape), bool((one == two).all()), bool((one[:, 0] != one.new_tensor(image) / 255).any()))
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "(3, 1, 32, 64) True True", done.stderr[-1500:]
