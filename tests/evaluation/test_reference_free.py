"""Control 4 on planted systems: references must do work that no classifier without them can do."""

from __future__ import annotations

import numpy as np
import pytest

from sigverify.evaluation.paired_eer import paired_eer
from sigverify.evaluation.reference_free import reference_free_control
from sigverify.records import TrialKind
from tests.evaluation.planted import system


@pytest.mark.parametrize(("kind", "status"), [("sound", "valid"), ("ignores", "invalid"), ("quality", "valid")])
def test_only_a_system_whose_references_do_nothing_is_invalid(kind, status):
    _, _, scored, embedded = system(kind)
    control = reference_free_control(embedded, scored, resamples=100)
    assert control.status == status, control
    low, high = control.numbers["difference_interval"]
    assert low <= high and (low > 0) == (status == "valid")


def test_a_sound_system_leaves_the_classifier_at_chance_and_the_ratio_is_theirs():
    _, _, scored, embedded = system("sound")
    numbers = reference_free_control(embedded, scored, resamples=50).numbers
    assert numbers["eer"] > 35 and numbers["ratio"] == pytest.approx(numbers["eer"] / numbers["verifier_eer"], rel=0.05)


def test_without_forgeries_it_does_not_run():
    _, _, scored, embedded = system("sound")
    kept = scored.where(scored.kind != TrialKind.SKILLED_FORGERY.value)
    assert reference_free_control(embedded, kept).status == "not_run"


def test_a_system_paired_with_itself_or_an_increasing_map_of_itself_costs_nothing():
    from dataclasses import replace

    _, _, scored, _ = system("quality")
    mapped = replace(scored, score=np.exp(3 * scored.score))
    found = paired_eer(scored, mapped, resamples=50)
    assert found.cost == 0 and (found.interval.low, found.interval.high) == (0, 0)
