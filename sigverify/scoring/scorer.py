"""From embeddings to scores: cosine with each reference, fusion, cohort normalisation; one pair or many thousands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sigverify.config import ScoringSettings
from sigverify.errors import BadInput
from sigverify.records import Floats, Ints
from sigverify.scoring.fusion import fuse
from sigverify.scoring.normalisation import Cohort, Spread, normalise
from sigverify.scoring.similarity import as_embeddings

_CHUNK = 2_000_000  # floats held at once in one step (8 MB: fits a core's cache better than one large product)


@dataclass(frozen=True)
class Scored:
    """`score` (n,) fused and normalised; `reference_scores` (n, k) cosines, in reference order."""

    score: Floats
    reference_scores: Floats


class PairScore(NamedTuple):
    """One query against its template: the score, and the cosine with each reference (k,)."""

    score: float
    reference_scores: Floats


class Scorer:
    """Scores queries against templates under `settings`; `cohort` (m, d) are signatures of other writers.

    Without a cohort nothing can be normalised: scores are then fused cosines, whatever the settings ask
    (`normalisation` says which applies). Immutable, so it may be shared between threads.
    """

    def __init__(self, settings: ScoringSettings, cohort: Floats | None = None) -> None:
        self.settings = settings
        self.cohort = Cohort(cohort, settings.cohort_top) if cohort is not None and len(cohort) else None
        self.normalisation: str = settings.normalisation if self.cohort is not None else "none"

    def score(self, queries: Floats, references: Floats) -> Scored:
        """Every query (n, d) against one template's references (k, d)."""
        asked, held = as_embeddings(queries, "queries"), as_embeddings(references, "references")
        self._check_dimensions(asked, [held])
        cosines: Floats = asked @ held.T
        fused = fuse(cosines, self.settings.fusion)
        template_side = self._template_side(held[None])
        repeated = None if template_side is None else template_side.take(np.zeros(len(asked), np.int64))
        return Scored(normalise(fused, self.normalisation, repeated, self._query_side(asked)), cosines)

    def score_pairs(self, queries: Floats, templates: Sequence[Floats]) -> list[PairScore]:
        """Query i (n, d) against templates[i] (k_i, d); an array that occurs twice has its statistics computed once.

        Raises BadInput where lengths or dimensions differ or a template has no references.
        """
        asked = as_embeddings(queries, "queries")
        if len(asked) != len(templates):
            raise BadInput("one template for each query", got=f"{len(asked)} queries, {len(templates)} templates")
        position: dict[int, int] = {}
        template_of = np.array([position.setdefault(id(t), len(position)) for t in templates], np.int64)
        first = np.unique(template_of, return_index=True)[1]
        distinct = [as_embeddings(templates[i], "references") for i in first]
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
        held = as_embeddings(embeddings, "embeddings")
        self._check_dimensions(held, [held])
        template_side = self._template_side(held[references])
        query_side = self._query_side(held)
        score = np.empty(len(query), np.float32)
        for part in _chunks(len(query), references.shape[1] * held.shape[1]):
            asked, against = query[part], template[part]
            fused = fuse(_pairwise(held[asked], held[references[against]]), self.settings.fusion)
            sides = (_take(template_side, against), _take(query_side, asked))
            score[part] = normalise(fused, self.normalisation, *sides)
        return score

    def _score_group(self, asked: Floats, rows: Ints, held: Floats, template: Ints) -> Scored:
        """Queries `rows` against `held` (templates, k, d), query i against `template[i]`: templates of one size."""
        cosines = np.empty((len(rows), held.shape[1]), np.float32)
        for part in _chunks(len(rows), held.shape[1] * held.shape[2]):
            cosines[part] = _pairwise(asked[rows[part]], held[template[part]])
        fused = fuse(cosines, self.settings.fusion)
        sides = (_take(self._template_side(held), template), self._query_side(asked[rows]))
        return Scored(normalise(fused, self.normalisation, *sides), cosines)

    def _template_side(self, held: Floats) -> Spread | None:
        """Cohort statistics of templates (t, k, d), through the same fusion over references as their scores."""
        if self.cohort is None or self.normalisation == "none":
            return None
        n, k, d = held.shape
        if k == 0:
            raise BadInput("a template has no references", next="enrol the writer first")
        members = self.cohort.embeddings.T  # (d, m)
        parts = []
        for part in _chunks(n, k * members.shape[1]):
            block = held[part]
            cosines = (block.reshape(-1, d) @ members).reshape(len(block), k, -1)
            parts.append(self.cohort.spread(fuse(cosines.transpose(0, 2, 1), self.settings.fusion)))
        return _joined(parts)

    def _query_side(self, asked: Floats) -> Spread | None:
        """Cohort statistics of queries (n, d): each member stands for a template of one reference."""
        if self.cohort is None or self.normalisation != "s":
            return None
        members = self.cohort.embeddings.T
        return _joined([self.cohort.spread(asked[p] @ members) for p in _chunks(len(asked), members.shape[1])])

    def _check_dimensions(self, asked: Floats, templates: Sequence[Floats]) -> None:
        dimensions = {asked.shape[1], *(t.shape[1] for t in templates)}
        if self.cohort is not None:
            dimensions.add(self.cohort.embeddings.shape[1])
        if len(dimensions) > 1:
            got = f"dimensions {sorted(dimensions)}"
            raise BadInput("queries, references and cohort must come from one encoder", got=got)
        if any(len(t) == 0 for t in templates):
            raise BadInput("a template has no references", next="enrol the writer first")


def _pairwise(asked: Floats, held: Floats) -> Floats:
    """Cosines (n, k) of queries (n, d) with the references (n, k, d) each is held against."""
    products: Floats = np.matmul(held, asked[:, :, None])[:, :, 0]
    return products


def _by_size(templates: Sequence[Floats]) -> list[tuple[Floats, Ints]]:
    """Templates stacked by number of references: ((t, k, d), place), `place` (templates,) the row there or -1."""
    sizes = np.array([len(t) for t in templates], np.int64)
    groups = []
    for k in np.unique(sizes):
        members = np.flatnonzero(sizes == k)
        place = np.full(len(templates), -1, np.int64)
        place[members] = np.arange(len(members))
        groups.append((np.stack([templates[i] for i in members.tolist()]), place))
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
