"""Control 2, nuisance with references: does a query that merely looks like eight references in pen and size pass?

In the public sets a writer signs with one pen in one sitting and the forger uses another, so numbers that say nothing
without references give the forger away beside them (stroke width on BHSig260 Bengali: EER 47 without, 11 with eight).
The probe compares a query's numbers with those of the references; it is fitted, chosen and judged as in
evaluation.probing. EER >= 30 passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sigverify.errors import TooFewWriters
from sigverify.evaluation.control import Control, did_not_run, interval_in_per_cent
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.intervals import WrittenScores, bootstrap_over_writers
from sigverify.evaluation.metrics import eer, eer_rate
from sigverify.evaluation.network_input import NUISANCES
from sigverify.evaluation.nuisance import RESAMPLES, Probe
from sigverify.evaluation.probing import LOGISTIC, OUTER, Numbers, held_out
from sigverify.evaluation.scoring_trials import rows_of
from sigverify.evaluation.trials import QUERIES_LEFT, Trials, draw_trials
from sigverify.records import Ints, Label, TrialKind

if TYPE_CHECKING:
    import pandas as pd

REFERENCES, DRAWS = 8, 3
SMALLEST_EER = 0.30
FEATURES = 4  # of each number: signed and absolute difference from the mean, in spreads, nearest reference
_PRIOR = 3.0  # references' worth of the set's usual spread mixed into each template's own
_FARTHEST = 20.0  # spreads: a difference beyond says no more


def compare_numbers(numbers: Numbers, references: Ints, query: Ints, template: Ints) -> Numbers:
    """Features (t, 4 f) of trials: how a query's `numbers` (n, f) differ from those of its template's references.

    `references` (templates, k) and `query` (t,) index the rows, `template` (t,) indexes `references`. For each number:
    q - mean, |q - mean|, |q - mean| / spread, min |q - r|; all differences in the set's usual spread within a template.
    """
    held = numbers[references]  # (templates, k, f)
    k = references.shape[1]
    own = held.var(axis=1, ddof=1) if k > 1 else np.zeros((len(references), numbers.shape[1]))
    usual = own.mean(axis=0) if k > 1 else numbers.var(axis=0)
    scale = np.sqrt(np.maximum(usual, 1e-12))
    spread = np.sqrt(((k - 1) * own + _PRIOR * usual) / (k - 1 + _PRIOR))
    asked = numbers[query]
    signed = (asked - held.mean(axis=1)[template]) / scale
    nearest = np.abs(asked[:, None] - held[template]).min(axis=1) / scale
    in_spreads = np.abs(signed) * scale / np.maximum(spread[template], 1e-6)
    found = np.stack([signed, np.abs(signed), in_spreads, nearest], axis=2)
    features: Numbers = np.clip(found, -_FARTHEST, _FARTHEST).reshape(len(query), -1)
    return features


def reference_probe(numbers: Numbers, names: Sequence[str], trials: Trials, seed: int = 0) -> Probe:
    """Probe `numbers` (n, f), rows in the order of the trials' signatures, on the genuine and skilled trials.

    `single` is the EER of each number's comparison alone. Raises TooFewWriters below 10 claimed writers.
    """
    kept = np.isin(trials.kind, [TrialKind.GENUINE.value, TrialKind.SKILLED_FORGERY.value])
    query, template = trials.query[kept], trials.template[kept]
    genuine = trials.kind[kept] == TrialKind.GENUINE.value
    writers = trials.template_writer[template]
    features = compare_numbers(np.nan_to_num(np.asarray(numbers, np.float64)), trials.references, query, template)
    score, chosen = held_out(features, genuine, writers, seed)
    left, right = (WrittenScores(score[side], writers[side]) for side in (genuine, ~genuine))
    interval = bootstrap_over_writers(left, right, {"eer": eer_rate}, resamples=RESAMPLES, seed=seed)["eer"]
    single = {}
    for i, name in enumerate(names):
        own = features[:, FEATURES * i : FEATURES * (i + 1)]
        alone, _ = held_out(own, genuine, writers, seed, models=(LOGISTIC,))
        single[name] = eer(alone[genuine], alone[~genuine]).rate
    return Probe(eer(score[genuine], score[~genuine]).rate, interval, tuple(chosen), single)


def draw_reference_trials(
    signatures: pd.DataFrame, near_duplicates: Iterable[tuple[str, str]] = (), seed: int = 0
) -> Trials:
    """Genuine and skilled trials with 8 references, or the largest number that enough writers have signatures for.

    Enough: half of the writers with skilled forgeries, and 10. Raises TooFewWriters where one reference is too many.
    """
    rows = signatures[signatures["duplicate_of"].isna()]
    forged = set(rows.loc[rows["label"] == Label.SKILLED_FORGERY.value, "writer_id"])
    genuine = rows[(rows["label"] == Label.GENUINE.value) & rows["writer_id"].isin(forged)].groupby("writer_id").size()
    enough = max(2 * OUTER, (len(forged) + 1) // 2)
    numbers = [k for k in range(1, REFERENCES + 1) if int((genuine >= k + QUERIES_LEFT).sum()) >= enough]
    if not numbers:
        raise TooFewWriters(
            "too few writers for a nuisance probe with references",
            got=f"{int((genuine >= 1 + QUERIES_LEFT).sum())} writers with skilled forgeries and 3 genuine signatures",
            expected=f"at least {enough}",
        )
    return draw_trials(signatures, max(numbers), DRAWS, seed, near_duplicates, 0, sorted(forged))


def nuisance_reference_control(
    embedded: Embedded,
    near_duplicates: Iterable[tuple[str, str]] = (),
    seed: int = 0,
    redrawn: Control | None = None,
) -> Control:
    """Control 2 on the network's own input. A probe below EER 30 needs `redrawn` (evaluation.stroke_redraw), valid.

    Without it the figure is unproven: what the probe reads may or may not be what the verifier reads.
    """
    name = "nuisance_with_references"
    columns = [c for c in NUISANCES if c in embedded.input]
    try:
        trials = draw_reference_trials(embedded.signatures, near_duplicates, seed)
        place = rows_of(trials, embedded.signatures["signature_id"])
        probe = reference_probe(embedded.input[columns].to_numpy()[place], columns, trials, seed)
    except TooFewWriters as error:
        return did_not_run(name, str(error))
    numbers = {
        "eer": round(100 * probe.eer, 2),
        "interval": interval_in_per_cent(probe.interval),
        "n_references": trials.n_references,
        "models": sorted(set(probe.chosen)),
        "single_number_eer": {n: round(100 * r, 2) for n, r in sorted(probe.single.items(), key=lambda item: item[1])},
    }
    if redrawn is not None and redrawn.status != "not_run":
        numbers["stroke_redrawn"] = redrawn.numbers
    status, reasons = _judged(probe, trials.n_references, redrawn)
    return Control(name, status, reasons, numbers)


def _judged(probe: Probe, k: int, redrawn: Control | None) -> tuple[str, tuple[str, ...]]:
    if probe.eer >= SMALLEST_EER:
        return "valid", ()
    best = min(probe.single, key=lambda name: probe.single[name], default="")
    found = f"a probe that compares pen and ink with {k} references reaches EER {probe.eer:.1%}, less than 30%"
    found += f" (most by {best})" if best else ""
    if redrawn is None or redrawn.status == "not_run":
        return "unproven", (found, "strokes were not re-drawn: run all controls to see whether the verifier needs this")
    if redrawn.status == "valid":
        return "valid", ()
    return ("invalid" if redrawn.status == "invalid" else "unproven"), (found, *redrawn.reasons)
