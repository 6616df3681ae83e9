"""Scoring against a slow oracle that follows the definitions pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sigverify.config import ScoringSettings
from sigverify.errors import BadInput, BadSettings
from sigverify.scoring.fusion import fuse
from sigverify.scoring.normalisation import SMALLEST_SPREAD, Cohort
from sigverify.scoring.scorer import Scorer
from sigverify.scoring.similarity import cosine, size_difference


def unit(rng: np.random.Generator, n: int, d: int = 12) -> np.ndarray:
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def cells(rng: np.random.Generator, n: int, d: int = 12) -> np.ndarray:
    """Not negative, with a sum of one, some of them empty."""
    x = np.maximum(rng.normal(size=(n, d)), 0).astype(np.float32)
    return x / np.maximum(x.sum(axis=1, keepdims=True), 1e-9)


DRAW = {"cosine": unit, "overlap": cells}
ALIKE = {
    "cosine": lambda a, b: float(sum(x * y for x, y in zip(a, b, strict=True))),
    "overlap": lambda a, b: float(sum(min(x, y) for x, y in zip(a, b, strict=True))),
}
FUSE = {
    "mean": lambda s: sum(s) / len(s),
    "max": max,
    "median": lambda s: float(np.median(s)),
    "mean_max": lambda s: (sum(s) / len(s) + max(s)) / 2,
}


def oracle(query, references, cohort, settings: ScoringSettings, similarity: str = "cosine") -> float:
    """The definitions, one pair at a time, in Python."""
    fused, alike = FUSE[settings.fusion], ALIKE[similarity]
    raw = fused([alike(query, r) for r in references])
    if settings.normalisation == "none":
        return raw
    if settings.normalisation == "own":
        between = [alike(a, b) for i, a in enumerate(references) for b in references[:i]]
        if settings.odd_reference and len(references) > 2:
            beside = [sum(alike(a, b) for j, b in enumerate(references) if j != i) for i, a in enumerate(references)]
            worst = beside.index(min(beside))
            rest = [r for i, r in enumerate(references) if i != worst]
            others = [alike(a, b) for i, a in enumerate(rest) for b in rest[:i]]
            if sum(others) / len(others) - beside[worst] / len(rest) > settings.odd_reference:
                between = others
        expected = settings.own_expected * settings.own_pairs
        return raw - settings.own_share * (sum(between) + expected) / (len(between) + settings.own_pairs)

    def standardise(scores: list[float]) -> float:
        kept = sorted(scores)[-settings.cohort_top :] if settings.cohort_top else scores
        mean = sum(kept) / len(kept)
        deviation = (sum((s - mean) ** 2 for s in kept) / len(kept)) ** 0.5
        return (raw - mean) / max(deviation, SMALLEST_SPREAD)

    z = standardise([fused([alike(c, r) for r in references]) for c in cohort])
    t = standardise([alike(query, c) for c in cohort])
    return z if settings.normalisation == "z" else (z + t) / 2


@pytest.mark.parametrize("similarity", list(ALIKE))
@pytest.mark.parametrize("fusion", list(FUSE))
@pytest.mark.parametrize("normalisation", ["none", "z", "s", "own"])
@pytest.mark.parametrize("top", [0, 7])
def test_every_form_agrees_with_the_slow_oracle(similarity, fusion, normalisation, top):
    rng = np.random.default_rng(3)
    draw, alike = DRAW[similarity], ALIKE[similarity]
    settings = ScoringSettings(fusion=fusion, normalisation=normalisation, cohort_top=top)
    queries, cohort = draw(rng, 9), draw(rng, 25)
    templates = [draw(rng, k) for k in (1, 3, 5)]
    chosen = [0, 1, 2, 2, 1, 0, 0, 2, 1]
    expected = [oracle(q, templates[t], cohort, settings, similarity) for q, t in zip(queries, chosen, strict=True)]
    scorer = Scorer(settings, cohort, similarity)
    pairs = scorer.score_pairs(queries, [templates[t] for t in chosen])
    assert [p.score for p in pairs] == pytest.approx(expected, abs=2e-4)
    for i, t in enumerate(chosen):
        one = scorer.score(queries[i : i + 1], templates[t])
        assert float(one.score[0]) == pytest.approx(expected[i], abs=2e-4)
        assert np.allclose(pairs[i].reference_scores, [alike(queries[i], r) for r in templates[t]], atol=1e-6)


@pytest.mark.parametrize("normalisation", ["s", "own"])
@pytest.mark.parametrize("similarity", list(ALIKE))
def test_trials_over_a_table_agree_with_pairs(similarity, normalisation):
    rng = np.random.default_rng(4)
    draw = DRAW[similarity]
    table = draw(rng, 20)
    references = np.array([[0, 1, 2], [5, 6, 7]])
    query, template = np.array([10, 11, 12, 13]), np.array([0, 1, 1, 0])
    scorer = Scorer(ScoringSettings(cohort_top=10, normalisation=normalisation), draw(rng, 30), similarity)
    pairs = scorer.score_pairs(table[query], [table[references[t]] for t in template])
    assert scorer.score_trials(table, references, query, template) == pytest.approx([p.score for p in pairs], abs=1e-4)


def test_chunks_do_not_change_a_score(monkeypatch):
    rng = np.random.default_rng(5)
    queries, templates, cohort = unit(rng, 11), [unit(rng, 4) for _ in range(11)], unit(rng, 15)
    scorer = Scorer(ScoringSettings(), cohort)
    whole = [p.score for p in scorer.score_pairs(queries, templates)]
    monkeypatch.setattr("sigverify.scoring.scorer._CHUNK", 100)
    assert [p.score for p in scorer.score_pairs(queries, templates)] == pytest.approx(whole, abs=1e-5)


def test_the_order_of_references_and_of_pairs_does_not_matter():
    rng = np.random.default_rng(6)
    queries, references, cohort = unit(rng, 4), unit(rng, 5), unit(rng, 15)
    scorer = Scorer(ScoringSettings(), cohort)
    straight = scorer.score(queries, references).score
    assert np.allclose(scorer.score(queries, references[::-1]).score, straight, atol=1e-5)
    assert np.allclose(scorer.score(queries[::-1], references).score[::-1], straight, atol=1e-5)


def test_s_normalisation_is_symmetric_for_one_reference():
    rng = np.random.default_rng(7)
    a, b, cohort = unit(rng, 1), unit(rng, 1), unit(rng, 15)
    scorer = Scorer(ScoringSettings(normalisation="s"), cohort)
    assert scorer.score(a, b).score == pytest.approx(scorer.score(b, a).score, abs=1e-5)


@pytest.mark.parametrize("how", list(FUSE))
def test_fusion_of_one_reference_is_the_score_itself(how):
    scores = np.array([[0.25], [-0.5]], np.float32)
    assert fuse(scores, how).tolist() == [0.25, -0.5]


def test_mean_max_lies_between_mean_and_max():
    scores = np.array([[0.0, 0.2, 1.0]], np.float32)
    assert fuse(scores, "mean_max")[0] == pytest.approx((0.4 + 1.0) / 2)


def test_a_query_equal_to_a_reference_scores_one_and_cosine_ignores_length():
    rng = np.random.default_rng(8)
    x = unit(rng, 3)
    assert np.diag(cosine(x, 5 * x)) == pytest.approx([1, 1, 1], abs=1e-6)
    assert cosine(x, -x).min() >= -1


def test_overlap_is_one_for_equal_cells_and_nothing_for_cells_apart():
    scorer = Scorer(ScoringSettings(normalisation="none"), None, "overlap")
    rows = np.array([[2, 2, 0, 0], [0, 0, 3, 1], [0, 0, 0, 0]], np.float32)
    table = scorer.similarity.table(scorer.similarity.scaled(rows, "a"), scorer.similarity.scaled(rows, "b"))
    assert table.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_a_cohort_that_tells_nothing_gives_finite_scores():
    cohort = np.tile(np.eye(1, 12, dtype=np.float32), (5, 1))
    scored = Scorer(ScoringSettings(normalisation="s"), cohort).score(unit(np.random.default_rng(9), 3), cohort[:1])
    assert np.isfinite(scored.score).all()


def test_without_a_cohort_scores_are_fused_cosines_and_say_so():
    rng = np.random.default_rng(10)
    queries, references = unit(rng, 3), unit(rng, 4)
    scorer = Scorer(ScoringSettings(fusion="max", normalisation="s"), None)
    assert scorer.normalisation == "none"
    assert np.allclose(scorer.score(queries, references).score, (queries @ references.T).max(1))


def test_a_steady_hand_is_held_to_more_than_an_unsteady_one():
    rng = np.random.default_rng(13)
    centre = unit(rng, 1)
    steady, unsteady = (centre + spread * rng.normal(size=(5, 12)).astype(np.float32) for spread in (0.05, 0.3))
    forgery = centre + 0.25 * rng.normal(size=(1, 12)).astype(np.float32)
    plain, own = (Scorer(ScoringSettings(fusion="mean", normalisation=n)) for n in ("none", "own"))
    gap = plain.score(forgery, steady).score[0] - plain.score(forgery, unsteady).score[0]
    assert own.score(forgery, steady).score[0] - own.score(forgery, unsteady).score[0] < gap
    without_a_cohort = Scorer(ScoringSettings(normalisation="own"))
    assert without_a_cohort.normalisation == "own"


@pytest.mark.parametrize("k", [2, 3, 4, 7])
def test_an_odd_reference_does_not_make_a_hand_unsteady(k):
    """One reference of another hand: forgeries score no better for it, and without one nothing changes."""
    rng = np.random.default_rng(15)
    settings = ScoringSettings(fusion="max", normalisation="own", odd_reference=0.1)
    every = replace(settings, odd_reference=0.0)
    one_hand = np.repeat(cells(rng, 1), k, axis=0) + 0.01 * rng.random((k, 12)).astype(np.float32)
    one_hand /= one_hand.sum(axis=1, keepdims=True)
    queries = cells(rng, 6)
    asked = Scorer(settings, None, "overlap"), Scorer(every, None, "overlap")
    assert np.array_equal(*(scorer.score(queries, one_hand).score for scorer in asked))
    mixed = np.concatenate([one_hand[1:], cells(rng, 1)])
    for templates in (one_hand, mixed):
        expected = [oracle(q, templates, None, settings, "overlap") for q in queries]
        assert asked[0].score(queries, templates).score == pytest.approx(expected, abs=1e-5)
    assert asked[0].odd_reference(one_hand) is None and asked[1].odd_reference(mixed) is None
    assert asked[0].odd_reference(mixed) == (k - 1 if k > 2 else None)  # of two, nobody can say which
    assert asked[0].odd_reference(mixed[::-1]) == (0 if k > 2 else None)
    assert asked[0].odd_reference(one_hand[:1]) is None
    if k > 2:
        robust, fooled = (scorer.score(queries, mixed).score for scorer in asked)
        assert (robust < fooled - 0.01).all()


def test_one_reference_gets_what_is_expected_of_anybody():
    rng = np.random.default_rng(14)
    queries, reference = unit(rng, 4), unit(rng, 1)
    settings = ScoringSettings(fusion="max", normalisation="own", own_share=0.5, own_expected=0.7)
    shifted = Scorer(settings).score(queries, reference).score
    assert shifted == pytest.approx((queries @ reference.T)[:, 0] - 0.35, abs=1e-6)


def test_bad_input_is_named():
    rng = np.random.default_rng(11)
    scorer = Scorer(ScoringSettings(), unit(rng, 5))
    with pytest.raises(BadInput, match="one encoder"):
        scorer.score(unit(rng, 2, 8), unit(rng, 2, 8))
    with pytest.raises(BadInput, match="no references"):
        scorer.score_pairs(unit(rng, 1), [unit(rng, 0)])
    with pytest.raises(BadInput, match="one template for each query"):
        scorer.score_pairs(unit(rng, 2), [unit(rng, 1)])
    with pytest.raises(BadInput, match="not finite"):
        scorer.score(np.full((1, 12), np.nan, np.float32), unit(rng, 1))
    with pytest.raises(BadInput, match="negative"):
        Scorer(ScoringSettings(), None, "overlap").score(-cells(rng, 2), cells(rng, 2))
    with pytest.raises(BadSettings, match="unknown similarity"):
        Scorer(ScoringSettings(), None, "distance")
    with pytest.raises(BadSettings, match="own_pairs"):
        Scorer(ScoringSettings(normalisation="own", own_pairs=0))
    with pytest.raises(BadInput, match="at least two"):
        Cohort(unit(rng, 1))
    with pytest.raises(BadSettings, match="cohort_top"):
        Cohort(unit(rng, 5), top=1)
    with pytest.raises(BadSettings, match="unknown fusion"):
        fuse(np.ones((1, 2), np.float32), "sum")


def test_no_queries_give_no_scores():
    scorer = Scorer(ScoringSettings(), unit(np.random.default_rng(12), 5))
    assert scorer.score_pairs(np.zeros((0, 12), np.float32), []) == []


@pytest.mark.parametrize("similarity", list(ALIKE))
@pytest.mark.parametrize("normalisation", ["none", "own", "s"])
def test_references_held_turned_count_by_the_part_that_is_most_alike(similarity, normalisation):
    rng = np.random.default_rng(15)
    draw, alike = DRAW[similarity], ALIKE[similarity]
    held = [np.concatenate([draw(rng, k), draw(rng, k), draw(rng, k)], axis=1) for k in (1, 4)]
    queries, cohort = draw(rng, 5), draw(rng, 9)
    settings = ScoringSettings(fusion="mean_max", normalisation=normalisation)
    scorer = Scorer(settings, cohort, similarity, parts=3, size=12)

    def best(asked, row):
        return max(alike(asked[:12], part) for part in row.reshape(3, 12))

    for references in held:
        scored = scorer.score(queries, references)
        each = np.array([[best(q, r) for r in references] for q in queries])
        assert np.allclose(scored.reference_scores, each, atol=1e-5)
        if normalisation == "own":
            both = [(references[i], references[j]) for j in range(len(references)) for i in range(j)]
            between = [max(best(one, other), best(other, one)) for one, other in both]
            own = (sum(between) + settings.own_expected) / (len(between) + 1)
            expected = (each.mean(1) + each.max(1)) / 2 - settings.own_share * own
            assert np.allclose(scored.score, expected, atol=1e-5)
        assert np.allclose(scorer.score(queries, references[::-1]).score, scored.score, atol=1e-6)  # in any order
        pairs = scorer.score_pairs(queries, [references] * len(queries))
        assert np.allclose([p.score for p in pairs], scored.score, atol=1e-4)
        rows = np.concatenate([np.concatenate([queries] * 3, axis=1), references])
        places = np.arange(5, 5 + len(references))[None]
        trials = scorer.score_trials(rows, places, np.arange(5), np.zeros(5, np.int64))
        assert np.allclose(trials, scored.score, atol=1e-4)
    with pytest.raises(BadInput, match="one encoder"):
        scorer.score(queries[:, :8], held[0])


def sized(rng: np.random.Generator, n: int, known: float = 1.0) -> np.ndarray:
    """Cells with a width and height in mm behind them, some of them unknown."""
    sizes = np.exp(rng.normal(3.0, 0.5, (n, 2))) * (rng.random((n, 1)) < known)
    return np.concatenate([cells(rng, n), sizes], axis=1).astype(np.float32)


def lost(one: np.ndarray, other: np.ndarray) -> float:
    """Slow oracle of what another size takes off, before its share."""
    if min(*one[-2:], *other[-2:]) <= 0:
        return 0.0
    return float(
        np.mean([min(1.0, abs(np.log(float(a) / float(b)))) for a, b in zip(one[-2:], other[-2:], strict=True)])
    )


@pytest.mark.parametrize("known", [1.0, 0.6, 0.0])
def test_another_physical_size_takes_its_share_off_and_an_unknown_one_nothing(known: float) -> None:
    rng = np.random.default_rng(4)
    queries, references = sized(rng, 5, known), sized(rng, 3, known)
    settings = ScoringSettings(fusion="mean", normalisation="none", size_share=0.2)
    scorer = Scorer(settings, None, "overlap", 1, 14, sized=True)
    found = scorer.score(queries, references).reference_scores
    expected = [[ALIKE["overlap"](q[:-2], r[:-2]) - 0.2 * lost(q, r) for r in references] for q in queries]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    blind = scorer.without_size()
    assert blind is not None and blind.without_size() is None
    np.testing.assert_allclose(
        blind.score(queries, references).score,
        Scorer(settings, None, "overlap").score(queries[:, :-2], references[:, :-2]).score,
        atol=1e-6,
    )


def test_sizes_count_alike_one_by_one_in_trials_and_for_turned_references() -> None:
    rng = np.random.default_rng(5)
    upright = sized(rng, 8)
    turned = upright.copy()
    turned[:, :-2] = cells(rng, 8)
    held = np.concatenate([upright, turned], axis=1)
    own = {"own_share": 0.6, "size_share": 0.15}
    settings = ScoringSettings(fusion="mean_max", normalisation="own", **own)
    scorer = Scorer(settings, None, "overlap", 2, 14, sized=True)
    pairs = scorer.score_pairs(upright[:2], [held[2:6], held[2:6]])
    references = np.array([[2, 3, 4, 5]])
    trials = scorer.score_trials(held, references, np.array([0, 1]), np.array([0, 0]))
    np.testing.assert_allclose([p.score for p in pairs], trials, atol=1e-6)
    np.testing.assert_allclose(scorer.score(upright[:2], held[2:6]).score, trials, atol=1e-6)


def test_sizes_differ_by_their_ratio_whatever_the_unit_and_either_way_round() -> None:
    one, other = np.array([[40.0, 10.0]]), np.array([[20.0, 10.0]])
    assert size_difference(one, other)[0] == pytest.approx(np.log(2) / 2)
    assert size_difference(one, other) == size_difference(other, one) == size_difference(one * 25.4, other * 25.4)
    assert size_difference(one, other * 1000)[0] == 1.0


def test_a_cohort_does_not_go_with_physical_size() -> None:
    with pytest.raises(BadSettings, match="physical size"):
        Scorer(ScoringSettings(), cells(np.random.default_rng(0), 4), "overlap", sized=True)
