"""Noticing that training has collapsed: all embeddings equal, the triplet loss stuck at the margin."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sigverify.errors import TrainingCollapsed

EQUAL = 0.02  # a mean distance below this means that all embeddings are nearly one point
PATIENCE = 4  # looks in a row


@dataclass
class CollapseWatch:
    """Looks at a run now and then; raises TrainingCollapsed when it found it collapsed `PATIENCE` times in a row."""

    margin: float
    seen: int = 0

    def look(self, step: int, triplet: float, spread: float) -> None:
        """`triplet` is the loss over active triplets, `spread` the mean distance of all ordered pairs of the batch."""
        stuck = spread < EQUAL and abs(triplet - self.margin) <= 0.1 * self.margin
        broken = not torch.isfinite(torch.tensor([triplet, spread])).all()
        self.seen = self.seen + 1 if stuck or broken else 0
        if broken or self.seen >= PATIENCE:
            raise TrainingCollapsed(
                f"training collapsed by step {step}: {'loss is not a number' if broken else 'embeddings all equal'}",
                got=f"triplet loss {triplet:.4f}, mean distance {spread:.4f}",
                expected=f"a loss that leaves the margin {self.margin} and a distance above {EQUAL}",
                next="use strategy 'curriculum', identity_weight > 0, a lower learning_rate or a longer warm-up",
            )
