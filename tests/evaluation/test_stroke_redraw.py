"""Strokes re-drawn: widths become what was asked, centre lines stay, and only a verifier that reads the pen suffers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from sigverify.evaluation.embedded import embed_signatures
from sigverify.evaluation.nuisance_references import nuisance_reference_control
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.stroke_redraw import (
    redraw,
    redraw_at_random,
    redrawn_embeddings,
    stroke_redraw_control,
    stroke_width,
)
from sigverify.evaluation.trials import draw_trials
from tests.evaluation.planted_scans import Eyes, fill, pen_of, shape_of


def bar(width_px: int, ink: int = 255) -> np.ndarray:
    image = np.zeros((96, 192), np.uint8)
    image[40 : 40 + width_px, 20:170] = ink
    image[20:80, 60 : 60 + width_px] = ink
    return image


@pytest.mark.parametrize("change", [-4, -2, 0, 1, 3])
def test_strokes_change_by_what_is_asked_and_keep_their_ink(change):
    before = bar(7)
    after = redraw(before, change)
    assert after[:, 100].sum() / 255 == pytest.approx(7 + change, abs=0.75)  # across the level bar
    assert stroke_width(after) - stroke_width(before) == pytest.approx(change, abs=1)
    assert redraw(bar(7, ink=180), change).max() == pytest.approx(180, abs=2)
    if change == 0:
        assert np.abs(after.astype(int) - before).mean() < 3


def test_no_stroke_is_lost_however_thin_it_becomes():
    thin = redraw(bar(2), -6)
    assert ndimage.label(thin > 60, np.ones((3, 3)))[1] == 1 and (thin[:, 25:165].max(axis=0) > 100).all()
    empty = np.zeros((96, 192), np.uint8)
    assert (redraw(empty, 2) == 0).all()


def test_drawn_widths_say_nothing_about_the_old_ones():
    images = [bar(w) for w in np.repeat([3, 4, 5, 6, 7, 8], 12)]
    before = np.array([stroke_width(i) for i in images])
    after = np.array([stroke_width(i) for i in redraw_at_random(images, before, seed=1)])
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.3
    assert after.std() == pytest.approx(before.std(), rel=0.3) and after.mean() == pytest.approx(before.mean(), abs=0.6)


def controls(store, see, pens_differ: bool):
    verifier = Eyes(see, see.__name__)
    embedded = embed_signatures(store, verifier, fill(store, pens_differ), workers=0)
    trials = {3: draw_trials(embedded.signatures, 3, draws=2)}
    ids = embedded.signatures["signature_id"]
    scored = {3: score_trials(verifier.scorer, trials[3], embedded.embeddings, ids)}
    again = redrawn_embeddings(store, verifier, embedded)
    redrawn = stroke_redraw_control(verifier.scorer, again, embedded, trials, scored, resamples=50)
    return redrawn, nuisance_reference_control(embedded, redrawn=redrawn)


def test_a_verifier_that_reads_the_pen_is_caught_where_forgers_use_another(store):
    redrawn, control = controls(store, pen_of, pens_differ=True)
    cost = redrawn.numbers["by_references"]["3"]
    assert cost["eer"] < 10 and cost["eer_redrawn"] > 30
    assert control.status == "invalid" and control.numbers["single_number_eer"]["stroke_width_px"] < 10, control


def test_a_verifier_that_reads_the_hand_stays_valid_on_the_same_data(store):
    redrawn, control = controls(store, shape_of, pens_differ=True)
    assert control.numbers["eer"] < 30  # the pens do tell, only this verifier does not ask them
    assert redrawn.status == "valid" and control.status == "valid", control


def test_where_forgers_use_the_writers_pen_the_probe_finds_nothing(store):
    _, control = controls(store, shape_of, pens_differ=False)
    assert control.numbers["eer"] >= 30 and control.status == "valid", control
