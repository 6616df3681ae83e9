"""Mining against a slow reading of its definition, triplets placed by hand, and what must never happen."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sigverify.config import MiningSettings
from sigverify.errors import BadInput
from sigverify.model.mining import Triplets, distances, hardness, mine

G, F = False, True


def as_rows(triplets: Triplets) -> set[tuple[int, int, int]]:
    stacked = torch.stack([triplets.anchor, triplets.positive, triplets.negative], 1)
    return {(a, p, n) for a, p, n in stacked.tolist()}


def oracle(
    distance: list[list[float]], writer: list[int], forged: list[bool], hard: list[bool], skilled: list[bool]
) -> set[tuple[int, int, int]]:
    """The definition in loops: lower row first among equals."""
    found = set()
    everyone = range(len(writer))
    for a in everyone:
        positives = [i for i in everyone if i != a and writer[i] == writer[a] and not forged[i] and not forged[a]]
        others = [i for i in everyone if writer[i] != writer[a] and not forged[i]]
        own = [i for i in everyone if writer[i] == writer[a] and forged[i]]
        negatives = (own or others) if skilled[a] else (others or own)
        if not positives or not negatives:
            continue
        if hard[a]:
            p = max(positives, key=lambda i: (distance[a][i], -i))
            found.add((a, p, min(negatives, key=lambda i: (distance[a][i], i))))
            continue
        for p in positives:
            beyond = [i for i in negatives if distance[a][i] > distance[a][p]]
            nearest = min(beyond, key=lambda i: (distance[a][i], i)) if beyond else None
            farthest = max(negatives, key=lambda i: (distance[a][i], -i))
            found.add((a, p, farthest if nearest is None else nearest))
    return found


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Few distinct distances, so that ties are common; writers with one image, or with forgeries only, occur."""
    n = draw(st.integers(1, 10))
    writer = torch.tensor(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    forged = torch.tensor(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    flat = draw(st.lists(st.integers(0, 4), min_size=n * n, max_size=n * n))
    distance = torch.tensor(flat, dtype=torch.float32).view(n, n) / 4
    return torch.maximum(distance, distance.T).fill_diagonal_(0), writer, forged


@given(batches(), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 99))
@settings(max_examples=300, deadline=None)
def test_mining_is_its_definition(batch: tuple[Tensor, Tensor, Tensor], hard: float, skilled: float, seed: int) -> None:
    distance, writer, forged = batch
    mined = mine(distance, writer, forged, MiningSettings(skilled_share=skilled), hard, torch.manual_seed(seed))
    drawn = torch.rand(2, len(writer), generator=torch.manual_seed(seed))
    expected = oracle(
        distance.tolist(),
        writer.tolist(),
        forged.tolist(),
        (drawn[0] < hard).tolist(),
        (drawn[1] < skilled).tolist(),
    )
    assert as_rows(mined) == expected
    assert len(mined) == len(expected), "a triplet came twice"


@given(batches(), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_forgeries_are_negatives_and_nothing_else(
    batch: tuple[Tensor, Tensor, Tensor], hard: float, skilled: float
) -> None:
    distance, writer, forged = batch
    t = mine(distance, writer, forged, MiningSettings(skilled_share=skilled), hard)
    assert not forged[t.anchor].any() and not forged[t.positive].any()
    assert (t.anchor != t.positive).all() and (writer[t.anchor] == writer[t.positive]).all()
    own_forgery = (writer[t.negative] == writer[t.anchor]) & forged[t.negative]
    other_writer = (writer[t.negative] != writer[t.anchor]) & ~forged[t.negative]
    assert (own_forgery | other_writer).all()


def on_a_line(*places: float) -> Tensor:
    """Distances between points on a line, in the order given."""
    at = torch.tensor(places)
    return (at[:, None] - at[None, :]).abs()


def test_batch_hard_takes_farthest_positive_and_nearest_negative() -> None:
    #                    a    p    p    other other
    distance = on_a_line(0.0, 0.1, 0.3, 0.5, 0.2)
    writer, forged = torch.tensor([0, 0, 0, 1, 2]), torch.zeros(5, dtype=torch.bool)
    found = as_rows(mine(distance, writer, forged, MiningSettings(), 1.0))
    assert found == {(0, 2, 4), (1, 2, 4), (2, 0, 4)}


def test_semi_hard_takes_the_nearest_beyond_the_positive_or_else_the_farthest() -> None:
    #                    a    p     inside beyond far
    distance = on_a_line(0.0, 0.20, 0.15, 0.25, 0.9)
    writer, forged = torch.tensor([0, 0, 1, 2, 3]), torch.zeros(5, dtype=torch.bool)
    found = as_rows(mine(distance, writer, forged, MiningSettings(), 0.0))
    assert (0, 1, 3) in found  # row 2 is nearer than the positive, row 3 the first beyond it
    inside = on_a_line(0.0, 0.9, 0.1, 0.2, 0.3)
    assert (0, 1, 4) in as_rows(mine(inside, writer, forged, MiningSettings(), 0.0))  # none beyond: the farthest


def test_kinds_follow_skilled_share_and_stand_in_for_each_other() -> None:
    #                    a    p    own forgery, other writer
    distance = on_a_line(0.0, 0.1, 0.4, 0.5)
    writer, forged = torch.tensor([0, 0, 0, 1]), torch.tensor([G, G, F, G])
    assert as_rows(mine(distance, writer, forged, MiningSettings(skilled_share=1.0), 1.0)) == {(0, 1, 2), (1, 0, 2)}
    assert as_rows(mine(distance, writer, forged, MiningSettings(skilled_share=0.0), 1.0)) == {(0, 1, 3), (1, 0, 3)}
    without = mine(distance[[0, 1, 3]][:, [0, 1, 3]], writer[[0, 1, 3]], forged[[0, 1, 3]], MiningSettings(), 1.0)
    assert as_rows(without) == {(0, 1, 2), (1, 0, 2)}
    alone = mine(distance[:3, :3], writer[:3], forged[:3], MiningSettings(skilled_share=0.0), 1.0)
    assert as_rows(alone) == {(0, 1, 2), (1, 0, 2)}


def test_two_forgeries_make_no_positive_pair() -> None:
    writer, forged = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([G, F, F, G, G])
    mined = mine(torch.rand(5, 5), writer, forged, MiningSettings(), 0.0)
    assert set(mined.anchor.tolist()) == {3, 4}  # writer 0 has one genuine signature: no pair


def test_skilled_share_is_a_share() -> None:
    n = 200
    writer = torch.arange(n) % 10
    forged = torch.arange(n) >= n // 2
    mined = mine(
        torch.rand(n, n), writer, forged, MiningSettings(skilled_share=0.25), 1.0, torch.Generator().manual_seed(1)
    )
    assert forged[mined.negative].float().mean().item() == pytest.approx(0.25, abs=0.1)


def test_mining_a_renumbered_batch_gives_the_renumbered_triplets() -> None:
    torch.manual_seed(3)
    writer, forged = torch.arange(24) % 4, torch.arange(24) % 3 == 0
    distance = distances(torch.nn.functional.normalize(torch.randn(24, 5), dim=1))
    order = torch.randperm(24)
    plain = as_rows(mine(distance, writer, forged, MiningSettings(skilled_share=1.0), 1.0))
    moved = mine(distance[order][:, order], writer[order], forged[order], MiningSettings(skilled_share=1.0), 1.0)
    back = Triplets(order[moved.anchor], order[moved.positive], order[moved.negative])
    assert as_rows(back) == plain


def test_curriculum_goes_from_semi_hard_to_batch_hard() -> None:
    curriculum = MiningSettings(strategy="curriculum", hard_from=0.4)
    at = [hardness(curriculum, done / 100) for done in range(101)]
    assert at[0] == at[40] == 0.0 and at[50] == pytest.approx(0.5) and at[60] == pytest.approx(1.0) and at[100] == 1.0
    assert at == sorted(at)
    assert hardness(MiningSettings(strategy="batch_hard"), 0.0) == 1.0
    assert hardness(MiningSettings(strategy="semi_hard"), 1.0) == 0.0


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(BadInput, match="distances"):
        mine(torch.zeros(3, 4), torch.zeros(3), torch.zeros(3, dtype=torch.bool), MiningSettings(), 0.0)
    with pytest.raises(BadInput, match="bool"):
        mine(torch.zeros(3, 3), torch.zeros(3), torch.zeros(3), MiningSettings(), 0.0)
