"""The motor plan of a signature: virtual targets joined by arcs, some with the pen in the air.

Runs of targets in x-heights (one run = one part of a letter, a headline, a flourish) become one sequence of targets
in millimetres. Turns between targets follow from the tangents a smooth pen would have there, except at corners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sigverify.synthesis.kinematics import Doubles, Flags

_MOST_BEND = 2.5  # rad; a stroke turning further than this would be two strokes


@dataclass(frozen=True)
class Run:
    """One pen-down run: `points` (n, 2) in x-heights, `corners` (n,), the letter it belongs to, and whether the pen
    comes to it without lifting."""

    points: Doubles
    corners: Flags
    letter: int
    joined: bool = False


@dataclass(frozen=True)
class MotorPlan:
    """n strokes between n + 1 virtual targets. `bends` is each stroke's turn in rad, counter-clockwise positive."""

    targets: Doubles  # (n+1, 2) mm, y up
    bends: Doubles  # (n,) rad
    down: Flags  # (n,)
    letter: npt.NDArray[np.int64]  # (n+1,) which letter, headline or flourish a target belongs to
    x_height: float  # mm

    def __len__(self) -> int:
        return len(self.bends)

    @property
    def width(self) -> float:
        """Horizontal extent of the targets, mm."""
        return float(np.ptp(self.targets[:, 0]))


def plan_from_runs(runs: list[Run], x_height: float, slant: float, aspect: float, roundness: float) -> MotorPlan:
    """One motor plan: `slant` in rad to the right, `aspect` > 1 is wider, `roundness` scales the turns."""
    points = np.concatenate([run.points for run in runs])
    corners = np.concatenate([run.corners for run in runs])
    letter = np.concatenate([np.full(len(run.points), run.letter, np.int64) for run in runs])
    down = np.ones(len(points) - 1, bool)
    starts = np.cumsum([len(run.points) for run in runs])[:-1]
    down[starts - 1] = [run.joined for run in runs[1:]]
    targets = points * np.array([aspect, 1.0])
    targets[:, 0] += np.tan(slant) * targets[:, 1]
    bends = bends_through(targets, down, corners) * roundness
    return MotorPlan(targets * x_height, np.clip(bends, -_MOST_BEND, _MOST_BEND), down, letter, x_height)


def scaled(plan: MotorPlan, by: float) -> MotorPlan:
    """The plan enlarged about the origin."""
    return replace(plan, targets=plan.targets * by, x_height=plan.x_height * by)


def turned(plan: MotorPlan, angle: float) -> MotorPlan:
    """The plan turned counter-clockwise about the origin by `angle` rad: a rising baseline."""
    cos, sin = np.cos(angle), np.sin(angle)
    return replace(plan, targets=plan.targets @ np.array([[cos, sin], [-sin, cos]]))


def bends_through(targets: Doubles, down: Flags, corners: Flags) -> Doubles:
    """Turns (n,) rad of the arcs a smooth pen takes through targets (n+1, 2); straight where nothing says otherwise.

    The tangent at an inner target is the direction from its predecessor to its successor; corners and lifts have none.
    """
    chord = np.diff(targets, axis=0)
    angle = np.arctan2(chord[:, 1], chord[:, 0])
    across = targets[2:] - targets[:-2]
    tangent = np.arctan2(across[:, 1], across[:, 0])
    smooth = down[1:] & down[:-1] & ~corners[1:-1]
    leave = np.concatenate([[0.0], np.where(smooth, wrapped(tangent - angle[1:]), 0.0)])
    arrive = np.concatenate([np.where(smooth, wrapped(tangent - angle[:-1]), 0.0), [0.0]])
    has_leave, has_arrive = np.concatenate([[False], smooth]), np.concatenate([smooth, [False]])
    one_sided = np.where(has_leave ^ has_arrive, 1.4, 1.0)
    return np.asarray(np.where(down, (arrive - leave) * one_sided, 0.0))


def merge_targets(plan: MotorPlan, drop: Flags) -> MotorPlan:
    """The plan without the inner targets marked in `drop` (n+1,): the two strokes there become one smoother stroke."""
    inner = np.zeros(len(plan.targets), bool)
    inner[1:-1] = drop[1:-1] & plan.down[1:] & plan.down[:-1]
    inner[1:] &= ~inner[:-1]
    if not inner.any():
        return plan
    angle = np.arctan2(*np.diff(plan.targets, axis=0).T[::-1])
    at = np.flatnonzero(inner)
    bends = plan.bends.copy()
    turn = wrapped(angle[at] - angle[at - 1]) + (plan.bends[at] + plan.bends[at - 1]) / 2
    bends[at] = np.clip(turn, -_MOST_BEND, _MOST_BEND)
    keep = ~inner
    return MotorPlan(
        plan.targets[keep], np.delete(bends, at - 1), np.delete(plan.down, at - 1), plan.letter[keep], plan.x_height
    )


def split_strokes(plan: MotorPlan, split: Flags) -> MotorPlan:
    """The same shape in more strokes: each stroke marked in `split` (n,) becomes two halves of its arc."""
    at = np.flatnonzero(split)
    chord = plan.targets[at + 1] - plan.targets[at]
    normal = np.stack([chord[:, 1], -chord[:, 0]], axis=1)  # right of the chord, where a left turn bulges
    middle = plan.targets[at] + chord / 2 + normal * (np.tan(plan.bends[at] / 4) / 2)[:, None]
    bends = plan.bends.copy()
    bends[at] /= 2
    return MotorPlan(
        np.insert(plan.targets, at + 1, middle, axis=0),
        np.insert(bends, at, bends[at]),
        np.insert(plan.down, at, plan.down[at]),
        np.insert(plan.letter, at + 1, plan.letter[at]),
        plan.x_height,
    )


def wrapped(angle: Doubles) -> Doubles:
    """Angles in (-pi, pi]."""
    return np.asarray(np.angle(np.exp(1j * angle)))
