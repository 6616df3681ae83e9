"""A protocol measured fold by fold: interrupted and gone on with, pooled, refused, registered, in both lanes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

from sigverify.config import BatchSettings, Policy, PreprocessingSettings, TrainingSettings, digest
from sigverify.errors import BadInput, Conflict, Mismatch
from sigverify.evaluation import embedded as embedding
from sigverify.evaluation import known_sets
from sigverify.evaluation.calibration_trials import calibrate
from sigverify.evaluation.embedded import signatures_digest
from sigverify.evaluation.known_sets import KnownSet
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.protocols import MeasuredWriters, Protocol, Seeds, TrainingSources, TrialRules
from sigverify.evaluation.splits import splits_of
from sigverify.measurement import everything, measuring, provenance
from sigverify.measurement.everything import measure_everything, present
from sigverify.measurement.looks import (
    looked_at_training_writers_only,
    register_look,
    register_test_run,
    touches_test_writers,
)
from sigverify.measurement.makers import Given, Task, Trained, check_lane
from sigverify.measurement.measuring import Options, measure_protocol
from sigverify.measurement.outputs import write_outputs
from sigverify.measurement.provenance import commit
from sigverify.measurement.sources import Sources
from sigverify.measurement.transfer import transferred_writers
from sigverify.records import Part, TrialKind
from sigverify.storage.store import Store
from sigverify.trained_on import TrainedOn
from tests.measurement.synthetic_set import ENCODER, catalogue, names_of, tiny_verifier

FOLDED = Protocol(
    "mine-dev",
    "Twelve writers in three inner folds",
    MeasuredWriters(dataset="set", inner_folds=3, count=12),
    TrainingSources(datasets=("set",)),
    TrialRules(references=(1, 2), draws=2),
    seeds=Seeds(bootstrap=20),
)
EASY = Policy(max_far_skilled=0.2, max_far_random=0.2, max_frr_auto=0.2, min_calibration_writers=4)
FROZEN = replace(FOLDED, name="mine-deployment-dev", policies=(Policy(max_far_skilled=0.1, max_far_random=1.0),))
QUICK = Options(controls="none", workers=1)


@dataclass(frozen=True)
class PerFold(Given):
    """As training would: another verifier for every fold; counts how often it is asked, and may fail."""

    folder: object = None
    fails_at: int = -1
    made: list = field(default_factory=list)
    point: object = None
    trains = True

    def make(self, task: Task):
        if task.split.fold == self.fails_at:
            raise KeyboardInterrupt
        self.made.append((task.seed, task.split.fold))
        made = tiny_verifier(
            self.folder / f"f{task.split.fold}-{task.seed}", seed=(task.split.fold or 0) + 10 * task.seed
        )
        return made if self.point is None else made.with_settings(operating_point=self.point)


@pytest.fixture
def sources(training_writers):
    return Sources([training_writers])


def test_a_given_verifier_meets_all_writers_at_once(sources, tiny, tmp_path):
    found = measure_protocol(FOLDED, sources, Given(tiny), QUICK, tmp_path)
    assert len(found) == 1 and found[0].counts["writers"] == 12 and found[0].about["fold"] is None
    assert found[0].status == "warning"  # no control was run


def test_interrupted_after_a_fold_it_goes_on_and_ends_with_the_same_figures(sources, tiny, tmp_path):
    broken, work = PerFold(tiny, tmp_path / "v", fails_at=1), tmp_path / "work"
    with pytest.raises(KeyboardInterrupt):
        measure_protocol(FOLDED, sources, broken, QUICK, work)
    again = PerFold(tiny, tmp_path / "v")
    gone_on = measure_protocol(FOLDED, sources, again, replace(QUICK, resume=True), work)
    assert (broken.made, again.made) == ([(0, 0)], [(0, 1), (0, 2)])
    straight = measure_protocol(FOLDED, sources, PerFold(tiny, tmp_path / "v"), QUICK, tmp_path / "other")
    for one, other in zip(gone_on, straight, strict=True):
        assert one.figures == other.figures and one.counts == other.counts
        for k in one.scored:
            np.testing.assert_array_equal(one.scored[k].score, other.scored[k].score)
    untouched = PerFold(tiny, tmp_path / "v")
    measure_protocol(FOLDED, sources, untouched, replace(QUICK, resume=True), work)
    assert untouched.made == []
    with pytest.raises(Conflict, match="another run"):
        measure_protocol(FOLDED, sources, untouched, replace(QUICK, resume=True, draws=1), work)


def test_folds_are_pooled_under_one_threshold_and_shown_apart(sources, tiny, tmp_path):
    maker = PerFold(tiny, tmp_path / "v")
    found = measure_protocol(FOLDED, sources, maker, replace(QUICK, seeds=(0, 1)), tmp_path / "work")
    headline, folds = found[0], found[2:]
    assert len(found) == 2 + 2 * 3 and [f["fold"] for f in headline.folds] == [0, 1, 2]
    assert headline.counts["writers"] == 12 == sum(f.counts["writers"] for f in folds[:3])
    scores = pd.concat([f.trial_scores() for f in folds[:3]])
    part = scores[scores.n_references == 2]
    expected = eer(part[part.kind == "genuine"].score, part[part.kind == "skilled_forgery"].score).rate
    assert headline.figures[2]["skilled"]["eer"] == pytest.approx(100 * expected, abs=1e-3)
    values = [r.figures[2]["skilled"]["eer"] for r in found[:2]]
    assert headline.spread["skilled_eer"]["2"]["mean"] == pytest.approx(np.mean(values), abs=1e-3)
    assert headline.spread["skilled_eer"]["2"]["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-3)
    place = write_outputs([found[0], found[-1]], tmp_path / "out")
    assert json.loads((place / "benchmark.json").read_text())["folds"][1]["fold"] == 1
    assert (place / "seed-1-fold-2" / "scores.parquet").is_file() and "2 seeds" in headline.table()


def test_a_killed_run_goes_on(sources, tmp_path):
    """SIGKILL right after the first fold was kept: that fold is not measured again."""
    code = """
