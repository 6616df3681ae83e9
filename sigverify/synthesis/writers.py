"""A writer: a motor plan learnt by heart, a rhythm, and a natural variation of his own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigverify.synthesis.kinematics import Strokes, Trajectory, arcs_between, move
from sigverify.synthesis.plans import MotorPlan, merge_targets, plan_from_runs, scaled, turned
from sigverify.synthesis.styles import STYLE_SHARES, Hand, Style, compose
from sigverify.synthesis.variation import Spread, vary


@dataclass(frozen=True)
class Rhythm:
    """When strokes follow one another. `delay` and `width` are the medians of exp(mu) in s and of sigma."""

    delay: float = 0.16
    width: float = 0.22
    overlap: float = 2.4  # time between speed peaks in units of sigma * exp(mu); small = fast, round and sloppy
    length_power: float = 0.3  # longer strokes take a little longer: duration ~ length ** power
    jitter: float = 0.06  # log sd of mu, sigma and the intervals

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Rhythm:
        return cls(
            delay=float(np.exp(rng.normal(np.log(0.15), 0.15))),
            width=float(rng.uniform(0.16, 0.30)),
            overlap=float(rng.uniform(1.5, 2.9)),
            length_power=float(rng.uniform(0.2, 0.45)),
        )


@dataclass(frozen=True)
class SyntheticWriter:
    """Somebody who signs. The plan is in mm; `sign` carries it out with natural variation."""

    style: Style
    plan: MotorPlan
    rhythm: Rhythm
    spread: Spread

    @classmethod
    def draw(cls, rng: np.random.Generator, style: Style | None = None) -> SyntheticWriter:
        """A new writer; `style` is drawn by STYLE_SHARES when not given."""
        if style is None:
            names = list(STYLE_SHARES)
            style = names[int(rng.choice(len(names), p=np.array(list(STYLE_SHARES.values()))))]
        runs = compose(style, Hand.draw(rng), rng)
        indic = style in (Style.DEVANAGARI, Style.BENGALI)
        slant = rng.normal(0.05, 0.08) if indic else rng.normal(0.15, 0.22)
        plan = plan_from_runs(
            runs,
            x_height=float(np.exp(rng.normal(np.log(4.0), 0.25))),
            slant=float(np.clip(slant, -0.6, 0.8)),
            aspect=float(np.exp(rng.normal(0, 0.18))),
            roundness=float(rng.uniform(0.7, 1.1)),
        )
        plan = scaled(plan, _within(plan.width, rng) / plan.width)
        if not indic:  # a name written a thousand times wears down: targets are cut short
            plan = merge_targets(plan, rng.random(len(plan.targets)) < rng.beta(0.7, 3.5))
        rise = rng.normal(0.02, 0.04) if indic else rng.normal(0.08, 0.14)
        return cls(
            style, turned(plan, float(rise)), Rhythm.draw(rng), Spread().scaled(float(np.exp(rng.normal(0, 0.3))))
        )

    def sign(self, rng: np.random.Generator) -> Trajectory:
        """One genuine signature."""
        return carry_out(vary(self.plan, self.spread, rng), self.rhythm, rng)


def carry_out(plan: MotorPlan, rhythm: Rhythm, rng: np.random.Generator) -> Trajectory:
    """The pen's way when the plan is executed in the given rhythm."""
    return move(strokes_of(plan, rhythm, rng), plan.targets[0])


def strokes_of(plan: MotorPlan, rhythm: Rhythm, rng: np.random.Generator) -> Strokes:
    """Sigma-lognormal parameters of every stroke of the plan (n,)."""
    length, theta_start, theta_end = arcs_between(plan.targets, plan.bends)
    relative = np.maximum(length / plan.x_height, 0.05)
    n, jitter = len(length), rhythm.jitter
    mu = np.log(rhythm.delay) + rhythm.length_power * np.log(relative) / 2 + rng.normal(0, jitter, n)
    sigma = rhythm.width * np.exp(rng.normal(0, jitter, n))
    interval = rhythm.overlap * sigma * np.exp(mu) * np.exp(rng.normal(0, jitter, n))
    interval[1:] *= np.where(plan.down[1:] != plan.down[:-1], 1.7, 1.0)  # the pen settles before and after a lift
    peak = np.cumsum(interval)
    return Strokes(peak - np.exp(mu - sigma**2), length, mu, sigma, theta_start, theta_end, plan.down)


def _within(width: float, rng: np.random.Generator) -> float:
    """People fill the line they sign on: very short and very long signatures are written larger or smaller, mm."""
    return float(np.clip(width, rng.uniform(25, 50), rng.uniform(75, 110)))
