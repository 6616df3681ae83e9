"""How far a run is, and the learning rate there: linear warm-up, cosine down."""

from __future__ import annotations

import math

FLOOR = 0.01  # share of the peak that is left at the end


def progress(step: int, steps: int, seconds: float, max_seconds: float | None) -> float:
    """Share of the run done, 0..1: by steps, or by time where a time budget is nearer its end.

    With a time budget the whole schedule therefore fits the budget, at the price of not being repeatable.
    """
    by_steps = step / max(steps, 1)
    by_time = 0.0 if max_seconds is None else seconds / max(max_seconds, 1e-9)
    return min(1.0, max(by_steps, by_time))


def learning_rate(peak: float, warmup_share: float, done: float) -> float:
    """One cycle: from 0 to `peak` over `warmup_share` of the run, then a cosine down to 1 % of it."""
    if done < warmup_share:
        return peak * max(done / warmup_share, 1e-3)
    along = (done - warmup_share) / max(1.0 - warmup_share, 1e-9)
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(along, 1.0))))
