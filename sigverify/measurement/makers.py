"""Where the verifier of a split comes from: it is given, or trained on the split's training writers."""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.bundle import SETTINGS
from sigverify.config import TrainingSettings, digest, to_dict
from sigverify.errors import BadInput, Mismatch
from sigverify.evaluation.drawing import near_pairs
from sigverify.evaluation.embedded import signatures_digest
from sigverify.evaluation.known_sets import check_set, which_copy
from sigverify.evaluation.protocols import Protocol
from sigverify.evaluation.source_digest import source_digest
from sigverify.evaluation.splits import Split
from sigverify.measurement.sources import Sources
from sigverify.storage.store import FACTS, Store

if TYPE_CHECKING:
    from sigverify.verifier import Verifier

Progress = Callable[[str, float], None]
SYNTHETIC = (8, 8)  # genuine signatures and skilled forgeries of a synthetic writer that is mixed in


@dataclass(frozen=True)
class Task:
    """One verifier wanted: for which split, with which seed; `work` keeps what takes long."""

    protocol: Protocol
    split: Split
    sources: Sources
    seed: int
    work: Path
    workers: int
    say: Progress


class Maker(typing.Protocol):
    """Where the verifier of a split comes from."""

    @property
    def trains(self) -> bool:
        """Whether a split's training writers teach it: then every split gets its own."""
        ...

    @property
    def identity(self) -> str:
        """Names everything that decides what is made."""
        ...

    @property
    def lane(self) -> str:
        """clean or legacy."""
        ...

    def make(self, task: Task) -> Any:
        """Anything run_benchmark takes as a verifier."""
        ...


@dataclass(frozen=True)
class Given:
    """A verifier that exists: the same for every split. Anything run_benchmark takes will do."""

    verifier: Any
    trains = False

    @property
    def identity(self) -> str:
        return str(self.verifier.version)

    @property
    def lane(self) -> str:
        return str(self.verifier.settings.preprocessing.lane)

    def make(self, task: Task) -> Any:
        return self.verifier


@dataclass(frozen=True)
class Trained:
    """Trained on each split's writers; kept under ``work/trained`` by all it depends on, so that forms share it."""

    settings: TrainingSettings
    initial: Path | None = None  # weights to start from
    name: str = "measured"
    trains = True

    @property
    def identity(self) -> str:
        start = None if self.initial is None else hashlib.sha256(self.initial.read_bytes()).hexdigest()
        return digest({"settings": to_dict(self.settings), "initial": start, "name": self.name})

    @property
    def lane(self) -> str:
        return self.settings.preprocessing.lane

    def make(self, task: Task) -> Verifier:
        """Raises BadInput for a protocol that trains nothing, TooFewWriters as retraining does."""
        from sigverify.retraining import retrain
        from sigverify.verifier import Verifier

        if not task.protocol.training.datasets:
            names = "a given verifier (--verifier)"
            raise BadInput(f"protocol {task.protocol.name} trains nothing", expected=names)
        split = task.split.for_legacy() if self.lane == "legacy" else task.split
        stores = teaching(task)
        synthetic = [w for store in stores[1:] for w in synthetic_writers(store)]
        place = task.work / "trained" / self._key(task, split, stores)
        if not (place / "verifier" / SETTINGS).is_file():
            retrain(
                stores[0],
                place,
                replace(self.settings, seed=task.seed),
                name=self.name,
                train_writers=[*split.train, *synthetic],
                calibration_writers=split.calibration,
                initial=self.initial,
                resume=(place / "training").is_dir(),
                workers=task.workers,
                on_progress=task.say,
                more=stores[1:],
                thresholds=bool(split.calibration),
            )
        return Verifier.load(place / "verifier")

    def _key(self, task: Task, split: Split, stores: list[Store]) -> str:
        tables = [store.signatures() for store in stores]
        seen = [signatures_digest(t[t["writer_id"].isin({*split.train, *split.calibration})]) for t in tables]
        drawn = to_dict(task.protocol.training)
        near = [near_pairs(store) for store in stores]  # calibration trials leave them out
        code = source_digest("training")
        parts = {"maker": self.identity, "seed": task.seed, "data": seen, "near": near, "training": drawn, "code": code}
        return digest({**parts, "calibration": list(split.calibration)})


def check_lane(maker: Maker, lane: str | None) -> None:
    """Raises Mismatch where a verifier is of another lane than the one asked for."""
    if lane is not None and maker.lane != lane:
        raise Mismatch(
            "the verifier is of the other lane",
            got=maker.lane,
            expected=lane,
            next=f"give a verifier of the {lane} lane, or leave out --lane",
        )


def training_copies(protocol: Protocol, sources: Sources) -> list[str]:
    """ "SET: COPY" of each public set a verifier is trained on, checked to be whole (evaluation.known_sets).

    Raises TooFewWriters and Mismatch where one is not the set it is named after.
    """
    found = []
    for name in protocol.training.datasets:
        rows = sources.table(sources.of(name))
        rows = rows[rows["writer_id"].str.startswith(f"{name}/")]
        check_set(rows, name)
        found += [f"{name}: {copy}"] if (copy := which_copy(rows, name)) else []
    return found


def teaching(task: Task) -> list[Store]:
    """Catalogues of the training sets, each once, and a synthetic one where the protocol mixes one in."""
    stores = {id(s): s for s in (task.sources.of(name) for name in task.protocol.training.datasets)}
    plan = task.protocol.training
    extra = [synthetic_store(task)] if plan.synthetic_writers else []
    return [*stores.values(), *extra]


def synthetic_store(task: Task) -> Store:
    """The synthetic catalogue that the task's protocol mixes in, drawn once for all trainings under ``work``."""
    from sigverify.synthetic_catalogue import synthesise_catalogue

    plan = task.protocol.training
    place = task.work / f"synthetic-{plan.synthetic_writers}-{plan.synthetic_seed}-{source_digest('drawings')}"
    if not (place / FACTS).is_file():
        drawing = place.with_name(f".{place.name}")
        synthesise_catalogue(
            drawing,
            plan.synthetic_writers,
            *SYNTHETIC,
            seed=plan.synthetic_seed,
            workers=task.workers,
            on_progress=lambda done, total: task.say("drawing signatures", done / total),
        ).close()
        drawing.rename(place)
    return Store.open(place)


def synthetic_writers(store: Store) -> list[str]:
    """The drawn writers of a catalogue, sorted."""
    rows = store.signatures()
    return sorted(rows.loc[rows["dataset"] == "synthetic", "writer_id"].unique())
