"""From a pen's trajectory to a scan, with pen, paper and scanner drawn independently of who wrote."""

from __future__ import annotations

import numpy as np

from sigverify.records import Image
from sigverify.synthesis.kinematics import Doubles, Trajectory
from sigverify.synthesis.paper import Paper, Scanner, scan_effects, texture
from sigverify.synthesis.pen import Pen, grained, ink_mask

_DRAWN_PX = 1_100  # long side at which lines are drawn before they are reduced


def render(
    trajectory: Trajectory,
    pen: Pen | None,
    rng: np.random.Generator,
    *,
    paper: Paper | None = None,
    scanner: Scanner | None = None,
    long_side_px: int = 600,
) -> Image:
    """A scan (h, w) grey uint8, 255 white, of what the pen wrote; whatever is not given is drawn from `rng`.

    The paper around the ink is random (4 to 14 per cent of the long side); `long_side_px` is exact to a pixel.
    """
    pen = Pen.draw(rng) if pen is None else pen
    paper = Paper.draw(rng) if paper is None else paper
    scanner = Scanner.draw(rng) if scanner is None else scanner
    size, origin, px_per_mm = _layout(trajectory.xy[trajectory.down], rng, long_side_px)
    supersample = int(np.clip(round(_DRAWN_PX / long_side_px), 2, 6))
    mask = ink_mask(trajectory, pen, rng, px_per_mm, size, origin, supersample)
    ink = grained(mask, pen.grain, texture(mask.shape, 0.8, rng))
    return scan_effects(ink, pen.grey, paper, scanner, rng)


Layout = tuple[tuple[int, int], tuple[float, float], float]


def _layout(xy: Doubles, rng: np.random.Generator, long_side_px: int) -> Layout:
    """(w, h) px, the (x, y) mm of the upper left corner, and px for each mm."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    extent = np.maximum(high - low, 2.0)
    margin = np.maximum(rng.uniform(0.04, 0.14, 4) * float(extent.max()), 1.5)  # left, right, bottom, top
    box = extent + np.array([margin[0] + margin[1], margin[2] + margin[3]])
    px_per_mm = long_side_px / float(box.max())
    size = (max(round(float(box[0]) * px_per_mm), 8), max(round(float(box[1]) * px_per_mm), 8))
    return size, (float(low[0] - margin[0]), float(high[1] + margin[3])), px_per_mm