import os, signal, sys
from pathlib import Path
from sigverify.measurement import keeping, measuring
from sigverify.measurement.sources import Sources
from tests.measurement.test_measuring import FOLDED, QUICK, PerFold
from tests.measurement.synthetic_set import tiny_verifier
keep = measuring.keep
def keep_and_die(*given):
    keep(*given)
    os.kill(os.getpid(), signal.SIGKILL)
measuring.keep = keep_and_die
place = Path(sys.argv[2])
maker = PerFold(tiny_verifier(place / "t"), place / "v")
measuring.measure_protocol(FOLDED, Sources.open(Path(sys.argv[1])), maker, QUICK, place / "work")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(sources.stores[0].folder), str(tmp_path)], capture_output=True, timeout=120,
        env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    again = PerFold(tiny_verifier(tmp_path / "t"), tmp_path / "v")
    measure_protocol(FOLDED, sources, again, replace(QUICK, resume=True), tmp_path / "work")
    assert again.made == [(0, 1), (0, 2)]


def test_thresholds_are_frozen_on_each_folds_calibration_writers(sources, tiny, tmp_path):
    found = measure_protocol(FROZEN, sources, Given(tiny), QUICK, tmp_path)
    splits = splits_of(FROZEN, sources.writer_ids())
    for result, split in zip(found[1:], splits, strict=True):
        assert set(result.calibration[1].writer_id) == set(split.calibration)
        assert set(result.scored[1].writer_id) == set(split.test)
    headline = found[0].deployment[1]["standard"]
    assert headline["test_writers"] == 12 == headline["calibration_writers"]
    errors = [
        np.mean(r.scored[1].score[r.scored[1].kind == "genuine"] < r.deployment[1]["standard"]["accept"][0])
        for r in found[1:]
    ]
    n = [np.sum(r.scored[1].kind == "genuine") for r in found[1:]]
    assert headline["frr"] == pytest.approx(100 * np.average(errors, weights=n), abs=1e-3)
    assert "thresholds frozen" in found[0].table()


