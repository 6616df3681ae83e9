"""The controls printed beside every figure: what a verdict of valid, warning or invalid rests on.

1 nuisance without references (evaluation.nuisance), 2 nuisance with references (nuisance_references, stroke_redraw),
3 wrong reference (wrong_reference), 4 reference-free classifier (reference_free), 5 order: skilled forgeries must not
be easier than random ones, 6 stress (stress). 1 to 4 make a figure invalid, 5 and 6 warn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sigverify.config import OperatingPoint
from sigverify.errors import TooFewWriters
from sigverify.evaluation.control import Control, did_not_run, interval_in_per_cent
from sigverify.evaluation.drawing import near_pairs
from sigverify.evaluation.embedded import Embedded, Progress
from sigverify.evaluation.intervals import WrittenScores, bootstrap_draws, percentile_interval
from sigverify.evaluation.metrics import Scores, eer_rate
from sigverify.evaluation.network_input import NUISANCES, SHAPES
from sigverify.evaluation.nuisance import SMALLEST_EER, Probe, nuisance_probe
from sigverify.evaluation.nuisance_references import nuisance_reference_control
from sigverify.evaluation.raw_scan_proof import Expected, RawFinding, expected_of, proof_in_words, proven
from sigverify.evaluation.reference_free import reference_free_control
from sigverify.evaluation.scoring_trials import largest_up_to, rows_of, written
from sigverify.evaluation.stress import stress_control
from sigverify.evaluation.stroke_redraw import redrawn_embeddings, stroke_redraw_control
from sigverify.evaluation.trials import Trials
from sigverify.evaluation.wrong_reference import (
    Sides,
    WrongReference,
    draw_wrong_references,
    wrong_reference_control,
)
from sigverify.records import Label, TrialKind
from sigverify.scoring.operating_point import thresholds_for
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    from sigverify.storage.store import Store

__all__ = [
    "Control",
    "ControlSettings",
    "Level",
    "nuisance_control",
    "nuisance_probe",
    "order_control",
    "reference_control",
    "run_controls",
    "wrong_reference_control",
]

Level = Literal["quick", "all"]
EVERY = (  # the names of all controls of a verifier, in order; "parts" is the data's
    "nuisance_without_references_input", "nuisance_without_references_scan", "nuisance_with_references",
    "stroke_redrawn", "wrong_reference", "reference_free", "order", "stress",
)  # fmt: skip
ASK_FOR_ALL = "ask for controls all"
CONTROL_REFERENCES = 5  # the number of references that controls 3 to 6 are run with, or the largest below it


@dataclass(frozen=True)
class ControlSettings:
    """`level` "quick": controls 1 to 5 without preparing anything again; "all": also strokes re-drawn and stress."""

    level: Level = "quick"
    seed: int = 0
    workers: int = 0
    expected_raw: Expected | None = None  # None: KNOWN_RAW of the catalogue's data set, where it is a published one


def run_controls(
    store: Store,
    verifier: Any,
    trials: dict[int, Trials],
    scored: dict[int, ScoredTrials],
    embedded: Embedded,
    asked: ControlSettings,
    say: Progress = lambda stage, share: None,
) -> tuple[Control, ...]:
    """Every control, of trials by number of references and their scores; what `asked` leaves out says so."""
    k = largest_up_to(trials, CONTROL_REFERENCES)
    say("controls", 0.0)
    if not (embedded.signatures["label"] == Label.SKILLED_FORGERY.value).any():
        return tuple(did_not_run(name, "no skilled forgeries in these data") for name in EVERY)
    point: OperatingPoint = verifier.settings.operating_point
    accept = thresholds_for(point, k).accept if point.thresholds else None
    most, seed = point.policy.max_far_random, asked.seed
    expected = expected_of(embedded) if asked.expected_raw is None else asked.expected_raw
    raw = proven(store, verifier, embedded, expected, seed, asked.workers)
    redrawn, stress = (did_not_run(name, ASK_FOR_ALL) for name in ("stroke_redrawn", "stress"))
    if asked.level == "all":
        vectors = redrawn_embeddings(store, verifier, embedded, seed, asked.workers, say)
        redrawn = stroke_redraw_control(verifier.scorer, vectors, embedded, trials, scored, seed)
        stress = stress_control(store, verifier, trials[k], embedded, seed, asked.workers, say)
    say("controls", 0.5)
    return (
        nuisance_control(embedded, "input", seed, raw),
        nuisance_control(embedded, "scan", seed, raw),
        nuisance_reference_control(embedded, near_pairs(store), seed, redrawn),
        shown_apart(redrawn),
        reference_control(verifier.scorer, trials[k], scored[k], embedded, accept, most, seed),
        reference_free_control(embedded, scored[k], seed),
        order_control(scored[k], seed=seed),
        stress,
    )


def shown_apart(redrawn: Control) -> Control:
    """Strokes re-drawn, as a control of the list: reported, for control 2 judges it where its probe finds something."""
    return redrawn if redrawn.status == "not_run" else replace(redrawn, status="reported")


def nuisance_control(embedded: Embedded, of: str, seed: int = 0, raw: tuple[RawFinding, ...] = ()) -> Control:
    """Control 1 on the network's own input (`of` = "input", gated) or on the scans (`of` = "scan", reported).

    A probe that passes the input but missed what is known of the raw scans (`raw`) is unproven.
    """
    name = f"nuisance_without_references_{of}"
    table = embedded.input if of == "input" else embedded.scan
    rows = embedded.signatures
    columns = [c for c in (NUISANCES if of == "input" else table.columns) if c in table]
    genuine = (rows["label"] == Label.GENUINE.value).to_numpy()
    both = rows["writer_id"].isin(set(rows.loc[~genuine, "writer_id"])).to_numpy()
    sample = (genuine[both], rows.loc[both, "writer_id"], seed)
    try:
        probe = nuisance_probe(table.loc[both, columns].to_numpy(), columns, *sample)
        shapes = [c for c in SHAPES if c in table] if of == "input" else []
        shape = nuisance_probe(table.loc[both, shapes].to_numpy(), shapes, *sample) if shapes else None
    except TooFewWriters as error:
        return did_not_run(name, str(error))
    numbers = _probe_numbers(probe, shape) | _raw_numbers(raw)
    if of == "scan":
        return Control(name, "reported", (), numbers)
    if not probe.valid:
        found = f"a probe without references reaches EER {probe.eer:.1%}, less than {SMALLEST_EER:.0%}"
        return Control(name, "invalid", (found,), numbers)
    missed = tuple(finding.in_words() for finding in raw if finding.missed)
    return Control(name, "unproven" if missed else "valid", missed, numbers)


def reference_control(
    scorer: Any,
    trials: Trials,
    scored: ScoredTrials,
    embedded: Embedded,
    accept: float | None,
    max_far_random: float,
    seed: int = 0,
    resamples: int = 1000,
) -> Control:
    """Control 3 on one number of references; `accept` is the verifier's own threshold for it, None without one."""
    try:
        query, template = draw_wrong_references(trials, seed=seed)
    except TooFewWriters as error:
        return did_not_run("wrong_reference", str(error))
    held = embedded.embeddings[rows_of(trials, embedded.signatures["signature_id"])]
    wrong = ScoredTrials(
        score=np.asarray(scorer.score_trials(held, trials.references, query, template), np.float64),
        kind=trials.label[query],  # genuine and skilled_forgery are called alike as labels and as kinds
        writer_id=trials.template_writer[template],
        n_references=np.full(len(query), trials.n_references),
        query_id=trials.signature_id[query],
        query_writer_id=trials.writer_id[query],
    )
    limits = None if accept is None else np.full(len(wrong), accept)
    return judged_wrong_references(scored, wrong, limits, max_far_random, seed, resamples)


