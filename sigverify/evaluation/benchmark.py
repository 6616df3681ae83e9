"""One call from a catalogue and a verifier to figures that can be believed: trials, intervals, controls, counts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.config import OperatingPoint
from sigverify.errors import TooFewWriters
from sigverify.evaluation.controls import ControlSettings, Level, run_controls
from sigverify.evaluation.embedded import Embedded, Progress, embed_signatures, signatures_digest
from sigverify.evaluation.figures import SHORT, in_per_cent, measure, per_cent
from sigverify.evaluation.intervals import bootstrap_over_writers, with_resolution
from sigverify.evaluation.metrics import det_curve, eer_rate
from sigverify.evaluation.nuisance import Expected
from sigverify.evaluation.protocols import Protocol, load_protocol, select_signatures
from sigverify.evaluation.result import BenchmarkResult
from sigverify.evaluation.scoring_trials import score_trials, written
from sigverify.evaluation.trials import Trials, draw_trials
from sigverify.records import Label, Part, TrialKind
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

__all__ = ["BenchmarkResult", "run_benchmark"]


def run_benchmark(
    store: Store,
    verifier: Any,
    protocol: str = "open",
    part: Part | str | None = None,
    fold: int | None = None,
    writer_ids: Sequence[str] | None = None,
    references: Sequence[int] | None = None,
    draws: int | None = None,
    seed: int = 0,
    workers: int = 2,
    on_progress: Progress | None = None,
    cache_dir: Path | None = None,
    controls: Level = "quick",
    expected_raw: Expected | None = None,
) -> BenchmarkResult:
    """Measure `verifier` on the writers a protocol names, or on a `part`, `fold` or `writer_ids` of them.

    `references` and `draws` default to the protocol's. Nothing is trained and no threshold is chosen here.
    `controls`: "quick", or "all" that also re-draw strokes and stress scans; `expected_raw`: what the nuisance probe
    must find on the raw scans to count (None: the published sets' own).
    A number of references that too few writers have signatures for becomes a note; TooFewWriters where none is left.
    """
    started = time.monotonic()
    say = on_progress or (lambda stage, share: None)
    held = load_protocol(protocol)
    wanted = None if writer_ids is None else list(writer_ids)
    rows = select_signatures(store.signatures(), held, part, fold, wanted)
    embedded = embed_signatures(store, verifier, rows, workers, say, cache_dir)
    trials, notes = _draw_all(store, embedded, held, references or held.references, draws or held.draws, seed)
    scored = {
        k: score_trials(verifier.scorer, t, embedded.embeddings, embedded.signatures["signature_id"])
        for k, t in trials.items()
    }
    point: OperatingPoint = verifier.settings.operating_point
    figures = {}
    for done, (k, found) in enumerate(scored.items()):
        say("figures and intervals", done / (len(scored) + 1))
        figures[k] = measure(found, point, held.bootstrap, seed)
    common = _common(scored, figures, held.bootstrap, seed)
    asked = ControlSettings(level=controls, seed=seed, workers=workers, expected_raw=expected_raw)
    checked = run_controls(store, verifier, trials, scored, embedded, asked, say)
    say("done", 1.0)
    about = _about(verifier, held, rows, part, fold, seed, draws or held.draws)
    about["seconds"] = round(time.monotonic() - started, 1)
    notes += [*_repeated_across_writers(rows), *_unsupported(figures)]
    counted = _counts(embedded, rows, trials)
    return BenchmarkResult(about, counted, figures, common, checked, tuple(notes), scored)


def _draw_all(
    store: Store, embedded: Embedded, protocol: Protocol, references: Sequence[int], draws: int, seed: int
) -> tuple[dict[int, Trials], list[str]]:
    """Trials for each number of references that the signatures allow; a note for each that they do not."""
    near = store.near_duplicates()
    pairs = list(zip(near["signature_a"], near["signature_b"], strict=True))
    limit = protocol.random_per_draw or None
    drawn: dict[int, Trials] = {}
    refused: list[TooFewWriters] = []
    for k in sorted(set(references)):
        try:
            drawn[k] = draw_trials(embedded.signatures, k, draws, seed, pairs, limit)
        except TooFewWriters as error:
            refused.append(error)
    if not drawn:
        raise refused[0]
    notes = [f"{error.what}: {error.got}" for error in refused]
    short = {k: t.short_writers for k, t in drawn.items() if t.short_writers}
    notes += [f"{k} references: {n} writers have too few genuine signatures and are left out" for k, n in short.items()]
    return drawn, notes


def _common(
    scored: dict[int, ScoredTrials], figures: dict[int, dict[str, Any]], resamples: int, seed: int
) -> dict[str, Any]:
    """EERs over the writers that every column shares: the curves over numbers of references."""
    shared = set.intersection(*(set(t.writer_id.tolist()) for t in scored.values()))
    found: dict[str, Any] = {"writers": len(shared), "intervals": {}}
    for kind, name in SHORT.items():
        key = f"{name}_eer"
        found[key], found["intervals"][key] = {}, {}
        for k, trials in scored.items():
            if name not in figures[k] or len(shared) < 2:
                continue
            rate, interval = figures[k][name]["eer"], figures[k][name]["eer_interval"]
            if figures[k]["counts"]["writers"] != len(shared):
                rate, interval = _eer_of_writers(trials, kind, shared, resamples, seed)
            found[key][str(k)], found["intervals"][key][str(k)] = rate, interval
    return found


def _eer_of_writers(
    trials: ScoredTrials, kind: TrialKind, writers: set[str], resamples: int, seed: int
) -> tuple[Any, Any]:
    """EER in per cent with its interval, over the claimed writers named."""
    part = trials.where(np.isin(trials.writer_id, sorted(writers)))
    genuine, forged = written(part, TrialKind.GENUINE), written(part, kind)
    interval = bootstrap_over_writers(genuine, forged, {"eer": eer_rate}, resamples=resamples, seed=seed)["eer"]
    distinct = [len(np.unique(part.of(side).query_id)) for side in (TrialKind.GENUINE, kind)]
    supported = with_resolution(interval, distinct[0], distinct[1])
    return per_cent(eer_rate(det_curve(genuine.score, forged.score))), in_per_cent(supported)


def _repeated_across_writers(rows: pd.DataFrame) -> list[str]:
    """Exact copies of another writer's signature, or of one with another label: the labels of such data are wrong."""
    first = rows.set_index("signature_id")[["writer_id", "label"]]
    copies = rows[rows["duplicate_of"].isin(first.index)]
    named = first.loc[copies["duplicate_of"]]
    differs = (named["writer_id"].to_numpy() != copies["writer_id"].to_numpy()) | (
        named["label"].to_numpy() != copies["label"].to_numpy()
    )
    return [f"{differs.sum()} exact duplicates contradict each other in writer or label"] if differs.any() else []


def _unsupported(figures: dict[int, dict[str, Any]]) -> list[str]:
    """What the distinct images cannot show, each once, with the numbers of references it concerns."""
    said: dict[str, list[str]] = {}
    for k, found in figures.items():
        for group in found.values():
            if "note" in group:
                said.setdefault(group["note"], []).append(str(k))
    return [f"{note} ({', '.join(numbers)} references)" for note, numbers in said.items()]


def _about(
    verifier: Any, protocol: Protocol, rows: pd.DataFrame, part: Any, fold: int | None, seed: int, draws: int
) -> dict[str, Any]:
    return {
        "protocol": protocol.name,
        "title": protocol.title,
        "part": str(part) if part is not None else protocol.part or None,
        "fold": fold,
        "datasets": sorted(rows["dataset"].unique()),
        "classification": sorted(rows["classification"].unique()),
        "catalogue_digest": signatures_digest(rows),
        "verifier_version": verifier.version,
        "encoder_id": verifier.encoder_id,
        "provisional_operating_point": verifier.settings.operating_point.provisional,
        "seed": seed,
        "draws": draws,
        "bootstrap_resamples": protocol.bootstrap,
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
