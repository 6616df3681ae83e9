"""Sets depend on their seed alone, and pen, paper and scanner say nothing of the label."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from sigverify.errors import BadInput
from sigverify.records import Image, Label
from sigverify.synthesis.paper import blank_scan, photocopy
from sigverify.synthesis.sets import SyntheticSet, draw_signatures


@pytest.fixture(scope="module")
def scans() -> SyntheticSet:
    return draw_signatures(40, 5, 5, seed=11, long_side_px=320)


def ink_grey(image: Image) -> float:
    return float(np.quantile(image, 0.01))


def paper_grey(image: Image) -> float:
    return float(np.median(image))


def grey_levels(image: Image) -> float:
    return float(len(np.unique(image)))


def dark_share(image: Image) -> float:
    return float((image < (ink_grey(image) + paper_grey(image)) / 2).mean())


def test_shapes_order_and_labels(scans: SyntheticSet) -> None:
    assert len(scans.images) == len(scans.label) == len(scans.writer) == 400
    assert scans.writer.tolist() == np.repeat(np.arange(40), 10).tolist()
    assert scans.label[:10] == [Label.GENUINE] * 5 + [Label.SKILLED_FORGERY] * 5
    assert all(image.dtype == np.uint8 and max(image.shape) == 320 for image in scans.images)
    assert scans.rate > 0


@pytest.mark.parametrize("statistic", [ink_grey, paper_grey, grey_levels, dark_share])
def test_pen_paper_and_scanner_are_drawn_independently_of_the_label(scans: SyntheticSet, statistic: object) -> None:
    assert callable(statistic)
    values = np.array([statistic(image) for image in scans.images])
    forged = np.array([label is Label.SKILLED_FORGERY for label in scans.label])
    assert ks_2samp(values[forged], values[~forged]).pvalue > 0.02


def test_same_seed_same_scans_whatever_the_workers() -> None:
    one = draw_signatures(6, 2, 2, seed=3, long_side_px=200)
    two = draw_signatures(6, 2, 2, seed=3, long_side_px=200, workers=2)
    assert all(np.array_equal(a, b) for a, b in zip(one.images, two.images, strict=True))
    other = draw_signatures(6, 2, 2, seed=4, long_side_px=200)
    assert not any(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))


def test_more_writers_leave_the_first_ones_as_they_were() -> None:
    few, more = (draw_signatures(n, 1, 1, seed=9, long_side_px=160) for n in (2, 4))
    assert all(np.array_equal(a, b) for a, b in zip(few.images, more.images[:4], strict=True))


def test_progress_counts_writers() -> None:
    seen: list[tuple[int, int]] = []
    draw_signatures(3, 1, 0, seed=0, long_side_px=120, on_progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("counts", [(0, 1, 1), (1, 0, 0), (1, -1, 3)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(BadInput, match="writers and signatures"):
        draw_signatures(*counts, seed=0)


def test_scans_come_bilevel_and_grey(scans: SyntheticSet) -> None:
    bilevel = np.mean([len(np.unique(image)) == 2 for image in scans.images])
    assert 0.1 < bilevel < 0.5


def test_a_photocopy_keeps_the_ink_but_not_the_pixels(scans: SyntheticSet) -> None:
    image = scans.images[0]
    copy = photocopy(image, np.random.default_rng(0))
    assert copy.shape != image.shape
    ratio = np.array(copy.shape) / np.array(image.shape)
    assert (ratio > 0.88).all() and (ratio < 0.98).all()
    assert dark_share(copy) == pytest.approx(dark_share(image), rel=0.35)


def test_a_blank_scan_holds_no_ink() -> None:
    for seed in range(5):
        grey = blank_scan(np.random.default_rng(seed))
        assert paper_grey(grey) - float(grey.min()) < 60
    assert (blank_scan(np.random.default_rng(0), bilevel=True) == 255).all()