def judged_wrong_references(
    scored: ScoredTrials,
    wrong: ScoredTrials,
    accept: Scores | None,
    max_far_random: float,
    seed: int = 0,
    resamples: int = 1000,
) -> Control:
    """Control 3 of trials scored already, with right (`scored`) and `wrong` references; `accept` (t,) of the wrong."""
    kinds = (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY)
    own, forged = (wrong.of(kind) for kind in kinds)
    left, other = (WrittenScores(part.score, part.writer_id, part.query_writer_id) for part in (own, forged))
    others = Sides(left, other, (len(np.unique(own.query_id)), len(np.unique(forged.query_id))))
    right = Sides(written(scored, kinds[0]), written(scored, kinds[1]))
    genuine = wrong.kind == TrialKind.GENUINE.value
    limits = None if accept is None else (accept[genuine], accept[~genuine])
    found = wrong_reference_control(right, others, limits, max_far_random, resamples=resamples, seed=seed)
    numbers = _reference_numbers(found, int(wrong.n_references[0]), len(wrong))
    return Control("wrong_reference", found.status, found.reasons, numbers, wrong)


def order_control(scored: ScoredTrials, resamples: int = 500, seed: int = 0) -> Control:
    """Control 5: a warning when random forgeries are harder than skilled ones, by the paired interval of the EERs."""
    kinds = (TrialKind.RANDOM_FORGERY, TrialKind.SKILLED_FORGERY)
    if any(not len(scored.of(kind)) for kind in kinds):
        return did_not_run("order", "it needs random and skilled forgeries")
    writers = np.unique(np.concatenate([scored.writer_id, scored.query_writer_id])).tolist()
    genuine = written(scored, TrialKind.GENUINE)
    paired: dict[str, Any] = {"resamples": resamples, "seed": seed, "writers": writers}
    random, skilled = (bootstrap_draws(genuine, written(scored, k), {"eer": eer_rate}, **paired)["eer"] for k in kinds)
    interval = percentile_interval(random - skilled)
    reasons = ("random forgeries are harder than skilled ones",) if interval.low > 0 else ()
    numbers = {"random_minus_skilled_eer": interval_in_per_cent(interval)}
    return Control("order", "warning" if reasons else "valid", reasons, numbers)


