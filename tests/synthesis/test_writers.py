"""Writers vary less than they differ; forgers copy shapes, not rhythm; pens do not know who holds them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import ks_2samp

from sigverify.synthesis.forgers import Forger, forge
from sigverify.synthesis.kinematics import Trajectory
from sigverify.synthesis.paper import Paper, Scanner
from sigverify.synthesis.pen import Ink, Pen, line_widths
from sigverify.synthesis.render import render
from sigverify.synthesis.styles import Style
from sigverify.synthesis.variation import Spread, vary
from sigverify.synthesis.writers import SyntheticWriter

CLEAN_PEN = Pen(Ink.GEL, 0.5, 0.0, 0.0, 0.0, 20.0, 0.0)
CLEAN_PAPER = Paper(255.0, 0.0, 0.8)
CLEAN_SCANNER = Scanner(0.0, 0.0, 0.0)


def shape(way: Trajectory) -> np.ndarray:
    """A smoothed picture of the ink on a 24 x 48 grid over its bounding box, unit norm."""
    xy = way.xy[way.down]
    low, extent = xy.min(axis=0), np.ptp(xy, axis=0)
    column, row = ((xy - low) / extent * [47.99, 23.99]).astype(int).T
    grid = np.zeros((24, 48))
    np.maximum.at(grid, (row, column), 1.0)
    picture = gaussian_filter(grid, 1.2).ravel()
    return np.asarray(picture / np.linalg.norm(picture))


def likeness(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return float(np.mean(np.array(a) @ np.array(b).T))


@pytest.fixture(scope="module")
def crowd() -> list[dict[str, list[Trajectory]]]:
    people = []
    for child in np.random.SeedSequence(42).spawn(24):
        rng = np.random.default_rng(child)
        writer = SyntheticWriter.draw(rng)
        people.append(
            {"genuine": [writer.sign(rng) for _ in range(6)], "forged": [forge(writer, rng) for _ in range(6)]}
        )
    return people


def test_writers_vary_less_than_they_differ_and_forgers_come_between(crowd: list[dict[str, list[Trajectory]]]) -> None:
    own, forged, other = [], [], []
    for person, stranger in zip(crowd, [*crowd[1:], crowd[0]], strict=True):
        genuine = [shape(way) for way in person["genuine"]]
        own.append(likeness(genuine[:3], genuine[3:]))
        forged.append(likeness(genuine, [shape(way) for way in person["forged"]]))
        other.append(likeness(genuine, [shape(way) for way in stranger["genuine"]]))
    assert np.mean(own) > np.mean(forged) + 0.03 > np.mean(other) + 0.1
    assert np.mean(np.array(own) > np.array(other)) == 1.0
    assert np.mean(np.array(forged) > np.array(other)) >= 0.9
    assert np.mean(own) < 0.97  # nobody signs twice alike


def test_forgers_are_slower(crowd: list[dict[str, list[Trajectory]]]) -> None:
    ratio = [
        np.mean([way.duration for way in person["forged"]]) / np.mean([way.duration for way in person["genuine"]])
        for person in crowd
    ]
    assert min(ratio) > 1.2
    assert np.median(ratio) > 1.6


def test_skill_brings_the_forgery_closer() -> None:
    gap = {0.0: [], 1.0: []}
    for seed in range(20):
        for skill, found in gap.items():
            rng = np.random.default_rng(seed)
            writer = SyntheticWriter.draw(rng)
            genuine = [shape(writer.sign(rng)) for _ in range(4)]
            found.append(likeness(genuine, [shape(Forger.draw(writer, rng, skill).sign(rng)) for _ in range(4)]))
    assert np.mean(gap[1.0]) > np.mean(gap[0.0]) + 0.05


def test_a_forger_repeats_his_own_errors() -> None:
    same, across = [], []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        writer = SyntheticWriter.draw(rng)
        one, two = Forger.draw(writer, rng, 0.3), Forger.draw(writer, rng, 0.3)
        a, b = ([shape(forger.sign(rng)) for _ in range(3)] for forger in (one, two))
        across.append(likeness(a, b))
        same.append((likeness(a[:1], a[1:]) + likeness(b[:1], b[1:])) / 2)
    assert np.mean(same) > np.mean(across) + 0.05


def test_no_spread_repeats_the_plan_exactly() -> None:
    plan = SyntheticWriter.draw(np.random.default_rng(1)).plan
    still = vary(plan, Spread().scaled(0.0), np.random.default_rng(2))
    np.testing.assert_allclose(still.targets, plan.targets, atol=1e-9)
    np.testing.assert_allclose(still.bends, np.where(plan.down, plan.bends, 0.0))


@pytest.mark.parametrize("style", list(Style))
def test_every_style_signs_and_is_forged_with_finite_ink(style: Style) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        writer = SyntheticWriter.draw(rng, style)
        assert 15 < writer.plan.width < 160
        for way in (writer.sign(rng), forge(writer, rng, 0.0), forge(writer, rng, 1.0)):
            assert np.isfinite(way.xy).all()
            assert way.down.any()
            image = render(way, CLEAN_PEN, rng, paper=CLEAN_PAPER, scanner=CLEAN_SCANNER)
            assert max(image.shape) == 600
            assert image[0].min() == image[-1].min() == image[:, 0].min() == image[:, -1].min() == 255
            assert 0.003 < (image < 128).mean() < 0.4


def test_ink_lies_where_the_pen_went() -> None:
    rng = np.random.default_rng(0)
    way = SyntheticWriter.draw(rng, Style.CURSIVE).sign(rng)
    image = render(way, CLEAN_PEN, rng, paper=CLEAN_PAPER, scanner=CLEAN_SCANNER, long_side_px=800)
    rows, columns = np.nonzero(image < 128)
    xy = way.xy[way.down]
    scale = np.ptp(columns) / np.ptp(xy[:, 0])
    x = columns.min() + (xy[:, 0] - xy[:, 0].min()) * scale
    y = rows.min() + (xy[:, 1].max() - xy[:, 1]) * scale
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    near = [(image[max(r - 3, 0) : r + 4, max(c - 3, 0) : c + 4] < 160).any() for r, c in zip(row, column, strict=True)]
    assert np.mean(near) > 0.98


def test_resolution_does_not_change_the_shape() -> None:
    rng = np.random.default_rng(5)
    way = SyntheticWriter.draw(rng).sign(rng)
    shares = []
    for side in (320, 640):
        image = render(
            way, CLEAN_PEN, np.random.default_rng(1), paper=CLEAN_PAPER, scanner=CLEAN_SCANNER, long_side_px=side
        )
        assert max(image.shape) == side
        shares.append((255.0 - image).mean())
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


def test_line_width_does_not_depend_on_how_fast_the_whole_hand_is() -> None:
    """A slow forger with the same pen leaves a line as wide as a quick writer's, on average: no shortcut in the ink."""
    rng = np.random.default_rng(3)
    pens = [Pen.draw(rng) for _ in range(60)]
    genuine, forged = [], []
    for pen, seed in zip(pens, range(60), strict=True):
        hand = np.random.default_rng(seed)
        writer = SyntheticWriter.draw(hand)
        for way, widths in ((writer.sign(hand), genuine), (forge(writer, hand), forged)):
            widths.append(float(line_widths(way, pen, hand)[way.down].mean()))
    assert np.mean(np.array(forged) / np.array(genuine)) == pytest.approx(1, abs=0.05)
    assert ks_2samp(genuine, forged).pvalue > 0.2
