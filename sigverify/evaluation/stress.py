"""Control 6, stress: what does it cost when the query's scan is a little worse than the references'?

On a stated sub-sample (20 writers, one draw of references, 8 genuine and 8 skilled queries each) every query's scan is
changed in one way (evaluation.stresses), prepared and embedded again, and scored against the unchanged references.
A warning where one way costs more than 2 points of skilled EER, or more than 2 % of the queries yield no signature.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.evaluation.control import Control, did_not_run, interval_in_per_cent
from sigverify.evaluation.embedded import Embedded, Progress, embed_for_both
from sigverify.evaluation.paired_eer import paired_eer
from sigverify.evaluation.scoring_trials import rows_of
from sigverify.evaluation.stresses import STRESSES, Stress
from sigverify.evaluation.trials import Trials
from sigverify.records import Floats, Ints, TrialKind
from sigverify.scans.read import read_scan
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    from sigverify.storage.store import Store

WRITERS, QUERIES = 20, 8  # queries of each kind, a writer
MOST_LOST = 0.02  # of the skilled EER; of the queries
KINDS = (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY)


@dataclass(frozen=True)
class Sample:
    """`trial` (t,) indexes the trials drawn; `row` (t,) is each trial's query among the embedded signatures."""

    trial: Ints
    row: Ints


def draw_sample(trials: Trials, signature_ids: Any, seed: int = 0) -> Sample:
    """Up to 20 writers' first template each, with up to 8 genuine and 8 skilled queries drawn for it."""
    rng = np.random.default_rng(seed)
    skilled = trials.kind == TrialKind.SKILLED_FORGERY.value
    writers = np.unique(trials.template_writer[trials.template[skilled]])
    chosen = rng.choice(writers, min(WRITERS, len(writers)), replace=False)
    found = []
    for writer in np.sort(chosen):
        of_writer = trials.template_writer[trials.template] == writer
        first = int(trials.template[of_writer & skilled].min())
        for kind in KINDS:
            own = np.flatnonzero((trials.template == first) & (trials.kind == kind.value))
            found.append(np.sort(rng.choice(own, min(QUERIES, len(own)), replace=False)))
    trial = np.concatenate(found) if found else np.zeros(0, np.int64)
    return Sample(trial, rows_of(trials, signature_ids)[trials.query[trial]])


def stress_control(
    store: Store,
    verifier: Any,
    trials: Trials,
    embedded: Embedded,
    seed: int = 0,
    workers: int = 0,
    say: Progress | None = None,
    resamples: int = 500,
) -> Control:
    """Control 6 on the trials of one number of references; costs about 11 x 320 preparations and embeddings.

    Where the verifier looks at physical size, a stressed scan keeps that of its own.
    """
    sample = draw_sample(trials, embedded.signatures["signature_id"], seed)
    drawn = trials.kind[sample.trial]
    two = len(np.unique(trials.template_writer[trials.template[sample.trial]])) >= 2
    if not two or any(not (drawn == kind.value).any() for kind in KINDS):
        return did_not_run("stress", "it needs skilled forgeries of two writers or more")
    scans = _read(store, verifier, embedded, sample)
    plain = _scored(verifier, trials, embedded, sample, embedded.embeddings[sample.row])
    costs: dict[str, dict[str, Any]] = {}
    for done, (name, stress) in enumerate(STRESSES.items()):
        if say is not None:
            say("controls: stress", done / len(STRESSES))
        files = [_stressed(stress, image, dpi, seed, i) for i, (image, dpi) in enumerate(scans)]
        prepared = verifier.prepare_many(files, workers=workers)
        usable = np.array([p.image is not None for p in prepared])
        lost = float(1 - usable.mean())
        costs[name] = {"queries_lost": round(100 * lost, 2)}
        if not _both_kinds(plain, usable):
            continue
        sizes = None if embedded.sizes_mm is None else embedded.sizes_mm[sample.row][usable]
        vectors = embed_for_both(verifier, [p.image for p in prepared if p.image is not None], sizes)
        left = Sample(sample.trial[usable], sample.row[usable])
        after = _scored(verifier, trials, embedded, left, vectors)
        found = paired_eer(plain.where(usable), after, resamples=resamples, seed=seed)
        costs[name] |= {
            "eer": round(100 * found.before, 4),
            "eer_stressed": round(100 * found.after, 4),
            "cost": round(100 * found.cost, 4),
            "cost_interval": interval_in_per_cent(found.interval),
        }
    return _judged(costs, plain, trials.n_references)


def _judged(costs: dict[str, dict[str, Any]], plain: ScoredTrials, n_references: int) -> Control:
    reasons = []
    for name, found in costs.items():
        words = name.replace("_", " ")
        if found.get("cost", 0.0) > 100 * MOST_LOST:
            low, high = found["cost_interval"]
            reasons.append(f"{words} costs {found['cost']:.1f} points of skilled EER [{low:+.1f}, {high:+.1f}]")
        if found["queries_lost"] > 100 * MOST_LOST:
            reasons.append(f"{words}: {found['queries_lost']:.1f} % of the queries yield no signature any more")
    numbers = {
        "n_references": n_references,
        "writers": len(np.unique(plain.writer_id)),
        "queries": len(np.unique(plain.query_id)),
        "by_stress": costs,
    }
    return Control("stress", "warning" if reasons else "valid", tuple(reasons), numbers)


def _read(store: Store, verifier: Any, embedded: Embedded, sample: Sample) -> list[tuple[Any, float | None]]:
    """Grey pixels and resolution (dpi, where the catalogue knows it) of each sampled query's scan."""
    rows = embedded.signatures.iloc[sample.row]
    known = rows["dpi"] if "dpi" in rows else [None] * len(rows)
    settings = verifier.settings.preprocessing
    return [
        (read_scan(store.read_image(url), settings), float(dpi) if dpi and np.isfinite(dpi) else None)
        for url, dpi in zip(rows["image_url"], known, strict=True)
    ]


def _stressed(stress: Stress, image: Any, dpi: float | None, seed: int, position: int) -> bytes:
    return stress(image, dpi, np.random.default_rng([seed, zlib.crc32(stress.__name__.encode()), position]))


def _both_kinds(plain: ScoredTrials, usable: np.ndarray) -> bool:
    return all((plain.kind[usable] == kind.value).any() for kind in KINDS)


def _scored(verifier: Any, trials: Trials, embedded: Embedded, sample: Sample, queries: Floats) -> ScoredTrials:
    """The sampled trials with `queries` (t, d) in place of the queries' own embeddings; references unchanged."""
    template, position = np.unique(trials.template[sample.trial], return_inverse=True)
    rows = rows_of(trials, embedded.signatures["signature_id"])[trials.references[template]]  # (templates, k)
    held = np.concatenate([embedded.embeddings[rows.ravel()], queries])
    references = np.arange(rows.size).reshape(rows.shape)
    query = rows.size + np.arange(len(queries))
    drawn = trials.query[sample.trial]
    return ScoredTrials(
        score=verifier.scorer.score_trials(held, references, query, position),
        kind=trials.kind[sample.trial],
        writer_id=trials.template_writer[trials.template[sample.trial]],
        n_references=np.full(len(queries), trials.n_references),
        query_id=trials.signature_id[drawn],
    )
