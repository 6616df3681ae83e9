"""Control 2's probe: what lies in the comparison with references only is found, what does not is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigverify.errors import TooFewWriters
from sigverify.evaluation.control import Control, did_not_run
from sigverify.evaluation.nuisance import nuisance_probe
from sigverify.evaluation.nuisance_references import (
    compare_numbers,
    draw_reference_trials,
    nuisance_reference_control,
    reference_probe,
)
from sigverify.evaluation.scoring_trials import rows_of
from tests.evaluation.planted import signatures, system


def pens(cue: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Every writer has a pen of its own; the forger's differs by +-cue spreads. Alone, a number says nothing."""
    rng = np.random.default_rng(seed)
    rows = signatures(14, 11, 8)
    level = dict(zip(rows.writer_id.unique(), rng.normal(0, 10, 14), strict=True))
    side = dict(zip(rows.writer_id.unique(), rng.choice([-1, 1], 14), strict=True))
    forged = (rows.label == "skilled_forgery").to_numpy()
    pen = rows.writer_id.map(level) + cue * rows.writer_id.map(side) * forged + rng.normal(size=len(rows))
    return rows, np.stack([rng.normal(size=len(rows)), pen], axis=1)


def test_a_pen_that_only_references_betray_is_found():
    rows, numbers = pens(cue=4.0)
    trials = draw_reference_trials(rows)
    assert trials.n_references == 8 and set(trials.kind) == {"genuine", "skilled_forgery"}
    probe = reference_probe(numbers[rows_of(trials, rows.signature_id)], ["noise", "pen"], trials)
    assert probe.eer < 0.10 and probe.single["pen"] < 0.10 and probe.single["noise"] > 0.35
    genuine = (rows.label == "genuine").to_numpy()
    assert nuisance_probe(numbers, ["noise", "pen"], genuine, rows.writer_id).valid


def test_one_pen_for_all_passes():
    rows, numbers = pens(cue=0.0)
    trials = draw_reference_trials(rows)
    assert reference_probe(numbers[rows_of(trials, rows.signature_id)], ["noise", "pen"], trials).eer > 0.35


def test_comparison_against_a_slow_oracle():
    rng = np.random.default_rng(3)
    numbers, references = rng.normal(size=(20, 2)), np.array([[0, 1, 2], [5, 6, 7]])
    found = compare_numbers(numbers, references, np.array([10, 11]), np.array([0, 1]))
    usual = np.mean([numbers[r].var(axis=0, ddof=1) for r in references], axis=0)
    for t, (query, template) in enumerate(((10, 0), (11, 1))):
        for f in range(2):
            held = numbers[references[template], f]
            off = numbers[query, f] - held.mean()
            spread = np.sqrt((2 * held.var(ddof=1) + 3 * usual[f]) / 5)
            scale = np.sqrt(usual[f])
            slow = [off / scale, abs(off) / scale, abs(off) / spread, min(abs(numbers[query, f] - held)) / scale]
            assert found[t, 4 * f : 4 * f + 4] == pytest.approx(slow)


def test_the_unit_of_a_number_and_a_constant_one_do_not_matter():
    rng = np.random.default_rng(4)
    numbers, references, query = rng.normal(size=(30, 2)), np.arange(16).reshape(2, 8), np.array([20, 21, 22])
    template = np.array([0, 1, 1])
    before = compare_numbers(numbers, references, query, template)
    np.testing.assert_allclose(compare_numbers(7 * numbers - 3, references, query, template), before)
    assert (compare_numbers(np.ones((30, 1)), references, query, template) == 0).all()


def test_fewer_references_where_writers_have_fewer_and_none_is_an_error():
    assert draw_reference_trials(signatures(12, 6, 3)).n_references == 4
    mixed = pd.concat([signatures(12, 12, 3), signatures(30, 5, 3).assign(writer_id=lambda d: "q" + d.writer_id)])
    mixed = mixed.assign(signature_id=[f"{w}/{i}" for i, w in enumerate(mixed.writer_id)])
    assert draw_reference_trials(mixed).n_references == 3  # 12 of 42 are not enough for 8
    with pytest.raises(TooFewWriters, match="with references"):
        draw_reference_trials(signatures(5, 12, 3))


def redrawn(status: str) -> Control:
    return Control("stroke_redrawn", status, ("rises by 9 points",) if status == "invalid" else (), {})


@pytest.mark.parametrize(
    ("cue", "again", "status"),
    [
        (0, None, "valid"),
        (5, None, "unproven"),
        (5, did_not_run("stroke_redrawn", "nobody asked"), "unproven"),
        (5, redrawn("valid"), "valid"),
        (5, redrawn("invalid"), "invalid"),
    ],
)
def test_the_verdict_rests_on_the_probe_then_on_strokes_re_drawn(cue, again, status):
    _, _, _, embedded = system("sound")
    rows, numbers = pens(cue)
    held = replace(embedded, signatures=rows, input=pd.DataFrame(numbers, columns=["ink_mean", "stroke_width_px"]))
    control = nuisance_reference_control(held, redrawn=again)
    assert control.status == status, control
    assert control.numbers["n_references"] == 8
    if status in ("unproven", "invalid"):
        assert "stroke_width_px" in control.reasons[0]
