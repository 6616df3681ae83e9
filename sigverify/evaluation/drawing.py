"""The trials a protocol asks for, for each number of references that the signatures allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sigverify.errors import TooFewWriters
from sigverify.evaluation.pairwise import pairwise_trials
from sigverify.evaluation.protocols import TrialRules
from sigverify.evaluation.trials import Trials, draw_trials

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store


def draw_all(
    signatures: pd.DataFrame, rules: TrialRules, seed: int = 0, near_duplicates: Sequence[tuple[str, str]] = ()
) -> tuple[dict[int, Trials], list[str]]:
    """Trials by number of references, and a note for each number that the signatures do not allow.

    Raises TooFewWriters where they allow none.
    """
    limit = rules.random_per_draw
    if rules.kind == "pairs":
        found = pairwise_trials(signatures, rules.genuine_pairs, rules.skilled_pairs, seed, near_duplicates, limit)
        return {1: found}, _short({1: found})
    drawn: dict[int, Trials] = {}
    refused: list[TooFewWriters] = []
    for k in sorted(set(rules.references)):
        try:
            drawn[k] = draw_trials(signatures, k, rules.draws, seed, near_duplicates, limit or None)
        except TooFewWriters as error:
            refused.append(error)
    if not drawn:
        raise refused[0]
    return drawn, [f"{error.what}: {error.got}" for error in refused] + _short(drawn)


def near_pairs(store: Store) -> list[tuple[str, str]]:
    """The catalogue's near-duplicate pairs."""
    near = store.near_duplicates()
    return list(zip(near["signature_a"], near["signature_b"], strict=True))


def _short(drawn: dict[int, Trials]) -> list[str]:
    short = {k: t.short_writers for k, t in drawn.items() if t.short_writers}
    return [f"{k} references: {n} writers have too few genuine signatures and are left out" for k, n in short.items()]
