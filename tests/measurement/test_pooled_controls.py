"""Controls of several folds judged once over all writers: what five small judgements would overstate, one does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigverify.config import OperatingPoint, Policy, ScoringSettings
from sigverify.evaluation.benchmark import BenchmarkResult
from sigverify.evaluation.control import Control, did_not_run
from sigverify.evaluation.controls import reference_control
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.reference_free import reference_free_control
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.stroke_redraw import stroke_redraw_control
from sigverify.evaluation.trials import draw_trials
from sigverify.measurement.keeping import keep, kept
from sigverify.measurement.pooled_controls import pooled_controls
from sigverify.scoring.operating_point import choose_operating_point
from sigverify.scoring.scored_trials import ScoredTrials
from sigverify.scoring.scorer import Scorer
from tests.evaluation.planted import embeddings, signatures

K = 3
SCORER = Scorer(ScoringSettings(normalisation="none"))
EASY = Policy(max_far_skilled=0.2, max_far_random=0.01, max_frr_auto=0.2, min_calibration_writers=4)


def fold(number: int, kind: str = "sound", cue: float = 0.0):
    """12 writers of its own, a verifier of its own; the network's input says `cue` deviations about forgeries."""
    rows = signatures(12, 8, 6).assign(dataset="planted")
    rows = rows.assign(**{c: f"f{number}/" + rows[c] for c in ("writer_id", "signature_id")})
    vectors, rng = embeddings(rows, kind, seed=number), np.random.default_rng(number)
    genuine = (rows.label == "genuine").to_numpy()
    inner = pd.DataFrame({"ink_mean": rng.normal(size=len(rows)) + cue * genuine})
    embedded = Embedded(rows, vectors, inner, inner, 0, {})
    trials = draw_trials(rows, K, 2)
    scored = score_trials(SCORER, trials, vectors, rows["signature_id"])
    point = choose_operating_point(scored, EASY, "x")
    accept = next(t.accept for t in point.thresholds if t.n_references == K)
    redrawn = stroke_redraw_control(SCORER, vectors, embedded, {K: trials}, {K: scored}, resamples=20)
    controls = (
        Control("nuisance_with_references", "invalid", ("this fold alone says so",)),
        replace(redrawn, status="reported"),
        reference_control(SCORER, trials, scored, embedded, accept, EASY.max_far_random, resamples=20),
        reference_free_control(embedded, scored, resamples=20),
        did_not_run("stress", "ask for controls all"),
    )
    about = {"fold": number, "verifier_version": "v", "lane": "clean"}
    counts = {"removed_duplicates": 0, "failures_to_acquire": {}}
    return BenchmarkResult(about, counts, {}, {}, controls, (), {K: scored}, embedded=embedded), point


def pooled(folds):
    scored = {K: ScoredTrials.concatenate([result.scored[K] for result, _ in folds])}
    return {control.name: control for control in pooled_controls(folds, scored)}


@pytest.fixture(scope="module")
def folds():
    return [fold(number) for number in range(3)]


def test_all_folds_trials_are_judged_once(folds):
    found = pooled(folds)
    wrong = found["wrong_reference"]
    parts = [control for result, _ in folds for control in result.controls if control.name == "wrong_reference"]
    accepted = [c.trials.score[c.trials.kind == "genuine"] for c in parts]
    limits = [next(t.accept for t in point.thresholds if t.n_references == K) for _, point in folds]
    share = np.mean(np.concatenate([s >= limit for s, limit in zip(accepted, limits, strict=True)]))
    assert wrong.numbers["trials"] == sum(len(c.trials) for c in parts) and "folds" not in wrong.numbers
    assert wrong.numbers["accepted_genuine"] == pytest.approx(100 * share, abs=1e-2)
    widths = [np.ptp(c.numbers["auc_wrong_interval"]) for c in (wrong, *parts)]
    assert widths[0] < min(widths[1:])
    free = found["reference_free"]
    assert free.status == "valid" and free.numbers["n_references"] == K
    assert found["stress"] == folds[0][0].controls[-1]  # nobody asked in any fold: said once


def test_the_probe_beside_references_is_run_over_all_folds_inputs(folds):
    """One number of the input, the same for any network: its folds' own judgements are not asked."""
    plain = pooled(folds)["nuisance_with_references"]
    assert plain.status == "valid" and plain.numbers["eer"] >= 30 and "stroke_redrawn" in plain.numbers
    caught = pooled([fold(number, cue=6.0) for number in range(3)])["nuisance_with_references"]
    assert caught.numbers["eer"] < 30 and caught.status == "valid"  # strokes re-drawn cost nothing here
    free = [replace(r, controls=tuple(c for c in r.controls if c.name != "stroke_redrawn")) for r, _ in folds]
    cued = [replace(r, embedded=fold(i, cue=6.0)[0].embedded) for i, r in enumerate(free)]
    unproven = pooled([(r, point) for r, (_, point) in zip(cued, folds, strict=True)])["nuisance_with_references"]
    assert unproven.status == "unproven"


def test_systems_that_ignore_their_references_are_caught_together():
    found = pooled([fold(number, "ignores") for number in range(3)])
    assert found["wrong_reference"].status == found["reference_free"].status == "invalid"


def test_where_a_fold_kept_nothing_the_worst_fold_counts(folds):
    result, point = folds[0]
    bare = replace(result, embedded=None, controls=tuple(replace(c, trials=None) for c in result.controls))
    found = pooled([(bare, point), *folds[1:]])
    assert found["nuisance_with_references"].status == "invalid"
    assert list(found["wrong_reference"].numbers["folds"]) == ["0", "1", "2"]
    absent = replace(bare, controls=(did_not_run("wrong_reference", "too few writers"), *bare.controls[3:]))
    assert pooled([(absent, point), *folds[1:]])["wrong_reference"].status in ("unproven", "invalid")


def test_without_thresholds_nothing_is_accepted_and_kept_trials_come_back(folds, tmp_path):
    result, _ = folds[0]
    bare = [(r, OperatingPoint()) for r, _ in folds]
    assert "accepted_genuine" not in pooled(bare)["wrong_reference"].numbers
    keep(result, folds[0][1], "key", tmp_path / "kept")
    again, point = kept(tmp_path / "kept", "key")
    assert point == folds[0][1]
    for control, other in zip(result.controls, again.controls, strict=True):
        assert (control.trials is None) is (other.trials is None)
        if control.trials is not None:
            np.testing.assert_array_equal(control.trials.score, other.trials.score)
    one, other = (pooled([(r, folds[0][1]), *folds[1:]]) for r in (result, again))
    assert one["wrong_reference"] == other["wrong_reference"]
