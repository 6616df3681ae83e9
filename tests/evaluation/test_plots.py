"""The words over a score plot stand inside it, apart from each other, on the side they name."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigverify.evaluation.plots import LABEL_SHARE, threshold_labels

SIDES = {"right": (-1, 0), "left": (0, 1), "center": (-0.5, 0.5)}


def spans(reject: float, accept: float, low: float, high: float) -> dict[str, tuple[float, float]]:
    room = LABEL_SHARE * (high - low)
    return {
        word: (place + SIDES[side][0] * room, place + SIDES[side][1] * room)
        for word, place, side in threshold_labels(reject, accept, low, high)
    }


@given(st.floats(-3, 3), st.floats(0, 3))
def test_words_are_inside_and_apart(reject, width):
    found = spans(reject, reject + width, -1.0, 1.0)
    slack = 0.021  # words keep a hundredth of the axis from their line
    assert all(low >= -1 - slack and high <= 1 + slack for low, high in found.values())
    held = sorted(found.values())
    assert all(left[1] <= right[0] + slack for left, right in pairwise(held))


@pytest.mark.parametrize(
    ("reject", "accept", "words"),
    [(-0.5, 0.5, ["reject", "refer", "accept"]), (0.2, 0.21, ["reject", "accept"]), (-2, 2, ["refer"]),
     (-3, -2, ["accept"]), (2, 3, ["reject"])],
)  # fmt: skip
def test_only_outcomes_that_the_axis_shows_are_named(reject, accept, words):
    found = spans(reject, accept, -1.0, 1.0)
    assert sorted(found, key=lambda w: found[w][0]) == words