def test_pooled_decisions_are_each_folds_own_counted_together(sources, tiny, tmp_path):
    names = splits_of(FOLDED, sources.writer_ids())
    point = calibrate(sources.stores[0], tiny, EASY, writer_ids=names[0].test + names[1].test, draws=2, workers=1)
    maker = PerFold(tiny, tmp_path / "v", point=point)
    found = measure_protocol(FOLDED, sources, maker, QUICK, tmp_path / "work")
    own = found[0].figures[2]["at_own_thresholds"]
    accept = next(t.accept for t in point.thresholds if t.n_references == 2)
    genuine = np.concatenate([r.scored[2].of(TrialKind.GENUINE).score for r in found[1:]])
    assert own["genuine_accepted"] == pytest.approx(100 * np.mean(genuine >= accept), abs=1e-3)
    evidence = found[0].figures[2]["evidence"]["skilled"]
    assert evidence["min_cllr_bits"] <= evidence["cllr_bits"] + 1e-9
    write_outputs(found[:1], tmp_path / "out")


def test_thresholds_move_to_another_catalogue(sources, tiny, tmp_path):
    train, test = names_of(Part.TRAIN, 4, "bank"), names_of(Part.TEST, 2, "bank")
    other = catalogue(tmp_path / "other", train + test, seed=9)
    options = replace(QUICK, transfer_to=other)
    found = measure_protocol(FROZEN, sources, Given(tiny), options, tmp_path / "work")[0]
    assert set(found.scored[1].writer_id) == set(train)  # a development protocol measures training writers only
    assert looked_at_training_writers_only(found)
    assert transferred_writers(other) == sorted(train + test)
    assert {w.split("/")[0] for w in found.calibration[1].writer_id} == {"set"}
    assert found.about["protocol"] == "mine-deployment-dev-to-bank"
    with pytest.raises(BadInput, match="deployment"):
        measure_protocol(FOLDED, sources, Given(tiny), options, tmp_path / "work")


def training(lane: str) -> TrainingSettings:
    return TrainingSettings(
        encoder=ENCODER, steps=1, batch=BatchSettings(writers=4, genuine=2, forgeries=1), validate_every=0,
        preprocessing=PreprocessingSettings(lane=lane, canvas_height_px=64, canvas_width_px=128),
    )  # fmt: skip


@pytest.mark.slow
def test_trained_on_a_fold_it_knows_its_writers_and_a_test_on_them_is_refused(tmp_path):
    maker, sources = Trained(training("clean")), Sources([catalogue(tmp_path / "c", names_of(Part.TRAIN, 30))])
    folded = replace(FOLDED, writers=replace(FOLDED.writers, count=30))
    options = replace(QUICK, fold=0)
    found = measure_protocol(folded, sources, maker, options, tmp_path)[0]
    parts = next(c for c in found.controls if c.name == "parts")
    assert parts.status == "valid" and parts.numbers["trained_on"] == "set"
    (bundle,) = (tmp_path / "trained").glob("*/verifier")
    from sigverify.verifier import Verifier

    trained = Verifier.load(bundle)
    split = splits_of(folded, sources.writer_ids())[0]
    assert len(trained.trained_on.writers) == len(split.train) and trained.settings.operating_point.thresholds
    seen = measure_protocol(folded, sources, Given(trained), QUICK, tmp_path / "again")[0]
    assert seen.status == "refused"
    parts = next(c for c in seen.controls if c.name == "parts")
    assert parts.numbers["writers_in_two_parts"] == 20
    before = bundle.stat().st_mtime_ns
    measure_protocol(replace(folded, name="form-dev"), sources, maker, options, tmp_path)
    assert bundle.stat().st_mtime_ns == before and len(list((tmp_path / "trained").iterdir())) == 1


