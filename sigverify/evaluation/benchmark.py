"""One call from a catalogue and a verifier to figures that can be believed: trials, intervals, controls, counts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sigverify.config import OperatingPoint, digest
from sigverify.errors import BadInput
from sigverify.evaluation.common_writers import common_writers
from sigverify.evaluation.controls import Control, ControlSettings, Level, run_controls
from sigverify.evaluation.deployment import frozen_thresholds
from sigverify.evaluation.drawing import draw_all, near_pairs
from sigverify.evaluation.embedded import Embedded, Progress, embed_signatures, signatures_digest
from sigverify.evaluation.figures import measure
from sigverify.evaluation.known_sets import UNVERIFIED, which_copy
from sigverify.evaluation.parts_control import UNKNOWN, parts_control
from sigverify.evaluation.protocols import Protocol, TrainingSources, load_protocol, select_signatures
from sigverify.evaluation.raw_scan_proof import Expected
from sigverify.evaluation.result import BenchmarkResult
from sigverify.evaluation.scoring_trials import by_image, score_trials
from sigverify.evaluation.splits import splits_of
from sigverify.evaluation.trials import Trials
from sigverify.records import Label, Part
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

__all__ = ["BenchmarkResult", "run_benchmark"]


def run_benchmark(
    store: Store,
    verifier: Any,
    protocol: str | Protocol = "open",
    part: Part | str | None = None,
    fold: int | None = None,
    writer_ids: Sequence[str] | None = None,
    references: Sequence[int] | None = None,
    draws: int | None = None,
    seed: int = 0,
    workers: int = 2,
    on_progress: Progress | None = None,
    cache_dir: Path | None = None,
    controls: Level | Literal["none"] = "quick",
    expected_raw: Expected | None = None,
    calibrating: tuple[Store, Sequence[str]] | None = None,
) -> BenchmarkResult:
    """Measure `verifier` on the writers a protocol names, or on a `part`, `fold` or `writer_ids` of them.

    `references` and `draws` default to the protocol's. Nothing is trained here. `controls`: "quick", or "all" that also
    re-draw strokes and stress scans, or "none" (the figure warns, whatever it is); `expected_raw`: what the nuisance
    probe must find on the raw scans to count (None: the published sets' own). A verifier of the legacy lane keeps
    exact duplicates, as the literature does, and gets no verdict. A protocol with policies freezes thresholds on
    `calibrating`, a catalogue and its writers (default: the protocol's calibration writers in `store`).
    A number of references that too few writers have signatures for becomes a note; TooFewWriters where none is left.
    """
    started = time.monotonic()
    say = on_progress or (lambda stage, share: None)
    held = _with_rules(load_protocol(protocol), references, draws)
    if held.policies and lane_of(verifier) == "legacy":
        raise BadInput("the legacy lane has no thresholds to freeze", next="measure deployment in the clean lane")
    whole = store.signatures()
    rows = select_signatures(whole, held, part, fold, None if writer_ids is None else list(writer_ids))
    sample = _sample(store, verifier, rows, held, seed, (workers, say, cache_dir))
    point: OperatingPoint = verifier.settings.operating_point
    figures = {}
    of_images = {k: by_image(found, sample.embedded.signatures) for k, found in sample.scored.items()}
    for done, (k, found) in enumerate(of_images.items()):
        say("figures and intervals", done / (len(of_images) + 1))
        figures[k] = measure(found, point, held.seeds.bootstrap, seed)
    common = common_writers(of_images, figures, held.seeds.bootstrap, seed)
    checked: tuple[Control, ...] = (Control("controls", "unproven", ("no control was run",)),)
    if controls != "none":
        asked = ControlSettings(level=controls, seed=seed, workers=workers, expected_raw=expected_raw)
        checked = run_controls(store, verifier, sample.trials, sample.scored, sample.embedded, asked, say)
    parts = parts_control(rows, getattr(verifier, "trained_on", None), near_pairs(store), whole)
    frozen: dict[int, ScoredTrials] = {}
    if held.policies:
        where, writers = calibrating or (store, calibration_writers(held, whole, fold))
        chosen = select_signatures(where.signatures(), load_protocol("open"), writer_ids=list(writers))
        frozen = _sample(where, verifier, chosen, held, seed, (workers, say, cache_dir)).scored
    say("done", 1.0)
    about = _about(verifier, held, rows, part, fold, seed)
    about |= {"copy": _copy(whole, held), "seconds": round(time.monotonic() - started, 1)}
    notes = [*sample.notes, *_told(about, parts), *_repeated_across_writers(rows), *unsupported(figures)]
    counted = _counts(sample.embedded, rows, sample.trials)
    return BenchmarkResult(
        about, counted, figures, common, (parts, *checked), tuple(notes), sample.scored,
        embedded=sample.embedded, calibration=frozen, deployment=deployed([(frozen, sample.scored)], held, seed),
    )  # fmt: skip


@dataclass(frozen=True)
class _Sample:
    """Signatures through the verifier, their trials and scores by number of references."""

    embedded: Embedded
    trials: dict[int, Trials]
    scored: dict[int, ScoredTrials]
    notes: list[str]


def _sample(
    store: Store,
    verifier: Any,
    rows: pd.DataFrame,
    protocol: Protocol,
    seed: int,
    how: tuple[int, Progress, Path | None],
) -> _Sample:
    """In the legacy lane with exact duplicates in, as the literature has them."""
    legacy = lane_of(verifier) == "legacy"
    repeated = int(rows["duplicate_of"].notna().sum())
    embedded = embed_signatures(store, verifier, rows.assign(duplicate_of=None) if legacy else rows, *how)
    trials, notes = draw_all(embedded.signatures, protocol.trials, seed, [] if legacy else near_pairs(store))
    ids = embedded.signatures["signature_id"]
    scored = {k: score_trials(verifier.scorer, t, embedded.embeddings, ids) for k, t in trials.items()}
    kept = [f"{repeated} exact duplicates are kept, as the literature does"] if legacy and repeated else []
    return _Sample(embedded, trials, scored, [*notes, *kept])


def deployed(
    folds: Sequence[tuple[Mapping[int, ScoredTrials], Mapping[int, ScoredTrials]]], protocol: Protocol, seed: int
) -> dict[int, dict[str, Any]]:
    """{number of references: evaluation.deployment.frozen_thresholds} of (calibration, test) of each fold."""
    if not protocol.policies:
        return {}
    numbers = set.intersection(*({*calibration} & {*test} for calibration, test in folds))
    resamples = min(protocol.seeds.bootstrap, 500)
    return {
        k: frozen_thresholds([(c[k], t[k]) for c, t in folds], protocol.policies, resamples=resamples, seed=seed)
        for k in sorted(numbers)
    }


def calibration_writers(protocol: Protocol, signatures: pd.DataFrame, fold: int | None = None) -> tuple[str, ...]:
    """The protocol's calibration writers among these signatures. Raises BadInput where it has several folds or none."""
    alone = protocol if protocol.in_folds else replace(protocol, training=TrainingSources())
    found = [s for s in splits_of(alone, signatures["writer_id"].unique()) if fold in (None, s.fold)]
    if len(found) != 1 or not found[0].calibration:
        raise BadInput(
            f"protocol {protocol.name} has no calibration writers here",
            got=f"{len(found)} folds",
            next="name a fold, or give the catalogue and writers thresholds are frozen on",
        )
    return found[0].calibration


def lane_of(verifier: Any) -> str:
    """clean or legacy."""
    return str(verifier.settings.preprocessing.lane)


def _with_rules(protocol: Protocol, references: Sequence[int] | None, draws: int | None) -> Protocol:
    given = {"references": tuple(references) if references else None, "draws": draws}
    rules = replace(protocol.trials, **{k: v for k, v in given.items() if v})  # type: ignore[arg-type]
    if rules.kind == "pairs" and rules.references != (1,):
        raise BadInput(f"protocol {protocol.name} compares pairs", got=rules.references, expected="one reference")
    return replace(protocol, trials=rules)


def _copy(signatures: pd.DataFrame, protocol: Protocol) -> str:
    name = protocol.writers.dataset
    return which_copy(signatures[signatures["writer_id"].str.startswith(f"{name}/")], name) if name else ""


def _told(about: dict[str, Any], parts: Control) -> list[str]:
    """What a reader must know before the first figure."""
    said = []
    if about["lane"] == "legacy":
        said.append("legacy lane: comparison only, no verdict")
    if about["copy"] == UNVERIFIED:
        said.append(f"{UNVERIFIED}: the pixels are none of the copies the protocol lists")
    return said + ([UNKNOWN] if parts.status == "not_run" else [])


def _repeated_across_writers(rows: pd.DataFrame) -> list[str]:
    """Exact copies of another writer's signature, or of one with another label: the labels of such data are wrong."""
    first = rows.set_index("signature_id")[["writer_id", "label"]]
    copies = rows[rows["duplicate_of"].isin(first.index)]
    named = first.loc[copies["duplicate_of"]]
    differs = (named["writer_id"].to_numpy() != copies["writer_id"].to_numpy()) | (
        named["label"].to_numpy() != copies["label"].to_numpy()
    )
    return [f"{differs.sum()} exact duplicates contradict each other in writer or label"] if differs.any() else []


def unsupported(figures: dict[int, dict[str, Any]]) -> list[str]:
    """What the distinct images cannot show, each once, with the numbers of references it concerns."""
    said: dict[str, list[str]] = {}
    for k, found in figures.items():
        for group in found.values():
            if "note" in group:
                said.setdefault(group["note"], []).append(str(k))
    return [f"{note} ({', '.join(numbers)} references)" for note, numbers in said.items()]


def _about(
    verifier: Any, protocol: Protocol, rows: pd.DataFrame, part: Any, fold: int | None, seed: int
) -> dict[str, Any]:
    rules = protocol.trials
    return {
        "protocol": protocol.name,
        "protocol_digest": digest(protocol),
        "title": protocol.title,
        "development": protocol.development,
        "part": str(part) if part is not None else protocol.writers.part or None,
        "fold": fold,
        "lane": lane_of(verifier),
        "datasets": sorted(rows["dataset"].unique()),
        "classification": sorted(rows["classification"].unique()),
        "catalogue_digest": signatures_digest(rows),
        "verifier_version": verifier.version,
        "encoder_id": verifier.encoder_id,
        "provisional_operating_point": verifier.settings.operating_point.provisional,
        "seed": seed,
        "trials": rules.kind,
        "draws": rules.draws,
        "bootstrap_resamples": protocol.seeds.bootstrap,
        "interval_level": 0.95,
    }


def _counts(embedded: Embedded, rows: pd.DataFrame, trials: dict[int, Trials]) -> dict[str, Any]:
    label = embedded.signatures["label"]
    return {
        "writers": int(rows["writer_id"].nunique()),
        "signatures": len(rows),
        "distinct_genuine": int((label == Label.GENUINE.value).sum()),
        "distinct_skilled": int((label == Label.SKILLED_FORGERY.value).sum()),
        "removed_duplicates": embedded.duplicates,
        "failures_to_acquire": embedded.failures,
        "trials": {str(k): t.counts() | {"removed_duplicates": embedded.duplicates} for k, t in trials.items()},
    }
