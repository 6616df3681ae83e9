"""Pens, and what one leaves on the paper: line width and ink density along a trajectory, drawn as anti-aliased lines.

A pen knows nothing of who holds it: pens are drawn independently of whether a signature is genuine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

from sigverify.records import Floats, Image
from sigverify.synthesis.kinematics import Doubles, Flags, Trajectory

_DENSITY_STEPS = 12


class Ink(StrEnum):
    BALLPOINT = "ballpoint"
    GEL = "gel"
    FELT = "felt"
    FOUNTAIN = "fountain"
    PENCIL = "pencil"


# median width mm, reaction of the width to speed, to pressure, grain of the ink, lightest and darkest grey
_INKS: dict[Ink, tuple[float, float, float, float, tuple[int, int]]] = {
    Ink.BALLPOINT: (0.38, 0.15, 0.25, 0.35, (20, 110)),
    Ink.GEL: (0.48, 0.10, 0.15, 0.10, (5, 70)),
    Ink.FELT: (0.62, 0.15, 0.15, 0.08, (5, 80)),
    Ink.FOUNTAIN: (0.50, 0.30, 0.45, 0.12, (15, 100)),
    Ink.PENCIL: (0.45, 0.15, 0.25, 0.60, (60, 130)),
}


@dataclass(frozen=True)
class Pen:
    """`width` in mm; gains are relative; `grain` 0 smooth .. 1 broken; `grey` of full ink, 0 black."""

    ink: Ink
    width: float
    speed_gain: float
    pressure_gain: float
    grain: float
    grey: float
    skips: float  # probability that the ink fails somewhere on a stroke

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Pen:
        ink = list(_INKS)[int(rng.choice(len(_INKS), p=[0.45, 0.25, 0.12, 0.12, 0.06]))]
        width, speed_gain, pressure_gain, grain, (dark, light) = _INKS[ink]
        return cls(
            ink,
            width * float(np.exp(rng.normal(0, 0.2))),
            speed_gain,
            pressure_gain,
            grain * float(rng.uniform(0.3, 1.0)),
            float(rng.uniform(dark, light)),
            float(rng.choice([0.0, 0.0, 0.03])),
        )


def line_widths(trajectory: Trajectory, pen: Pen, rng: np.random.Generator) -> Doubles:
    """Line width in mm at each sample (m,): wider where slow and pressed, tapering where the pen lands or lifts."""
    speed = trajectory.speed / max(float(np.median(trajectory.speed[trajectory.down])), 1e-6)
    pressure = _slow_noise(len(speed), rng)
    tapered = 1.0 - 0.45 * _edge(trajectory.down) * np.clip(speed / 1.5, 0, 1)
    factor = (1 - pen.speed_gain * np.tanh(0.7 * (speed - 1))) * (1 + pen.pressure_gain * pressure) * tapered
    return np.asarray(pen.width * np.clip(factor, 0.35, 1.8))


def ink_mask(
    trajectory: Trajectory,
    pen: Pen,
    rng: np.random.Generator,
    px_per_mm: float,
    size: tuple[int, int],
    origin: tuple[float, float],
    supersample: int = 2,
) -> Image:
    """Ink on an empty sheet: (h, w) uint8, 0 none .. 255 full.

    `size` is (w, h) px; `origin` (x, y) mm is what lands on the upper left corner (y of the trajectory points up).
    """
    scale = px_per_mm * supersample
    xy = (trajectory.xy - np.array(origin)) * np.array([scale, -scale])
    width = np.maximum(np.rint(line_widths(trajectory, pen, rng) * scale), 1).astype(np.int64)
    density = _density(trajectory.down, pen, rng)
    sheet = Pillow.new("L", (size[0] * supersample, size[1] * supersample), 0)
    canvas = ImageDraw.Draw(sheet)
    keep = _worth_drawing(xy, trajectory.down)
    _draw_lines(canvas, xy[keep], width[keep], density[keep], trajectory.down[keep])
    return np.asarray(sheet.reduce(supersample))


def _draw_lines(
    canvas: ImageDraw.ImageDraw, xy: Doubles, width: npt.NDArray[np.int64], density: npt.NDArray[np.int64], down: Flags
) -> None:
    """Polylines of equal width and density; round where the pen lands, leaves or turns."""
    key = np.where(down, width * 256 + density, -1)
    borders = np.flatnonzero(np.diff(key)) + 1
    points = xy.ravel().tolist()
    ends = [*borders.tolist(), len(key)]
    for start, end in zip([0, *borders.tolist()], ends, strict=True):
        if key[start] < 0:
            continue
        w, fill = int(width[start]), int(density[start])
        reach = min(end + 1, len(key)) if end < len(key) and key[end] >= 0 else end
        if reach - start > 1:
            canvas.line(points[2 * start : 2 * reach], fill=fill, width=w)
        if w > 2:
            for i in {start, end - 1}:
                _dot(canvas, points[2 * i], points[2 * i + 1], w, fill)
    if len(xy) > 2:
        for i in _sharp_turns(xy, down):
            _dot(canvas, points[2 * i], points[2 * i + 1], int(width[i]), int(density[i]))


def _dot(canvas: ImageDraw.ImageDraw, x: float, y: float, width: int, fill: int) -> None:
    r = (width - 1) / 2
    canvas.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _sharp_turns(xy: Doubles, down: Flags) -> list[int]:
    """Samples where the line turns by more than about 25 degrees: thick polylines gape there."""
    step = np.diff(xy, axis=0)
    cross = step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]
    dot = (step[:-1] * step[1:]).sum(axis=1)
    turn = np.abs(np.arctan2(cross, dot))
    found: list[int] = (np.flatnonzero((turn > 0.45) & down[1:-1]) + 1).tolist()
    return found


def _worth_drawing(xy: Doubles, down: Flags) -> Flags:
    """Samples at least 1.5 supersampled px of way apart, and every change of the pen's state."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    keep = np.diff(np.floor(way / 1.5), prepend=-1.0) > 0
    change = np.flatnonzero(np.diff(down)) + 1
    keep[change] = keep[change - 1] = True
    return np.asarray(keep)


