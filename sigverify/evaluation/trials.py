"""Trials from a table of labelled signatures: which references, which queries, and what must never meet.

Exact duplicates leave before anything is drawn. A query is never one of its template's references, nor a near
duplicate of one. A random forgery is a genuine signature of another writer; it exists only here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigverify.errors import BadInput, TooFewWriters
from sigverify.evaluation.signature_pool import SignaturePool, Strings
from sigverify.records import Ints, TrialKind

if TYPE_CHECKING:
    import pandas as pd

QUERIES_LEFT = 2  # a writer needs this many genuine signatures beyond the references


@dataclass(frozen=True)
class Trials:
    """Everything that is compared with `n_references` references each.

    `signature_id`, `writer_id`, `label` (n,) are the usable signatures; `references` (templates, k) and `query` (t,)
    index them; `template_writer` (templates,) is the claimed writer, `draw` (templates,) which draw of references;
    `template` (t,) indexes the templates; `kind` (t,) holds TrialKind values.
    """

    n_references: int
    signature_id: Strings
    writer_id: Strings
    label: Strings
    references: Ints
    template_writer: Strings
    draw: Ints
    query: Ints
    template: Ints
    kind: Strings
    removed_duplicates: int
    near_copies_left_out: int  # (template, query) pairs that would have met a near duplicate of the query
    short_writers: int  # writers with fewer than n_references + 2 genuine signatures

    def __len__(self) -> int:
        return len(self.query)

    def counts(self) -> dict[str, int]:
        """Writers, trials and distinct query images of each kind, and what was left out."""
        found = {"writers": len(np.unique(self.template_writer)), "templates": len(self.references)}
        for kind in TrialKind:
            of_kind = self.kind == kind.value
            found[f"trials_{kind.value}"] = int(of_kind.sum())
            found[f"distinct_queries_{kind.value}"] = len(np.unique(self.query[of_kind]))
        return found | {
            "removed_duplicates": self.removed_duplicates,
            "near_copies_left_out": self.near_copies_left_out,
            "short_writers": self.short_writers,
        }


def draw_trials(
    signatures: pd.DataFrame,
    n_references: int,
    draws: int = 20,
    seed: int = 0,
    near_duplicates: Iterable[tuple[str, str]] = (),
    random_per_draw: int | None = None,
    writer_ids: Iterable[str] | None = None,
) -> Trials:
    """Draw `draws` sets of references for each writer with at least n_references + 2 distinct genuine signatures.

    Queries of a draw: the writer's other genuine signatures, all its skilled forgeries, and one genuine signature of
    each other writer (of `random_per_draw` drawn ones, where given). A writer's draws depend on nothing but the seed
    and the writer, and those for fewer references are the beginning of those for more. `writer_ids` limits the
    claimed writers, for curves over one common set of writers.
    Raises BadTable for missing columns or labels, TooFewWriters with fewer than two usable writers.
    """
    if n_references < 1 or draws < 1:
        raise BadInput("trials need at least one reference and one draw", got=f"{n_references} and {draws}")
    pool = SignaturePool(signatures, near_duplicates)
    wanted = None if writer_ids is None else set(writer_ids)
    claimed = [w for w in pool.writers if wanted is None or w in wanted]
    usable = [w for w in claimed if len(pool.genuine[w]) >= n_references + QUERIES_LEFT]
    if len(usable) < 2:
        raise TooFewWriters(
            f"too few writers for trials with {n_references} references",
            got=f"{len(usable)} of {len(claimed)} writers",
            expected=f"2 or more with at least {n_references + QUERIES_LEFT} distinct genuine signatures",
            next="ask for fewer references, or import more signatures",
        )
    blocks = [_draw(pool, w, d, n_references, seed, random_per_draw) for w in usable for d in range(draws)]
    return _assembled(pool, blocks, n_references, draws, usable, len(claimed) - len(usable))


@dataclass(frozen=True)
class _Block:
    """One draw: its references and its queries by kind, and how many near copies had to stay out."""

    references: Ints
    queries: dict[TrialKind, Ints]
    left_out: int


def _draw(pool: SignaturePool, writer: str, draw: int, k: int, seed: int, random_per_draw: int | None) -> _Block:
    rng = np.random.default_rng([seed, zlib.crc32(writer.encode()), draw])
    shuffled = rng.permutation(pool.genuine[writer])
    references = shuffled[:k]
    candidates = {
        TrialKind.GENUINE: np.sort(shuffled[k:]),
        TrialKind.SKILLED_FORGERY: pool.skilled[writer],
        TrialKind.RANDOM_FORGERY: _random_forgeries(pool, writer, rng, random_per_draw),
    }
    never = set().union(*(pool.near.get(int(r), set()) for r in references))
    if not never:
        return _Block(references, candidates, 0)
    kept = {kind: q[[int(i) not in never for i in q]] for kind, q in candidates.items()}
    left_out = sum(len(candidates[kind]) - len(kept[kind]) for kind in candidates)
    return _Block(references, kept, left_out)


def _random_forgeries(pool: SignaturePool, writer: str, rng: np.random.Generator, limit: int | None) -> Ints:
    """One genuine signature of each other writer, or of `limit` of them."""
    others = [w for w in pool.writers if w != writer]
    if limit is not None and limit < len(others):
        others = [others[i] for i in np.sort(rng.choice(len(others), limit, replace=False))]
    held = [pool.genuine[w] for w in others]
    shares = rng.random(len(held))
    return np.array([own[int(share * len(own))] for own, share in zip(held, shares, strict=True)], np.int64)


def _assembled(pool: SignaturePool, blocks: list[_Block], k: int, draws: int, usable: list[str], short: int) -> Trials:
    query, template, kind = [], [], []
    for position, block in enumerate(blocks):
        for name, found in block.queries.items():
            query.append(found)
            template.append(np.full(len(found), position, np.int64))
            kind.append(np.full(len(found), name.value))
    return Trials(
        n_references=k,
        signature_id=pool.signature_id,
        writer_id=pool.writer_id,
        label=pool.label,
        references=np.stack([b.references for b in blocks]).astype(np.int64),
        template_writer=np.repeat(np.array(usable), draws),
        draw=np.tile(np.arange(draws), len(usable)),
        query=np.concatenate(query).astype(np.int64),
        template=np.concatenate(template),
        kind=np.concatenate(kind),
        removed_duplicates=pool.removed,
        near_copies_left_out=sum(b.left_out for b in blocks),
        short_writers=short,
    )
