"""A probe that misses what is known of the raw scans proves nothing about the network's input."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sigverify.evaluation import raw_scan_proof
from sigverify.evaluation.control import GATING, Control, all_gating_ran, did_not_run, verdict
from sigverify.evaluation.controls import nuisance_control
from sigverify.evaluation.intervals import Interval
from sigverify.evaluation.raw_scan_proof import GEOMETRY, KNOWN, RawFinding, expected_of, proven, raw_findings
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
    assert control.numbers["proof"] == ("found" if status == "valid" else "missed")
    unknown = nuisance_control(embedded, "input")
    assert (unknown.status, unknown.numbers["proof"]) == ("valid", "none known")  # nothing to miss, and it says so


def test_finding_more_than_is_known_is_no_miss_and_unmeasured_numbers_are_passed_over():
    embedded = scans(cue=4.0)
    assert not raw_findings(embedded, {("paper_level",): 0.30})[0].missed
    few = RawFinding(("x",), 0.20, 0.26, Interval(0.18, 0.34))  # a small part of a set, measured by an honest probe
    blind = RawFinding(("x",), 0.20, 0.44, Interval(0.36, 0.52))
    near = RawFinding(("x",), 0.20, 0.221, Interval(0.21, 0.23))
    assert [finding.missed for finding in (few, blind, near)] == [False, True, False]
    assert raw_findings(embedded, {("paper_level", "never measured"): 0.0}) == ()


def test_known_sets_are_named_by_the_catalogue():
    embedded = scans(0.0)
    assert expected_of(embedded) == {}
    for names, expected in (
        (["cedar"], KNOWN["cedar"]),
        (["bhsig260_bengali"], {GEOMETRY: 0.195}),
        (["cedar", "ssbi"], {}),
    ):
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
        ([], "warning"),
    ],
)
def test_the_worst_control_is_the_verdict(statuses, worst):
    assert verdict(Control(str(i), status) for i, status in enumerate(statuses)) == worst


@pytest.mark.parametrize("name", GATING)
def test_a_gating_control_that_did_not_run_lowers_the_verdict_and_says_why(name):
    others = [Control(other, "valid") for other in GATING if other != name]
    absent = did_not_run(name, "too few writers")
    assert absent.reasons == (f"control {name} did not run: too few writers",)
    assert verdict([*others, absent]) == "warning" and not all_gating_ran([*others, absent])
    assert all_gating_ran([*others, Control(name, "valid")]) and not all_gating_ran(others)


def test_stress_that_nobody_asked_for_lowers_nothing():
    sound = [Control(name, "valid") for name in GATING]
    assert verdict([*sound, did_not_run("stress", "ask"), did_not_run("stroke_redrawn", "ask")]) == "valid"


class Catalogue:
    """A store of the planted system's rows."""

    def __init__(self, signatures: pd.DataFrame) -> None:
        self.rows = signatures.assign(image_url=[str(i) for i in range(len(signatures))], duplicate_of=None)

    def signatures(self) -> pd.DataFrame:
        return self.rows


def look_again(monkeypatch, part, whole, column, expected):
    """`proven` where the scans of the whole set show what `whole` says in `column`, the last of them unreadable."""
    asked = []

    def describe(store, rows, preprocessing, workers):
        asked.append(len(rows))
        seen = pd.DataFrame({f"raw.{column}": whole.scan["paper_level"], "clean.other": 0.0, "failure": ""})
        seen.loc[len(seen) - 1, ["failure", f"raw.{column}"]] = ["unreadable", np.nan]
        return seen

    monkeypatch.setattr(raw_scan_proof, "describe_scans", describe)
    verifier = SimpleNamespace(settings=SimpleNamespace(preprocessing=None))
    return proven(Catalogue(whole.signatures), verifier, part, expected), sum(asked)


def test_a_probe_that_misses_may_look_at_the_whole_set_measured_more_finely(monkeypatch):
    whole, blind = scans(cue=4.0), scans(cue=0.0)
    few = blind.signatures.writer_id.isin(sorted(blind.signatures.writer_id.unique())[:12]).to_numpy()
    part = replace(
        blind, signatures=blind.signatures[few].reset_index(drop=True), scan=blind.scan[few].reset_index(drop=True)
    )
    expected = {("paper_level",): 0.02}
    assert raw_findings(part, expected)[0].missed
    monkeypatch.setitem(raw_scan_proof.FINER, ("paper_level",), ("fine_level",))
    found, asked = look_again(monkeypatch, part, whole, "fine_level", expected)
    assert not found[0].missed and found[0].numbers == ("fine_level",) and asked == len(whole.signatures)
    assert found[0].writers == whole.signatures.writer_id.nunique()
    still, _ = look_again(monkeypatch, part, blind, "fine_level", expected)
    assert still[0].missed  # the whole set is no excuse
    seen, asked = look_again(monkeypatch, whole, whole, "fine_level", expected)
    assert seen == raw_findings(whole, expected) and asked == 0
