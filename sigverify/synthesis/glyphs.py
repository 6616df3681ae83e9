"""Letter shapes as virtual targets, read from compact text, and the pool of scripts writers choose from.

A glyph is written ``x,y x,y^ / x,y``: targets in tenths of the x-height (baseline 0, x-height or headline 10),
``^`` marks a sharp corner, ``/`` lifts the pen. Shapes are schematic on purpose: a writer makes allographs of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sigverify.synthesis.glyphs_indic import BENGALI, BENGALI_MARKS, DEVANAGARI, DEVANAGARI_MARKS
from sigverify.synthesis.glyphs_latin import CAPITALS, SMALL
from sigverify.synthesis.kinematics import Doubles, Flags


@dataclass(frozen=True)
class Glyph:
    """Parts are pen-down runs: each a pair of targets (n, 2) in x-heights and corner flags (n,)."""

    parts: tuple[tuple[Doubles, Flags], ...]

    @property
    def left(self) -> float:
        return min(float(points[:, 0].min()) for points, _ in self.parts)

    @property
    def right(self) -> float:
        return max(float(points[:, 0].max()) for points, _ in self.parts)


def parse_glyph(text: str) -> Glyph:
    """The glyph a line of text describes."""
    return Glyph(tuple(_parse_part(part) for part in text.split("/")))


@lru_cache(maxsize=16)
def alphabet(name: str) -> tuple[Glyph, ...]:
    """All glyphs of one script: small, capitals, devanagari, bengali and the marks of the last two."""
    texts = {
        "small": SMALL,
        "capitals": CAPITALS,
        "devanagari": DEVANAGARI,
        "bengali": BENGALI,
        "devanagari_marks": DEVANAGARI_MARKS,
        "bengali_marks": BENGALI_MARKS,
    }[name]
    return tuple(parse_glyph(text) for text in texts)


def invent_glyph(rng: np.random.Generator, hanging: bool) -> Glyph:
    """A letter of no script: a short walk between heights pens like to turn at, sometimes with a second part."""
    parts = [_walk(rng, int(rng.integers(3, 7)), hanging)]
    if rng.random() < 0.35:
        parts.append(_walk(rng, int(rng.integers(2, 4)), hanging))
    return Glyph(tuple(parts))


def allograph(glyph: Glyph, rng: np.random.Generator, freedom: float, width: float) -> Glyph:
    """One writer's own shape of a glyph: every target moved by `freedom` x-heights (1 sd), widened by `width`."""
    stretch = np.array([width, 1.0]) * np.exp(rng.normal(0, 0.5 * freedom, 2))
    parts = []
    for points, corners in glyph.parts:
        moved = points * stretch + rng.normal(0, freedom, points.shape)
        parts.append((moved, corners ^ (rng.random(len(corners)) < 0.06)))
    return Glyph(tuple(parts))


def _parse_part(text: str) -> tuple[Doubles, Flags]:
    tokens = text.split()
    points = np.array([[float(v) for v in token.rstrip("^").split(",")] for token in tokens]) / 10
    return points, np.array([token.endswith("^") for token in tokens])


def _walk(rng: np.random.Generator, n: int, hanging: bool) -> tuple[Doubles, Flags]:
    levels = np.array([0.0, 0.0, 0.5, 1.0, 1.0, 1.0]) if hanging else np.array([0.0, 0.0, 0.5, 1.0, 1.0, 1.9, -0.8])
    y = rng.choice(levels, n) + rng.normal(0, 0.12, n)
    same = np.flatnonzero(np.abs(np.diff(y)) < 0.3) + 1
    y[same] = 0.9 - y[same] + rng.normal(0, 0.15, len(same))
    x = np.clip(np.cumsum(rng.normal(0.22, 0.35, n)), -0.3, 1.4)
    return np.stack([x - x.min(), y], axis=1), rng.random(n) < 0.3
