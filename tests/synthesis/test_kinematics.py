"""The closed form of the Sigma-Lognormal model against a slow numerical integral of its definition."""

from __future__ import annotations

from math import erf, exp, log, pi, sqrt

import numpy as np
import pytest

from sigverify.synthesis.kinematics import Strokes, arcs_between, move, peak_times


def some_strokes(seed: int, n: int = 7) -> Strokes:
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-pi, pi, n)
    return Strokes(
        t0=np.sort(rng.uniform(0, 0.8, n)),
        length=rng.uniform(1, 20, n),
        mu=rng.normal(-1.8, 0.1, n),
        sigma=rng.uniform(0.15, 0.35, n),
        theta_start=theta,
        theta_end=theta + rng.uniform(-2.5, 2.5, n),
        down=rng.random(n) < 0.7,
    )


def velocity_by_definition(strokes: Strokes, t: float) -> np.ndarray:
    """Equations 1-3 of O'Reilly and Plamondon: lognormal speed along a direction that turns with the error function."""
    velocity = np.zeros(2)
    for j in range(len(strokes)):
        since = t - strokes.t0[j]
        if since <= 0:
            continue
        mu, sigma = strokes.mu[j], strokes.sigma[j]
        z = (log(since) - mu) / sigma
        speed = strokes.length[j] / (sigma * sqrt(2 * pi) * since) * exp(-z * z / 2)
        start, end = strokes.theta_start[j], strokes.theta_end[j]
        angle = start + (end - start) / 2 * (1 + erf(z / sqrt(2)))
        velocity += speed * np.array([np.cos(angle), np.sin(angle)])
    return velocity


@pytest.mark.parametrize("seed", range(4))
def test_path_equals_integrated_velocity(seed: int) -> None:
    strokes = some_strokes(seed)
    start = np.array([3.0, -2.0])
    way = move(strokes, start, rate_hz=100)
    origin = float((strokes.t0 + np.exp(strokes.mu - 3.5 * strokes.sigma)).min())
    fine = 20  # steps of the trapezoidal rule a sample
    times = origin + np.arange(len(way.t) * fine) / (100 * fine)
    velocity = np.array([velocity_by_definition(strokes, t) for t in times])
    steps = (velocity[1:] + velocity[:-1]) / 2 / (100 * fine)
    slow = start + np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)])[::fine]
    np.testing.assert_allclose(way.xy, slow[: len(way.xy)], atol=0.002 * strokes.length.sum())


@pytest.mark.parametrize("seed", range(3))
def test_path_ends_where_the_arcs_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.normal(0, 5, (9, 2))
    bends = rng.uniform(-2.4, 2.4, 8)
    length, theta_start, theta_end = arcs_between(targets, bends)
    ones = np.ones(8)
    strokes = Strokes(np.arange(8) * 0.1, length, -1.8 * ones, 0.25 * ones, theta_start, theta_end, ones > 0)
    way = move(strokes, targets[0])
    np.testing.assert_allclose(way.xy[-1], targets[-1], atol=1e-9)


def test_an_arc_is_as_long_as_its_parameter_says() -> None:
    targets = np.array([[0.0, 0.0], [2.0, 0.0]])
    length, start, end = arcs_between(targets, np.array([pi]))  # half a circle over a chord of 2
    np.testing.assert_allclose(length, [pi])
    np.testing.assert_allclose([start[0], end[0]], [-pi / 2, pi / 2])
    strokes = Strokes(np.zeros(1), length, np.array([-1.8]), np.array([0.25]), start, end, np.array([True]))
    way = move(strokes, targets[0], rate_hz=2000)
    gone = np.hypot(*np.diff(way.xy, axis=0, prepend=targets[:1]).T).sum()
    assert gone == pytest.approx(pi, rel=1e-3)
    np.testing.assert_allclose(way.xy.min(axis=0)[1], -1.0, atol=1e-3)  # a left turn bulges to the right of its chord


def test_speed_peaks_at_the_mode_and_the_curve_is_lognormal() -> None:
    one = Strokes(*(np.array([v]) for v in (0.1, 10.0, -1.7, 0.3, 0.4, 0.4)), down=np.array([True]))
    way = move(one, np.zeros(2), rate_hz=2000)
    origin = 0.1 + exp(-1.7 - 3.5 * 0.3)
    assert origin + way.t[np.argmax(way.speed)] == pytest.approx(float(peak_times(one)[0]), abs=2e-3)
    np.testing.assert_allclose(way.xy[-1], 10 * np.array([np.cos(0.4), np.sin(0.4)]), atol=1e-9)


def test_twice_as_fast_draws_the_same_shape() -> None:
    strokes = some_strokes(5)
    fast = Strokes(
        strokes.t0 / 2, strokes.length, strokes.mu - log(2), strokes.sigma, strokes.theta_start, strokes.theta_end,
        strokes.down,
    )  # fmt: skip
    slow_way, fast_way = move(strokes, np.zeros(2), 100), move(fast, np.zeros(2), 200)
    n = min(len(slow_way.xy), len(fast_way.xy))
    np.testing.assert_allclose(fast_way.xy[:n], slow_way.xy[:n], atol=1e-6)
    assert fast_way.speed.max() == pytest.approx(2 * slow_way.speed.max(), rel=1e-3)
