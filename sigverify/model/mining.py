"""Which triplets a batch is trained on: (anchor, positive, negative) as row numbers.

Anchor and positive are genuine signatures of one writer; two forgeries are never a positive pair. The negative is one
of two kinds: a genuine signature of another writer (a random forgery) or a skilled forgery of the anchor's own writer.

Semi-hard: Schroff et al., FaceNet, CVPR 2015, section 3.2. Batch-hard: Hermans et al., In Defense of the Triplet Loss,
2017, equation 5; from random weights alone it collapses, hence the curriculum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sigverify.config import MiningSettings
from sigverify.errors import BadInput

RAMP = 0.2  # share of the run over which a curriculum goes from semi-hard to batch-hard


@dataclass(frozen=True)
class Triplets:
    """Rows of the batch, three (t,) int64 tensors; t may be 0."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor

    def __len__(self) -> int:
        return len(self.anchor)


def distances(embeddings: Tensor, similarity: str = "cosine") -> Tensor:
    """All 1 - similarity between embeddings (n, d): (n, n) float32; 0 to 2 for cosines, 0 to 1 for overlaps."""
    if similarity == "overlap":
        return torch.cdist(embeddings, embeddings, p=1) / 2
    return 1.0 - embeddings @ embeddings.T


def hardness(settings: MiningSettings, progress: float) -> float:
    """Share of anchors mined batch-hard when `progress` (0..1) of the run is done."""
    if settings.strategy == "batch_hard":
        return 1.0
    if settings.strategy == "semi_hard" or progress <= settings.hard_from:
        return 0.0
    return min(1.0, (progress - settings.hard_from) / RAMP)


def mine(
    distance: Tensor,
    writer: Tensor,
    forged: Tensor,
    settings: MiningSettings,
    hard_share: float,
    generator: torch.Generator | None = None,
) -> Triplets:
    """Triplets of one batch from distances (n, n), writers (n,) int64 and provenance (n,) bool.

    An anchor is mined batch-hard with probability `hard_share`, else semi-hard; its negative is the writer's own
    forgery with probability `skilled_share`, else another writer's; where a kind is missing, the other one. Ties go to
    the lower row. Draws come from `generator`, on the CPU. Raises BadInput for shapes that do not belong together.
    """
    n = len(writer)
    if distance.shape != (n, n) or forged.shape != (n,) or forged.dtype != torch.bool:
        raise BadInput("mine needs distances (n, n), writers (n,) and provenance (n,) bool", got=tuple(distance.shape))
    drawn = torch.rand(2, n, generator=generator).to(distance.device)
    with torch.no_grad():
        hard, skilled = drawn[0] < hard_share, drawn[1] < settings.skilled_share
        return _mine(distance.detach(), writer, forged, hard, skilled)


def _mine(distance: Tensor, writer: Tensor, forged: Tensor, hard: Tensor, skilled: Tensor) -> Triplets:
    positive = _positives(writer, forged)  # (n, n): row is an anchor, column one of its positives
    negative = _negatives(writer, forged, skilled)  # (n, n): row is an anchor, column a negative of the drawn kind
    able = positive.any(1) & negative.any(1)
    hard_anchor = torch.nonzero(able & hard).flatten()
    hardest_positive = distance.masked_fill(~positive, -1.0).argmax(1)
    hardest_negative = distance.masked_fill(~negative, torch.inf).argmin(1)
    pairs = torch.nonzero(positive & (able & ~hard)[:, None])  # (t, 2)
    anchor, chosen = pairs[:, 0], pairs[:, 1]
    semi_hard = _semi_hard(distance[anchor], distance[anchor, chosen], negative[anchor])
    return Triplets(
        torch.cat([hard_anchor, anchor]),
        torch.cat([hardest_positive[hard_anchor], chosen]),
        torch.cat([hardest_negative[hard_anchor], semi_hard]),
    )


def _positives(writer: Tensor, forged: Tensor) -> Tensor:
    genuine = ~forged
    same = writer[:, None] == writer[None, :]
    return same & genuine[:, None] & genuine[None, :] & ~torch.eye(len(writer), dtype=torch.bool, device=writer.device)


def _negatives(writer: Tensor, forged: Tensor, skilled: Tensor) -> Tensor:
    """Of the drawn kind for each anchor, or of the other kind where the batch holds none."""
    same = writer[:, None] == writer[None, :]
    others = ~same & ~forged[None, :]
    own_forgeries = same & forged[None, :]
    use_forgeries = (skilled & own_forgeries.any(1)) | ~others.any(1)
    return torch.where(use_forgeries[:, None], own_forgeries, others)


def _semi_hard(distance: Tensor, to_positive: Tensor, negative: Tensor) -> Tensor:
    """For each pair: the nearest negative beyond the positive; the farthest one where all are nearer.

    distance (t, n), to_positive (t,), negative (t, n) bool -> (t,) rows. A nearest one beyond the margin gives no loss
    and is kept, so that the share of active triplets means something.
    """
    beyond = negative & (distance > to_positive[:, None])
    nearest = distance.masked_fill(~beyond, torch.inf).argmin(1)
    farthest = distance.masked_fill(~negative, -1.0).argmax(1)
    return torch.where(beyond.any(1), nearest, farthest)
