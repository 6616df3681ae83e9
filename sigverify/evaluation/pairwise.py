"""Pairwise trials, as most of the literature measures: one reference, one query, all pairs of a writer or some.

CEDAR's papers take all 276 genuine pairs of a writer's 24 signatures against as many genuine-forged pairs, BHSig260's
276 against 300 (for instance Dey et al. 2017, SigNet, section 4.1); the choice of those pairs is seeded here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sigverify.errors import BadInput, TooFewWriters
from sigverify.evaluation.signature_pool import SignaturePool
from sigverify.evaluation.trials import Trials
from sigverify.records import Ints, TrialKind

if TYPE_CHECKING:
    import pandas as pd

Pairs = Ints  # (pairs, 2): positions of reference and query in the pool


def pairwise_trials(
    signatures: pd.DataFrame,
    genuine_pairs: int = 0,
    skilled_pairs: int = 0,
    seed: int = 0,
    near_duplicates: Iterable[tuple[str, str]] = (),
    random_per_reference: int = 0,
) -> Trials:
    """All genuine-genuine pairs of each writer (unordered) and all genuine-skilled pairs, as Trials with k = 1.

    `genuine_pairs` and `skilled_pairs` > 0 limit them to so many drawn ones a writer (the papers' balanced sampling).
    Which of two genuine signatures is the reference is a seeded coin. Random forgeries: one genuine signature of each
    other writer (of `random_per_reference` drawn ones, where > 0) for every genuine signature. Near duplicates never
    meet; they are counted. Raises TooFewWriters below two writers with two distinct genuine signatures.
    """
    if min(genuine_pairs, skilled_pairs, random_per_reference) < 0:
        raise BadInput("a number of pairs is 0 (all) or more", got=f"{genuine_pairs}, {skilled_pairs}")
    pool = SignaturePool(signatures, near_duplicates)
    usable = [w for w in pool.writers if len(pool.genuine[w]) >= 2]
    if len(usable) < 2:
        raise TooFewWriters(
            "too few writers for pairwise trials",
            got=f"{len(usable)} of {len(pool.writers)} writers",
            expected="2 or more with at least 2 distinct genuine signatures",
            next="import more signatures",
        )
    limits = {TrialKind.GENUINE: genuine_pairs, TrialKind.SKILLED_FORGERY: skilled_pairs}
    drawn, left_out = {}, 0
    for writer in usable:
        pairs = _pairs_of(pool, writer, seed, limits, random_per_reference)
        drawn[writer] = {kind: _apart(pool, found) for kind, found in pairs.items()}
        left_out += sum(len(pairs[kind]) - len(drawn[writer][kind]) for kind in pairs)
    return _assembled(pool, drawn, left_out)


def _pairs_of(
    pool: SignaturePool, writer: str, seed: int, limits: dict[TrialKind, int], strangers: int
) -> dict[TrialKind, Pairs]:
    rng = np.random.default_rng([seed, zlib.crc32(writer.encode()), 1])
    own, forged = pool.genuine[writer], pool.skilled[writer]
    first, second = np.triu_indices(len(own), 1)
    turned = rng.random(len(first)) < 0.5
    genuine = np.stack([own[np.where(turned, second, first)], own[np.where(turned, first, second)]], axis=1)
    skilled = np.stack([np.repeat(own, len(forged)), np.tile(forged, len(own))], axis=1)
    found = {TrialKind.GENUINE: genuine, TrialKind.SKILLED_FORGERY: skilled}
    for kind, limit in limits.items():
        if 0 < limit < len(found[kind]):
            found[kind] = found[kind][np.sort(rng.choice(len(found[kind]), limit, replace=False))]
    return found | {TrialKind.RANDOM_FORGERY: _strangers(pool, writer, rng, strangers)}


def _strangers(pool: SignaturePool, writer: str, rng: np.random.Generator, limit: int) -> Pairs:
    """For each genuine signature of the writer one genuine signature of each other writer, or of `limit` of them."""
    others = np.array([w for w in pool.writers if w != writer])
    number = min(limit or len(others), len(others))
    pairs = []
    for reference in pool.genuine[writer]:
        chosen = others if number == len(others) else np.sort(rng.choice(others, number, replace=False))
        shares = rng.random(number)
        pairs += [
            (reference, pool.genuine[w][int(s * len(pool.genuine[w]))]) for w, s in zip(chosen, shares, strict=True)
        ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _apart(pool: SignaturePool, pairs: Pairs) -> Pairs:
    """Without those whose two signatures are near duplicates."""
    kept = [int(q) not in pool.near.get(int(r), ()) for r, q in pairs]
    return pairs[np.array(kept, bool)] if pool.near else pairs


def _assembled(pool: SignaturePool, drawn: dict[str, dict[TrialKind, Pairs]], left_out: int) -> Trials:
    """Every genuine signature of a usable writer is a template; `draw` numbers them within the writer."""
    usable = list(drawn)
    references = np.concatenate([pool.genuine[w] for w in usable])
    template_of = np.full(len(pool.signature_id), -1, np.int64)
    template_of[references] = np.arange(len(references))
    held = [(kind, pairs) for of_writer in drawn.values() for kind, pairs in of_writer.items()]
    together = np.concatenate([pairs for _, pairs in held])
    return Trials(
        n_references=1,
        signature_id=pool.signature_id,
        writer_id=pool.writer_id,
        label=pool.label,
        references=references[:, None],
        template_writer=pool.writer_id[references],
        draw=np.concatenate([np.arange(len(pool.genuine[w])) for w in usable]),
        query=together[:, 1],
        template=template_of[together[:, 0]],
        kind=np.repeat([kind.value for kind, _ in held], [len(pairs) for _, pairs in held]),
        removed_duplicates=pool.removed,
        near_copies_left_out=left_out,
        short_writers=len(pool.writers) - len(usable),
    )
