"""How a run computes: repeatable and with its memory kept on the CPU, in mixed precision on a GPU."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.utils.deterministic

_keeping = 0  # runs in this process that want memory kept
_lock = threading.Lock()
# glibc's mallopt: parameter, value during a run, value afterwards. Whoever sets one turns off glibc's own adjustment of
# the first and the last for good, so afterwards they are what that adjustment would arrive at, not where it starts.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _MMAP_THRESHOLD = (
    (-1, 2**31 - 1, 64 << 20), (-2, 64 << 20, 128 << 10), (-4, 0, 65536), (-3, 32 << 20, 32 << 20)
)  # fmt: skip


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms on the CPU; the caller's random generator and flags are given back afterwards."""
    flags: Any = torch.utils.deterministic
    before, filled = torch.are_deterministic_algorithms_enabled(), flags.fill_uninitialized_memory
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        if device.type == "cpu":
            torch.use_deterministic_algorithms(True)
            flags.fill_uninitialized_memory = False  # costs a sixth, changes nothing here
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
            flags.fill_uninitialized_memory = filled


@contextmanager
def kept_memory(device: torch.device) -> Iterator[None]:
    """Let the C library keep freed memory for the next step instead of handing it back to the kernel.

    A training step on the CPU frees and asks again for hundreds of large blocks; the page faults cost a third of it
    (measured: 256 -> 328 images a CPU second, mobilenetv3_small_100 at 96 x 192), of embedding half. Linux with glibc
    only; elsewhere nothing happens. After the last of several runs free memory is handed back, and blocks up to
    32 MB are still kept when freed, as glibc itself comes to do.
    """
    libc = _glibc() if device.type == "cpu" else None
    if libc is None:
        yield
        return
    _count(libc, 1)
    try:
        yield
    finally:
        _count(libc, -1)


def _count(libc: ctypes.CDLL, change: int) -> None:
    """One run more or less; the first one sets the limits, the last one sets them back."""
    global _keeping
    with _lock:
        before, _keeping = _keeping, _keeping + change
        if before and _keeping:
            return
        for parameter, during, after in (_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _MMAP_THRESHOLD):
            libc.mallopt(parameter, during if _keeping else after)
        if not _keeping:
            libc.malloc_trim(0)


def mixed_precision(device: torch.device, wanted: bool) -> AbstractContextManager[object]:
    """bfloat16 where a GPU computes in it (no loss scaling needed), float32 elsewhere."""
    if wanted and device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "malloc_trim") else None
