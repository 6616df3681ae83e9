"""Work spread over processes, in order. A job that kills its process (a decoder's crash) costs that job alone.

Processes are kept between calls (starting one imports this library anew, half a second or more); they end with the
process that started them, however that ends.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Generic, TypeVar

from sigverify.errors import SigverifyError

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
        """(position, result) as they come in; chunks lost with a process are gone through again one job at a time.

        Raises SigverifyError where no process can be started at all.
        """
        waiting = [(start, jobs[start : start + CHUNK]) for start in range(0, len(jobs), CHUNK)][::-1]
        running: dict[Future[list[Result]], tuple[int, Sequence[Job]]] = {}
        with _Pool(min(workers, len(waiting))) as pool:
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
            finally:
                for future in running:
                    future.cancel()
        for start, chunk in waiting:
            yield from enumerate(self._one_by_one(chunk), start)

    def _one_by_one(self, jobs: Sequence[Job]) -> list[Result]:
        """A process is renewed whenever a job kills it."""
        results: list[Result] = []
        while len(results) < len(jobs):
            with _Pool(1) as pool:
                _see_it_start(pool)
                try:
                    for job in jobs[len(results) :]:
                        results += pool.submit(_each, self.work, [job]).result()
                except BrokenProcessPool:
                    results.append(self.lost)
        return results


class _Pool:
    """A pool of `workers` processes, borrowed from those kept; a broken one is not given back."""

    kept: dict[int, list[ProcessPoolExecutor]] = {}  # idle ones, by size
    lock = threading.Lock()

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> ProcessPoolExecutor:
        with _Pool.lock:
            idle = _Pool.kept.get(self.workers, [])
            held = idle.pop() if idle else None
        self.pool = held if held is not None and _alive(held) else _started(self.workers)
        return self.pool

    def __exit__(self, *_: object) -> None:
        if not _alive(self.pool):
            self.pool.shutdown(wait=False, cancel_futures=True)
            return
        with _Pool.lock:
            _Pool.kept.setdefault(self.workers, []).append(self.pool)


def close_pools() -> None:
    """End the processes that are kept; the next call starts new ones."""
    with _Pool.lock:
        idle = [pool for pools in _Pool.kept.values() for pool in pools]
        _Pool.kept.clear()
    for pool in idle:
        pool.shutdown()


def _each(work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    return [work(job) for job in jobs]


def _started(workers: int) -> ProcessPoolExecutor:
    # spawned, not forked: the caller may hold threads (torch, a flow engine), whose locks a fork would copy as held
    atexit.unregister(close_pools)
    atexit.register(close_pools)
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for jobs for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alive(pool: ProcessPoolExecutor) -> bool:
    """Whether a process of the pool answers; a pool just made starts one for it."""
    try:
        pool.submit(os.getpid).result()
    except RuntimeError:  # broken, or shut down
        return False
    return True


def _see_it_start(pool: ProcessPoolExecutor) -> None:
    if not _alive(pool):
        raise SigverifyError(
            "no process can be started to prepare scans",
            next="call from a script that can be imported (if __name__ == '__main__':), or with workers=1",
        )
