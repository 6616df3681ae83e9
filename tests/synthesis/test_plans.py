"""Motor plans: arcs through circles, and operations that must keep the shape."""

from __future__ import annotations

import numpy as np
import pytest

from sigverify.synthesis.glyphs import alphabet, parse_glyph
from sigverify.synthesis.kinematics import arcs_between, displacement
from sigverify.synthesis.plans import (
    MotorPlan,
    Run,
    bends_through,
    merge_targets,
    plan_from_runs,
    split_strokes,
    turned,
)
from sigverify.synthesis.styles import Hand, Style, compose


def circle_plan(n: int = 9) -> MotorPlan:
    angle = np.linspace(0, np.pi, n)
    targets = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return MotorPlan(targets, np.full(n - 1, np.pi / (n - 1)), np.ones(n - 1, bool), np.zeros(n, np.int64), 1.0)


def arc_points(plan: MotorPlan, per_stroke: int = 20) -> np.ndarray:
    """Points along all arcs of a plan, without any dynamics."""
    share = np.linspace(0, 1, per_stroke)[:, None]
    steps = displacement(share, *arcs_between(plan.targets, plan.bends))
    return np.asarray((plan.targets[:-1] + steps).transpose(1, 0, 2).reshape(-1, 2))


def test_bends_of_points_on_a_circle_make_that_circle() -> None:
    angle = np.linspace(0, 1.5 * np.pi, 8)
    targets = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    bends = bends_through(targets, np.ones(7, bool), np.zeros(8, bool))
    np.testing.assert_allclose(bends[1:-1], 1.5 * np.pi / 7)


def test_a_corner_or_a_lift_leaves_strokes_straight() -> None:
    targets = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    assert bends_through(targets, np.ones(2, bool), np.array([False, True, False])) == pytest.approx([0, 0])
    assert bends_through(targets, np.array([True, False]), np.zeros(3, bool)) == pytest.approx([0, 0])
    assert (bends_through(targets, np.ones(2, bool), np.zeros(3, bool)) < 0).all()  # up and down again turns right


def test_splitting_strokes_keeps_every_point_on_the_circle() -> None:
    plan = split_strokes(circle_plan(), np.arange(8) % 2 == 0)
    assert len(plan) == 12
    np.testing.assert_allclose(np.hypot(*arc_points(plan).T), 1, atol=1e-12)


def test_merging_targets_of_a_circle_keeps_the_circle() -> None:
    drop = np.zeros(9, bool)
    drop[[0, 2, 3, 6, 8]] = True  # ends never go, of two neighbours only the first does
    plan = merge_targets(circle_plan(), drop)
    assert len(plan) == 6
    np.testing.assert_allclose(np.hypot(*arc_points(plan).T), 1, atol=1e-12)


def test_turning_a_plan_keeps_lengths() -> None:
    plan = turned(circle_plan(), 0.3)
    np.testing.assert_allclose(plan.targets[0], [np.cos(0.3), np.sin(0.3)])


def test_glyph_notation() -> None:
    glyph = parse_glyph("0,0 10,20^ / 5,-5 6,7.5")
    (first, corners), (second, _) = glyph.parts
    np.testing.assert_allclose(first, [[0, 0], [1, 2]])
    assert corners.tolist() == [False, True]
    np.testing.assert_allclose(second, [[0.5, -0.5], [0.6, 0.75]])
    assert (glyph.left, glyph.right) == (0.0, 1.0)


@pytest.mark.parametrize("name", ["small", "capitals", "devanagari", "bengali", "devanagari_marks", "bengali_marks"])
def test_every_glyph_can_be_written(name: str) -> None:
    for glyph in alphabet(name):
        runs = [Run(points, corners, 0) for points, corners in glyph.parts]
        plan = plan_from_runs(runs, 4.0, 0.1, 1.0, 1.0)
        assert len(plan) == sum(len(run.points) for run in runs) - 1
        assert (~plan.down).sum() == len(runs) - 1
        assert (np.hypot(*np.diff(plan.targets, axis=0).T) > 0).all()


@pytest.mark.parametrize("style", list(Style))
def test_every_style_composes_letters_in_order(style: Style) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        runs = compose(style, Hand.draw(rng), rng)
        assert runs
        assert all(np.isfinite(run.points).all() and len(run.points) == len(run.corners) for run in runs)
        assert {run.letter for run in runs} <= set(range(max(run.letter for run in runs) + 1))
