"""Protocols: documents that say whose signatures are measured, against what, with what training, draws and seeds.

They lie in ``protocols/*.json``; what a data set must hold lies in ``protocols/sets/*.json`` (evaluation.known_sets).
"part" and "fold" name writers of ``writer_parts.csv`` (evaluation.parts), so that training, calibration and test
writers are the same everywhere; evaluation.splits says who is who.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sigverify.config import Policy, from_dict
from sigverify.errors import BadInput, BadSettings, NotFound
from sigverify.evaluation.known_sets import check_set
from sigverify.evaluation.parts import named_parts, part_of
from sigverify.records import Part

if TYPE_CHECKING:
    import pandas as pd

FOLDER = resources.files("sigverify.evaluation") / "protocols"


@dataclass(frozen=True)
class MeasuredWriters:
    """Whose signatures are measured. Empty `dataset` means any; `count` 0 means any number."""

    dataset: str = ""  # of writer_parts.csv; "" = whatever the catalogue holds
    part: str = ""  # the part measured unless another is asked for; "" = all writers
    count: int = 0  # how many writers the measured part must have
    folds: int = 0  # > 0: fold k tests, fold k + 1 calibrates, the others train
    inner_folds: int = 0  # > 0: the same with folds of the training part only, for choices; never test writers


@dataclass(frozen=True)
class TrainingSources:
    """What a verifier that is trained for this protocol learns from; none: nothing is trained."""

    datasets: tuple[str, ...] = ()
    synthetic_writers: int = 0  # drawn and mixed in
    synthetic_seed: int = 21


@dataclass(frozen=True)
class TrialRules:
    """drawn: random sets of references; pairs: every pair of a writer, or so many drawn ones (evaluation.pairwise)."""

    kind: Literal["drawn", "pairs"] = "drawn"
    references: tuple[int, ...] = (1, 3, 5, 8, 10)
    draws: int = 20  # of references, a writer
    genuine_pairs: int = 0  # a writer; 0 = all
    skilled_pairs: int = 0
    random_per_draw: int = 0  # random forgeries a draw; 0 = one of each other writer
    near_duplicates: Literal["never reference and query"] = "never reference and query"


@dataclass(frozen=True)
class Seeds:
    runs: tuple[int, ...] = (0,)  # one training and one drawing of trials each
    bootstrap: int = 1000  # resamples of writers


@dataclass(frozen=True)
class Protocol:
    """One document. `policies`: thresholds are frozen on calibration writers for these (evaluation.deployment)."""

    name: str
    title: str
    writers: MeasuredWriters = field(default_factory=MeasuredWriters)
    training: TrainingSources = field(default_factory=TrainingSources)
    trials: TrialRules = field(default_factory=TrialRules)
    policies: tuple[Policy, ...] = ()
    seeds: Seeds = field(default_factory=Seeds)
    note: str = ""

    @property
    def development(self) -> bool:
        """Measures inner folds of training writers only: what choices are made with."""
        return self.writers.inner_folds > 0

    @property
    def crosses(self) -> bool:
        """Trained on other sets than the one it is measured on."""
        return bool(self.training.datasets) and self.writers.dataset not in self.training.datasets

    @property
    def in_folds(self) -> int:
        """How many folds are trained and measured apart; 0 where there is one split."""
        return 0 if self.crosses else self.writers.inner_folds or self.writers.folds


def protocol_names() -> list[str]:
    """The protocols that ship, sorted."""
    return sorted(p.name.removesuffix(".json") for p in FOLDER.iterdir() if p.name.endswith(".json"))


def load_protocol(name: str | Path | Protocol) -> Protocol:
    """The protocol `name`, or the one in a JSON file of yours.

    Raises NotFound with the names there are, BadSettings for a document that is wrong (unknown keys among it).
    """
    if isinstance(name, Protocol):
        return name
    own = Path(name)
    if own.suffix == ".json" and own.is_file():
        return _built(own.name, own.read_text(encoding="utf-8"))
    if str(name) not in protocol_names():
        raise NotFound("no such protocol", got=name, expected=", ".join(protocol_names()))
    return _built(str(name), (FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _built(name: str, text: str) -> Protocol:
    try:
        values: Mapping[str, Any] = json.loads(text)
    except ValueError as error:
        raise BadSettings(f"protocol {name} is not JSON", got=str(error)) from error
    held = from_dict(Protocol, dict(values))
    if held.trials.kind == "pairs" and held.trials.references != (1,):
        raise BadSettings(f"protocol {name} compares pairs", got=held.trials.references, expected="references [1]")
    return held


def select_signatures(
    signatures: pd.DataFrame,
    protocol: Protocol,
    part: Part | str | None = None,
    fold: int | None = None,
    writer_ids: list[str] | None = None,
) -> pd.DataFrame:
    """The rows of `signatures` whose writers the protocol measures, or `part`, `fold` or `writer_ids` of them.

    Raises BadInput where no writer is left, and for a part of a development protocol; TooFewWriters or Mismatch where
    the catalogue does not hold the whole set of a protocol that names one (not with `writer_ids` or a `part`).
    """
    from sigverify.evaluation.splits import measured_writers

    rows, dataset = signatures, protocol.writers.dataset
    if part is not None and protocol.development:
        raise BadInput(
            f"protocol {protocol.name} is for choices: it measures training writers and nobody else",
            got=f"part {part}",
            next="leave out --part, or use the protocol without -dev",
        )
    if dataset:
        rows = rows[rows["writer_id"].str.startswith(f"{dataset}/")]
    if rows.empty:
        raise _nobody(signatures, protocol, "")
    if writer_ids is not None:
        wanted = set(writer_ids)
    elif part is not None:
        named = named_parts()
        wanted = {w for w in rows["writer_id"].unique() if part_of(w, named) == str(part)}
        wanted = {w for w in wanted if fold is None or named.get(w, ("", None))[1] == fold}
    else:
        check_set(rows, dataset)
        wanted = measured_writers(protocol, rows["writer_id"].unique(), fold)
    rows = rows[rows["writer_id"].isin(wanted)]
    if rows.empty:
        asked = ", ".join(f"{k} {v}" for k, v in (("part", part), ("fold", fold)) if v is not None)
        raise _nobody(signatures, protocol, asked)
    return rows


def _nobody(signatures: pd.DataFrame, protocol: Protocol, asked: str) -> BadInput:
    return BadInput(
        f"no signatures for protocol {protocol.name}" + (f" ({asked})" if asked else ""),
        got=", ".join(sorted({w.rsplit("/", 1)[0] for w in signatures["writer_id"]})[:5]) or "an empty catalogue",
        next=f"import {protocol.writers.dataset or 'labelled signatures'} first, under the name the protocol gives it",
    )
