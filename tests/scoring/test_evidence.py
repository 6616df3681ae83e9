"""A score of cells taken apart: exact, and in the right place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigverify.config import ScoringSettings
from sigverify.errors import BadInput
from sigverify.scoring.evidence import evidence
from sigverify.scoring.scorer import Scorer

SHAPE = (3, 4)
GRIDS = ((2, *SHAPE),)


def cells(rng: np.random.Generator, n: int, channels: int = 2) -> np.ndarray:
    rows = rng.random((n, channels * 12)).astype(np.float32) ** 3
    return rows / rows.sum(axis=1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.0, 0.02]))
def test_the_cells_add_up_to_the_score(seed: int, k: int, odd: float) -> None:
    rng = np.random.default_rng(seed)
    own = {"own_share": 1.0, "own_expected": 0.7, "odd_reference": odd}
    settings = ScoringSettings(fusion="mean_max", normalisation="own", **own)
    query, references = cells(rng, 1), cells(rng, k)
    score = Scorer(settings, None, "overlap").score(query, references).score[0]
    found = evidence(query[0], references, GRIDS, settings)
    assert found.total == pytest.approx(float(score), abs=1e-5)
    assert float(found.query.sum()) == pytest.approx(found.total, abs=1e-5)
    assert found.nearest == int(np.minimum(query, references).sum(axis=1).argmax())


def test_a_stroke_too_many_and_a_stroke_that_is_missing_show_where_they_are() -> None:
    reference = np.zeros((2, 3, 4), np.float32)
    reference[0, 1, :] = 1.0
    query = reference.copy()
    query[0, 1, 3], query[1, 2, 0] = 0.0, 1.0  # one stroke moved
    flat = [r.ravel()[None] / r.sum() for r in (query, reference)]
    found = evidence(flat[0][0], np.repeat(flat[1], 3, axis=0), GRIDS, ScoringSettings(own_expected=1.0))
    assert np.unravel_index(found.reference.argmin(), SHAPE) == (1, 3)
    assert np.unravel_index(found.query.argmin(), SHAPE) == (2, 0)
    assert found.total == pytest.approx(-0.25, abs=1e-6)


def test_what_a_coarse_cell_says_is_spread_over_the_finer_ones_it_covers() -> None:
    rng = np.random.default_rng(3)
    grids = ((2, 3, 2), (1, 6, 4))
    rows = rng.random((4, 12 + 24)).astype(np.float32)
    rows /= rows.sum(axis=1, keepdims=True)
    settings = ScoringSettings(fusion="mean_max", normalisation="own", own_share=1.0)
    found = evidence(rows[0], rows[1:], grids, settings)
    score = Scorer(settings, None, "overlap").score(rows[:1], rows[1:]).score[0]
    assert found.reference.shape == (6, 4) and found.total == pytest.approx(float(score), abs=1e-5)
    coarse_alone = rows.copy()
    coarse_alone[:, 12:] = 0
    shown = evidence(coarse_alone[0], coarse_alone[1:], grids, settings).reference
    assert np.allclose(shown.reshape(3, 2, 2, 2).std(axis=(1, 3)), 0, atol=1e-6) and np.abs(shown).max() > 0


def test_a_copy_of_identical_references_has_nothing_against_it() -> None:
    row = cells(np.random.default_rng(1), 1)
    found = evidence(row[0], np.repeat(row, 4, axis=0), GRIDS, ScoringSettings(own_expected=1.0))
    assert np.allclose(found.query, 0, atol=1e-6) and np.allclose(found.reference, 0, atol=1e-6)


def test_embeddings_without_cells_are_refused() -> None:
    with pytest.raises(BadInput, match="cells"):
        evidence(np.ones(13, np.float32), np.ones((2, 13), np.float32), GRIDS, ScoringSettings())
    with pytest.raises(BadInput, match="cells"):
        evidence(np.ones(12, np.float32), np.ones((0, 12), np.float32), ((1, *SHAPE),), ScoringSettings())
