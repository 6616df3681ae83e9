"""How a run computes: repeatable on the CPU, in mixed precision on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms on the CPU; the caller's random generator and flags are given back afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        if device.type == "cpu":
            torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)


def mixed_precision(device: torch.device, wanted: bool) -> AbstractContextManager[object]:
    """bfloat16 where a GPU computes in it (no loss scaling needed), float32 elsewhere."""
    if wanted and device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
