"""Which images of a set are the same: exactly, by their pixels, or nearly, by the shape of their ink.

An exact repeat is left out of every trial; a near repeat never meets its twin as reference and query. Both are looked
for anew after each import, so that it does not matter in how many parts a set arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sigverify.scans.fingerprint import find_copies
from sigverify.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd

Pair = tuple[str, str, float]  # two signature ids and their similarity


def mark_repeats(catalogue: Store, datasets: list[str]) -> None:
    """Note exact duplicates (within a set) and near duplicates (within a writer) of these sets in the catalogue."""
    for dataset in datasets:
        rows = catalogue.signatures(datasets=[dataset])
        repeats = exact_repeats(rows)
        catalogue.mark_duplicates(repeats)
        originals = rows[~rows["signature_id"].isin(repeats)]
        catalogue.add_near_duplicates(near_repeats(originals))


def exact_repeats(rows: pd.DataFrame) -> dict[str, str]:
    """{signature: the first signature with the same pixels}; rows ordered by signature_id, a first is not named."""
    first = rows.groupby("pixel_digest", sort=False)["signature_id"].transform("first")
    repeated = rows["signature_id"] != first
    return dict(zip(rows.loc[repeated, "signature_id"], first[repeated], strict=True))


def near_repeats(rows: pd.DataFrame) -> list[Pair]:
    """Pairs of one writer's signatures whose fingerprints are at least NEAR_COPY alike."""
    pairs: list[Pair] = []
    for _, own in rows.groupby("writer_id", sort=True):
        ids = own["signature_id"].tolist()
        prints = [p if isinstance(p, bytes) else b"" for p in own["fingerprint"]]
        for i, copies in enumerate(find_copies(prints, prints)):
            pairs += [(ids[i], ids[j], score) for j, score in copies if j > i]
    return pairs
