"""From embeddings to scores: similarity with each reference, fusion, normalisation; one pair or many thousands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from sigverify.config import ScoringSettings
from sigverify.errors import BadInput, BadSettings
from sigverify.records import Floats, Ints
from sigverify.scoring.distinct_pairs import over_distinct_pairs
from sigverify.scoring.fusion import fuse
from sigverify.scoring.normalisation import Cohort, Spread, normalise, odd_references, own_similarity
from sigverify.scoring.similarity import Similarity, Sized, Turned, of_pairs, similarity_named

_CHUNK = 2_000_000  # floats held at once in one step (8 MB: fits a core's cache better than one large product)


@dataclass(frozen=True)
class Scored:
    """`score` (n,) fused and normalised; `reference_scores` (n, k) similarities, in reference order."""

    score: Floats
    reference_scores: Floats


class PairScore(NamedTuple):
    """One query against its template: the score, and the similarity with each reference (k,)."""

    score: float
    reference_scores: Floats


class Scorer:
    """Scores queries against templates under `settings`; `cohort` (m, d) are signatures of other writers.

    `similarity` is the encoder's ("cosine" or "overlap"); with `parts` > 1 references hold so many embeddings of `size`
    numbers, of which the one that resembles a query most counts. `sized`: the last two numbers are a physical size,
    of which `settings.size_share` says what it counts.
    Without a cohort nothing can be normalised by one: scores are then fused similarities, whatever the settings ask
    (`normalisation` says which applies). Immutable, so it may be shared between threads. Raises BadSettings where
    `own_pairs` is not above 0, or a cohort meets embeddings with a physical size.
    """

    def __init__(
        self,
        settings: ScoringSettings,
        cohort: Floats | None = None,
        similarity: str = "cosine",
        parts: int = 1,
        size: int = 0,
        sized: bool = False,
    ) -> None:
        self.settings = settings
        if sized and cohort is not None:
            raise BadSettings("a cohort has no physical size", next="normalise by the own references")
        upright: Similarity = similarity_named(similarity)
        if sized:
            upright = Sized(upright, settings.size_share)
        self.similarity: Similarity = Turned(upright, parts, size) if parts > 1 else upright
        self._named, self._parts, self._size, self._sized = similarity, parts, size, sized
        self.cohort = Cohort(cohort, settings.cohort_top, similarity) if cohort is not None and len(cohort) else None
        needs_cohort = settings.normalisation in ("z", "s")
        self.normalisation: str = "none" if needs_cohort and self.cohort is None else settings.normalisation
        if self.normalisation == "own" and settings.own_pairs <= 0:
            raise BadSettings("own_pairs must be above 0: one reference has no pairs", got=settings.own_pairs)

    def without_size(self) -> Scorer | None:
        """The same scorer with no eye for physical size; None where it has none."""
        if not self._sized or not self.settings.size_share:
            return None
        settings = replace(self.settings, size_share=0.0)
        return Scorer(settings, None, self._named, self._parts, self._size, sized=True)

    def score(self, queries: Floats, references: Floats) -> Scored:
        """Every query (n, d) against one template's references (k, d)."""
        asked, held = self.similarity.scaled(queries, "queries"), self.similarity.scaled(references, "references")
        self._check_dimensions(asked, [held])
        each = self.similarity.table(asked, held)
        fused = fuse(each, self.settings.fusion)
        same = np.zeros(len(asked), np.int64)
        if self.normalisation == "own":
            return Scored(self._beside_own(fused, self._between([held]), same), each)
        sides = (_take(self._template_side(held[None]), same), self._query_side(asked))
        return Scored(normalise(fused, self.normalisation, *sides), each)

    def score_pairs(self, queries: Floats, templates: Sequence[Floats]) -> list[PairScore]:
        """Query i (n, d) against templates[i] (k_i, d); an array that occurs twice has its statistics computed once.

        Raises BadInput where lengths or dimensions differ or a template has no references.
        """
        asked = self.similarity.scaled(queries, "queries")
        if len(asked) != len(templates):
            raise BadInput("one template for each query", got=f"{len(asked)} queries, {len(templates)} templates")
        position: dict[int, int] = {}
        template_of = np.array([position.setdefault(id(t), len(position)) for t in templates], np.int64)
        first = np.unique(template_of, return_index=True)[1]
        distinct = [self.similarity.scaled(templates[i], "references") for i in first]
        self._check_dimensions(asked, distinct)
        results: list[PairScore | None] = [None] * len(asked)
        for held, place in _by_size(distinct):
            rows = np.flatnonzero(place[template_of] >= 0)
            scored = self._score_group(asked, rows, held, place[template_of[rows]])
            for row, score, each in zip(rows.tolist(), scored.score.tolist(), scored.reference_scores, strict=True):
                results[row] = PairScore(score, each)
        return [r for r in results if r is not None]

    def score_trials(self, embeddings: Floats, references: Ints, query: Ints, template: Ints) -> Floats:
        """Scores (t,) of many trials over one table of embeddings (n, d), for evaluation.

        `references` (templates, k) and `query` (t,) index the embeddings, `template` (t,) indexes `references`.
        """
        held = self.similarity.scaled(embeddings, "embeddings")
        self._check_dimensions(held, [held])
        of_rows = partial(of_pairs, self.similarity.pairs, held)
        each = over_distinct_pairs(of_rows, len(held), query, references[template])
        if self.normalisation == "own":
            one, other = np.triu_indices(references.shape[1], 1)
            flat = (references[:, one].ravel(), references[:, other].ravel())
            between = of_pairs(self.similarity.mutual, held, *flat).reshape(len(references), len(one))
            return self._beside_own(fuse(each, self.settings.fusion), between, template)
        sides = (_take(self._template_side(held[references]), template), _take(self._query_side(held), query))
        return normalise(fuse(each, self.settings.fusion), self.normalisation, *sides)

    def odd_reference(self, references: Floats, share: float = 1.0) -> int | None:
        """Which of one template's references (k, d) does not belong with the others, from 0; None where none is odd.

        With `share` below 1 it is named sooner than it ceases to count: looking at it costs no score.
        """
        held = self.similarity.scaled(references, "references")
        found = int(odd_references(self._between([held]), share * self.settings.odd_reference)[0])
        return None if found < 0 else found

    def _score_group(self, asked: Floats, rows: Ints, held: Sequence[Floats], template: Ints) -> Scored:
        """Queries `rows` against `held`, each (k, d), query i against `held[template[i]]`: templates of one size."""
        each = np.empty((len(rows), len(held[0])), np.float32)
        order = np.argsort(template, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(template[order])) + 1):
            each[group] = self.similarity.table(asked[rows[group]], held[template[group[0]]])
        fused = fuse(each, self.settings.fusion)
        if self.normalisation == "own":
            return Scored(self._beside_own(fused, self._between(held), template), each)
        sides = (_take(self._template_side(np.stack(held)), template), self._query_side(asked[rows]))
        return Scored(normalise(fused, self.normalisation, *sides), each)

    def _between(self, held: Sequence[Floats]) -> Floats:
        """Similarities (t, k (k - 1) / 2) between the references of templates, each (k, d), whichever comes first."""
        one, other = np.triu_indices(len(held[0]), 1)
        tables = (self.similarity.table(each, each) if len(one) else np.zeros((1, 1)) for each in held)
        return np.array([np.maximum(table[one, other], table[other, one]) for table in tables], np.float32)

    def _beside_own(self, fused: Floats, between: Floats, template: Ints) -> Floats:
        """Fused scores (n,) less a share of how alike the references of their `template` (n,) are."""
        own = own_similarity(between, self.settings)[template]
        return np.asarray(fused - np.float32(self.settings.own_share) * own, np.float32)

    def _template_side(self, held: Floats) -> Spread | None:
        """Cohort statistics of templates (t, k, d), through the same fusion over references as their scores."""
        if self.cohort is None or self.normalisation == "none":
            return None
        n, k, d = held.shape
        if k == 0:
            raise BadInput("a template has no references", next="enrol the writer first")
        members = self.cohort.embeddings  # (m, d)
        parts = []
        for part in _chunks(n, k * len(members)):
            block = held[part]
            each = self.similarity.table(block.reshape(-1, d), members).reshape(len(block), k, -1)
            parts.append(self.cohort.spread(fuse(each.transpose(0, 2, 1), self.settings.fusion)))
        return _joined(parts)

    def _query_side(self, asked: Floats) -> Spread | None:
        """Cohort statistics of queries (n, d): each member stands for a template of one reference."""
        if self.cohort is None or self.normalisation != "s":
            return None
        members = self.cohort.embeddings
        parts = [self.similarity.table(asked[part], members) for part in _chunks(len(asked), len(members))]
        return _joined([self.cohort.spread(part) for part in parts])

    def _check_dimensions(self, asked: Floats, templates: Sequence[Floats]) -> None:
        widths = {asked.shape[1], *(t.shape[1] for t in templates)}
        dimensions = {self._size if width == self._size * self._parts else width for width in widths}
        if self.cohort is not None:
            dimensions.add(self.cohort.embeddings.shape[1])
        if len(dimensions) > 1:
            got = f"dimensions {sorted(dimensions)}"
            raise BadInput("queries, references and cohort must come from one encoder", got=got)
        if any(len(t) == 0 for t in templates):
            raise BadInput("a template has no references", next="enrol the writer first")


def _by_size(templates: Sequence[Floats]) -> list[tuple[list[Floats], Ints]]:
    """Templates of one number of references together, `place` (templates,) which of them each is, or -1."""
    sizes = np.array([len(t) for t in templates], np.int64)
    groups = []
    for k in np.unique(sizes):
        members = np.flatnonzero(sizes == k)
        place = np.full(len(templates), -1, np.int64)
        place[members] = np.arange(len(members))
        groups.append(([templates[i] for i in members.tolist()], place))
    return groups


def _chunks(n: int, floats_each: int) -> list[slice]:
    step = max(1, _CHUNK // max(1, floats_each))
    return [slice(start, start + step) for start in range(0, n, step)]


def _joined(parts: Sequence[Spread]) -> Spread:
    if not parts:
        return Spread(np.empty(0, np.float32), np.empty(0, np.float32))
    return Spread(np.concatenate([p.mean for p in parts]), np.concatenate([p.deviation for p in parts]))


def _take(side: Spread | None, index: Ints) -> Spread | None:
    return None if side is None else side.take(index)
