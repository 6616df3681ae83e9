"""A probe that misses what is known of the raw scans proves nothing about the network's input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigverify.evaluation.control import Control, verdict
from sigverify.evaluation.controls import nuisance_control
from sigverify.evaluation.raw_scan_proof import KNOWN, expected_of, raw_findings
from tests.evaluation.planted import system


def scans(cue: float):
    _, _, _, embedded = system("sound")
    genuine = (embedded.signatures.label == "genuine").to_numpy()
    rng = np.random.default_rng(0)
    scan = pd.DataFrame({"paper_level": cue * genuine + rng.normal(size=len(genuine))})
    inner = pd.DataFrame({"ink_mean": rng.normal(size=len(genuine))})
    return replace(embedded, scan=scan, input=inner)


@pytest.mark.parametrize(("cue", "status"), [(4.0, "valid"), (0.0, "unproven")])
def test_control_1_counts_only_if_the_probe_finds_what_is_there(cue, status):
    embedded = scans(cue)
    raw = raw_findings(embedded, {("paper_level",): 0.02})
    control = nuisance_control(embedded, "input", raw=raw)
    assert control.status == status, control
    assert nuisance_control(embedded, "scan", raw=raw).status == "reported"
    assert control.numbers["known_of_raw_scans"]["paper_level"]["known"] == 2
    assert nuisance_control(embedded, "input").status == "valid"  # nothing known, nothing to miss


def test_finding_more_than_is_known_is_no_miss_and_unmeasured_numbers_are_passed_over():
    embedded = scans(cue=4.0)
    assert not raw_findings(embedded, {("paper_level",): 0.30})[0].missed
    assert raw_findings(embedded, {("paper_level", "never measured"): 0.0}) == ()


def test_known_sets_are_named_by_the_catalogue():
    embedded = scans(0.0)
    assert expected_of(embedded) == {}
    for names, expected in ((["cedar"], KNOWN["cedar"]), (["cedar", "ssbi"], {})):
        rows = embedded.signatures.assign(dataset=np.resize(names, len(embedded.signatures)))
        assert expected_of(replace(embedded, signatures=rows)) == expected


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (["valid", "reported", "not_run"], "valid"),
        (["valid", "warning"], "warning"),
        (["unproven", "valid"], "warning"),
        (["warning", "invalid", "valid"], "invalid"),
        (["invalid", "warning", "refused"], "refused"),
        ([], "valid"),
    ],
)
def test_the_worst_control_is_the_verdict(statuses, worst):
    assert verdict(Control(str(i), status) for i, status in enumerate(statuses)) == worst
