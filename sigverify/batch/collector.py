"""Python's cyclic garbage collector, out of the way of bounded work on large tables.

Rows of a manifest or of decisions hold no cycles. Yet making thousands of them sets the collector off, and each time it
looks through everything that torch, pandas and a flow engine ever imported: half a second in a batch of 5,000.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Pauses:
    """Those in progress, in any thread, and whether the collector was on before the first."""

    lock = threading.Lock()
    running = 0
    was_on = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """No automatic collection until the last of several such blocks has ended; also usable as a decorator."""
    with _Pauses.lock:
        if _Pauses.running == 0:
            _Pauses.was_on = gc.isenabled()
            gc.disable()
        _Pauses.running += 1
    try:
        yield
    finally:
        with _Pauses.lock:
            _Pauses.running -= 1
            if _Pauses.running == 0 and _Pauses.was_on:
                gc.enable()
