"""The signatures trials are drawn from: distinct, by writer, with what must never meet whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sigverify.errors import BadTable
from sigverify.records import Ints, Label

if TYPE_CHECKING:
    import pandas as pd

Strings = npt.NDArray[np.str_]
COLUMNS = ("signature_id", "writer_id", "label", "duplicate_of")


class SignaturePool:
    """The distinct signatures of a table, ordered by id.

    `signature_id`, `writer_id`, `label` (n,); `writers` sorted; `genuine` and `skilled` {writer: positions};
    `near` {position: positions that must not meet it}. Raises BadTable for missing columns or unknown labels.
    """

    def __init__(self, signatures: pd.DataFrame, near_duplicates: Iterable[tuple[str, str]]) -> None:
        missing = [c for c in COLUMNS if c not in signatures.columns]
        if missing:
            raise BadTable("the signatures lack columns", got=", ".join(missing), expected=", ".join(COLUMNS))
        unknown = sorted(set(signatures["label"]) - {label.value for label in Label})
        if unknown:
            raise BadTable("signatures without a known label", got=unknown, expected=[label.value for label in Label])
        kept = signatures[signatures["duplicate_of"].isna()].sort_values("signature_id", kind="stable")
        self.removed = len(signatures) - len(kept)
        self.signature_id, self.writer_id, self.label = (kept[c].to_numpy(str) for c in COLUMNS[:3])
        is_genuine = self.label == Label.GENUINE.value
        self.writers: list[str] = sorted(set(self.writer_id[is_genuine].tolist()))
        self.genuine = _by_writer(self.writer_id, is_genuine, self.writers)
        self.skilled = _by_writer(self.writer_id, ~is_genuine, self.writers)
        self.near = self._near(near_duplicates)

    def _near(self, pairs: Iterable[tuple[str, str]]) -> dict[int, set[int]]:
        place = {name: i for i, name in enumerate(self.signature_id.tolist())}
        near: dict[int, set[int]] = {}
        for one, other in pairs:
            if one in place and other in place:
                near.setdefault(place[one], set()).add(place[other])
                near.setdefault(place[other], set()).add(place[one])
        return near


def _by_writer(writer_id: Strings, kept: npt.NDArray[Any], writers: list[str]) -> dict[str, Ints]:
    """Positions of the kept signatures of each writer, ascending."""
    held: dict[str, list[int]] = {w: [] for w in writers}
    for i in np.flatnonzero(kept).tolist():
        if str(writer_id[i]) in held:
            held[str(writer_id[i])].append(i)
    return {w: np.array(found, np.int64) for w, found in held.items()}
