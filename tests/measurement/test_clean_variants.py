"""Variants: a skeleton hides the pen that was planted, the table says so, and nobody but training writers is seen."""

from __future__ import annotations

import numpy as np
import pytest

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput
from sigverify.evaluation.parts import writers_in_part
from sigverify.measurement.clean_variants import VARIANTS, measure_variants, variants_sheet, variants_text
from sigverify.records import Part
from tests.measurement.planted import planted_catalogue

TWO = {
    "binary as scanned": PreprocessingSettings(stroke_width_px=0.0),
    "redrawn 3 px": PreprocessingSettings(stroke_width_px=3.0, stroke_shape="line"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return planted_catalogue(tmp_path_factory.mktemp("pens"), writers=22, genuine=8, forged=4, cue="pen")


def test_redrawing_strokes_takes_the_planted_pen_away(store):
    binary, redrawn = measure_variants(store, TWO, draws=2, workers=0)
    with_pen, without = (v.nuisance_references.numbers["eer"] for v in (binary, redrawn))
    assert with_pen < 20 and without > with_pen + 15
    assert set(binary.eers) == {1, 5} and all(0 <= rate <= 100 for rate in binary.eers.values())
    lines = variants_text([binary, redrawn]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| binary as scanned", "| redrawn 3 px"]
    assert f"{with_pen:.1f} [" in lines[2] and f"{binary.eers[5]:.1f} |" in lines[2]


def test_variants_never_see_a_writer_outside_the_train_part(store):
    writers = sorted(store.signatures().writer_id.unique())
    outside = sorted(set(writers) - set(writers_in_part(writers, Part.TRAIN)))
    assert outside
    with pytest.raises(BadInput, match=outside[0]):
        measure_variants(store, TWO, outside[:1], workers=0)


def test_the_sheet_has_a_row_a_variant_and_is_drawn_the_same_every_time():
    one, again = (np.asarray(variants_sheet(VARIANTS, writers=1)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    rows = np.array_split(one, len(VARIANTS))
    assert all(row.min() < 100 for row in rows)
    assert not np.array_equal(rows[0], rows[2])
