"""Does control 1's probe see anything at all? On the raw scans of a published set it must find what is known of it.

A probe that passes a network's input because it is blind proves nothing. On the published sets, plain numbers of the
raw scan are known to separate genuine from forged; a probe that misses them does not count.

Found is an EER within 3 points of the known one, or any whose interval reaches down to it. What is known was measured
on the whole of a set, and a fold or a part of it holds so few writers that an honest probe may miss by more than 3
points through them alone; and what preparation measures of a scan in passing is coarser than what the known figure
was found with. A probe that misses is therefore given the whole set, measured as the audit measures it. A copy of other
pixels may lose a little too: Bengali's 19.5 is of the scans as published, on the packed two-level copies the same probe
finds 22.1 [18.2, 26.8].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.errors import TooFewWriters
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.intervals import Interval
from sigverify.evaluation.nuisance import nuisance_probe
from sigverify.evaluation.raw_measures import PIXEL_GEOMETRY
from sigverify.evaluation.scan_description import describe_scans
from sigverify.records import Label

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.config import PreprocessingSettings
    from sigverify.storage.store import Store

Expected = Mapping[tuple[str, ...], float]  # numbers of a scan -> the EER (share) that a probe on them must find
GEOMETRY = ("ink_fraction", "crop_height_px", "crop_width_px", "aspect", "stroke_width_px")  # of the binarised scan
FINER: dict[tuple[str, ...], tuple[str, ...]] = {GEOMETRY: PIXEL_GEOMETRY}  # what the audit measures in place of it
KNOWN: dict[str, Expected] = {  # data set -> what this project measured on the whole of it
    "cedar": {("paper_level",): 0.0},
    "bhsig260_hindi": {GEOMETRY: 0.248},
    "bhsig260_bengali": {GEOMETRY: 0.195},
}  # Bengali's strongest cue, the size of the original canvas (10.2), is gone from copies of 640 px
NONE_KNOWN = "none known"  # of a bank's own data nothing is known beforehand that a probe would have to find
MARGIN = 0.03


@dataclass(frozen=True)
class RawFinding:
    """What a probe on `numbers` of the raw scans found, and what it should have found (EERs as shares)."""

    numbers: tuple[str, ...]
    expected: float
    found: float
    interval: Interval
    writers: int = 0  # it was found on

    @property
    def missed(self) -> bool:
        """More than 3 points above what is there to be found, and the interval does not reach down to it."""
        return self.found > self.expected + MARGIN and self.interval.low > self.expected

    def in_words(self) -> str:
        return (
            f"on the raw scans a probe on {' and '.join(self.numbers)} finds EER {self.found:.1%} where "
            f"{self.expected:.1%} is known: this probe is too weak to prove anything"
        )


def expected_of(embedded: Embedded) -> Expected:
    """What is known of the raw scans of the catalogue's data set; empty for an unknown or a mixed one."""
    rows = embedded.signatures
    names = sorted(rows["dataset"].unique()) if "dataset" in rows else []
    return KNOWN.get(names[0], {}) if len(names) == 1 else {}


def proof_in_words(raw: tuple[RawFinding, ...]) -> str:
    """Whether the probe has shown that it sees: "none known", "found" or "missed"."""
    return NONE_KNOWN if not raw else "missed" if any(finding.missed for finding in raw) else "found"


def raw_findings(embedded: Embedded, expected: Expected, seed: int = 0) -> tuple[RawFinding, ...]:
    """Probe the raw scans for each of `expected` whose numbers were measured; none with too few writers."""
    rows = embedded.signatures
    genuine = (rows["label"] == Label.GENUINE.value).to_numpy()
    both = rows["writer_id"].isin(set(rows.loc[~genuine, "writer_id"])).to_numpy()
    found = []
    for numbers, rate in expected.items():
        if not set(numbers) <= set(embedded.scan.columns):
            continue
        table = embedded.scan.loc[both, list(numbers)].to_numpy()
        try:
            probe = nuisance_probe(table, numbers, genuine[both], rows.loc[both, "writer_id"], seed)
        except TooFewWriters:
            return ()
        writers = rows.loc[both, "writer_id"].nunique()
        found.append(RawFinding(numbers, rate, probe.eer, probe.interval, writers))
    return tuple(found)


def proven(
    store: Store, verifier: Any, embedded: Embedded, expected: Expected, seed: int = 0, workers: int = 0
) -> tuple[RawFinding, ...]:
    """`raw_findings` on the writers at hand or, where they miss, on all writers of the set, measured more finely."""
    here = raw_findings(embedded, expected, seed)
    if not any(finding.missed for finding in here):
        return here
    rows = store.signatures()
    rows = rows[rows["duplicate_of"].isna()].reset_index(drop=True)
    finer = {FINER.get(numbers, numbers): rate for numbers, rate in expected.items()}
    whole = raw_findings(_measured(store, verifier.settings.preprocessing, rows, workers), finer, seed)
    return whole if len(whole) >= len(here) else here  # what could not be measured anew stays missed


def _measured(store: Store, preprocessing: PreprocessingSettings, rows: pd.DataFrame, workers: int) -> Embedded:
    """The scans of `rows` with evaluation.raw_measures, not embedded; those that cannot be read left out."""
    import pandas as pd

    described = describe_scans(store, rows, preprocessing, workers)
    usable = (described["failure"] == "").to_numpy()
    scan = (
        described.loc[usable]
        .reset_index(drop=True)
        .filter(like="raw.")
        .rename(columns=lambda c: c.removeprefix("raw."))
    )
    nothing = np.zeros((int(usable.sum()), 0), np.float32)
    return Embedded(rows[usable].reset_index(drop=True), nothing, scan, pd.DataFrame(), 0, {})
