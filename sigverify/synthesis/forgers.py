"""Forgers: they have the shape before their eyes and none of the rhythm in their hand.

A forger perceives the writer's plan with errors he repeats in every attempt (his own proportions, letter shapes and
turns), misses or adds strokes, breaks long strokes into short ones, draws slowly with a tremor and lifts the pen
bluntly. `skill` 0 is freehand from memory, 0.5 a slow copy, 1 nearly a tracing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sigverify.synthesis.kinematics import Trajectory
from sigverify.synthesis.plans import MotorPlan, split_strokes
from sigverify.synthesis.variation import Spread, vary
from sigverify.synthesis.writers import Rhythm, SyntheticWriter, carry_out

# What a forger at skill 0 gets wrong once and for all; his attempts stray by the writer's own natural variation.
_MISPERCEIVED = Spread(
    size=0.15,
    aspect=0.20,
    slant=0.13,
    rotation=0.04,
    growth=0.15,
    drift=0.12,
    spacing=0.16,
    letter_size=0.18,
    letter_shift=0.12,
    letter_turn=0.10,
    target=0.13,
    bend=0.35,
    merge=0.05,
    lift=0.18,
)


@dataclass(frozen=True)
class Forger:
    """Somebody who imitates one writer: his own version of the plan, his rhythm and his tremor."""

    plan: MotorPlan
    rhythm: Rhythm
    spread: Spread
    tremor: float  # mm, 1 sd
    skill: float

    @classmethod
    def draw(cls, writer: SyntheticWriter, rng: np.random.Generator, skill: float | None = None) -> Forger:
        """A forger of this writer; `skill` in [0, 1] is drawn when not given."""
        skill = float(rng.beta(2.0, 2.0)) if skill is None else skill
        error = _MISPERCEIVED.scaled((1.0 - 0.75 * skill) * float(np.exp(rng.normal(0, 0.15))))
        plan = vary(_simplified(writer.plan, rng, 0.06 * (1 - skill)), error, rng)
        widened = plan.targets * [
            1 + 0.11 * (1 - 0.75 * skill),
            1.0,
        ]  # stray letters add height: keep the aspect unbiased
        plan = replace(plan, targets=widened)
        plan = replace(plan, bends=plan.bends * np.exp(rng.normal(0, 0.35 * (1 - 0.75 * skill))))
        long = np.hypot(*np.diff(plan.targets, axis=0).T) > 0.7 * plan.x_height
        plan = split_strokes(plan, plan.down & long & (rng.random(len(plan)) < 0.3 + 0.4 * skill))
        slow = Rhythm(
            delay=writer.rhythm.delay * float(rng.uniform(1.5, 2.2)),
            width=writer.rhythm.width,
            overlap=float(np.clip(writer.rhythm.overlap * rng.uniform(0.95, 1.5), 1.6, 3.6)),
            length_power=0.6,
            jitter=0.14,
        )
        spread = writer.spread.scaled(float(rng.uniform(0.8, 1.3)))
        return cls(plan, slow, spread, tremor=float(rng.gamma(2.0, 0.02)), skill=skill)

    def sign(self, rng: np.random.Generator) -> Trajectory:
        """One attempt."""
        return _trembling(carry_out(vary(self.plan, self.spread, rng), self.rhythm, rng), self.tremor, rng)


def forge(writer: SyntheticWriter, rng: np.random.Generator, skill: float | None = None) -> Trajectory:
    """One forgery of the writer's signature by a new forger."""
    return Forger.draw(writer, rng, skill).sign(rng)


def _simplified(plan: MotorPlan, rng: np.random.Generator, probability: float) -> MotorPlan:
    """Small separate strokes (dots, bars, marks) forgotten: their letter is not written."""
    letters, counts = np.unique(plan.letter, return_counts=True)
    forgotten = letters[(counts <= 3) & (rng.random(len(letters)) < probability)]
    keep = ~np.isin(plan.letter, forgotten)
    if keep.sum() < 4 or keep.all():
        return plan
    kept = np.flatnonzero(keep)
    stroke = kept[1:] - 1  # the stroke that led to each kept target
    direct = np.diff(kept) == 1
    return replace(
        plan,
        targets=plan.targets[keep],
        letter=plan.letter[keep],
        bends=np.where(direct, plan.bends[stroke], 0.0),
        down=plan.down[stroke] & direct,
    )


def _trembling(trajectory: Trajectory, tremor: float, rng: np.random.Generator) -> Trajectory:
    """Physiological tremor, 6-12 Hz, as slow hands show it."""
    phase = 2 * np.pi * (rng.uniform(6, 12, (3, 2)) * trajectory.t[:, None, None] + rng.uniform(0, 1, (3, 2)))
    shake = np.sin(phase).sum(axis=1) * tremor * np.sqrt(2 / 3)
    return replace(trajectory, xy=trajectory.xy + shake)
