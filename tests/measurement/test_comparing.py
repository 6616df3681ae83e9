"""Baselines beside a verifier: measured on the same writers, written on the same page."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

from sigverify.config import PreprocessingSettings
from sigverify.evaluation.protocols import MeasuredWriters, TrainingSources
from sigverify.evaluation.splits import Split
from sigverify.measurement import comparing
from sigverify.measurement.comparing import Compared, measure_baselines, preprocessing_of
from sigverify.measurement.makers import Given, Task
from sigverify.measurement.measuring import measure_protocol
from sigverify.measurement.outputs import Shown, write_outputs
from sigverify.measurement.sources import Sources
from sigverify.records import Part
from tests.measurement.synthetic_set import catalogue, names_of
from tests.measurement.test_measuring import FOLDED, QUICK, PerFold


@pytest.fixture
def sources(training_writers):
    return Sources([training_writers])


def test_baselines_learn_where_the_verifier_learns_and_are_measured_on_the_same_writers(sources, tiny, tmp_path):
    maker = PerFold(tiny, tmp_path / "v")
    results = measure_protocol(FOLDED, sources, maker, QUICK, tmp_path / "work")
    found = measure_baselines(FOLDED, sources, maker, replace(QUICK, seeds=(0, 1)), tmp_path / "work")
    assert [name.split(",")[0] for name, _ in found] == [
        "HOG + logistic regression",
        "nuisance and shape numbers + logistic regression",
        "mobilenetv3_small_050",
    ]
    for name, result in found:
        assert result.counts["writers"] == results[0].counts["writers"] == 12, name
        assert result.figures[1]["counts"] == results[0].figures[1]["counts"], name
    taught = [result for name, result in found if "training writers" in name]
    assert len(taught) == 2 and all(len(result.folds) == 3 for result in taught)  # learnt anew for every fold
    store = sources.stores[0]
    folder = write_outputs(
        results, tmp_path / "out", found, Shown(store, preprocessing_of(maker), command="sigverify benchmark")
    )
    page = (folder / "benchmark.html").read_text(encoding="utf-8")
    assert all(name in page for name, _ in found) and "sigverify benchmark" in page
    assert [row["name"] for row in json.loads((folder / "baselines.json").read_text())] == [name for name, _ in found]
    assert "baselines, skilled EER %" in (folder / "table.txt").read_text()


def test_beside_a_given_verifier_they_learn_on_synthetic_signatures(sources, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(comparing, "SYNTHETIC_WRITERS", 12)
    monkeypatch.setattr(comparing, "KINDS", ("nuisance_and_shape",))
    found = measure_baselines(FOLDED, sources, Given(tiny), QUICK, tmp_path)
    name, result = found[0]
    assert "12 synthetic writers" in name and result.folds == () and result.counts["writers"] == 12


def test_baselines_are_looks_at_test_writers_too(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(comparing, "SYNTHETIC_WRITERS", 12)
    monkeypatch.setattr(comparing, "KINDS", ("nuisance_and_shape",))
    store = catalogue(tmp_path / "c", ["cedar/002", "cedar/003", "cedar/004"])
    protocol = replace(FOLDED, name="test", writers=MeasuredWriters(), training=TrainingSources())
    options = replace(QUICK, register=tmp_path / "runs.csv")
    measure_baselines(protocol, Sources([store]), Given(tiny), options, tmp_path)
    rows = list(csv.DictReader((tmp_path / "runs.csv").open()))
    assert [row["verifier_version"].split("-")[0] for row in rows] == ["nuisance", "mobilenetv3_small_050"]


def test_a_baseline_learns_from_every_set_the_verifier_learns_from(sources, tmp_path, monkeypatch):
    bank = catalogue(tmp_path / "bank", names_of(Part.TRAIN, 4, "bank"), seed=3)
    seen = {}
    monkeypatch.setattr(
        comparing, "train_baseline", lambda stores, kind, writers, *a, **k: seen.update({kind: writers})
    )
    several = TrainingSources(datasets=("set", "bank"), synthetic_writers=3)
    protocol = replace(FOLDED, training=several, writers=MeasuredWriters(dataset="else"))
    split = Split(None, ("set/1", "bank/1"), ("set/2",), ())
    both = Sources([*sources.stores, bank])
    for lane, calibrating in (("clean", set()), ("legacy", {"set/2"})):
        task = Task(protocol, split, both, 0, tmp_path, 1, lambda stage, share: None)
        Compared("hog", PreprocessingSettings(lane=lane), True).make(task)
        drawn = {w for w in seen["hog"] if w.startswith("synthetic")}
        assert len(drawn) == 3 and set(seen["hog"]) - drawn == {"set/1", "bank/1"} | calibrating


def test_what_it_learnt_from_is_part_of_a_baselines_name(tiny):
    wanted = preprocessing_of(Given(tiny))
    names = {Compared(kind, wanted, trains).identity for kind in ("hog", "nuisance") for trains in (True, False)}
    assert len(names) == 4
