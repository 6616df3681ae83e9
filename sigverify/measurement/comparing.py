"""Baselines measured beside a verifier: the same protocol, the same writers, the same trials.

They learn where the verifier may learn: on the training writers of each split, or, beside a verifier that is given, on
synthetic signatures, so that nothing of the measured set is in them either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sigverify.config import PreprocessingSettings, digest, to_dict
from sigverify.errors import BadInput
from sigverify.evaluation.protocols import Protocol, TrainingSources
from sigverify.evaluation.result import BenchmarkResult
from sigverify.measurement.baselines import TITLES, Kind, plain_backbone, train_baseline
from sigverify.measurement.makers import (
    Given,
    Maker,
    Progress,
    Task,
    Trained,
    synthetic_store,
    synthetic_writers,
    teaching,
)
from sigverify.measurement.measuring import Options, measure_protocol
from sigverify.measurement.sources import Sources

KINDS: tuple[Kind, ...] = ("hog", "nuisance_and_shape")
SYNTHETIC_WRITERS, SYNTHETIC_SEED = 300, 70_001


@dataclass(frozen=True)
class _OneForAll(Given):
    """The same for every split, and measured split by split all the same."""

    trains = True


@dataclass(frozen=True)
class Compared:
    """A maker of baselines: of each split's training writers (`trains`), or of synthetic ones."""

    kind: Kind
    preprocessing: PreprocessingSettings
    trains: bool

    @property
    def identity(self) -> str:
        return digest({"baseline": self.kind, "preprocessing": to_dict(self.preprocessing), "trains": self.trains})

    @property
    def lane(self) -> str:
        return self.preprocessing.lane

    def make(self, task: Task) -> Any:
        """Raises TooFewWriters where the training writers are too few."""
        if self.trains:
            split = task.split.for_legacy() if self.lane == "legacy" else task.split
            stores = teaching(task)
            writers = [*split.train, *(w for store in stores[1:] for w in synthetic_writers(store))]
        else:
            drawn = TrainingSources(synthetic_writers=SYNTHETIC_WRITERS, synthetic_seed=SYNTHETIC_SEED)
            stores = [
                synthetic_store(replace(task, protocol=replace(task.protocol, training=drawn), work=task.work.parent))
            ]
            writers = sorted(stores[0].signatures()["writer_id"].unique())
        kept = task.work / "embeddings"
        how: dict[str, Any] = {"workers": task.workers, "on_progress": task.say, "cache_dir": kept}
        return train_baseline(stores, self.kind, writers, self.preprocessing, task.seed, **how)


def measure_baselines(
    protocol: Protocol,
    sources: Sources,
    maker: Maker,
    options: Options,
    work: Path,
    on_progress: Progress | None = None,
    imagenet: Path | None = None,
) -> list[tuple[str, BenchmarkResult]]:
    """(name, headline) of each baseline, on what `maker`'s verifier reads and by the first seed.

    `imagenet` names weights for the backbone without fine-tuning; without it the backbone's weights are random. A
    protocol that trains on several sets, or on synthetic writers beside them, lends all of them. Baselines are looks at
    test writers like any other: they go into the register under their own versions.
    """
    wanted = preprocessing_of(maker)
    learns = maker.trains and bool(protocol.training.datasets)
    taught = "training writers" if learns else f"{SYNTHETIC_WRITERS} synthetic writers"
    makers: list[tuple[str, Maker]] = [(f"{TITLES[kind]}, {taught}", Compared(kind, wanted, learns)) for kind in KINDS]
    backbone = plain_backbone(backbone_of(maker), imagenet, wanted)
    makers.append((backbone.title, _OneForAll(backbone) if learns else Given(backbone)))
    quick: Literal["none", "quick"] = "none" if options.controls == "none" else "quick"
    first = replace(options, seeds=(options.seeds or protocol.seeds.runs)[:1], controls=quick)
    found = []
    for i, (name, one) in enumerate(makers):
        place = work / "baselines" / str(i)
        results = measure_protocol(protocol, sources, one, first, place, _named(on_progress, name))
        found.append((name, results[0]))
    return found


def preprocessing_of(maker: Maker) -> PreprocessingSettings:
    """What the verifier's network reads."""
    found: PreprocessingSettings = _settings(maker).preprocessing
    return found


def backbone_of(maker: Maker) -> str:
    """The timm backbone the verifier uses."""
    return str(_settings(maker).encoder.backbone)


def _settings(maker: Maker) -> Any:
    """Training settings or a verifier's: both hold encoder and preprocessing."""
    if isinstance(maker, Trained):
        return maker.settings
    if isinstance(maker, Given):
        return maker.verifier.settings
    raise BadInput("baselines are compared with a verifier", got=type(maker).__name__)


def _named(say: Progress | None, name: str) -> Callable[[str, float], None] | None:
    return None if say is None else lambda stage, share: say(f"{name}: {stage}", share)


def as_rows(baselines: Sequence[tuple[str, BenchmarkResult]]) -> list[dict[str, Any]]:
    """JSON-ready: name, verdict, skilled and random EER in per cent."""
    shown = ("status", "skilled_eer", "random_eer", "intervals")
    return [{"name": name, **{key: result.values()[key] for key in shown}} for name, result in baselines]
