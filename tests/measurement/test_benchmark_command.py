"""`sigverify benchmark` as it is typed: results in a folder, gone on with, logged; errors with their exit codes."""

from __future__ import annotations

import csv
import json

import pytest

from sigverify.cli import app
from sigverify.config import to_dict
from sigverify.errors import BadInput, BadSettings, Mismatch, NotFound, TooFewWriters
from sigverify.evaluation.protocols import MeasuredWriters, Protocol, Seeds, TrialRules
from sigverify.records import Part
from sigverify.registry import Registry
from tests.measurement.synthetic_set import catalogue, names_of, tiny_verifier


def benchmark(*words: object) -> None:
    app(["benchmark", *map(str, words)], standalone_mode=False)


@pytest.fixture
def own(tmp_path):
    """A protocol of one's own, in a file: two references, few draws."""
    rules = TrialRules(references=(1, 2), draws=1)
    held = Protocol("own", "My writers", MeasuredWriters(), trials=rules, seeds=Seeds(bootstrap=20), note="mine")
    path = tmp_path / "own.json"
    path.write_text(json.dumps(to_dict(held)))
    return path


@pytest.mark.slow
def test_a_benchmark_lands_in_a_folder_is_gone_on_with_and_logged(own, tmp_path, capsys):
    catalogue(tmp_path / "c", names_of(Part.TRAIN, 6, "cedar-like"))
    bundle = tiny_verifier(tmp_path / "w").save(tmp_path / "v")
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    asked = ("--data", tmp_path / "c", "--protocol", own, "--verifier", bundle, "--out", tmp_path / "out", "--json")
    benchmark(*asked, "--tracking", tracking, "--seeds", "0,1", "--test-runs", tmp_path / "runs.csv")
    said = json.loads(capsys.readouterr().out)
    assert set(said["skilled_eer"]) == {"1", "2"} and said["spread"]["seeds"] == [0, 1]
    assert any("unknown training data" in note for note in said["notes"])
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text()) == said
    assert (tmp_path / "out" / "seed-1" / "benchmark.json").is_file() and not (tmp_path / "runs.csv").exists()
    kept = sorted((tmp_path / "out" / "work" / "runs").rglob("kept.json"))
    before = [path.stat().st_mtime_ns for path in kept]
    benchmark(*asked, "--resume", "--seeds", "0,1")
    assert json.loads(capsys.readouterr().out) == said and [p.stat().st_mtime_ns for p in kept] == before
    runs = Registry(tracking)._client.search_runs(["1"])
    assert len(runs) == 1 and runs[0].data.metrics["skilled_eer_1"] == said["skilled_eer"]["1"]
    metrics = runs[0].data.metrics
    low, high = (metrics[f"skilled_eer_1_{end}"] for end in ("low", "high"))
    assert [low, high] == said["intervals"]["skilled_eer"]["1"]
    assert metrics["skilled_auc_1"] == said["figures"]["1"]["skilled"]["auc"]
    logged = {f.path for f in Registry(tracking)._client.list_artifacts(runs[0].info.run_id, "benchmark")}
    assert "benchmark/benchmark.json" in logged and "benchmark/work" not in logged


def test_errors_say_what_to_do_and_have_their_exit_codes(own, tmp_path):
    catalogue(tmp_path / "c", names_of(Part.TRAIN, 2, "cedar"), genuine=3)
    broken, negative = tmp_path / "broken.json", tmp_path / "negative.json"
    broken.write_text("{")
    negative.write_text('{"seed": -1}')
    data = ("--data", tmp_path / "c")
    for words, kind, said in (
        ((*data, "--protocol", "cedar-5fold"), TooFewWriters, "import the whole of CEDAR"),
        ((*data, "--protocol", "nowhere"), NotFound, "cedar-5fold"),
        ((*data, "--protocol", own, "--lane", "legacy"), Mismatch, "other lane"),
        ((*data, "--protocol", own, "--lane", "grey"), BadInput, "clean or legacy"),
        ((*data, "--protocol", own, "--references", "1,x"), BadInput, "--references"),
        ((*data, "--protocol", own, "--references", "9"), TooFewWriters, "fewer references"),
        ((*data, "--protocol", own, "--resume"), BadInput, "--out"),
        ((*data, "--protocol", own, "--steps", 1), BadInput, "trains nothing"),
        ((*data, "--protocol", own, "--fold", 1), BadInput, "no such fold"),
        ((*data, "--protocol", own, "--seeds", "0,-1"), BadInput, "--seeds holds"),
        ((*data, "--protocol", own, "--references", "0"), BadInput, "1 or more"),
        ((*data, "--protocol", own, "--train", tmp_path / "nope.json"), NotFound, "--train"),
        ((*data, "--protocol", own, "--train", broken), BadInput, "--train is not JSON"),
        ((*data, "--protocol", own, "--train", negative), BadSettings, "seed in --train"),
        ((*data, "--protocol", own, "--imagenet", tmp_path / "nope"), NotFound, "--imagenet"),
        ((*data, "--protocol", own, "--steps", 1, "--lane", "legacy"), Mismatch, "weights of the other lane"),
        ((*data, "--protocol", own, "--steps", 1, "--part", "train"), BadInput, "leave out --part"),
        ((*data, "--protocol", "cedar-5fold-dev", "--part", "test"), BadInput, "measures training writers"),
        ((*data, "--protocol", own, "--transfer-to", tmp_path / "c"), BadInput, "deployment"),
        (("--protocol", own), BadInput, "--data CATALOGUE"),
        (("--all",), BadInput, "--data-root"),
    ):
        with pytest.raises(kind, match=said):
            benchmark(*words)
    catalogue(tmp_path / "genuine", names_of(Part.TRAIN, 3, "bank"), forged=0)
    with pytest.raises(BadInput, match="label forgeries as skilled_forgery"):
        benchmark("--data", tmp_path / "genuine")


def test_looks_at_public_test_writers_are_registered_with_the_command_and_no_place(own, tmp_path, monkeypatch):
    catalogue(tmp_path / "c", ["bhsig260_hindi/h005", "bhsig260_hindi/h006", "bhsig260_hindi/h007"])
    bundle = tiny_verifier(tmp_path / "w").save(tmp_path / "v")
    typed = ["--data", str(tmp_path / "c"), "--protocol", str(own), "--verifier", str(bundle)]
    monkeypatch.setattr("sys.argv", ["sigverify", "benchmark", *typed])
    benchmark(*typed, "--test-runs", tmp_path / "runs.csv")
    (row,) = csv.DictReader((tmp_path / "runs.csv").open())
    assert row["command"] == "sigverify benchmark --data c --protocol own.json --verifier v" and row["lane"] == "clean"
