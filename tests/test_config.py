"""Settings: round trips, unknown keys, wrong types, digests that move with content."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigverify.config import (
    OperatingPoint,
    Policy,
    PreprocessingSettings,
    Thresholds,
    TrainingSettings,
    VerifierSettings,
    digest,
    from_dict,
    to_dict,
)
from sigverify.errors import BadSettings

shares = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(st.integers(1, 10), shares, shares), max_size=4), st.text(max_size=10), st.booleans())
def test_every_setting_survives_json(rows, words, provisional):
    thresholds = tuple(Thresholds(k, a, r, 0.01, 0.001, 0.1, 0.01) for k, a, r in rows)
    point = OperatingPoint(Policy(name=words), thresholds, words, 12, provisional=provisional)
    settings = VerifierSettings(name=words, operating_point=point, trained_on=(words, "b"))
    assert from_dict(VerifierSettings, json.loads(json.dumps(to_dict(settings)))) == settings


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"nam": "x"}, "nam"),
        ({"preprocessing": {"canvas": 3}}, "VerifierSettings.preprocessing"),
        ({"preprocessing": {"canvas_height_px": "96"}}, "canvas_height_px"),
        ({"preprocessing": {"canvas_height_px": True}}, "canvas_height_px"),
        ({"preprocessing": {"lane": "dirty"}}, "lane"),
        ({"preprocessing": 3}, "preprocessing"),
    ],
)
def test_a_wrong_setting_is_named(values, named):
    with pytest.raises(BadSettings, match=named):
        from_dict(VerifierSettings, values)


def test_a_whole_number_is_a_float_where_a_float_is_due():
    assert from_dict(TrainingSettings, {"learning_rate": 1}).learning_rate == 1.0


def test_the_digest_names_content_not_order():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    base = PreprocessingSettings()
    assert digest(base) != digest(replace(base, margin_px=base.margin_px + 1))


def test_a_setting_added_later_changes_no_name_until_it_is_used():
    plain = PreprocessingSettings()
    assert (
        "stroke_shape" not in to_dict(plain) and to_dict(replace(plain, stroke_shape="line"))["stroke_shape"] == "line"
    )
    assert from_dict(PreprocessingSettings, to_dict(plain)) == plain
    assert digest(plain) == digest(dict(to_dict(plain))) != digest(replace(plain, stroke_shape="line"))
