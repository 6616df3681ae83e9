"""The Sigma-Lognormal model of fast handwriting: a movement is a sum of overlapping lognormal strokes.

Source: Plamondon, "A kinematic theory of rapid human movements", Biological Cybernetics 72 (1995); O'Reilly and
Plamondon, "Development of a Sigma-Lognormal representation for on-line signatures", Pattern Recognition 42 (2009).
Stroke j has speed ``D Lambda(t; t0, mu, sigma)`` along an arc that turns from ``theta_start`` to ``theta_end`` in
proportion to the way gone, so its displacement has a closed form and nothing is integrated numerically.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

RATE_HZ = 200.0
_REACH = 3.5  # a stroke is simulated over mu +- this many sigma: 99.95 % of its way, rescaled to all of it


@dataclass(frozen=True)
class Strokes:
    """Parameters of n lognormal strokes; every array (n,), times in s, lengths in mm, angles in rad."""

    t0: Doubles  # when the command is given
    length: Doubles  # D, the length of the arc
    mu: Doubles  # log time delay
    sigma: Doubles  # log response time
    theta_start: Doubles
    theta_end: Doubles
    down: Flags  # pen on paper

    def __len__(self) -> int:
        return len(self.t0)


@dataclass(frozen=True)
class Trajectory:
    """A pen's way at equal steps of time: `t` (m,) s, `xy` (m, 2) mm with y up, `speed` (m,) mm/s, `down` (m,)."""

    t: Doubles
    xy: Doubles
    speed: Doubles
    down: Flags

    @property
    def duration(self) -> float:
        """Seconds from the first to the last sample."""
        return float(self.t[-1] - self.t[0])


def arcs_between(targets: Doubles, bends: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Arcs through virtual targets: (n+1, 2) mm and turns (n,) rad -> arc length, start angle, end angle, each (n,)."""
    chord = np.diff(targets, axis=0)
    distance = np.hypot(chord[:, 0], chord[:, 1])
    angle = np.arctan2(chord[:, 1], chord[:, 0])
    return distance / np.sinc(bends / (2 * np.pi)), angle - bends / 2, angle + bends / 2


def displacement(share: Doubles, length: Doubles, theta_start: Doubles, theta_end: Doubles) -> Doubles:
    """Where a stroke has come after `share` (..., n) of its way: (..., n, 2) mm from its start (arrays broadcast)."""
    turn = (theta_end - theta_start) * share
    chord = length * share * np.sinc(turn / (2 * np.pi))
    heading = theta_start + turn / 2
    return np.stack([chord * np.cos(heading), chord * np.sin(heading)], axis=-1)


def move(strokes: Strokes, start: Doubles, rate_hz: float = RATE_HZ) -> Trajectory:
    """The pen's way from `start` (2,) mm: the vector sum of all strokes, sampled every 1/rate_hz seconds."""
    begin = strokes.t0 + np.exp(strokes.mu - _REACH * strokes.sigma)
    end = strokes.t0 + np.exp(strokes.mu + _REACH * strokes.sigma)
    origin = float(begin.min())
    first = np.floor((begin - origin) * rate_hz).astype(np.int64)
    window = int(np.ceil((end - begin).max() * rate_hz)) + 3
    index = first[:, None] + np.arange(window)  # (n, window) samples in which each stroke moves
    share = _share_of_way(strokes, origin + index / rate_hz)
    path = displacement(share.T, strokes.length, strokes.theta_start, strokes.theta_end).transpose(1, 0, 2)
    step = np.diff(path, axis=1, prepend=0.0)
    samples = int(index.max()) + 1
    flat = index.ravel()
    velocity = np.stack([np.bincount(flat, step[..., k].ravel(), samples) for k in (0, 1)], axis=1)
    t = np.arange(samples) / rate_hz
    speed = np.hypot(velocity[:, 0], velocity[:, 1]) * rate_hz
    return Trajectory(t, start + np.cumsum(velocity, axis=0), speed, _pen_state(strokes, origin + t))


def peak_times(strokes: Strokes) -> Doubles:
    """When each stroke is fastest (the mode of its lognormal), (n,) s."""
    return np.asarray(strokes.t0 + np.exp(strokes.mu - strokes.sigma**2))


def _share_of_way(strokes: Strokes, t: Doubles) -> Doubles:
    """Lognormal CDF at times (n, window), cut at +-_REACH sigma and rescaled so that every stroke arrives exactly."""
    since = np.maximum(t - strokes.t0[:, None], 1e-9)
    z = (np.log(since) - strokes.mu[:, None]) / strokes.sigma[:, None]
    tail = float(ndtr(-_REACH))
    return np.asarray(np.clip((ndtr(z) - tail) / (1 - 2 * tail), 0.0, 1.0))


def _pen_state(strokes: Strokes, t: Doubles) -> Flags:
    """The pen takes the state of the stroke whose speed peak is nearest in time."""
    peak = peak_times(strokes)
    border = (peak[1:] + peak[:-1]) / 2
    return strokes.down[np.searchsorted(border, t)]
