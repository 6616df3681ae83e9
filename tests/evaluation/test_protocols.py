"""Protocol documents against the writers they name: nobody is in two parts, nobody who may not be looked at is."""

from __future__ import annotations

import json
from functools import cache

import pandas as pd
import pytest

from sigverify.config import from_dict, to_dict
from sigverify.errors import BadInput, BadSettings, Mismatch, NotFound, TooFewWriters
from sigverify.evaluation.known_sets import UNVERIFIED, copy_digest, load_set, which_copy
from sigverify.evaluation.parts import inner_folds, load_parts, named_parts, part_of, writers_in_part
from sigverify.evaluation.protocols import Protocol, load_protocol, protocol_names, select_signatures
from sigverify.evaluation.splits import splits_of
from sigverify.records import Part

PROTOCOLS = {name: load_protocol(name) for name in protocol_names()}
IN_DOMAIN = ("bhsig260-bengali-50-50", "bhsig260-hindi-100-60", "cedar-5fold")


@cache
def everybody() -> tuple[str, ...]:
    writers = load_parts().writer_id.tolist()
    return (*(w for w in writers if not w.startswith("ssbi")), *(f"ssbi/{i:03d}" for i in range(19)))


def whole(name: str, letter: str = "", digest: str = "d") -> pd.DataFrame:
    """As many rows as the set has, spread evenly over its writers."""
    known = load_set(name)
    writers = [w for w in everybody() if w.startswith(f"{name}/")]
    rows = [
        {
            "writer_id": w,
            "label": label,
            "signature_id": f"{w}/{label}/{i:03d}",
            "pixel_digest": f"{digest}{w}{label}{i}",
        }
        for w in writers
        for label, n in (("genuine", known.genuine), ("skilled_forgery", known.skilled_forgeries))
        for i in range(n // len(writers))
    ]
    return pd.DataFrame(rows).assign(duplicate_of=None)


def test_every_document_loads_under_its_own_name_and_survives_a_round_trip():
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name and protocol.title and protocol.note
        assert from_dict(Protocol, json.loads(json.dumps(to_dict(protocol)))) == protocol
    with pytest.raises(NotFound, match="cedar-5fold"):
        load_protocol("cedar")


def test_there_is_every_form():
    for name in IN_DOMAIN:
        forms = [f"{name}{form}" for form in ("", "-pairwise", "-pairwise-balanced", "-deployment")]
        assert {*forms, *(f"{form}-dev" for form in forms)} <= set(PROTOCOLS)
    crossed = ["hindi-to-bengali", "hindi-to-cedar", "bengali-to-hindi", "cedar-to-hindi", "cedar-to-bengali"]
    assert {*crossed, *(f"others-to-{b}" for b in ("bengali", "hindi", "cedar", "ssbi")), "open", "ssbi"} <= set(
        PROTOCOLS
    )


def test_an_unknown_key_anywhere_is_an_error_that_names_it(tmp_path):
    document = to_dict(PROTOCOLS["cedar-5fold"])
    document["trials"]["drawz"] = 3
    own = tmp_path / "own.json"
    own.write_text(json.dumps(document))
    with pytest.raises(BadSettings, match=r"trials.*drawz"):
        load_protocol(own)
    del document["trials"]["drawz"]
    own.write_text(json.dumps({**document, "name": "mine"}))
    assert load_protocol(own).name == "mine"
    own.write_text(json.dumps({**document, "trials": {"kind": "pairs", "references": [5]}}))
    with pytest.raises(BadSettings, match="pairs"):
        load_protocol(own)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_parts_of_a_split_share_nobody_and_hold_only_who_may_be_there(name):
    protocol = PROTOCOLS[name]
    named = named_parts()
    for split in splits_of(protocol, everybody()):
        parts = [set(split.train), set(split.calibration), set(split.test)]
        assert sum(map(len, parts)) == len(set().union(*parts))
        assert all(w.startswith(protocol.writers.dataset) for w in split.test)
        if protocol.training.datasets:
            assert {w.split("/")[0] for w in split.train} == set(protocol.training.datasets) and split.calibration
        if protocol.development:
            assert {part_of(w, named) for p in parts for w in p} == {Part.TRAIN}
        if protocol.crosses:
            assert not [w for w in (*split.train, *split.calibration) if w.startswith(protocol.writers.dataset)]
            assert {part_of(w, named) for w in split.train} == {Part.TRAIN}


def test_folds_of_cedar_cover_all_55_once_and_rotate_as_stated():
    found = splits_of(PROTOCOLS["cedar-5fold"], everybody())
    folds = [split.test for split in found]
    assert [len(f) for f in folds] == [11] * 5 and len({w for f in folds for w in f}) == 55
    assert all(set(found[k].calibration) == set(folds[(k + 1) % 5]) and len(found[k].train) == 33 for k in range(5))


@pytest.mark.parametrize(("name", "writers"), [("bengali-50-50", 40), ("hindi-100-60", 85)])
def test_development_covers_the_training_part_once(name, writers):
    found = splits_of(PROTOCOLS[f"bhsig260-{name}-dev"], everybody())
    tested = [w for split in found for w in split.test]
    assert len(tested) == len(set(tested)) == writers and len(found) == 4
    assert all(len(split.calibration) >= 10 for split in found)


def test_cross_protocols_never_see_the_set_they_test_even_where_it_is_at_hand():
    split = splits_of(PROTOCOLS["hindi-to-bengali"], everybody())[0]
    assert len(split.train) == 85 and len(split.calibration) == 15 and len(split.test) == 50
    assert (
        splits_of(PROTOCOLS["others-to-cedar"], everybody())[0].test
        == splits_of(PROTOCOLS["hindi-to-cedar"], everybody())[0].test
    )
    with pytest.raises(BadInput, match="bhsig260_hindi"):
        some = [w for w in everybody() if not w.startswith("bhsig260_hindi")]
        splits_of(PROTOCOLS["others-to-cedar"], some)


def test_legacy_calibration_writers_join_training():
    split = splits_of(PROTOCOLS["bhsig260-hindi-100-60"], everybody())[0]
    joined = split.for_legacy()
    assert len(joined.train) == 100 and not joined.calibration and joined.test == split.test


def test_inner_folds_do_not_depend_on_order_and_are_even():
    writers = [f"bank/{i}" for i in range(23)]
    folds = inner_folds(writers, 4)
    assert sorted(w for f in folds for w in f) == sorted(writers) and {len(f) for f in folds} == {5, 6}
    assert inner_folds(reversed(writers), 4) == folds


def test_a_protocol_measures_its_own_writers_only():
    rows = pd.concat([whole("bhsig260_bengali"), whole("cedar")])
    held = select_signatures(rows, PROTOCOLS["bhsig260-bengali-50-50"])
    assert held.writer_id.nunique() == 50 and {*writers_in_part(held.writer_id.unique(), Part.TEST)} == {
        *held.writer_id
    }
    some = select_signatures(rows, PROTOCOLS["bhsig260-bengali-50-50"], part="train")
    assert some.writer_id.nunique() == 40
    assert select_signatures(rows, PROTOCOLS["cedar-5fold"], fold=2).writer_id.nunique() == 11
    with pytest.raises(BadInput, match="0 to 4"):
        select_signatures(rows, PROTOCOLS["cedar-5fold"], fold=5)
    with pytest.raises(BadInput, match="import bhsig260_hindi"):
        select_signatures(rows, PROTOCOLS["bhsig260-hindi-100-60"])


def test_missing_or_extra_writers_and_wrong_counts_refuse_and_say_what_to_do():
    rows, protocol = whole("cedar"), PROTOCOLS["cedar-5fold"]
    with pytest.raises(TooFewWriters, match=r"got 54 writers; expected 55. import"):
        select_signatures(rows[rows.writer_id != "cedar/007"], protocol)
    extra = pd.concat([rows, rows[rows.writer_id == "cedar/007"].assign(writer_id="cedar/999")])
    with pytest.raises(Mismatch, match="got 56"):
        select_signatures(extra, protocol)
    with pytest.raises(Mismatch, match="1319 genuine"):
        select_signatures(rows.iloc[1:], protocol)


def test_an_unknown_copy_is_labelled_not_refused():
    rows = whole("cedar")
    assert which_copy(rows, "cedar") == UNVERIFIED and which_copy(rows, "bank") == ""
    select_signatures(rows, PROTOCOLS["cedar-5fold"])


def test_a_copy_is_named_by_its_pixels_whatever_the_order_and_the_numbers():
    rows = whole("cedar")
    other = rows.sample(frac=1, random_state=1).assign(signature_id="x", digest="y")
    assert copy_digest(other) == copy_digest(rows)
    swapped = rows.assign(label=["skilled_forgery" if x == "genuine" else "genuine" for x in rows.label])
    assert copy_digest(swapped) != copy_digest(rows) != copy_digest(whole("cedar", digest="e"))


@pytest.mark.parametrize("name", ["cedar", "bhsig260_bengali", "bhsig260_hindi", "ssbi"])
def test_sets_list_the_packed_copies_and_leave_room_for_the_originals(name):
    copies = {copy.name: copy.digest for copy in load_set(name).copies}
    assert len(copies["packed 640-pixel copies"]) == 16 and copies["authors' originals"] == ""