def _probe_numbers(probe: Probe, shape: Probe | None) -> dict[str, Any]:
    single = {name: round(100 * rate, 2) for name, rate in sorted(probe.single.items(), key=lambda item: item[1])}
    numbers: dict[str, Any] = {
        "eer": round(100 * probe.eer, 2),
        "interval": interval_in_per_cent(probe.interval),
        "models": sorted(set(probe.chosen)),
        "single_number_eer": single,
    }
    if shape is not None:
        numbers["shape_eer_not_gated"] = round(100 * shape.eer, 2)
        numbers["shape_single_eer"] = {name: round(100 * rate, 2) for name, rate in shape.single.items()}
    return numbers


def _raw_numbers(raw: tuple[RawFinding, ...]) -> dict[str, Any]:
    both = {
        " and ".join(f.numbers): {"known": 100 * f.expected, "found": round(100 * f.found, 2), "writers": f.writers}
        for f in raw
    }
    return {"proof": proof_in_words(raw)} | ({"known_of_raw_scans": both} if raw else {})


def _reference_numbers(found: WrongReference, n_references: int, n: int) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "n_references": n_references,
        "trials": n,
        "auc_wrong": round(found.auc_wrong, 4),
        "auc_wrong_interval": [round(found.auc_wrong_interval.low, 4), round(found.auc_wrong_interval.high, 4)],
        "auc_right": round(found.auc_right, 4),
        "retained_share": _finite(found.retained),
        "retained_interval": [_finite(found.retained_interval.low), _finite(found.retained_interval.high)],
    }
    for name, rate in (("genuine", found.accepted_genuine), ("skilled", found.accepted_skilled)):
        if rate is not None:
            numbers[f"accepted_{name}"] = round(100 * rate[0], 3)
            numbers[f"accepted_{name}_interval"] = interval_in_per_cent(rate[1])
    return numbers


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
