"""Paper, and the scanner's view of it: one pipeline for every image, drawn independently of what is written on it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from sigverify.records import Floats, Image

_TILE = 1024


@dataclass(frozen=True)
class Paper:
    """Grey levels of 255: `tooth` is the sd of the texture, `guilloche` the contrast of a cheque's printed pattern."""

    level: float
    tooth: float
    tooth_px: float  # size of the texture's grain
    guilloche: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, cheque: float = 0.12) -> Paper:
        """Mostly plain paper; with probability `cheque` a faint printed pattern."""
        pattern = float(rng.uniform(6, 22)) if rng.random() < cheque else 0.0
        return cls(
            255 - float(rng.gamma(1.6, 9.0)), float(rng.gamma(1.5, 0.8)), float(rng.choice([0.8, 1.5, 3.0])), pattern
        )


@dataclass(frozen=True)
class Scanner:
    """`blur` sd px; `noise` sd grey; `shade` grey from edge to edge; `jpeg` quality, 0 = none; `threshold` of a bilevel
    scan as the share of the way from ink to paper, 0 = grey."""

    blur: float
    noise: float
    shade: float
    jpeg: int = 0
    threshold: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, bilevel: float = 0.25, jpeg: float = 0.3) -> Scanner:
        threshold = float(rng.uniform(0.4, 0.8)) if rng.random() < bilevel else 0.0
        quality = int(rng.integers(40, 93)) if threshold == 0 and rng.random() < jpeg else 0
        return cls(
            float(rng.choice([0.0, 0.4, 0.7, 1.0])),
            float(rng.gamma(1.5, 1.2)),
            float(rng.gamma(1.0, 5.0)),
            quality,
            threshold,
        )


def scan_effects(ink: Floats, ink_grey: float, paper: Paper, scanner: Scanner, rng: np.random.Generator) -> Image:
    """What the scanner delivers of ink (h, w) in [0, 1] on paper: grey (h, w) uint8, 255 white; or 0 and 255."""
    sheet = _sheet(ink.shape, paper, scanner, rng)
    seen = sheet + ink * (ink_grey - sheet)
    picture = Pillow.fromarray(np.clip(seen, 0, 255).astype(np.uint8))
    if scanner.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(scanner.blur))
    image = np.asarray(picture)
    if scanner.noise > 0.3:
        noise = texture(image.shape, 0.0, rng) * scanner.noise
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if scanner.threshold:
        dark = _ink_seen(image, ink)
        level = dark + scanner.threshold * (paper.level - dark)
        return np.where(image < level, 0, 255).astype(np.uint8)
    return through_jpeg(image, scanner.jpeg) if scanner.jpeg else np.ascontiguousarray(image)


def _ink_seen(image: Image, ink: Floats) -> float:
    """How dark the middle of the line came out: thin lines are lighter than their ink, and scanners adapt to that."""
    core = image[ink > 0.6]
    return float(core.mean()) if core.size > 20 else float(np.quantile(image, 0.005))


def through_jpeg(image: Image, quality: int) -> Image:
    """The image after JPEG compression."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=quality)
    buffer.seek(0)
    with Pillow.open(buffer) as picture:
        return np.asarray(picture.convert("L"))


def texture(shape: tuple[int, ...], grain_px: float, rng: np.random.Generator) -> Floats:
    """Noise (h, w) of zero mean and unit sd with grains of `grain_px`: a random window of a tile made once."""
    h, w = shape
    rows, columns = -(-h // _TILE), -(-w // _TILE)
    tile = _tile(grain_px)
    if rows > 1 or columns > 1:
        tile = np.tile(tile, (rows + 1, columns + 1))
    top, left = int(rng.integers(tile.shape[0] - h + 1)), int(rng.integers(tile.shape[1] - w + 1))
    window = tile[top : top + h, left : left + w]
    return window[::-1] if rng.random() < 0.5 else window


@lru_cache(maxsize=8)
def _tile(grain_px: float) -> Floats:
    """A fixed (1024, 1024) tile of Gaussian noise; fixed, so that a scan depends on its own seed alone."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(20_090).standard_normal((_TILE, _TILE), np.float32)
    if grain_px > 0:
        noise = gaussian_filter(noise, grain_px, mode="wrap")
        noise /= noise.std()
    noise.setflags(write=False)
    return noise


def _sheet(shape: tuple[int, ...], paper: Paper, scanner: Scanner, rng: np.random.Generator) -> Floats:
    """The empty sheet as lit: level, tooth, a plane of shade, perhaps a printed pattern."""
    h, w = shape
    toward = rng.uniform(0, 2 * np.pi)
    shade_x = np.linspace(-0.5, 0.5, w, dtype=np.float32) * np.float32(np.cos(toward) * scanner.shade)
    shade_y = np.linspace(-0.5, 0.5, h, dtype=np.float32) * np.float32(np.sin(toward) * scanner.shade)
    sheet = np.float32(paper.level) + shade_x + shade_y[:, None]
    if paper.tooth > 0.3:
        sheet = sheet + texture(shape, paper.tooth_px, rng) * np.float32(paper.tooth)
    if paper.guilloche:
        sheet = sheet - _guilloche(h, w, rng) * np.float32(paper.guilloche)
    return np.asarray(sheet, np.float32)


def _guilloche(h: int, w: int, rng: np.random.Generator) -> Floats:
    """Fine wavy lines in [0, 1] as security printing has them."""
    x, y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
    wave = np.sin(2 * np.pi * x / rng.uniform(60, 200) + rng.uniform(0, 6)) * rng.uniform(3, 15)
    lines = np.cos(2 * np.pi * (y + wave.astype(np.float32)) / np.float32(rng.uniform(6, 16)))
    return np.asarray(np.clip(lines, 0, 1), np.float32)


def blank_scan(rng: np.random.Generator, long_side_px: int = 600, bilevel: bool = False) -> Image:
    """A scan on which nobody signed: paper, shade and noise only; all white where it is bilevel."""
    shape = (int(long_side_px * rng.uniform(0.3, 0.5)), long_side_px)
    if bilevel:
        return np.full(shape, 255, np.uint8)
    paper, scanner = Paper.draw(rng, cheque=0.0), Scanner.draw(rng, bilevel=0.0, jpeg=0.0)
    return scan_effects(np.zeros(shape, np.float32), 0.0, paper, scanner, rng)


def photocopy(image: Image, rng: np.random.Generator) -> Image:
    """The same ink scanned once more: a little smaller, a little turned, noisy, through JPEG; (h', w') uint8."""
    picture = Pillow.fromarray(image).rotate(
        float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.9)), Pillow.Resampling.BICUBIC, fillcolor=int(np.median(image))
    )
    share = float(rng.uniform(0.90, 0.97))
    size = (max(round(picture.width * share), 8), max(round(picture.height * share), 8))
    small = np.asarray(picture.resize(size, Pillow.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(0.5)))
    noisy = small + texture(small.shape, 0.0, rng) * np.float32(rng.uniform(1.0, 3.0))
    return through_jpeg(np.clip(noisy, 0, 255).astype(np.uint8), int(rng.integers(70, 90)))