def _density(down: Flags, pen: Pen, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    level = 1 - 0.35 * pen.grain * (1 + _slow_noise(len(down), rng)) / 2
    if pen.skips and rng.random() < 0.7:
        level = np.where(_slow_noise(len(down), rng, 25) > 1.0 - pen.skips, 0.25, level)
    return (np.rint(np.clip(level, 0, 1) * _DENSITY_STEPS) * (255 / _DENSITY_STEPS)).astype(np.int64)


def _edge(down: Flags, samples: int = 7) -> Doubles:
    """1 where the pen lands or leaves, falling to 0 within a few samples."""
    change = np.concatenate([[0], np.flatnonzero(np.diff(down.astype(np.int8))) + 1, [len(down)]])
    index = np.arange(len(down))
    right = np.searchsorted(change, index, side="right")
    distance = np.minimum(index - change[right - 1], change[np.minimum(right, len(change) - 1)] - 1 - index)
    return np.asarray(np.clip(1 - distance / samples, 0, 1))


def _slow_noise(n: int, rng: np.random.Generator, knot_every: int = 40) -> Doubles:
    """A smooth random curve in [-1, 1]."""
    knots = rng.uniform(-1, 1, n // knot_every + 2)
    return np.interp(np.arange(n), np.arange(len(knots)) * knot_every, knots)


def grained(mask: Image, grain: float, texture: Floats) -> Floats:
    """The mask in [0, 1] as ink of this grain leaves it; the paper's tooth is `texture` (h, w), zero mean, unit sd."""
    ink = mask.astype(np.float32) / 255
    return np.asarray(ink * np.clip(1 - grain * (0.25 + 0.3 * texture), 0, 1), np.float32)
