"""Who is train, calibration and test: fixed for the public research sets, by digest for everybody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from sigverify.config import digest
from sigverify.records import Part

if TYPE_CHECKING:
    import pandas as pd

FOLD_PARTS = {0: Part.TEST, 1: Part.CALIBRATION}  # of a set in folds; the other folds train
OTHER_NAMES = {"ssbi_signatures": "ssbi"}  # data sets that are imported under a shorter name than the document's


def load_parts() -> pd.DataFrame:
    """One row a writer: `writer_id` ("cedar/001"), `part` (train, calibration, test, or fold), `fold` (0-4 or NA)."""
    import pandas as pd

    with files("sigverify.evaluation").joinpath("protocols/writer_parts.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(file, dtype=str)
    shorter = frame[frame["dataset"].isin(OTHER_NAMES)]
    frame = pd.concat([frame, shorter.assign(dataset=shorter["dataset"].map(OTHER_NAMES))], ignore_index=True)
    frame = frame.assign(writer_id=frame["dataset"] + "/" + frame["writer_id"], fold=frame["fold"].astype("Int64"))
    return frame[["writer_id", "part", "fold"]]


def named_parts() -> dict[str, tuple[str, int | None]]:
    """{writer_id: (part, fold)} of writer_parts.csv; part is empty for a set in folds, fold None for the others."""
    import pandas as pd

    rows = load_parts().itertuples(index=False)
    return {str(w): (str(p) if p in set(Part) else "", None if pd.isna(f) else int(f)) for w, p, f in rows}


def part_of(writer_id: str, named: Mapping[str, tuple[str, int | None]]) -> Part:
    """The part a writer belongs to, for ever the same.

    `named` (see `named_parts`) counts where it names the writer; a set in folds: fold 0 test, 1 calibration, the others
    train. Any other writer falls by the digest of its id: 70 % train, 15 % calibration, 15 % test.
    """
    if writer_id in named:
        part, fold = named[writer_id]
        return Part(part) if part else FOLD_PARTS.get(fold if fold is not None else -1, Part.TRAIN)
    share = int(digest({"writer": writer_id}, 8), 16) / 16**8
    return Part.TRAIN if share < 0.70 else Part.CALIBRATION if share < 0.85 else Part.TEST


def writers_in_part(writer_ids: Iterable[str], part: Part) -> list[str]:
    """Those of the writers that belong to a part, in order."""
    named = named_parts()
    return [writer for writer in writer_ids if part_of(writer, named) is part]


def inner_folds(writer_ids: Iterable[str], n: int) -> list[list[str]]:
    """`n` disjoint folds of training writers for choices, sizes one apart at most; by digest, so for ever the same.

    Of a set in folds, its own folds stay together where they are `n`.
    """
    named, writers = named_parts(), sorted(set(writer_ids))
    own: dict[int | None, list[str]] = {}
    for writer in writers:
        own.setdefault(named.get(writer, ("", None))[1], []).append(writer)
    if None not in own and len(own) == n:
        return [own[fold] for fold in sorted(own, key=lambda f: f or 0)]
    shuffled = sorted(writers, key=lambda w: digest({"inner fold": w}, 16))
    return [sorted(shuffled[start::n]) for start in range(n)]