@pytest.mark.slow
def test_the_legacy_lane_keeps_duplicates_joins_calibration_and_gives_no_verdict(tmp_path):
    names = names_of(Part.TRAIN, 12)
    store = catalogue(tmp_path / "c", names)
    first = store.signatures().iloc[0]
    copy = {**first.to_dict(), "signature_id": f"{first.writer_id}/genuine/900", "duplicate_of": first.signature_id}
    store.add_signatures([{k: v for k, v in copy.items() if k not in ("added_at", "fingerprint", "dpi")}])
    protocol = replace(FOLDED, writers=MeasuredWriters(dataset="set", inner_folds=3))
    found = measure_protocol(protocol, Sources([store]), Trained(training("legacy")), replace(QUICK, fold=0), tmp_path)[
        0
    ]
    assert found.status == "comparison only" and found.about["lane"] == "legacy"
    assert "comparison only" in found.table() and found.counts["removed_duplicates"] == 0
    assert "at_own_thresholds" not in found.figures[1]
    with pytest.raises(BadInput, match="clean lane"):
        frozen = replace(protocol, policies=FROZEN.policies)
        measure_protocol(frozen, Sources([store]), Trained(training("legacy")), replace(QUICK, fold=0), tmp_path / "w")


def test_an_exact_copy_of_a_training_image_refuses_the_figure(sources, tiny, tmp_path):
    rows = sources.table(sources.stores[0])
    tiny = tiny.with_settings()
    tiny.trained_on = TrainedOn.of("elsewhere", ["else/1"], [], [rows.pixel_digest.iloc[3]])
    found = measure_protocol(FOLDED, sources, Given(tiny), QUICK, tmp_path)[0]
    assert found.status == "refused" and "1 tested images are exact copies" in found.table()


def test_a_verifier_of_the_other_lane_is_an_error(tiny):
    check_lane(Given(tiny), "clean")
    with pytest.raises(Mismatch, match=r"other lane; got clean; expected legacy"):
        check_lane(Given(tiny), "legacy")


def test_unlabelled_forgeries_are_an_error_that_says_what_to_do(tiny, tmp_path):
    store = catalogue(tmp_path / "c", names_of(Part.TRAIN, 4), forged=0)
    protocol = replace(FOLDED, writers=MeasuredWriters(), training=TrainingSources())
    with pytest.raises(BadInput, match=r"skilled forgery.*20 genuine.*--random-only"):
        measure_protocol(protocol, Sources([store]), Given(tiny), QUICK, tmp_path / "w")
    options = replace(QUICK, random_only=True)
    found = measure_protocol(protocol, Sources([store]), Given(tiny), options, tmp_path / "w")[0]
    assert "skilled" not in found.figures[1] and found.figures[1]["random"]["eer"] >= 0


def test_looks_at_test_writers_are_registered_and_development_is_none(sources, tiny, tmp_path):
    register = tmp_path / "runs.csv"
    ours = measure_protocol(FOLDED, sources, Given(tiny), replace(QUICK, register=register), tmp_path / "w")[0]
    assert not touches_test_writers(ours) and not register.exists()
    store = catalogue(tmp_path / "c", ["cedar/002", "cedar/003", "cedar/004"])
    protocol = replace(FOLDED, name="test", writers=MeasuredWriters(), training=TrainingSources())
    options = replace(QUICK, register=register, command="sigverify benchmark --seed 3", seeds=(3,), resume=True)
    for _ in range(2):  # resumed: no second look
        found = measure_protocol(protocol, Sources([store]), Given(tiny), options, tmp_path / "t")[0]
    rows = list(csv.DictReader(register.open()))
    assert len(rows) == 1 and rows[0]["seed"] == "3" and rows[0]["verifier_version"] == tiny.version
    assert rows[0]["skilled_eer"].startswith(f"1: {found.figures[1]['skilled']['eer']:.2f}")
    called = replace(found, about={**found.about, "development": True})
    assert register_test_run(called, "", register)  # the measured writers decide, not what a protocol is called
    assert len(list(csv.DictReader(register.open()))) == 2


