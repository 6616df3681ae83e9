"""Who trains, who calibrates and who is tested under a protocol: disjoint writers, the same for everybody."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from sigverify.errors import BadInput, Mismatch, TooFewWriters
from sigverify.evaluation.parts import inner_folds, named_parts, part_of
from sigverify.evaluation.protocols import Protocol
from sigverify.records import Part


@dataclass(frozen=True)
class Split:
    """Writers of one training and one measurement. `fold` is None where a protocol has one split only."""

    fold: int | None
    train: tuple[str, ...]
    calibration: tuple[str, ...]
    test: tuple[str, ...]

    def for_legacy(self) -> Split:
        """Without thresholds there is nothing to calibrate: calibration writers join training, as in the papers."""
        return replace(self, train=tuple(sorted({*self.train, *self.calibration})), calibration=())


def splits_of(protocol: Protocol, writer_ids: Iterable[str]) -> tuple[Split, ...]:
    """The protocol's splits of the writers at hand (of the measured set and of those it is trained on).

    Raises TooFewWriters where the measured part has another number of writers than the protocol says, BadInput where
    no writer of a training set is at hand; Mismatch should a split ever share a writer.
    """
    writers = sorted(set(writer_ids))
    measured = _of_set(writers, protocol.writers.dataset)
    sources = {name: _of_set(writers, name) for name in protocol.training.datasets}
    found = _folded(protocol, measured) if protocol.in_folds else (_single(protocol, measured, sources),)
    for split in found:
        _check_apart(split)
    total = sum(len(split.test) for split in found)
    if protocol.writers.count and total != protocol.writers.count:
        raise TooFewWriters(
            f"the catalogue does not hold the writers of protocol {protocol.name}",
            got=f"{total} writers",
            expected=f"{protocol.writers.count}",
            next="import the whole set, or use protocol open",
        )
    return found


def measured_writers(protocol: Protocol, writer_ids: Iterable[str], fold: int | None = None) -> set[str]:
    """The writers a protocol measures, over all folds or in one. Raises as `splits_of`, BadInput for no such fold."""
    alone = replace(protocol, training=replace(protocol.training, datasets=()))
    found = splits_of(protocol if protocol.in_folds else alone, writer_ids)
    if fold is not None and fold not in {split.fold for split in found}:
        raise BadInput(f"protocol {protocol.name} has no such fold", got=fold, expected=f"0 to {protocol.in_folds - 1}")
    return {writer for split in found if fold in (None, split.fold) for writer in split.test}


def _of_set(writers: Collection[str], dataset: str) -> list[str]:
    return [w for w in writers if not dataset or w.startswith(f"{dataset}/")]


def _of_part(writers: Iterable[str], part: Part) -> tuple[str, ...]:
    named = named_parts()
    return tuple(w for w in writers if part_of(w, named) is part)


def _single(protocol: Protocol, measured: list[str], sources: dict[str, list[str]]) -> Split:
    part = protocol.writers.part
    test = _of_part(measured, Part(part)) if part else tuple(measured)
    teaching = [w for name in sources for w in sources[name]]
    absent = [name for name, held in sources.items() if not held]
    if absent and teaching:
        raise BadInput(f"no signatures to train on for protocol {protocol.name}", got=f"no {', '.join(absent)}")
    if sources and not absent:
        return Split(None, _of_part(teaching, Part.TRAIN), _of_part(teaching, Part.CALIBRATION), test)
    calibration = _of_part(measured, Part.CALIBRATION) if part else ()
    return Split(None, (), calibration, test)


def _folded(protocol: Protocol, measured: list[str]) -> tuple[Split, ...]:
    if protocol.writers.inner_folds:
        folds = inner_folds(_of_part(measured, Part.TRAIN), protocol.writers.inner_folds)
    else:
        named = named_parts()
        folds = [[w for w in measured if named.get(w, ("", None))[1] == k] for k in range(protocol.writers.folds)]
    n = len(folds)
    return tuple(
        Split(
            k,
            tuple(w for other in range(n) if other not in (k, (k + 1) % n) for w in folds[other]),
            tuple(folds[(k + 1) % n]),
            tuple(folds[k]),
        )
        for k in range(n)
    )


def _check_apart(split: Split) -> None:
    held = [set(split.train), set(split.calibration), set(split.test)]
    if sum(map(len, held)) != len(set().union(*held)):
        raise Mismatch("a writer is in two parts", got=f"fold {split.fold}", next="check writer_parts.csv")
