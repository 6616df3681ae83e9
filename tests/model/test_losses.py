"""The two terms of the loss against their equations in loops, and at points where the answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from sigverify.model.losses import identity_loss, triplet_loss
from sigverify.model.mining import Triplets, distances


def triplets(*rows: tuple[int, int, int]) -> Triplets:
    columns = torch.tensor(rows, dtype=torch.int64).view(-1, 3).T
    return Triplets(columns[0], columns[1], columns[2])


def test_triplet_loss_is_the_mean_over_active_triplets() -> None:
    distance = torch.tensor([[0.0, 0.1, 0.2, 0.9], [0.1, 0.0, 0.5, 0.4], [0.2, 0.5, 0.0, 0.3], [0.9, 0.4, 0.3, 0.0]])
    loss, active = triplet_loss(distance, triplets((0, 1, 2), (0, 1, 3), (0, 2, 1)), 0.2)
    # 0.1 - 0.2 + 0.2 = 0.1; 0.1 - 0.9 + 0.2 < 0; 0.2 - 0.1 + 0.2 = 0.3
    assert loss.item() == pytest.approx(0.2)
    assert active.item() == pytest.approx(2 / 3)


def test_equal_embeddings_cost_exactly_the_margin() -> None:
    embeddings = normalize(torch.ones(4, 3), dim=1)
    loss, active = triplet_loss(distances(embeddings), triplets((0, 1, 2), (1, 0, 3)), 0.2)
    assert loss.item() == pytest.approx(0.2, abs=1e-6) and active.item() == 1.0


@pytest.mark.parametrize("rows", [(), ((0, 1, 2),)])
def test_nothing_to_learn_gives_no_gradient(rows: tuple[tuple[int, int, int], ...]) -> None:
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    loss, active = triplet_loss(distances(embeddings), triplets(*rows), 0.2)
    loss.backward()
    assert loss.item() == 0.0 and active.item() == 0.0
    assert embeddings.grad is not None and not embeddings.grad.any()


def test_a_step_down_the_triplet_loss_pulls_the_positive_and_pushes_the_negative() -> None:
    torch.manual_seed(0)
    embeddings = normalize(torch.randn(3, 8), dim=1).requires_grad_()
    before = distances(embeddings)
    triplet_loss(before, triplets((0, 1, 2)), 2.0)[0].backward()
    assert embeddings.grad is not None
    after = distances(normalize(embeddings.detach() - 0.05 * embeddings.grad, dim=1))
    assert after[0, 1] - after[0, 2] < before[0, 1] - before[0, 2]


def slow_identity(similarity: torch.Tensor, writer: list[int], forged: list[bool], temperature: float) -> float:
    """Khosla et al. 2020, equation 2, in loops over genuine anchors."""
    terms = []
    for a in range(len(writer)):
        positives = [p for p in range(len(writer)) if p != a and writer[p] == writer[a] and not forged[p]]
        if forged[a] or not positives:
            continue
        total = sum(math.exp(similarity[a, k].item() / temperature) for k in range(len(writer)) if k != a)
        each = [-math.log(math.exp(similarity[a, p].item() / temperature) / total) for p in positives]
        terms.append(sum(each) / len(each))
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_identity_loss_is_its_equation(seed: int) -> None:
    torch.manual_seed(seed)
    writer, forged = torch.randint(0, 4, (14,)), torch.rand(14) < 0.3
    embeddings = normalize(torch.randn(14, 6), dim=1)
    similarity = embeddings @ embeddings.T
    expected = slow_identity(similarity, writer.tolist(), forged.tolist(), 0.2)
    assert identity_loss(similarity, writer, forged, 0.2).item() == pytest.approx(expected, rel=1e-5)


def test_identity_loss_of_equal_embeddings_is_log_of_the_others() -> None:
    similarity = torch.ones(9, 9)
    loss = identity_loss(similarity, torch.arange(9) // 3, torch.zeros(9, dtype=torch.bool), 0.1)
    assert loss.item() == pytest.approx(math.log(8), rel=1e-5)


def test_identity_loss_without_a_pair_is_zero_and_differentiable() -> None:
    similarity = torch.eye(3, requires_grad=True)
    loss = identity_loss(similarity, torch.arange(3), torch.zeros(3, dtype=torch.bool), 0.1)
    loss.backward()
    assert loss.item() == 0.0 and similarity.grad is not None and bool(similarity.grad.isfinite().all())


def test_an_own_forgery_near_the_genuine_costs_more_than_a_far_one() -> None:
    writer, forged = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([False, False, True, False, False])
    near, far = torch.eye(5), torch.eye(5)
    near[:2, 2] = near[2, :2] = 0.9
    assert identity_loss(near, writer, forged, 0.1) > identity_loss(far, writer, forged, 0.1)
