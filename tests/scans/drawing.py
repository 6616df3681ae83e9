"""Pen-like strokes on paper, drawn large and averaged down: the same ink in any pen, paper, size or bit depth."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from sigverify.records import Image

OVERSAMPLING = 4


def strokes(seed: int = 0, n: int = 4) -> list[np.ndarray]:
    """n smooth curves (points, 2) x, y in [0, 1] x [0, 0.3], side by side like the parts of a name."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, 200)
    curves = []
    for part in range(n):
        start = part / n
        phase = rng.uniform(0, 2 * np.pi, 4)
        x = start + (0.95 / n) * (t + 0.12 * np.sin(4 * np.pi * t + phase[0]) + 0.05 * np.sin(9 * t + phase[1]))
        y = 0.15 + 0.09 * np.sin(2 * np.pi * rng.uniform(1, 2.5) * t + phase[2]) + 0.04 * np.sin(17 * t + phase[3])
        curves.append(np.stack([x, y], axis=1))
    return curves


def coverage(seed: int = 0, length: float = 480, pen: float = 4, canvas=(250, 640), at=(60, 60)) -> np.ndarray:
    """(h, w) in [0, 1]: how much of each pixel the pen covered. Lengths in px, `at` = (left, top) of the signature."""
    size = (canvas[1] * OVERSAMPLING, canvas[0] * OVERSAMPLING)
    sheet = Pil.new("L", size, 0)
    pencil = ImageDraw.Draw(sheet)
    for curve in strokes(seed):
        points = [tuple(p) for p in (curve * length + np.array(at)) * OVERSAMPLING]
        pencil.line(points, fill=255, width=round(pen * OVERSAMPLING), joint="curve")
    return np.asarray(sheet.reduce(OVERSAMPLING), dtype=np.float64) / 255


def scan_of(
    ink: np.ndarray, paper: float | np.ndarray = 235, grey: float = 70, noise: float = 0, seed: int = 0
) -> Image:
    """A grey scan of that coverage: paper level, ink level, noise (standard deviation), all in grey levels."""
    rng = np.random.default_rng(seed)
    levels = paper + (grey - paper) * ink + noise * rng.standard_normal(ink.shape)
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def bilevel_of(ink: np.ndarray) -> Image:
    """What a fax-class scanner makes of it: black or white."""
    return np.where(ink > 0.5, 0, 255).astype(np.uint8)


def difference(a: Image, b: Image) -> float:
    """Mean absolute difference of two prepared images as a share of the mean ink: 0 same, about 2 unrelated."""
    return float(
        np.abs(a.astype(float) - b.astype(float)).sum() / (0.5 * (a.astype(float).sum() + b.astype(float).sum()))
    )
