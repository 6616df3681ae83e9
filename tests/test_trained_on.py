"""What a bundle says it was trained on: kept with it, checked, joined over trainings, no part of the version."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from sigverify.errors import BadInput, BadSettings, Mismatch
from sigverify.evaluation.parts_control import parts_control
from sigverify.trained_on import NO_REAL_SIGNATURE, TrainedOn, short_digest
from sigverify.verifier import Verifier

TAUGHT = TrainedOn.of("set", ["set/1", "set/2"], ["set/3"], ["aa", "bb"])


def rows_of(writers=("set/8", "set/9"), pixels=("cc", "dd")) -> pd.DataFrame:
    ids = [f"{w}/genuine/001" for w in writers]
    return pd.DataFrame({"signature_id": ids, "writer_id": writers, "pixel_digest": pixels})


def test_the_shipped_verifier_saw_no_real_signature():
    assert Verifier.load().trained_on == TrainedOn(NO_REAL_SIGNATURE)


def test_a_bundle_keeps_it_without_a_new_version_and_notices_a_change(tmp_path):
    shipped = Verifier.load()
    before, shipped.trained_on = shipped.version, TAUGHT
    place = shipped.save(tmp_path / "v")
    loaded = Verifier.load(place)
    assert loaded.trained_on == TAUGHT and loaded.version == before
    assert loaded.with_settings(name="other").trained_on == loaded.with_cohort(None).trained_on == TAUGHT
    (place / "trained_on.json").write_bytes(TrainedOn("nothing").to_json())
    with pytest.raises(Mismatch, match=r"trained_on\.json"):
        Verifier.load(place)


def test_a_bundle_without_it_says_nothing(tmp_path):
    shipped = Verifier.load()
    shipped.trained_on = None
    loaded = Verifier.load(shipped.save(tmp_path / "v"))
    assert loaded.trained_on is None and not (tmp_path / "v" / "trained_on.json").exists()


def test_no_id_is_in_it_and_unknown_keys_are_refused():
    text = TAUGHT.to_json()
    assert b"set/1" not in text and TrainedOn.from_json(text) == TAUGHT
    with pytest.raises(BadSettings, match="more"):
        TrainedOn.from_json(json.dumps({"statement": "", "more": 1}).encode())
    with pytest.raises(BadInput, match="not JSON"):
        TrainedOn.from_json(b"{")


def test_training_on_top_of_training_adds_up_and_the_unknown_stays_unknown():
    second = TrainedOn.of("bank", ["bank/1"], [], ["cc"]).after(TAUGHT)
    assert set(second.writers) == {short_digest(w) for w in ("bank/1", "set/1", "set/2")} and second.complete
    assert len(second.images) == 3 and "before that set" in second.statement
    assert not TAUGHT.after(None).complete and not second.after(TAUGHT.after(None)).complete


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (rows_of(writers=("set/1", "set/9")), "1 tested writers are among those the network"),
        (rows_of(writers=("set/8", "set/3")), "1 tested writers are among those its thresholds"),
        (rows_of(pixels=("bb", "dd")), "1 tested images are exact copies"),
    ],
)
def test_a_writer_or_an_image_in_two_parts_is_refused(rows, said):
    found = parts_control(rows, TAUGHT)
    assert found.status == "refused" and said in found.reasons[0]
    assert parts_control(rows, TAUGHT.after(None)).status == "refused"


def test_strangers_are_valid_the_unknown_is_said_and_near_copies_warn():
    assert parts_control(rows_of(), TAUGHT).status == "valid"
    assert parts_control(rows_of(), None).status == parts_control(rows_of(), TAUGHT.after(None)).status == "not_run"
    catalogue = pd.concat([rows_of(), rows_of(("set/1", "set/7"), ("ee", "ff"))])
    near = [("set/1/genuine/001", "set/9/genuine/001"), ("set/7/genuine/001", "set/8/genuine/001")]
    found = parts_control(rows_of(), TAUGHT, near, catalogue)
    assert found.status == "warning" and found.numbers["near_duplicates_across_parts"] == 1
