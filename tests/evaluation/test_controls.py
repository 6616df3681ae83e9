"""Each control on planted systems and data: what must be caught is caught, what is sound passes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigverify.config import PreprocessingSettings
from sigverify.errors import TooFewWriters
from sigverify.evaluation.controls import nuisance_control, order_control, reference_control
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.intervals import WrittenScores
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.network_input import NUISANCES, SHAPES, describe_input
from sigverify.evaluation.nuisance import nuisance_probe
from sigverify.evaluation.wrong_reference import Sides, draw_wrong_references, wrong_reference_control
from sigverify.records import TrialKind
from sigverify.scans.place import place
from sigverify.scoring.scored_trials import ScoredTrials
from tests.evaluation.planted import signatures, system


def run(kind: str):
    scorer, trials, scored, embedded = system(kind)
    genuine, skilled = scored.of(TrialKind.GENUINE).score, scored.of(TrialKind.SKILLED_FORGERY).score
    threshold = eer(genuine, skilled).threshold
    return reference_control(scorer, trials, scored, embedded, threshold, 0.001, resamples=200)


def test_a_system_that_ignores_its_reference_is_caught():
    control = run("ignores")
    assert control.status == "invalid"
    assert control.numbers["retained_interval"][0] > 0.5
    assert control.numbers["auc_wrong"] > 0.9
    assert control.numbers["accepted_genuine"] > 50


def test_a_sound_system_passes():
    control = run("sound")
    assert control.status in ("valid", "warning"), control
    assert control.numbers["auc_right"] > 0.9
    assert abs(control.numbers["auc_wrong"] - 0.5) < 0.1
    assert control.numbers["retained_interval"][1] < 0.5
    assert control.numbers["accepted_genuine"] < 1


def test_a_legitimate_line_quality_cue_is_a_warning_not_a_verdict():
    control = run("quality")
    assert control.status == "warning", control
    assert control.numbers["auc_wrong_interval"][0] > 0.5
    assert control.numbers["accepted_genuine"] < 1


def test_accepting_strangers_is_invalid_even_at_chance_auc():
    rng = np.random.default_rng(0)
    names = np.array([f"w{i}" for i in range(10)])
    own = np.repeat(names, 20)
    claimed, author = np.repeat(names, 20), np.tile(names, 20)
    apart = claimed != author
    right = Sides(WrittenScores(rng.normal(3, 1, 200), own), WrittenScores(rng.normal(0, 1, 200), own))
    strangers = [WrittenScores(rng.normal(2, 1, int(apart.sum())), claimed[apart], author[apart]) for _ in range(2)]
    wrong = Sides(*strangers)
    assert wrong_reference_control(right, wrong, None, resamples=100).status == "valid"
    found = wrong_reference_control(right, wrong, accept=1.5, resamples=100)
    assert found.status == "invalid" and len(found.reasons) == 2
    assert "other writers' genuine signatures" in found.reasons[0]


def test_wrong_references_never_belong_to_the_writer_of_the_query():
    _, trials, _, _ = system("sound")
    query, template = draw_wrong_references(trials, per_template=3)
    authors, claimed = trials.writer_id[query], trials.template_writer[template]
    assert (authors != claimed).all()
    per_template = pd.DataFrame({"t": template, "a": authors}).groupby("t").a.nunique()
    assert (per_template == 3).all() and len(per_template) == len(trials.references)
    assert {"genuine", "skilled_forgery"} == set(trials.label[query])


def test_a_verifier_at_chance_has_no_retained_share():
    rng = np.random.default_rng(1)
    own = np.repeat([f"w{i}" for i in range(10)], 10)
    sides = Sides(WrittenScores(np.zeros(100), own), WrittenScores(np.zeros(100), own))
    other = rng.permutation(own)
    wrong = Sides(*(WrittenScores(s.score, own, other) for s in (sides.genuine, sides.skilled)))
    found = wrong_reference_control(sides, wrong, resamples=50)
    assert np.isnan(found.retained) and found.auc_wrong == 0.5 and found.status == "valid"


def numbers(cue: float, seed: int = 0):
    """One number of three differs by `cue` deviations between genuine and forged."""
    rows = signatures(20, 10, 10)
    rng = np.random.default_rng(seed)
    genuine = (rows.label == "genuine").to_numpy()
    table = rng.normal(size=(len(rows), 3))
    table[:, 1] += cue * genuine
    return table, genuine, rows.writer_id


def test_a_planted_scanner_cue_is_found_on_unseen_writers():
    table, genuine, writers = numbers(cue=3.0)
    probe = nuisance_probe(table, ["a", "cue", "b"], genuine, writers)
    assert not probe.valid and probe.eer < 0.12
    assert min(probe.single, key=lambda name: probe.single[name]) == "cue"
    assert probe.single["cue"] == pytest.approx(0.067, abs=0.04)  # Phi(-1.5)
    assert probe.interval.low <= probe.eer <= probe.interval.high


def test_a_cue_that_no_line_can_cut_is_found_too():
    table, genuine, writers = numbers(cue=0.0)
    table[:, 0] = np.where(genuine, 1, 3) * np.sign(table[:, 0] + 1e-9)  # forged further out on both sides
    probe = nuisance_probe(table, ["a", "b", "c"], genuine, writers)
    assert probe.eer < 0.05 and set(probe.chosen) == {"gradient boosting"}


def test_no_cue_passes_and_a_writers_own_level_is_not_a_cue():
    table, genuine, writers = numbers(cue=0.0)
    table[:, 2] += 10 * pd.factorize(writers)[0]
    assert nuisance_probe(table, ["a", "b", "c"], genuine, writers).valid


def test_the_probe_needs_writers():
    table, genuine, writers = numbers(0.0)
    with pytest.raises(TooFewWriters, match="nuisance probe"):
        nuisance_probe(table[:40], ["a", "b", "c"], genuine[:40], writers[:40])


def described(paper_of_forged: int) -> Embedded:
    rng = np.random.default_rng(0)
    rows = signatures(12, 6, 6)
    images = []
    for label in rows.label:
        image = np.zeros((48, 96), np.uint8)
        image[20:24, 10 : 10 + int(rng.integers(40, 80))] = 255
        image[image == 0] = paper_of_forged if label == "skilled_forgery" else 0
        images.append(image)
    inner = pd.DataFrame([describe_input(image) for image in images])
    return Embedded(rows, np.zeros((len(rows), 4), np.float32), inner, inner, 0, {})


def test_a_network_that_could_read_the_paper_is_caught_at_its_input():
    dirty = nuisance_control(described(paper_of_forged=9), "input")
    assert dirty.status == "invalid" and dirty.numbers["single_number_eer"]["paper_level"] == 0
    assert nuisance_control(described(paper_of_forged=9), "scan").status == "reported"
    assert nuisance_control(described(paper_of_forged=0), "input").status == "valid"


def test_input_numbers_measure_what_they_say():
    image = np.zeros((40, 80), np.uint8)
    image[10:16, 5:75] = 255
    found = describe_input(image)
    assert set(found) == {*NUISANCES, *SHAPES}
    assert found["stroke_width_px"] == pytest.approx(6, rel=0.25)
    assert (found["crop_height_px"], found["crop_width_px"], found["ink_density"]) == (6, 70, 1)
    assert found["paper_level"] == 0 and found["ink_mean"] == 255 and found["grey_levels"] == 2
    assert set(describe_input(np.zeros((4, 4), np.uint8)).values()) == {0.0}


def ordered(skilled: float, random: float) -> ScoredTrials:
    rng = np.random.default_rng(0)
    names = np.array([f"w{i}" for i in range(15)])
    claimed, author = np.repeat(names, 15), np.tile(names, 15)
    apart = claimed != author
    own = np.repeat(names, 20)
    score = [rng.normal(2, 1, 300), rng.normal(skilled, 1, 300), rng.normal(random, 1, int(apart.sum()))]
    kind = np.repeat(["genuine", "skilled_forgery", "random_forgery"], [len(s) for s in score])
    n = len(kind)
    writer, other = np.concatenate([own, own, claimed[apart]]), np.concatenate([own, own, author[apart]])
    return ScoredTrials(np.concatenate(score), kind, writer, np.ones(n), np.arange(n).astype(str), other)


def test_forgeries_that_are_easier_than_strangers_are_a_warning():
    assert order_control(ordered(skilled=-2, random=0)).status == "warning"
    assert order_control(ordered(skilled=1, random=-1)).status == "valid"


def test_no_stranger_accepted_is_no_zero_interval():
    scorer, trials, scored, embedded = system("sound")
    control = reference_control(scorer, trials, scored, embedded, 2.0, 0.001, resamples=20)  # above every score
    wrong = control.trials
    for kind, name in (("genuine", "genuine"), ("skilled_forgery", "skilled")):
        distinct = len(np.unique(wrong.query_id[wrong.kind == kind]))
        assert control.numbers[f"accepted_{name}"] == 0
        expected = 100 * (1 - 0.05 ** (1 / distinct))
        assert control.numbers[f"accepted_{name}_interval"] == pytest.approx([0, expected], abs=1e-2)


@pytest.mark.parametrize("stroke_width", [0.0, 3.0])
def test_crop_size_on_the_canvas_is_aspect_over_again(stroke_width):
    """One drawing scanned at three resolutions: one crop size on the canvas, filled in one direction."""
    settings = PreprocessingSettings(stroke_width_px=stroke_width)
    found = []
    for scale in (1, 2, 4):
        mask = np.zeros((60 * scale, 150 * scale), bool)
        mask[:, : 6 * scale] = mask[:, -6 * scale :] = mask[: 6 * scale] = mask[-6 * scale :] = True
        found.append(describe_input(place(mask, np.full(mask.shape, 200, np.uint8), settings)))
    for name in ("crop_height_px", "crop_width_px"):
        assert np.ptp([numbers[name] for numbers in found]) <= 2, found
    assert max(numbers["aspect"] for numbers in found) == pytest.approx(2.5, abs=0.1)
