"""Work over processes: in order, and a job that kills its process costs itself only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sigverify.scans.pool import CHUNK, Spread, close_pools


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


def process_of(_job: int) -> int:
    return os.getpid()


def test_processes_are_kept_between_calls_until_closed() -> None:
    def workers() -> set[int]:
        return {pid for _, pid in Spread(process_of, lost=-1).parallel(range(2 * CHUNK), 1)}

    first = workers()
    assert workers() == first and os.getpid() not in first
    close_pools()
    assert workers().isdisjoint(first)


def test_a_kept_process_that_was_killed_is_replaced() -> None:
    spread = Spread(process_of, lost=-1)
    (old,) = {pid for _, pid in spread.parallel(range(CHUNK), 1)}
    os.kill(old, signal.SIGKILL)
    (new,) = {pid for _, pid in spread.parallel(range(CHUNK), 1)}
    assert new not in (old, -1)


def test_an_abandoned_run_leaves_a_usable_pool() -> None:
    spread = Spread(square, lost=-1)
    run = spread.parallel(range(20 * CHUNK), 2)
    next(run)
    run.close()
    assert dict(spread.parallel(range(5), 2)) == {i: i * i for i in range(5)}


def test_where_no_process_can_start_the_error_says_so(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"  # a started process runs the main script again, which starts processes ...
    script.write_text(
        "from sigverify.scans.pool import Spread\nprint(dict(Spread(abs, lost=None).parallel([-1, -2], 2)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "no process can be started to prepare scans" in done.stderr


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, sys, time\n"
        "from sigverify.scans.pool import Spread\n"
        "from tests.scans.test_pool import process_of\n"
        "if __name__ == '__main__':\n"
        "    print(*{pid for _, pid in Spread(process_of, lost=-1).parallel(range(4), 1)}, flush=True)\n"
        "    time.sleep(120)\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while _runs(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _runs(worker)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
