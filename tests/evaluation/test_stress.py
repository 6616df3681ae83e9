"""Control 6: each stress does to a scan what its name says; a warning names what costs, and only that."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pil

from sigverify.evaluation.embedded import embed_signatures
from sigverify.evaluation.stress import QUERIES, WRITERS, draw_sample, stress_control
from sigverify.evaluation.stresses import STRESSES
from sigverify.evaluation.trials import draw_trials
from tests.evaluation.planted import system
from tests.evaluation.planted_scans import Eyes, drawn_scan, fill, pen_of, shape_of


def stressed(name: str, dpi: float | None = None) -> tuple[np.ndarray, np.ndarray, Pil.Image]:
    before = drawn_scan(0, False, 5, np.random.default_rng(0))
    picture = Pil.open(io.BytesIO(STRESSES[name](before, dpi, np.random.default_rng(1))))
    return before, np.asarray(picture.convert("L")), picture


def test_each_stress_does_what_its_name_says():
    before, wider, _ = stressed("stroke_width_plus_1_px")
    _, thinner, _ = stressed("stroke_width_minus_1_px")
    assert (wider < 128).sum() > (before < 128).sum() > (thinner < 128).sum() > 0
    for name, share in (("scale_plus_10", 1.1), ("scale_minus_10", 0.9), ("resolution_150_dpi", 0.5)):
        assert stressed(name)[1].shape == tuple(round(share * side) for side in before.shape)
    assert stressed("resolution_150_dpi", dpi=600)[1].shape == (40, 105)
    assert stressed("resolution_150_dpi", dpi=100)[1].shape == before.shape
    assert stressed("jpeg_quality_50")[2].format == "JPEG"
    bilevel = stressed("bilevel")[2]
    assert (bilevel.format, bilevel.mode, bilevel.info["compression"]) == ("TIFF", "1", "group4")


@pytest.mark.parametrize("name", ["rotation_plus_5_deg", "rotation_minus_5_deg"])
def test_turning_fills_with_paper_and_keeps_the_ink(name):
    before, after, _ = stressed(name)
    assert after[0, 0] == 255 and (255.0 - after).sum() == pytest.approx((255.0 - before).sum(), rel=0.02)


def test_a_line_goes_from_edge_to_edge_and_a_stamp_lies_over_the_ink():
    before, line, _ = stressed("line_across")
    assert (line.min(axis=0) < 60).all() and (line <= before).all()
    _, stamp, _ = stressed("stamp_across")
    assert (stamp < before).sum() > 200 and (stamp <= before).all() and stamp[0, 0] == 255


def test_the_sample_is_small_stated_and_repeats():
    _, trials, _, embedded = system("sound")
    ids = embedded.signatures["signature_id"]
    sample = draw_sample(trials, ids, seed=3)
    kind, writer = trials.kind[sample.trial], trials.template_writer[trials.template[sample.trial]]
    assert set(kind) == {"genuine", "skilled_forgery"} and len(np.unique(writer)) <= WRITERS
    assert len(np.unique(trials.template[sample.trial])) == len(np.unique(writer))
    for w in np.unique(writer):
        assert all((kind[writer == w] == k).sum() <= QUERIES for k in set(kind))
    np.testing.assert_array_equal(ids.to_numpy(str)[sample.row], trials.signature_id[trials.query[sample.trial]])
    np.testing.assert_array_equal(draw_sample(trials, ids, seed=3).trial, sample.trial)


def control(store, see):
    verifier = Eyes(see, see.__name__)
    embedded = embed_signatures(store, verifier, fill(store, pens_differ=True), workers=0)
    return stress_control(store, verifier, draw_trials(embedded.signatures, 3, draws=1), embedded, resamples=30)


def test_a_reader_of_pens_suffers_from_wider_strokes(store):
    found = control(store, pen_of)
    costs = found.numbers["by_stress"]
    assert found.status == "warning" and any("stroke width" in reason for reason in found.reasons), found
    assert set(costs) == set(STRESSES) and costs["stroke_width_minus_1_px"]["cost"] > 2
    assert found.numbers["writers"] == 12 and found.numbers["queries"] == 12 * (3 + 6)


def test_a_reader_of_shapes_does_not_and_says_what_each_stress_cost(store):
    found = control(store, shape_of)
    costs = found.numbers["by_stress"]
    for name in ("stroke_width_plus_1_px", "scale_plus_10", "jpeg_quality_50", "bilevel", "resolution_150_dpi"):
        assert abs(costs[name]["cost"]) <= 2, (name, costs[name])
    assert found.reasons == tuple(r for r in found.reasons if "across" in r or "rotation" in r)
