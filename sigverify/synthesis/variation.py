"""How far a hand strays from a motor plan: one recipe for natural variation and, with larger numbers, for imitation.

Spatial spreads are 1 sd in x-heights or rad, the others in log units. A genuine signature strays a little from the
writer's own plan; a forger's plan strays more, once and for all, and each of his attempts strays again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sigverify.synthesis.kinematics import Doubles, Flags
from sigverify.synthesis.plans import MotorPlan, merge_targets


@dataclass(frozen=True)
class Spread:
    """Standard deviations of everything that varies when a plan is carried out."""

    size: float = 0.07  # log, whole signature
    aspect: float = 0.065  # log, width against height
    slant: float = 0.035  # rad
    rotation: float = 0.02  # rad, the baseline
    growth: float = 0.06  # relative, letter height from the first to the last letter
    drift: float = 0.05  # x-heights, slow waves of the baseline
    spacing: float = 0.06  # x-heights for each x-height gone, a random walk along the line
    letter_size: float = 0.06  # log, each letter
    letter_shift: float = 0.04  # x-heights, each letter
    letter_turn: float = 0.03  # rad, each letter
    target: float = 0.035  # x-heights, each virtual target
    bend: float = 0.10  # relative and rad, each stroke's turn
    merge: float = 0.015  # probability that a target is skipped
    lift: float = 0.01  # probability that the pen's state between two letters flips

    def scaled(self, by: float) -> Spread:
        """Every spread times `by`."""
        return Spread(**{f.name: getattr(self, f.name) * by for f in fields(self)})


def vary(plan: MotorPlan, spread: Spread, rng: np.random.Generator) -> MotorPlan:
    """One carrying-out of the plan: (targets, turns, joins) strayed by independent Gaussians."""
    targets = _vary_letters(plan, spread, rng)
    targets = targets + rng.normal(0, spread.target * plan.x_height, targets.shape)
    targets = _vary_line(targets, plan.x_height, spread, rng)
    targets = _vary_whole(targets, spread, rng)
    bends = plan.bends * np.exp(rng.normal(0, spread.bend, len(plan))) + rng.normal(0, 0.7 * spread.bend, len(plan))
    down = _flip_joins(plan, spread.lift, rng)
    varied = MotorPlan(targets, np.where(down, np.clip(bends, -2.7, 2.7), 0.0), down, plan.letter, plan.x_height)
    return merge_targets(varied, rng.random(len(targets)) < spread.merge)


def _vary_letters(plan: MotorPlan, spread: Spread, rng: np.random.Generator) -> Doubles:
    """Each letter scaled, turned and shifted about its own centre."""
    n = int(plan.letter.max()) + 1
    count = np.maximum(np.bincount(plan.letter, minlength=n), 1)
    centre = np.stack([np.bincount(plan.letter, plan.targets[:, k], n) / count for k in (0, 1)], axis=1)
    scale = np.exp(rng.normal(0, spread.letter_size, (n, 1)) + rng.normal(0, 0.6 * spread.letter_size, (n, 2)))
    turn = rng.normal(0, spread.letter_turn, n)
    shift = rng.normal(0, spread.letter_shift * plan.x_height, (n, 2)) * [0.6, 1.0]
    own = (plan.targets - centre[plan.letter]) * scale[plan.letter]
    cos, sin = np.cos(turn)[plan.letter], np.sin(turn)[plan.letter]
    turned = np.stack([own[:, 0] * cos - own[:, 1] * sin, own[:, 0] * sin + own[:, 1] * cos], axis=1)
    return np.asarray(turned + (centre + shift)[plan.letter])


def _vary_line(targets: Doubles, x_height: float, spread: Spread, rng: np.random.Generator) -> Doubles:
    """Spacing wanders along the line, letters grow or shrink, the baseline waves."""
    x, y = targets[:, 0], targets[:, 1]
    low, length = float(x.min()), max(float(np.ptp(x)), 1e-6)
    knots = np.arange(0.0, length + 2 * x_height, x_height)
    wander = np.cumsum(rng.normal(0, spread.spacing * x_height, len(knots)))
    along = (x - low) / length
    x = x + np.interp(x - low, knots, wander)
    y = y * (1 + rng.normal(0, spread.growth) * (along - 0.5) * 2)
    waves = rng.normal(0, spread.drift * x_height, 2) * np.sin(
        2 * np.pi * along[:, None] * rng.uniform(0.3, 1.6, 2) + rng.uniform(0, 2 * np.pi, 2)
    )
    return np.stack([x, y + waves.sum(axis=1)], axis=1)


def _vary_whole(targets: Doubles, spread: Spread, rng: np.random.Generator) -> Doubles:
    size, aspect = np.exp(rng.normal(0, spread.size)), np.exp(rng.normal(0, spread.aspect) / 2)
    slant, turn = np.tan(rng.normal(0, spread.slant)), rng.normal(0, spread.rotation)
    shape = np.array([[size * aspect, slant * size], [0.0, size / aspect]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(targets @ (rotation @ shape).T)


def _flip_joins(plan: MotorPlan, probability: float, rng: np.random.Generator) -> Flags:
    """Between two letters the pen is sometimes lifted where it is usually not; it never joins over a long way."""
    border = plan.letter[1:] != plan.letter[:-1]
    near = np.hypot(*np.diff(plan.targets, axis=0).T) < 0.8 * plan.x_height
    flip = border & (rng.random(len(plan)) < probability) & (plan.down | near)
    return np.asarray(plan.down ^ flip)
