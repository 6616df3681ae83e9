"""Whole sets of synthetic scans: so many writers, so many genuine signatures and forgeries each, by one seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from sigverify.errors import BadInput
from sigverify.records import Image, Ints, Label
from sigverify.synthesis.forgers import Forger
from sigverify.synthesis.render import render
from sigverify.synthesis.writers import SyntheticWriter

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SyntheticSet:
    """Raw scans of n signatures: `images[i]` (h, w) grey uint8, `writer` (n,), `label[i]`; in order of the writers."""

    images: list[Image]
    writer: Ints
    label: list[Label]
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Scans drawn a second."""
        return len(self.images) / self.seconds if self.seconds else float("nan")


def draw_signatures(
    n_writers: int,
    n_genuine: int,
    n_forgeries: int,
    seed: int,
    on_progress: Progress | None = None,
    workers: int = 1,
    long_side_px: int = 600,
) -> SyntheticSet:
    """A set of synthetic scans, the same for a seed whatever the number of worker processes.

    `on_progress(done_writers, n_writers)` is called after each writer. Pen, paper and scanner are drawn anew for every
    scan, by the same distribution for both labels. Raises BadInput on counts that make no set.
    """
    if n_writers < 1 or min(n_genuine, n_forgeries) < 0 or n_genuine + n_forgeries < 1:
        raise BadInput(
            "a synthetic set needs writers and signatures",
            got=(n_writers, n_genuine, n_forgeries),
            expected="at least one writer and one signature each",
        )
    started = time.perf_counter()
    jobs = [(child, n_genuine, n_forgeries, long_side_px) for child in np.random.SeedSequence(seed).spawn(n_writers)]
    images: list[Image] = []
    for done, scans in enumerate(_in_order(jobs, workers), start=1):
        images += scans
        if on_progress is not None:
            on_progress(done, n_writers)
    labels = [Label.GENUINE] * n_genuine + [Label.SKILLED_FORGERY] * n_forgeries
    writer = np.repeat(np.arange(n_writers, dtype=np.int64), len(labels))
    return SyntheticSet(images, writer, labels * n_writers, time.perf_counter() - started)


Job = tuple[np.random.SeedSequence, int, int, int]


def _in_order(jobs: list[Job], workers: int) -> Iterator[list[Image]]:
    if workers <= 1:
        yield from map(_draw_writer, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw_writer, jobs, chunksize=max(1, min(16, len(jobs) // (4 * workers))))


def _draw_writer(job: Job) -> list[Image]:
    """All scans of one writer, genuine first; one to three forgers share the forgeries."""
    sequence, n_genuine, n_forgeries, long_side_px = job
    rng = np.random.default_rng(sequence)
    writer = SyntheticWriter.draw(rng)
    forgers = [Forger.draw(writer, rng) for _ in range(int(rng.integers(1, 4)))]
    ways = [writer.sign(rng) for _ in range(n_genuine)]
    ways += [forgers[i % len(forgers)].sign(rng) for i in range(n_forgeries)]
    return [render(way, None, rng, long_side_px=long_side_px) for way in ways]
