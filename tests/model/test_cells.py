"""Embeddings of cells: pose, stroke directions, overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sigverify.config import EncoderSettings, TrainingSettings, from_dict, to_dict
from sigverify.errors import BadSettings
from sigverify.model.directions import stroke_directions, windowed
from sigverify.model.encoder import build_encoder
from sigverify.model.mining import distances
from sigverify.model.pose import SPREAD_ACROSS, SPREAD_DOWN, posed, shifted

CELLS = EncoderSettings(
    backbone="mobilenetv3_small_050",
    grid_rows=3,
    grid_columns=6,
    grid_stride=8,
    cell_channels=4,
    similarity="overlap",
    pose_stretch=0.4,
    cell_window_px=6.0,
    directions=5,
)


def block(x: float, y: float, wide: int, tall: int) -> torch.Tensor:
    """A rectangle of ink (1, 1, 96, 192) about (x, y)."""
    image = torch.zeros(1, 1, 96, 192)
    left, top = round(x - wide / 2), round(y - tall / 2)
    image[0, 0, top : top + tall, left : left + wide] = 1
    return image


def moments(image: torch.Tensor) -> tuple[float, float, float, float]:
    """Slow oracle: centre x, y and standard deviations of the ink."""
    ink = image[0, 0].numpy().astype(float)
    y, x = np.indices(ink.shape)
    cx, cy = (ink * x).sum() / ink.sum(), (ink * y).sum() / ink.sum()
    return cx, cy, ((ink * (x - cx) ** 2).sum() / ink.sum()) ** 0.5, ((ink * (y - cy) ** 2).sum() / ink.sum()) ** 0.5


def smoothed(maps: torch.Tensor, deviation: float) -> torch.Tensor:
    """Slow oracle: convolution with a Gaussian out to three deviations, zero outside."""
    if deviation == 0:
        return maps
    reach = max(1, round(3 * deviation))
    window = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    kernel = torch.outer(window, window) / window.sum() ** 2
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    return torch.nn.functional.conv2d(flat, kernel[None, None], padding=reach).view(maps.shape)


@pytest.mark.parametrize("stretch", [0.0, 0.4, 1.0])
def test_pose_centres_the_ink_and_gives_its_wider_spread_one_size(stretch: float) -> None:
    image = block(80, 50, 80, 20)
    cx, cy, wide, tall = moments(posed(image, stretch))
    assert (cx, cy) == pytest.approx((95.5, 47.5), abs=0.3)
    assert wide == pytest.approx(SPREAD_ACROSS * 192, rel=0.03)
    aspect_kept, aspect_one = 20 / 80 * SPREAD_ACROSS * 192, SPREAD_DOWN * 96
    assert tall == pytest.approx(aspect_kept ** (1 - stretch) * aspect_one**stretch, rel=0.03)


def test_the_same_ink_elsewhere_and_larger_gets_one_pose() -> None:
    here, there = posed(block(80, 40, 60, 24), 0.4), posed(block(110, 55, 90, 36), 0.4)
    assert (here - there).abs().mean() < 0.02 < here.mean()


def test_an_image_without_ink_and_a_dot_stay_finite() -> None:
    blank = torch.zeros(1, 1, 96, 192)
    assert torch.equal(posed(blank, 0.4), blank)
    dot = blank.clone()
    dot[0, 0, 10, 20] = 1
    assert bool(posed(dot, 0.4).isfinite().all())
    with torch.inference_mode():
        both = build_encoder(CELLS).eval()(torch.cat([blank, dot]))
    assert bool(both.isfinite().all()) and float(both[0].min()) >= 0


def test_a_stroke_falls_into_the_cell_and_direction_it_runs_in() -> None:
    image = torch.zeros(2, 1, 96, 192)
    image[0, 0, 40:43, 10:60] = 1  # level: its gradient points up and down, 90 degrees
    image[1, 0, 10:60, 150:153] = 1  # upright: 0 degrees
    found = stroke_directions(image, (4, 6, 12), 4.0)
    assert found.shape == (2, 4, 6, 12) and float(found.min()) >= 0
    level, upright = found[0].sum((1, 2)), found[1].sum((1, 2))
    assert int(level.argmax()) == 2 and int(upright.argmax()) == 0
    assert float(found[0, :, :, 6:].sum()) == pytest.approx(0, abs=1e-4)
    assert float(found[1, :, :, :6].sum()) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("neighbours", "limit"), [(3, 0.4), (1, 0.6)])
def test_directions_agree_with_a_slow_oracle(neighbours: int, limit: float) -> None:
    generator = torch.Generator().manual_seed(1)
    image = smoothed(torch.rand(1, 1, 32, 64, generator=generator), 1.0)
    pixels = image[0, 0].numpy().astype(float)
    histogram = np.zeros((3, 32, 64))
    for y in range(32):
        for x in range(64):
            across = pixels[y, x + 1] - pixels[y, x - 1] if 0 < x < 63 else 0.0
            down = pixels[y + 1, x] - pixels[y - 1, x] if 0 < y < 31 else 0.0
            place = (np.arctan2(down, across) / np.pi % 1.0) * 3
            low = int(place) % 3
            histogram[low, y, x] += np.hypot(across, down) * (1 - place % 1)
            histogram[(low + 1) % 3, y, x] += np.hypot(across, down) * (place % 1)
    cells = histogram.reshape(3, 2, 16, 4, 16).mean(axis=(2, 4))
    energy = (cells**2).sum(0)
    about = neighbours // 2
    near = [
        [energy[max(0, r - about) : r + about + 1, max(0, c - about) : c + about + 1].mean() for c in range(4)]
        for r in range(2)
    ]
    expected = np.minimum(cells / (np.sqrt(near) + 1e-3), limit)
    found = stroke_directions(image, (3, 2, 4), 0.0, neighbours, limit)[0].numpy()
    assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("deviation", [0.0, 0.7, 2.5])
def test_windows_are_a_convolution_and_a_mean(deviation: float) -> None:
    maps = torch.rand(2, 3, 12, 25, generator=torch.Generator().manual_seed(4))
    expected = torch.nn.functional.adaptive_avg_pool2d(smoothed(maps, deviation), (4, 6))
    assert torch.allclose(windowed(maps, 4, 6, deviation), expected, atol=1e-6)


def test_pose_is_bilinear_sampling() -> None:
    image = smoothed(torch.rand(1, 1, 96, 192, generator=torch.Generator().manual_seed(5)).gt(0.97).float(), 2.0)
    cx, cy, wide, tall = moments(image)
    wide, tall = wide / (SPREAD_ACROSS * 192), tall / (SPREAD_DOWN * 96)
    whole = max(wide, tall)
    scales = wide**0.3 * whole**0.7, tall**0.3 * whole**0.7
    shift = (cx - 95.5) / 96, (cy - 47.5) / 48
    matrix = torch.tensor([[[scales[0], 0, shift[0]], [0, scales[1], shift[1]]]], dtype=torch.float32)
    grid = torch.nn.functional.affine_grid(matrix, [1, 1, 96, 192], align_corners=False)
    expected = torch.nn.functional.grid_sample(image, grid, align_corners=False)
    assert torch.allclose(posed(image, 0.3), expected, atol=1e-4)


def test_embeddings_of_cells_are_shares_and_their_parts_count_as_asked() -> None:
    encoder = build_encoder(CELLS).eval()
    images = torch.rand(3, 1, 96, 192, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, learnt = encoder(images), encoder.taught(images)
    assert whole.shape == (3, CELLS.size) == (3, 18 * 9) and float(whole.min()) >= 0
    assert torch.allclose(whole.sum(1), torch.ones(3), atol=1e-5)
    assert torch.allclose(whole[:, : 18 * 4], learnt * (1 - CELLS.direction_share), atol=1e-6)
    assert not [name for name, _ in encoder.named_parameters() if "projection" in name]


def test_directions_may_have_finer_cells_than_what_is_learnt() -> None:
    fine = replace(CELLS, direction_split=2)
    assert fine.grids == ((4, 3, 6), (5, 6, 12)) and fine.size == 18 * 4 + 72 * 5
    images = torch.rand(2, 1, 96, 192, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, coarse = build_encoder(fine).eval()(images), build_encoder(CELLS).eval()(images)
    assert whole.shape == (2, fine.size)
    assert torch.allclose(whole[:, :72], coarse[:, :72]) and torch.allclose(whole.sum(1), torch.ones(2), atol=1e-5)


def test_references_are_held_turned_and_moved_and_the_ink_that_stays_is_the_same() -> None:
    held = replace(CELLS, reference_turns_deg=(-5.0,), reference_shifts_px=(-6, 6))
    images = block(96, 48, 60, 20)
    moved = shifted(images, 6)
    assert torch.equal(moved[..., 6:], images[..., :-6]) and float(moved[..., :6].abs().sum()) == 0
    assert torch.equal(shifted(moved, -6), images)
    encoder = build_encoder(held).eval()
    with torch.inference_mode():
        parts = encoder.references(images).view(held.parts, held.size)
        assert torch.equal(parts[:1], encoder(images)) and held.parts == 4
    assert len({tuple(part.tolist()) for part in parts}) == 4  # a pose of its own would have moved them back


def test_distance_is_one_minus_the_overlap() -> None:
    rows = torch.rand(6, 9, generator=torch.Generator().manual_seed(2))
    rows = rows / rows.sum(1, keepdim=True)
    expected = [[1 - float(torch.minimum(a, b).sum()) for b in rows] for a in rows]
    assert np.allclose(distances(rows, "overlap").numpy(), expected, atol=1e-6)


def test_a_signature_redrawn_larger_and_elsewhere_overlaps_more_than_another() -> None:
    generator = torch.Generator().manual_seed(3)
    shape = smoothed(torch.rand(2, 1, 40, 80, generator=generator), 2.0).gt(0.505).float()
    first, larger, other = torch.zeros(3, 1, 1, 96, 192)
    first[0, 0, 20:60, 30:110] = shape[0, 0]
    larger[0, 0, 10:58, 60:156] = torch.nn.functional.interpolate(shape[:1], (48, 96))[0, 0]
    other[0, 0, 20:60, 30:110] = shape[1, 0]
    with torch.inference_mode():
        rows = build_encoder(CELLS).eval()(torch.stack([first[0], larger[0], other[0]]))
    apart = distances(rows, "overlap")
    assert float(apart[0, 1]) < 0.6 * float(apart[0, 2])


def test_settings_that_do_not_go_together_are_refused_and_old_names_stay() -> None:
    with pytest.raises(BadSettings, match="places"):
        build_encoder(EncoderSettings(similarity="overlap"))
    with pytest.raises(BadSettings, match="overlap"):
        build_encoder(EncoderSettings(directions=9))
    with pytest.raises(BadSettings, match="share"):
        build_encoder(EncoderSettings(grid_rows=2, grid_columns=2, similarity="overlap", direction_share=1.5))
    for wrong in ({"direction_split": 0}, {"direction_neighbours": 2}):
        with pytest.raises(BadSettings, match="odd"):
            build_encoder(EncoderSettings(grid_rows=2, grid_columns=2, similarity="overlap", **wrong))
    assert "similarity" not in to_dict(EncoderSettings())
    assert from_dict(TrainingSettings, to_dict(TrainingSettings(encoder=CELLS))).encoder == CELLS
