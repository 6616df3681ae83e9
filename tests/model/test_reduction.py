"""The smaller picture that the backbone looks at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sigverify.config import EncoderSettings
from sigverify.errors import BadSettings
from sigverify.model.encoder import build_encoder
from sigverify.model.reduction import CHUNK, _widened, reduced, reduced_images

FINE = EncoderSettings(learnt_height_px=96, learnt_widen_px=2)
CELLS = EncoderSettings(grid_rows=6, grid_columns=12, grid_stride=8, cell_channels=4, similarity="overlap")


def drawn(height: int = 160, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, 1, height, 2 * height, generator=torch.Generator().manual_seed(seed))


def test_a_picture_that_is_no_higher_comes_back_as_it_is() -> None:
    small = drawn(96)
    assert reduced(small, FINE) is small
    assert reduced(drawn(), EncoderSettings()).shape == (3, 1, 160, 320)
    kept = np.zeros((2, 96, 192), np.uint8)
    assert reduced_images(kept, FINE) is kept


def test_a_line_keeps_the_width_in_pixels_that_it_had() -> None:
    for level in (True, False):
        line = torch.zeros(1, 1, 160, 320)
        if level:
            line[:, :, 80:83, 20:300] = 1
        else:
            line[:, :, 20:140, 160:163] = 1
        small = reduced(line, FINE)
        assert small.shape == (1, 1, 96, 192)
        across = small[0, 0, :, 96] if level else small[0, 0, 48]
        assert across.sum() == pytest.approx((3 + 2) * 96 / 160, abs=0.05)
        fading = reduced(line, replace(FINE, learnt_widen_px=0))
        assert fading.sum() < 0.7 * small.sum()


@given(st.integers(97, 200), st.integers(0, 2))
def test_ink_stays_between_paper_and_full_and_where_it_was(height: int, widen: int) -> None:
    settings = replace(FINE, learnt_widen_px=2 * widen)
    picture = torch.zeros(1, 1, height, 2 * height)
    picture[:, :, height // 4 : height // 4 + 8, height // 2 : height // 2 + 8] = 1
    small = reduced(picture, settings)
    assert small.min() >= 0 and small.max() <= 1 + 1e-5
    rows = torch.arange(96) + 0.5
    middle = float((small[0, 0].sum(1) * rows).sum() / small.sum())
    assert middle == pytest.approx((height // 4 + 4) * 96 / height, abs=0.05)


def test_bytes_and_numbers_are_reduced_alike_in_any_number() -> None:
    images = np.random.default_rng(0).integers(0, 256, (CHUNK + 3, 100, 200)).astype(np.uint8)
    found = reduced_images(images, FINE)
    assert found.shape == (CHUNK + 3, 96, 192) and found.dtype == np.uint8
    for one in (0, CHUNK, CHUNK + 2):
        expected = reduced(torch.from_numpy(images[one : one + 1]).unsqueeze(1).float(), FINE)[0, 0]
        assert np.abs(found[one] - expected.numpy()).max() <= 0.5 + 1e-3


def test_the_backbone_sees_the_reduced_picture_and_directions_the_whole_one() -> None:
    settings = replace(CELLS, learnt_height_px=96, learnt_widen_px=2, directions=9)
    encoder = build_encoder(settings).eval()
    images = drawn()
    with torch.inference_mode():
        assert torch.equal(encoder.taught(images), encoder.taught(reduced(images, settings)))
        learnt = settings.cell_channels * 6 * 12
        fine = encoder(images)[:, learnt:]
        assert not torch.allclose(fine, encoder(reduced(images, settings))[:, learnt:], atol=1e-5)


@pytest.mark.parametrize("wrong", [{"learnt_height_px": -1}, {"learnt_widen_px": 3}, {"learnt_widen_px": -2}])
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadSettings):
        build_encoder(replace(CELLS, **wrong))


@given(st.integers(0, 3), st.integers(0, 99))
def test_widening_is_a_maximum_over_a_square(reach: int, seed: int) -> None:
    picture = torch.rand(2, 1, 12, 15, generator=torch.Generator().manual_seed(seed))
    expected = torch.nn.functional.max_pool2d(picture, 2 * reach + 1, 1, reach)
    assert torch.equal(_widened(_widened(picture, reach, 2), reach, 3), expected)
