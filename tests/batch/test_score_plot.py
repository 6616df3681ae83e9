"""The histogram counts every score once; positions keep the order of scores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sigverify.batch.score_plot import BINS, LABEL_SHARE, Axis, axis_of, histogram


def test_every_score_is_in_one_bar_of_its_outcome():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=500)
    outcomes = rng.choice(["accept", "refer", "reject"], 500)
    plot = histogram(scores.tolist(), outcomes.tolist(), [1.0] * 500, [-1.0] * 500)
    for outcome in ("accept", "refer", "reject"):
        assert sum(b.count for b in plot.bars if b.outcome == outcome) == np.sum(outcomes == outcome)
    tops = {b.left: max(c.bottom + c.height for c in plot.bars if c.left == b.left) for b in plot.bars}
    assert max(tops.values()) == pytest.approx(1.0)
    counts = np.histogram(scores, np.linspace(plot.axis.low, plot.axis.high, BINS + 1))[0]
    assert plot.tallest == counts.max()


def test_stacked_bars_do_not_overlap():
    plot = histogram([1.0, 1.0, 1.0, 2.0], ["accept", "refer", "reject", "accept"], [], [])
    first = sorted((b for b in plot.bars if b.left < 0.5), key=lambda b: b.bottom)
    assert [b.outcome for b in first] == ["reject", "refer", "accept"]
    assert [b.bottom for b in first[1:]] == pytest.approx([b.bottom + b.height for b in first[:-1]])


@pytest.mark.parametrize("scores", [[], [0.3], [0.3, 0.3], [-5.0, 1e6], [math.inf, 1.0, 2.0]])
def test_an_axis_for_any_scores(scores):
    axis = axis_of(scores)
    places = [axis.place(s) for s in sorted(scores)]
    assert places == sorted(places)
    assert all(0 <= p <= 1 for p in places)
    marks = axis.ticks()
    assert 2 <= len(marks) <= 9
    assert [m for m, _ in marks] == sorted(m for m, _ in marks)
    assert len({label for _, label in marks}) == len(marks)


def test_ticks_stand_where_their_labels_say():
    axis = Axis(-1.3, 4.1)
    for place, label in axis.ticks():
        assert axis.place(float(label)) == pytest.approx(place)


def test_bands_span_the_thresholds_that_were_used():
    plot = histogram([0.0, 1.0], ["reject", "accept"], [0.8, 0.9, math.inf], [0.1])
    (reject, accept) = plot.bands
    assert (reject[0], accept[0]) == ("reject below", "accept from")
    assert reject[1] == reject[2] == plot.axis.place(0.1)
    assert accept[1:] == (plot.axis.place(0.8), plot.axis.place(0.9))


@pytest.mark.parametrize(
    ("reject", "accept"), [(0.1, 0.9), (0.98, 1.0), (0.0, 0.01), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0)]
)
def test_names_of_thresholds_are_inside_the_plot_and_apart(reject, accept):
    plot = histogram([0.0, 1.0], ["reject", "accept"], [accept], [reject])
    spans = {n: (p - LABEL_SHARE, p) if anchor == "end" else (p, p + LABEL_SHARE) for n, p, anchor in plot.labels}
    assert all(low >= -1e-9 and high <= 1 + 1e-9 for low, high in spans.values())
    assert spans["reject below"][1] <= spans["accept from"][0] + 1e-9


def test_nothing_to_show():
    plot = histogram([], [], [], [])
    assert (plot.bars, plot.bands, plot.tallest) == ((), (), 0)
