"""The prepared image depends on the ink's shape and on nothing else of the scan."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.filters import threshold_otsu

from sigverify.config import PreprocessingSettings
from sigverify.records import Image, Reason
from sigverify.scans.clean import resize
from sigverify.scans.prepare import prepare
from tests.scans.drawing import bilevel_of, coverage, difference, scan_of

CLEAN = PreprocessingSettings()
SCANNED = dataclasses.replace(CLEAN, stroke_width_px=0.0)
SAME = 0.05  # share of the ink that may differ between two scans of one signature


def image_of(scan: Image, settings_: PreprocessingSettings = CLEAN) -> Image:
    done = prepare(scan, settings_)
    assert done.failure is None and done.image is not None, done.failure
    return done.image


def naive(scan: Image) -> Image:
    """What is usually done: Otsu, crop, stretch, grey kept."""
    ink = scan < threshold_otsu(scan)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size == 0:
        return np.zeros((96, 192), dtype=np.uint8)
    crop = (255 - scan)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return resize(crop, 96, 192)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ink", ["binary", "rank"])
def test_grey_and_bilevel_scans_of_one_signature_agree(seed: int, ink: str) -> None:
    lane = dataclasses.replace(CLEAN, ink=ink)
    grey, two_level = scan_of(coverage(seed), noise=4, seed=seed), bilevel_of(coverage(seed))
    bound = SAME if ink == "binary" else 0.35  # ranks keep the pen's texture, of which two levels have none
    assert difference(image_of(grey, lane), image_of(two_level, lane)) < bound
    assert difference(naive(grey), naive(two_level)) > 0.5  # the bound is not met by doing the usual thing


def test_different_signatures_differ() -> None:
    assert difference(image_of(scan_of(coverage(1))), image_of(scan_of(coverage(2)))) > 1.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 5), paper=st.integers(150, 255), depth=st.integers(60, 140), noise=st.floats(0, 5))
def test_paper_and_pen_darkness_do_not_matter(seed: int, paper: int, depth: int, noise: float) -> None:
    plain = image_of(scan_of(coverage(seed), paper=255, grey=0))
    assert difference(plain, image_of(scan_of(coverage(seed), paper, paper - depth, noise, seed))) < 0.2


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 5),
    left=st.integers(20, 140),
    top=st.integers(20, 80),
    wider=st.one_of(st.integers(0, 100), st.integers(300, 500)),  # between them, a 1-2 px line may come out thinner
)
def test_place_and_size_of_the_sheet_do_not_matter(seed: int, left: int, top: int, wider: int) -> None:
    plain = image_of(scan_of(coverage(seed)))
    moved = coverage(seed, canvas=(250 + wider // 2, 640 + wider), at=(left, top))
    assert difference(plain, image_of(scan_of(moved))) < 0.3


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 5), scale=st.floats(0.5, 3.0))
def test_resolution_does_not_matter(seed: int, scale: float) -> None:
    plain = image_of(scan_of(coverage(seed)))
    finer = coverage(seed, 480 * scale, 4 * scale, (round(250 * scale), round(640 * scale)), (60 * scale, 60 * scale))
    assert difference(plain, image_of(scan_of(finer))) < 0.3


def test_a_shadow_across_the_paper_is_paper() -> None:
    shadow = np.linspace(250, 180, 640)[None, :] * np.ones((250, 1))
    assert difference(image_of(scan_of(coverage(3))), image_of(scan_of(coverage(3), paper=shadow, noise=3))) < 0.2


def test_dust_changes_nothing() -> None:
    ink = coverage(4)
    rng = np.random.default_rng(0)
    dusty = ink.copy()
    for row, column in zip(rng.integers(5, 245, 40), rng.integers(5, 635, 40), strict=True):
        dusty[row : row + 2, column : column + 2] = 1
    assert difference(image_of(scan_of(ink)), image_of(scan_of(dusty))) < 0.1


def test_a_dark_line_along_the_edge_is_the_scanner_not_the_pen() -> None:
    scan = scan_of(coverage(2))
    framed = scan.copy()
    framed[:, -3:] = 40
    framed[-2:, 100:500] = 60
    done = prepare(framed, CLEAN)
    assert done.image is not None and done.warnings == ()
    assert difference(image_of(scan), done.image) < 0.05


@pytest.mark.parametrize("shape", ["line", "pen"])
@pytest.mark.parametrize("width", [1.5, 2.0, 3.0])
def test_strokes_get_the_width_asked_for(width: float, shape: str) -> None:
    lane = dataclasses.replace(CLEAN, stroke_width_px=width, stroke_shape=shape)
    thin, thick = (image_of(scan_of(coverage(1, pen=pen)), lane) for pen in (3, 8))
    plain_thin, plain_thick = (image_of(scan_of(coverage(1, pen=pen)), SCANNED) for pen in (3, 8))
    assert 0.85 < thin.sum() / thick.sum() < 1.15  # the pen is gone ...
    assert plain_thin.sum() / plain_thick.sum() < 0.6  # ... which had shown
    ink = thin > 127
    edges = np.count_nonzero(ink[:, 1:] ^ ink[:, :-1]) + np.count_nonzero(ink[1:] ^ ink[:-1])
    length = edges * np.pi / 8
    assert thin.sum() / 255 / length == pytest.approx(width, rel=0.35)


def test_thick_and_thin_parts_of_a_signature_stay_apart_unless_only_lines_are_kept() -> None:
    ink = np.maximum(coverage(1, pen=3), coverage(2, pen=9))
    spread = {}
    for shape in ("pen", "line"):
        image = image_of(scan_of(ink), dataclasses.replace(CLEAN, stroke_width_px=3.0, stroke_shape=shape))
        depth = ndimage.distance_transform_edt(image > 127)
        spread[shape] = float(np.quantile(depth[depth > 0], 0.95))
    assert spread["pen"] > 1.25 * spread["line"]


def test_a_thin_stroke_survives_reduction() -> None:
    scan = scan_of(coverage(0, 1900, 2, (900, 2500), (200, 150)))
    image = image_of(scan)
    assert ndimage.label(image > 40, np.ones((3, 3)))[1] <= 12  # parts: a stroke lost in places falls to pieces
    assert image.max() > 100


def test_canvas_margin_centre_and_aspect() -> None:
    done = prepare(scan_of(coverage(0)), SCANNED)
    assert done.image is not None and done.image.shape == (96, 192) and done.image.dtype == np.uint8
    inked = done.image > 64  # the margin is kept to within the blur of an anti-aliased edge
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    assert columns[0] >= 4 and columns[-1] < 188
    assert abs(columns[0] - (191 - columns[-1])) <= 2 and abs(rows[0] - (95 - rows[-1])) <= 2
    measured = (columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1)
    assert measured == pytest.approx(done.measures["aspect"], rel=0.05)


def test_measures_are_those_of_the_drawing() -> None:
    ink = coverage(0, pen=5)
    measures = prepare(scan_of(ink, paper=230, grey=60), CLEAN).measures
    assert measures["paper_level"] == pytest.approx(230, abs=2)
    assert measures["ink_grey_darkest"] == pytest.approx(60, abs=2)
    assert measures["ink_fraction"] == pytest.approx(float((ink > 0.4).mean()), rel=0.1)
    assert measures["stroke_width_px"] == pytest.approx(5, rel=0.25)
    assert (measures["canvas_width_px"], measures["canvas_height_px"]) == (640, 250)
    box = np.flatnonzero((ink > 0.4).any(axis=0))
    assert measures["crop_width_px"] == pytest.approx(box[-1] - box[0] + 1, abs=3)
    assert measures["scale"] == pytest.approx(
        min(184 / measures["crop_width_px"], 88 / measures["crop_height_px"]), rel=0.02
    )


def test_box_is_in_scan_pixels_whatever_the_working_resolution() -> None:
    ink = coverage(1, 300, 3, (1600, 2400), (1500, 900))
    rows, columns = np.flatnonzero((ink > 0.4).any(axis=1)), np.flatnonzero((ink > 0.4).any(axis=0))
    box = prepare(scan_of(ink), CLEAN).ink_box
    assert box == pytest.approx((rows[0], columns[0], rows[-1] + 1, columns[-1] + 1), abs=4)


PLANTED = {
    "white": (np.full((250, 640), 255, dtype=np.uint8), Reason.BLANK),
    "blank": (scan_of(np.zeros((250, 640)), noise=4), Reason.BLANK),
    "specks": (scan_of(np.pad(np.ones((3, 3)), ((100, 147), (300, 337)))), Reason.BLANK),
    "uniform": (np.full((250, 640), 90, dtype=np.uint8), Reason.UNIFORM),
    "too small": (scan_of(coverage(0))[:20], Reason.TOO_SMALL),
    "too dark": (255 - scan_of(coverage(0)), Reason.TOO_DARK),
    "cut off": (scan_of(coverage(0, 480, 6, (250, 640), (60, -55))), Reason.TOUCHES_BORDER),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_scans_fail_for_their_reason(name: str) -> None:
    scan, reason = PLANTED[name]
    done = prepare(scan, CLEAN)
    assert done.image is None
    assert done.failure is reason, (done.failure, done.measures)


def test_a_slight_touch_is_a_warning() -> None:
    ink = coverage(0)
    columns = np.flatnonzero((ink > 0.4).any(axis=0))
    done = prepare(scan_of(ink)[:, columns[0] + 30 :], CLEAN)
    assert done.failure is None and done.warnings == (Reason.TOUCHES_BORDER,)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 120), width=st.integers(1, 120), levels=st.sampled_from([2, 3, 16, 256]),
    seed=st.integers(0, 10_000), share=st.floats(0, 1), lane=st.sampled_from(["clean", "legacy"]),
)  # fmt: skip
def test_no_content_raises(height: int, width: int, levels: int, seed: int, share: float, lane: str) -> None:
    rng = np.random.default_rng(seed)
    scan = (rng.integers(0, levels, (height, width)) * (255 // (levels - 1))).astype(np.uint8)
    scan[rng.random(scan.shape) > share] = 255
    done = prepare(scan, dataclasses.replace(CLEAN, lane=lane))
    assert (done.image is None) == (done.failure is not None)


def test_legacy_lane_keeps_what_the_clean_lane_removes() -> None:
    lane = dataclasses.replace(CLEAN, lane="legacy")
    faint, dark = (image_of(scan_of(coverage(0), grey=g), lane) for g in (120, 20))
    assert dark.mean() > 1.4 * faint.mean()
    two_level = image_of(bilevel_of(coverage(0)), lane)  # Otsu's threshold of two levels is the lower of them
    assert 0.3 < two_level.sum() / dark.sum() < 3
