"""Repeats in a labelled set: exact and near, within and across label and writer, and who is left with too little."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sigverify.records import Label

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_GENUINE = 10  # distinct genuine signatures: eight references and two queries


@dataclass(frozen=True)
class Repeats:
    """Counts of images (exact) and pairs (near). `across_label`: one genuine, the other forged.

    `exact` counts files that repeat an earlier one; `contradicting` lists those whose first copy has another label or
    writer, as (signature, first signature). `genuine_left` {distinct genuine signatures: writers}; `short` writers have
    fewer than ENOUGH_GENUINE, `emptied` were short only through duplicates.
    """

    images: int
    exact: int
    exact_genuine: int
    exact_forged: int
    exact_across_label: int
    exact_across_writer: int
    near: int
    near_across_label: int
    near_across_writer: int
    writers_with_repeats: int
    contradicting: tuple[tuple[str, str], ...] = ()
    genuine_left: dict[int, int] = field(default_factory=dict)
    short: int = 0
    emptied: int = 0


def count_repeats(signatures: pd.DataFrame, near_duplicates: pd.DataFrame) -> Repeats:
    """Repeats among `signatures` (rows of a catalogue, duplicates included), near ones from the catalogue's table.

    Exact repeats are found by pixel digest over all rows, so that those across data sets and writers show as well.
    """
    rows = signatures.sort_values("signature_id", kind="stable").set_index("signature_id", drop=False)
    first = rows.groupby("pixel_digest", sort=False)["signature_id"].transform("first")
    again = rows[rows["signature_id"] != first]
    source = rows.loc[first.loc[again.index]]
    label = again["label"].to_numpy() != source["label"].to_numpy()
    writer = again["writer_id"].to_numpy() != source["writer_id"].to_numpy()
    wrong = again[label | writer]
    near = near_duplicates[
        near_duplicates["signature_a"].isin(rows.index) & near_duplicates["signature_b"].isin(rows.index)
    ]
    one, other = rows.loc[near["signature_a"]], rows.loc[near["signature_b"]]
    forged = again["label"] != Label.GENUINE.value
    before, left = _genuine(rows), _genuine(rows[rows["signature_id"] == first])
    return Repeats(
        images=len(rows),
        exact=len(again),
        exact_genuine=int((~forged).sum()),
        exact_forged=int(forged.sum()),
        exact_across_label=int(label.sum()),
        exact_across_writer=int(writer.sum()),
        near=len(near),
        near_across_label=int((one["label"].to_numpy() != other["label"].to_numpy()).sum()),
        near_across_writer=int((one["writer_id"].to_numpy() != other["writer_id"].to_numpy()).sum()),
        writers_with_repeats=int(again["writer_id"].nunique()),
        contradicting=tuple((str(i), str(first[i])) for i in wrong["signature_id"]),
        genuine_left=dict(sorted(Counter(left.values()).items())),
        short=sum(n < ENOUGH_GENUINE for n in left.values()),
        emptied=sum(n < ENOUGH_GENUINE <= before[w] for w, n in left.items()),
    )


def _genuine(rows: pd.DataFrame) -> dict[str, int]:
    """{writer: genuine signatures}, writers without any included."""
    held = rows["label"] == Label.GENUINE.value
    return {str(w): int(n) for w, n in held.groupby(rows["writer_id"]).sum().items()}