def test_a_part_is_refused_for_choices_and_for_training(sources, tiny, tmp_path):
    options = replace(QUICK, part="test")
    with pytest.raises(BadInput, match="training writers and nobody else"):
        measure_protocol(FOLDED, sources, Given(tiny), options, tmp_path)
    own = replace(FOLDED, writers=MeasuredWriters(dataset="set"))
    maker = PerFold(tiny, tmp_path / "v")
    with pytest.raises(BadInput, match="leave out --part"):
        measure_protocol(own, sources, maker, replace(QUICK, part="train"), tmp_path)
    assert maker.made == []


def test_a_look_that_is_written_down_nowhere_is_said(sources, tiny, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    row = {"protocol": "verify_batch", "skilled_eer": "5: 1.0"}
    assert not register_look(["cedar/002"], row) and "no register holds it" in caplog.text
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "test_runs.csv").touch()
    assert register_look(["cedar/002"], row) and not register_look(["bank/1"], row)
    (held,) = csv.DictReader((tmp_path / "benchmarks" / "test_runs.csv").open())
    assert (held["protocol"], held["skilled_eer"], held["fold"]) == ("verify_batch", "5: 1.0", "")


def test_everything_names_what_cannot_be_measured_and_goes_on(tiny, tmp_path):
    store = catalogue(tmp_path / "root" / "a", [f"ssbi/{i:03d}" for i in range(3)])
    catalogue(tmp_path / "root" / "b", ["bank/1", "bank/2"], seed=3)
    sources = Sources.open(None, tmp_path / "root")
    assert sources.datasets().keys() == {"ssbi", "bank"} and sources.of("ssbi").folder == store.folder
    assert [p.name for p in present(sources, trains=False)] == ["ssbi"]
    summary = measure_everything(sources, Given(tiny), QUICK, tmp_path / "out")
    assert "lacks writers of SSBI; got 3" in summary.failures["ssbi"] and "not measured" in summary.table()
    assert summary.failures["ssbi"].startswith("TooFewWriters: ")


def test_everything_keeps_what_was_measured_where_something_after_it_fails(tiny, tmp_path, monkeypatch):
    sources = Sources([catalogue(tmp_path / "a", ["bank/1", "bank/2", "bank/3"])])
    protocols = [replace(FOLDED, name=n, writers=MeasuredWriters(dataset="bank"), policies=()) for n in ("one", "two")]
    protocols = [replace(p, training=TrainingSources()) for p in protocols]
    monkeypatch.setattr(everything, "present", lambda *given: protocols)

    def fails(protocol, results, folder):
        assert (folder / "benchmark.json").is_file()
        if protocol.name == "one":
            raise ZeroDivisionError("of a picture")

    summary = measure_everything(sources, Given(tiny), QUICK, tmp_path / "out", finished=fails)
    assert summary.failures == {"one": "ZeroDivisionError: of a picture"} and set(summary.headlines) == {"one", "two"}
    assert "one" in summary.table() and "not finished: ZeroDivisionError" in summary.table()

    def interrupted(*given):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_everything(sources, Given(tiny), QUICK, tmp_path / "again", finished=interrupted)


def test_kept_results_depend_on_data_and_verifier(sources, tiny, tmp_path):
    options = replace(QUICK, fold=1)
    measure_protocol(FROZEN, sources, Given(tiny), options, tmp_path)
    other = tiny_verifier(tmp_path / "v", seed=5)
    assert other.version != tiny.version
    with pytest.raises(Conflict):
        measure_protocol(FROZEN, sources, Given(other), replace(options, resume=True), tmp_path)
    assert digest(FROZEN) != digest(FOLDED)


