"""How sure: bootstrap over writers, and exact bounds where no error was seen.

Trials of one writer are not independent, so writers are resampled, not trials. A random forgery involves two
writers, the claimed one and the one who wrote the query: both are resampled, and the trial counts as often as the
product of their counts (the pigeonhole bootstrap: Owen 2007, "The pigeonhole bootstrap", Ann. Appl. Stat. 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.errors import BadInput
from sigverify.evaluation.metrics import Curve, Ranking, Scores

Statistic = Callable[[Curve], float]


@dataclass(frozen=True)
class Interval:
    """`low` and `high` of a `level` interval, in the unit of the statistic."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class WrittenScores:
    """Scores (n,) with the writers they involve: the claimed one and, where another made the query, that one too."""

    score: Scores
    writer_id: npt.NDArray[Any]
    query_writer_id: npt.NDArray[Any] | None = None  # None: one writer only (genuine trials, skilled forgeries)


def bootstrap_over_writers(
    genuine: WrittenScores,
    impostor: WrittenScores,
    statistics: Mapping[str, Statistic],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile intervals of statistics of the ROC curve, writers resampled with replacement.

    Resamples in which a side has no trial are left out. Raises BadInput for fewer than two writers.
    """
    drawn = bootstrap_draws(genuine, impostor, statistics, resamples=resamples, seed=seed)
    return {name: percentile_interval(values, level) for name, values in drawn.items()}


def bootstrap_draws(
    genuine: WrittenScores,
    impostor: WrittenScores,
    statistics: Mapping[str, Statistic],
    *,
    resamples: int = 1000,
    seed: int = 0,
    writers: Sequence[str] | None = None,
) -> dict[str, Scores]:
    """The statistics of each resample, (resamples,) each; NaN where a side has no trial.

    Two calls with the same seed and the same `writers` (a superset of those involved) resample the same writers, so
    their differences and ratios are paired.
    """
    codes = _Codes(genuine, impostor, writers=writers)
    ranking = Ranking(genuine.score, impostor.score)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    for counts in writer_counts(codes.n_writers, resamples, seed):
        curve = ranking.curve(codes.weights(counts, 0), codes.weights(counts, 1))
        for name, statistic in statistics.items():
            drawn[name].append(statistic(curve))
    return {name: np.array(values, np.float64) for name, values in drawn.items()}


def bootstrap_rate(
    hit: npt.NDArray[np.bool_], trials: WrittenScores, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile interval of the share of `hit` (n,) among trials, writers resampled as above; NaN for one writer."""
    codes = _Codes(trials)
    if codes.n_writers < 2:
        return Interval(float("nan"), float("nan"), level)
    values = []
    for counts in writer_counts(codes.n_writers, resamples, seed):
        weight = codes.weights(counts, 0)
        total = weight.sum()
        values.append(float(weight[hit].sum() / total) if total > 0 else float("nan"))
    return percentile_interval(values, level)


def writer_counts(n_writers: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each writer occurs in each resample: (n_writers,) counts that add up to n_writers."""
    if n_writers < 2:
        raise BadInput("a bootstrap over writers needs at least two writers", got=n_writers)
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, n_writers, n_writers), minlength=n_writers).astype(np.float64)


def percentile_interval(values: Any, level: float = 0.95) -> Interval:
    """The central `level` of bootstrap values; NaNs (resamples without trials) are left out.

    An end that falls among infinite values (a ratio over nothing) is infinite.
    """
    held = np.asarray(values, np.float64)
    held = held[~np.isnan(held)]
    if not len(held):
        return Interval(float("nan"), float("nan"), level)
    way = "linear" if np.isfinite(held).all() else "inverted_cdf"  # nothing lies between a number and infinity
    low, high = np.quantile(held, [(1 - level) / 2, (1 + level) / 2], method=way)  # type: ignore[call-overload]
    return Interval(float(low), float(high), level)


def clopper_pearson(errors: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval of a share, `errors` of `n` (Clopper and Pearson 1934); one-sided where errors is 0 or n."""
    from scipy.stats import beta

    if not 0 <= errors <= n or n == 0:
        raise BadInput("an exact interval needs errors among trials", got=f"{errors} of {n}")
    tail = (1 - level) if errors in (0, n) else (1 - level) / 2
    low = 0.0 if errors == 0 else float(beta.ppf(tail, errors, n - errors + 1))
    high = 1.0 if errors == n else float(beta.ppf(1 - tail, errors + 1, n - errors))
    return Interval(low, high, level)


def never_certain(interval: Interval, share: float, n: int) -> Interval:
    """The interval of a share, never narrower than what `n` distinct images can prove.

    Its upper end is at least what no error at all would prove, its lower end at most what nothing but errors would:
    where no error was seen every resample has none either, and the bootstrap says [0, 0]; and one error must not look
    more certain than none. `n` is the effective number: distinct query images, not pairs or draws.
    """
    if not np.isfinite(share):
        return interval
    none, all_of_them = (clopper_pearson(errors, max(1, n), interval.level) for errors in (0, max(1, n)))
    return Interval(min(interval.low, all_of_them.low), max(interval.high, none.high), interval.level)


def with_resolution(interval: Interval, n_genuine: int, n_impostor: int) -> Interval:
    """An EER's interval whose upper end is at least what no error at all would prove on these distinct query images.

    The bootstrap of a set without errors is [0, 0]; `n_genuine` and `n_impostor` distinct images cannot show that.
    """
    smallest = clopper_pearson(0, max(1, min(n_genuine, n_impostor)), interval.level).high
    return Interval(interval.low, max(interval.high, smallest), interval.level)


class _Codes:
    """Writers of several groups of trials as integers, and each trial's weight in a resample."""

    def __init__(self, *groups: WrittenScores, writers: Sequence[str] | None = None) -> None:
        columns = [
            [np.asarray(c).astype(str) for c in (g.writer_id, g.query_writer_id) if c is not None] for g in groups
        ]
        extra = [np.asarray(writers).astype(str)] if writers is not None else []
        names = np.unique(np.concatenate([*(c for held in columns for c in held), *extra]))
        self.n_writers = len(names)
        self._groups = [[np.searchsorted(names, c) for c in held] for held in columns]

    def weights(self, counts: npt.NDArray[np.float64], group: int) -> npt.NDArray[np.float64]:
        first, *rest = self._groups[group]
        weight: npt.NDArray[np.float64] = counts[first]
        for other in rest:
            weight = weight * counts[other]
        return weight
