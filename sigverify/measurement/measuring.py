"""A protocol measured: every seed, every fold, trained or given; what is finished is kept and not computed again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sigverify.config import digest, to_dict
from sigverify.errors import BadInput
from sigverify.evaluation.benchmark import BenchmarkResult, run_benchmark
from sigverify.evaluation.drawing import near_pairs
from sigverify.evaluation.embedded import signatures_digest
from sigverify.evaluation.protocols import Protocol, TrainingSources, select_signatures
from sigverify.evaluation.source_digest import source_digest
from sigverify.evaluation.splits import Split, splits_of
from sigverify.measurement.keeping import keep, kept
from sigverify.measurement.looks import register_test_run
from sigverify.measurement.makers import Maker, Progress, Task, training_copies
from sigverify.measurement.pooling import Fold, pool, spread_over_seeds
from sigverify.measurement.provenance import code_version
from sigverify.measurement.sources import Sources
from sigverify.measurement.transfer import transferred, transferred_writers
from sigverify.records import Label
from sigverify.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Options:
    """How, beside what a protocol says; None and () leave it to the protocol."""

    seeds: tuple[int, ...] = ()
    fold: int | None = None
    part: str | None = None
    references: tuple[int, ...] = ()
    draws: int = 0
    controls: Literal["quick", "all", "none"] = "quick"
    random_only: bool = False  # measure random forgeries alone where there are no skilled ones
    resume: bool = False
    workers: int = 2
    transfer_to: Store | None = None  # freeze thresholds on the protocol's set, measure them here
    register: Path | None = None  # of looks at test writers
    command: str = ""  # as typed, for that register


@dataclass(frozen=True)
class _Unit:
    """One seed and fold."""

    seed: int
    split: Split

    @property
    def name(self) -> str:
        return f"seed-{self.seed}" + ("" if self.split.fold is None else f"-fold-{self.split.fold}")


def measure_protocol(
    protocol: Protocol,
    sources: Sources,
    maker: Maker,
    options: Options = Options(),
    work: Path | None = None,
    on_progress: Progress | None = None,
) -> list[BenchmarkResult]:
    """The headline first (the first seed, all folds, with the spread over seeds), then other seeds, then single folds.

    `work` keeps trained verifiers, finished folds and embeddings; with ``options.resume`` finished folds are read from
    there, so an interrupted run goes on. Raises BadInput for signatures without skilled forgeries, TooFewWriters and
    Mismatch for a catalogue that is not the protocol's set, Conflict when `work` holds another run's results.
    """
    if work is None:
        with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
            return measure_protocol(protocol, sources, maker, replace(options, resume=False), Path(place), on_progress)
    say = on_progress or (lambda stage, share: None)
    _check_forgeries(protocol, sources, options)
    seeds = options.seeds or protocol.seeds.runs
    splits = _splits(protocol, sources, maker, options)
    units = [_Unit(seed, split) for seed in seeds for split in splits]
    copies = training_copies(protocol, sources) if maker.trains else []
    run = _Run(protocol, sources, maker, options, work, copies)
    done = []
    for i, unit in enumerate(units):
        done.append(run.one(unit, _within(say, unit.name if len(units) > 1 else "", i, len(units))))
    by_seed = [done[i : i + len(splits)] for i in range(0, len(done), len(splits))]
    if len(splits) == 1:
        whole, apart = [folds[0][0] for folds in by_seed], []
    else:
        asked, near = _asked(protocol, options), near_pairs(sources.of(protocol.writers.dataset))
        whole = [_at_commits(pool(folds, asked, seed, near), folds) for folds, seed in zip(by_seed, seeds, strict=True)]
        apart = [result for folds in by_seed for result, _ in folds]
    return [replace(whole[0], spread=spread_over_seeds(whole)), *whole[1:], *apart]


def _at_commits(pooled: BenchmarkResult, folds: Sequence[Fold]) -> BenchmarkResult:
    """Folds may have been measured at several commits: each is named."""
    commits = dict.fromkeys(str(result.about["code_commit"]) for result, _ in folds)
    return replace(pooled, about={**pooled.about, "code_commit": "; ".join(c for c in commits if c)})


@dataclass(frozen=True)
class _Run:
    """What all units of a measurement share."""

    protocol: Protocol
    sources: Sources
    maker: Maker
    options: Options
    work: Path
    copies: list[str]  # of the sets trained on
    made_by: dict[str, str] = field(default_factory=code_version)
    tables: dict[str, str] = field(default_factory=dict)

    def one(self, unit: _Unit, say: Progress) -> tuple[BenchmarkResult, Any]:
        place, key = self.work / "runs" / self.protocol.name / unit.name, self._key(unit)
        if self.options.resume and (held := kept(place, key)) is not None:
            say("kept from before", 1.0)
            return held
        task = Task(self.protocol, unit.split, self.sources, unit.seed, self.work, self.options.workers, _half(say, 0))
        verifier = self.maker.make(task)
        result = self._measured(unit, verifier, _half(say, 1) if self.maker.trains else say)
        result = replace(result, about={**result.about, **self.made_by, "training_copies": self.copies})
        register_test_run(result, self.options.command, self.options.register)
        place.parent.mkdir(parents=True, exist_ok=True)
        keep(result, verifier.settings.operating_point, key, place)
        return result, verifier.settings.operating_point

    def _measured(self, unit: _Unit, verifier: Any, say: Progress) -> BenchmarkResult:
        asked: dict[str, Any] = {
            "references": self.options.references or None,
            "draws": self.options.draws or None,
            "seed": unit.seed,
            "workers": self.options.workers,
            "on_progress": say,
            "cache_dir": self.work / "embeddings",
            "controls": self.options.controls,
        }
        store = self.sources.of(self.protocol.writers.dataset)
        if self.options.transfer_to is not None:
            other = self.options.transfer_to
            frozen = (store, unit.split.calibration)
            asked |= {"writer_ids": transferred_writers(other, self.protocol.development), "calibrating": frozen}
            result = run_benchmark(other, verifier, transferred(self.protocol, other), **asked)
            return replace(result, about={**result.about, "development": self.protocol.development})
        return run_benchmark(store, verifier, self.protocol, self.options.part, unit.split.fold, **asked)

    def _key(self, unit: _Unit) -> str:
        """Everything a kept result depends on."""
        o = self.options
        stores = [*self.sources.stores, *([o.transfer_to] if o.transfer_to is not None else [])]
        chosen = {"part": o.part, "references": list(o.references), "draws": o.draws, "controls": o.controls}
        for i, store in enumerate(stores):
            if str(i) not in self.tables:
                near = digest({"near": sorted(map(list, near_pairs(store)))}, 16)
                self.tables[str(i)] = f"{signatures_digest(store.signatures())}-{near}"
        split = [list(part) for part in (unit.split.train, unit.split.calibration, unit.split.test)]
        what = {"protocol": to_dict(self.protocol), "maker": self.maker.identity, "tables": dict(self.tables)}
        what["code"] = source_digest("figures")
        return digest({**what, **chosen, "transfer": o.transfer_to is not None, "seed": unit.seed, "split": split})


def _splits(protocol: Protocol, sources: Sources, maker: Maker, options: Options) -> tuple[Split, ...]:
    """Fold by fold where verifiers are trained or thresholds frozen; a given verifier meets all writers at once."""
    if options.transfer_to is not None and not protocol.policies:
        raise BadInput("only a deployment protocol transfers thresholds", got=protocol.name, next="use ...-deployment")
    if options.part is not None and maker.trains:
        raise BadInput(
            "a verifier that is trained is measured on its protocol's own test writers",
            got=f"part {options.part}",
            next="leave out --part, or train first and give the bundle as --verifier",
        )
    by_fold = maker.trains or bool(protocol.policies)
    asked = protocol if by_fold else replace(protocol, training=TrainingSources())
    if not maker.trains and protocol.crosses:
        asked = replace(protocol, training=TrainingSources())
    found = splits_of(asked, sources.writer_ids())
    if options.part is not None:
        return (Split(None, (), (), ()),)
    if options.fold is not None:
        held = tuple(split for split in found if split.fold == options.fold)
        if not held:
            folds = f"0 to {protocol.in_folds - 1}" if protocol.in_folds else "no fold"
            raise BadInput(f"protocol {protocol.name} has no such fold", got=options.fold, expected=folds)
        return held
    if by_fold:
        return found[:1] if options.transfer_to is not None else found
    everybody = tuple(w for split in found for w in split.test)
    return (Split(None, (), (), everybody),)


def _check_forgeries(protocol: Protocol, sources: Sources, options: Options) -> None:
    store = options.transfer_to or sources.of(protocol.writers.dataset)
    rows = store.signatures() if options.transfer_to is not None else _asked_rows(protocol, sources, store, options)
    forged = rows.loc[rows["label"] == Label.SKILLED_FORGERY.value, "writer_id"].nunique()
    if options.random_only or forged >= 2:
        return
    if forged:
        raise BadInput(
            "only one writer here has skilled forgeries, and an error rate of one writer says nothing of others",
            got="1 writer with skilled forgeries",
            expected="2 or more; the controls need 10",
            next="label forgeries of more writers and import them, or leave these out and ask for random forgeries "
            "alone (--random-only)",
        )
    raise BadInput(
        "no signature here is labelled a skilled forgery",
        got=f"{len(rows)} genuine signatures of {rows['writer_id'].nunique()} writers",
        next="label forgeries as skilled_forgery and import them, or ask for random forgeries alone (--random-only)",
    )


def _asked_rows(protocol: Protocol, sources: Sources, store: Store, options: Options) -> pd.DataFrame:
    rows = sources.table(store)
    return select_signatures(rows, protocol, options.part, options.fold)


def _asked(protocol: Protocol, options: Options) -> Protocol:
    given = {"references": options.references, "draws": options.draws}
    rules = replace(protocol.trials, **{k: v for k, v in given.items() if v})  # type: ignore[arg-type]
    return replace(protocol, trials=rules)


def _within(say: Progress, name: str, i: int, n: int) -> Progress:
    """Progress of unit `i` of `n` as progress of the whole."""
    return lambda stage, share: say(f"{name}: {stage}" if name else stage, (i + min(max(share, 0.0), 1.0)) / n)


def _half(say: Progress, which: int) -> Progress:
    """Training is the first half, measuring the second."""
    return lambda stage, share: say(stage, (which + min(max(share, 0.0), 1.0)) / 2)
