"""What a step minimises: hard triplets, and a softmax over similarities that keeps early training from collapse."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sigverify.model.mining import Triplets


def triplet_loss(distance: Tensor, triplets: Triplets, margin: float) -> tuple[Tensor, Tensor]:
    """max(0, d(a, p) - d(a, n) + margin), mean over the triplets where it is positive, and their share of all.

    distance (n, n) cosine distances with gradient. Without (active) triplets: 0 with a gradient of 0. FaceNet, CVPR
    2015, equation 3; the mean over active triplets keeps the step size when most are solved (Hermans et al. 2017, 2).
    """
    if len(triplets) == 0:
        return distance.sum() * 0.0, distance.new_zeros(())
    near = distance[triplets.anchor, triplets.positive]
    far = distance[triplets.anchor, triplets.negative]
    each = functional.relu(near - far + margin)
    active = each > 0
    return each.sum() / active.sum().clamp(min=1), active.float().mean()


def identity_loss(similarity: Tensor, writer: Tensor, forged: Tensor, temperature: float) -> Tensor:
    """Softmax over similarities with several positives: -mean over positives of log softmax(s / temperature).

    similarity (n, n) cosines with gradient. Anchors are genuine signatures that have a positive (another genuine one of
    their writer); everything else in the batch is a negative, the writer's own forgeries and other writers' forgeries
    included. Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, equation 2 (L_out), forgeries never anchors.
    """
    n = len(writer)
    itself = torch.eye(n, dtype=torch.bool, device=writer.device)
    same = writer[:, None] == writer[None, :]
    positive = same & ~forged[:, None] & ~forged[None, :] & ~itself
    count = positive.sum(1)
    logits = (similarity / temperature).masked_fill(itself, -torch.inf)
    log_share = (logits - logits.logsumexp(1, keepdim=True)).masked_fill(~positive, 0.0)
    each = -log_share.sum(1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)
