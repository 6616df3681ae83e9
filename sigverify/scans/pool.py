"""Work spread over processes, in order. A job that kills its process (a decoder's crash) costs that job alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

CHUNK = 32  # jobs a worker takes at a time: about 100 ms of work for scans
WAITING = 4  # chunks handed out ahead of each worker, so that a batch's bytes are never all in flight


class Spread(Generic[Job, Result]):
    """`work(job)` for many jobs; `lost` is the result of a job whose process died. `work` must be importable."""

    def __init__(self, work: Callable[[Job], Result], lost: Result) -> None:
        self.work, self.lost = work, lost

    def serial(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
        """(position, result) one after the other, in this process."""
        for i, job in enumerate(jobs):
            yield i, self.work(job)

    def parallel(self, jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, Result]]:
        """(position, result) as they come in; chunks lost with a process are gone through again one job at a time."""
        waiting = [(start, jobs[start : start + CHUNK]) for start in range(0, len(jobs), CHUNK)][::-1]
        running: dict[Future[list[Result]], tuple[int, Sequence[Job]]] = {}
        with _pool(min(workers, len(waiting))) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < WAITING * workers:
                        running[pool.submit(_each, self.work, waiting[-1][1])] = waiting[-1]
                        waiting.pop()
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        results, (start, _) = future.result(), running[future]
                        del running[future]
                        yield from enumerate(results, start)
            except BrokenProcessPool:
                waiting.extend(running.values())
        for start, chunk in waiting:
            yield from enumerate(self._one_by_one(chunk), start)

    def _one_by_one(self, jobs: Sequence[Job]) -> list[Result]:
        """A process is renewed whenever a job kills it."""
        results: list[Result] = []
        while len(results) < len(jobs):
            with _pool(1) as pool:
                try:
                    for job in jobs[len(results) :]:
                        results += pool.submit(_each, self.work, [job]).result()
                except BrokenProcessPool:
                    results.append(self.lost)
        return results


def _each(work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    return [work(job) for job in jobs]


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawned, not forked: the caller may hold threads (torch, a flow engine), whose locks a fork would copy as held
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
