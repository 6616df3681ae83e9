"""Protocols: documents that say whose signatures are measured, with how many references, draws and seeds.

They lie in ``protocols/*.json``. A protocol never trains; "part" and "fold" name writers of ``writer_parts.csv``
(evaluation.parts), so that training, calibration and test writers are the same everywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from sigverify.config import from_dict
from sigverify.errors import BadInput, NotFound, TooFewWriters
from sigverify.evaluation.parts import named_parts, part_of
from sigverify.records import Part

if TYPE_CHECKING:
    import pandas as pd

FOLDER = resources.files("sigverify.evaluation") / "protocols"


@dataclass(frozen=True)
class Protocol:
    """One document. Empty `dataset` means any; `writers` 0 means any number."""

    name: str
    title: str
    dataset: str = ""  # of writer_parts.csv; "" = whatever the catalogue holds
    part: str = ""  # the part measured unless another is asked for; "" = all writers
    folds: int = 0  # > 0: the set is measured fold by fold, writers of a fold together
    writers: int = 0  # how many the measured part must have
    references: tuple[int, ...] = (1, 3, 5, 10)
    draws: int = 20  # of references, a writer
    random_per_draw: int = 0  # random forgeries a draw; 0 = one of each other writer
    bootstrap: int = 1000  # resamples of writers
    near_duplicates: str = "never reference and query"
    note: str = ""


def protocol_names() -> list[str]:
    """The protocols that ship, sorted."""
    return sorted(p.name.removesuffix(".json") for p in FOLDER.iterdir() if p.name.endswith(".json"))


def load_protocol(name: str) -> Protocol:
    """The protocol `name`. Raises NotFound with the names there are, BadSettings for a document that is wrong."""
    document = FOLDER / f"{name}.json"
    if name not in protocol_names():
        raise NotFound("no such protocol", got=name, expected=", ".join(protocol_names()))
    values: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    return from_dict(Protocol, values)


def select_signatures(
    signatures: pd.DataFrame,
    protocol: Protocol,
    part: Part | str | None = None,
    fold: int | None = None,
    writer_ids: list[str] | None = None,
) -> pd.DataFrame:
    """The rows of `signatures` whose writers the protocol measures, or `part`, `fold` or `writer_ids` of them.

    Raises BadInput where no writer is left, TooFewWriters where the part lacks or exceeds the protocol's writers.
    """
    rows = signatures
    if protocol.dataset:
        rows = rows[rows["writer_id"].str.startswith(f"{protocol.dataset}/")]
    wanted = str(part) if part is not None else protocol.part
    if writer_ids is not None:
        rows = rows[rows["writer_id"].isin(set(writer_ids))]
    elif wanted or fold is not None:
        rows = _of_part(rows, wanted, fold)
    if rows.empty:
        asked = ", ".join(f"{k} {v}" for k, v in (("part", wanted), ("fold", fold)) if v not in ("", None))
        raise BadInput(
            f"no signatures for protocol {protocol.name}" + (f" ({asked})" if asked else ""),
            got=", ".join(sorted({w.rsplit("/", 1)[0] for w in signatures["writer_id"]})[:5]) or "an empty catalogue",
            next=f"import {protocol.dataset or 'labelled signatures'} first, under the name the protocol gives it",
        )
    as_stated = writer_ids is None and fold is None and (part is None or str(part) == protocol.part)
    found = rows["writer_id"].nunique()
    if as_stated and protocol.writers and found != protocol.writers:
        raise TooFewWriters(
            f"the catalogue does not hold the writers of protocol {protocol.name}",
            got=f"{found} writers",
            expected=f"{protocol.writers}",
            next="import the whole set, or use protocol open",
        )
    return rows


def _of_part(rows: pd.DataFrame, part: str, fold: int | None) -> pd.DataFrame:
    named = named_parts()
    held = {w for w in rows["writer_id"].unique() if not part or part_of(w, named) == part}
    if fold is not None:
        held = {w for w in held if w in named and named[w][1] == fold}
    return rows[rows["writer_id"].isin(held)]