def test_kept_results_depend_on_code_and_near_duplicates_and_say_what_made_them(tiny, tmp_path, monkeypatch):
    store = catalogue(tmp_path / "c", names_of(Part.TRAIN, 12))
    protocol, options = replace(FROZEN, seeds=Seeds(bootstrap=5)), replace(QUICK, fold=1, resume=True)
    (made,) = measure_protocol(protocol, Sources([store]), Given(tiny), options, tmp_path / "w")
    assert made.about["code_version"] and made.about["code_commit"] == commit()
    embedded = len(list((tmp_path / "w" / "embeddings").iterdir()))
    monkeypatch.setattr(provenance, "commit", lambda: "of tomorrow")
    (again,) = measure_protocol(protocol, Sources([store]), Given(tiny), options, tmp_path / "w")
    shown = dict(provenance.provenance([again]))["sigverify"]
    assert again.about == made.about and "of tomorrow" not in shown and made.about["code_commit"] in shown
    with monkeypatch.context() as patched:
        patched.setattr(measuring, "source_digest", lambda what: "other code")
        with pytest.raises(Conflict):
            measure_protocol(protocol, Sources([store]), Given(tiny), options, tmp_path / "w")
    ids = sorted(store.signatures().signature_id)
    store.add_near_duplicates([(ids[0], ids[1], 0.01)])
    with pytest.raises(Conflict):
        measure_protocol(protocol, Sources([store]), Given(tiny), options, tmp_path / "w")
    monkeypatch.setattr(embedding, "source_digest", lambda what: "other code")
    measure_protocol(protocol, Sources([store]), Given(tiny), replace(options, resume=False), tmp_path / "w")
    assert len(list((tmp_path / "w" / "embeddings").iterdir())) == 2 * embedded


def test_the_digest_of_signatures_holds_writers_and_duplicates(sources):
    rows = sources.table(sources.stores[0])
    moved, repeated = rows.copy(), rows.copy()
    moved.loc[0, "writer_id"] = "set/other"
    repeated.loc[0, "duplicate_of"] = rows.signature_id[1]
    assert len({signatures_digest(each) for each in (rows, moved, repeated)}) == 3
    assert signatures_digest(rows.iloc[::-1]) == signatures_digest(rows)


def test_training_sets_are_checked_and_their_copies_named(sources, tiny, tmp_path, monkeypatch):
    known = KnownSet("set", "My set", writers=12, genuine=60, skilled_forgeries=24)
    monkeypatch.setattr(known_sets, "load_set", lambda name: known if name == "set" else None)
    found = measure_protocol(FOLDED, sources, PerFold(tiny, tmp_path / "v"), replace(QUICK, fold=0), tmp_path / "w")[0]
    assert found.about["training_copies"] == ["set: unverified copy"]
    monkeypatch.setattr(known_sets, "load_set", lambda name: replace(known, genuine=61) if name == "set" else None)
    bank = catalogue(tmp_path / "bank", names_of(Part.TRAIN, 4, "bank"), seed=3)
    crossed = replace(FOLDED, name="set-to-bank", writers=MeasuredWriters(dataset="bank"))
    maker = PerFold(tiny, tmp_path / "v")
    with pytest.raises(Mismatch, match="does not hold the images of My set"):
        measure_protocol(crossed, Sources([bank, *sources.stores]), maker, QUICK, tmp_path / "x")
    assert maker.made == []


def test_forgeries_of_one_writer_are_an_error_before_anything_is_embedded(tiny, tmp_path):
    rows = catalogue(tmp_path / "c", names_of(Part.TRAIN, 4)).signatures()
    forged = rows[rows.label == "skilled_forgery"].writer_id
    store = Store.open(tmp_path / "one", create=True, images_url=str(tmp_path / "c" / "images"))
    store.add_signatures(rows[(rows.label == "genuine") | (rows.writer_id == forged.iloc[0])])
    protocol = replace(FOLDED, writers=MeasuredWriters(), training=TrainingSources())
    with pytest.raises(BadInput, match=r"one writer.*expected 2 or more.*more writers"):
        measure_protocol(protocol, Sources([store]), Given(tiny), QUICK, tmp_path / "w")
    assert not (tmp_path / "w").exists()
