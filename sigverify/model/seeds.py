"""One seed for every place in a run, so that what is drawn at a step depends on the step and on nothing before it."""

from __future__ import annotations

import numpy as np


def seed_at(*place: int) -> int:
    """A 63-bit seed named by non-negative integers, e.g. (run seed, step, purpose)."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> np.uint64(1))
