"""Ruled lines go, what is written stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import ImageDraw

from sigverify.config import PreprocessingSettings
from sigverify.scans.clean import find_ink
from sigverify.scans.prepare import prepare
from sigverify.scans.rules import MOST_PAIRS, drop_rules, find_rule
from sigverify.synthesis.sets import draw_signatures

DROP = PreprocessingSettings(stroke_width_px=3.0, stroke_shape="line", ruled_lines="drop")


@pytest.fixture(scope="module")
def written():
    """A scan of a signature, (h, w) uint8 with some paper around it."""
    return np.pad(draw_signatures(1, 1, 0, seed=4).images[0], 12, constant_values=245)


def ruled(scan, level=0.5, slope=0.0, thickness=3, start=0.0, end=1.0):
    """The scan with a line drawn across it; level, start and end are shares of height and width."""
    height, width = scan.shape
    picture = Pil.fromarray(scan)
    rows = level * height - slope * width / 2, level * height + slope * width / 2
    first, last = start * width, end * width
    at = [(x, rows[0] + slope * x) for x in (first, last)]
    ImageDraw.Draw(picture).line(at, fill=30, width=thickness)
    return np.asarray(picture)


def apart(first, second):
    """Share of the ink that is in one of two canvases only."""
    a, b = first.image > 128, second.image > 128
    return np.count_nonzero(a ^ b) / np.count_nonzero(a | b)


LEVELS = st.one_of(st.floats(0.2, 0.42), st.floats(0.58, 0.8))  # half way down this signature has a straight stroke
SLOPES = st.floats(-0.05, 0.05)


@settings(max_examples=25, deadline=None)
@given(LEVELS, SLOPES, st.integers(1, 5))
def test_a_ruled_line_leaves_the_signature_where_it_was(written, level, slope, thickness):
    """What the line costs is a fraction of the strokes; kept, the line moves the crop and everything with it."""
    scan = ruled(written, level, slope, thickness)
    plain, crossed = prepare(written, DROP), prepare(scan, DROP)
    assume(find_rule(find_ink(scan).mask) is not None)  # how often it is: the next test
    assert crossed.failure is None and plain.ink_box is not None and crossed.ink_box is not None
    # of 624: where it runs along a stroke, the end of that goes too
    assert np.abs(np.subtract(plain.ink_box, crossed.ink_box)).max() <= 20
    kept = prepare(scan, replace(DROP, ruled_lines="keep"))
    if kept.image is not None:
        assert apart(plain, crossed) < 0.7 * apart(plain, kept)  # where it grazes the top, 0.6; mostly far less


def test_hardly_a_ruled_line_is_missed(written):
    """Thin and slanting ones too: one pixel thick, they step within a band."""
    rng = np.random.default_rng(0)
    lines = [(rng.choice([0.2, 0.58]) + rng.uniform(0, 0.22), rng.uniform(-0.05, 0.05)) for _ in range(100)]
    missed = [
        (level, slope, 1 + i % 5)
        for i, (level, slope) in enumerate(lines)
        if find_rule(find_ink(ruled(written, level, slope, 1 + i % 5)).mask) is None
    ]
    assert len(missed) <= 1, missed


@pytest.mark.parametrize(
    ("shape", "thickness"), [((600, 1600), 8), ((600, 1600), 10), ((1200, 2400), 12), ((500, 1200), 5)]
)
def test_a_rule_on_a_large_sheet_goes_from_the_second_look_too(shape, thickness):
    """The second look is cut to the ink, so that it is low, and finer, so that the rule is thicker in px."""
    signature = draw_signatures(1, 1, 0, seed=4, long_side_px=500).images[0]
    sheet = np.full(shape, 245, np.uint8)
    top, left = (shape[0] - signature.shape[0]) // 2, (shape[1] - signature.shape[1]) // 2
    sheet[top : top + signature.shape[0], left : left + signature.shape[1]] = signature
    lined = ruled(sheet, (top + 0.72 * signature.shape[0]) / shape[0], thickness=thickness)
    plain, crossed = prepare(sheet, DROP), prepare(lined, DROP)
    assert crossed.image is not None
    assert np.abs(np.subtract(plain.ink_box, crossed.ink_box)).max() <= 0.05 * signature.shape[1]


@pytest.mark.parametrize("dark", ["stripes", "band", "half"])
def test_a_dark_or_striped_page_is_looked_at_as_fast_as_any(dark):
    """So many rows could hold a rule that every pair of them would be tried: counted, not timed."""
    mask = np.zeros((640, 640), bool)
    mask[{"stripes": slice(0, None, 3), "band": slice(200, 330), "half": slice(0, 320)}[dark]] = True
    tried = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "unique", lambda values, **_: tried.append(len(values)) or values[:0])
        assert find_rule(mask) is None
    assert sum(tried) <= MOST_PAIRS


def test_a_scan_without_a_rule_is_what_it_was(written):
    assert np.array_equal(prepare(written, DROP).image, prepare(written, replace(DROP, ruled_lines="keep")).image)
    mask = written < 128
    assert drop_rules(mask) is mask


def test_a_stroke_through_the_rule_is_not_cut():
    mask = np.zeros((200, 400), bool)
    mask[100:103] = True
    mask[40:160, 200:204] = True  # passes through
    mask[103:150, 300:304] = True  # hangs below it
    clean = drop_rules(mask)
    assert clean[40:160, 200:204].all() and clean[104:150, 300:304].all()
    assert not clean[100:103, :198].any() and not clean[100:103, 206:].any()


def test_several_rules_go():
    mask = np.zeros((200, 400), bool)
    for row in (40, 100, 160):
        mask[row : row + 2] = True
    assert not drop_rules(mask).any()


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(lambda x: 100 + 6 * np.sin(np.pi * x / 400), id="a bow"),
        pytest.param(lambda x: 100 + 1.5 * np.sin(x / 12), id="a hand's tremor"),
        pytest.param(lambda x: 100 + 0.12 * (x - 200), id="too steep"),
        pytest.param(lambda x: np.where(x < 300, 100, -1), id="three quarters of the width"),
    ],
)
def test_what_a_hand_may_draw_stays(drawn):
    mask = np.zeros((200, 400), bool)
    columns = np.arange(400)
    rows = np.rint(drawn(columns)).astype(int)
    for thick in range(3):
        mask[rows[rows >= 0] + thick, columns[rows >= 0]] = True
    assert find_rule(mask) is None and drop_rules(mask) is mask


@given(st.integers(1, 60), st.integers(1, 90), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_mask_is_accepted_and_only_loses_ink(height, width, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.random()
    clean = drop_rules(mask)
    assert clean.shape == mask.shape and not (clean & ~mask).any()
