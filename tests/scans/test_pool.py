"""Work over processes: in order, and a job that kills its process costs itself only."""

from __future__ import annotations

import os

from sigverify.scans.pool import CHUNK, Spread


def square(job: int) -> int:
    if job < 0:
        os._exit(9)  # as a decoder that crashes
    return job * job


def test_results_keep_their_positions() -> None:
    jobs = list(range(3 * CHUNK + 5))
    spread = Spread(square, lost=-1)
    assert dict(spread.serial(jobs)) == dict(spread.parallel(jobs, 2)) == {i: i * i for i in jobs}


def test_a_job_that_kills_its_process_is_lost_alone() -> None:
    jobs = list(range(2 * CHUNK))
    jobs[3] = jobs[CHUNK + 1] = -7
    done = dict(Spread(square, lost=-1).parallel(jobs, 2))
    assert done == {i: -1 if i in (3, CHUNK + 1) else i * i for i in range(2 * CHUNK)}
