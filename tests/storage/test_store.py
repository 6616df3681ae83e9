from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from sigverify.errors import BadInput, BadTable, Conflict, Mismatch, NotFound
from sigverify.records import Classification
from sigverify.storage.store import Store


def signature(n: int, **other: object) -> dict[str, object]:
    return {
        "signature_id": f"set/w{n % 3}/genuine/{n}",
        "writer_id": f"set/w{n % 3}",
        "dataset": "set",
        "label": "genuine",
        "image_url": "ab/cd.png",
        "digest": f"digest {n}",
        "pixel_digest": f"pixels {n}",
        "width_px": 640,
        "height_px": 200,
    } | other


def test_no_catalogue_names_the_fix(tmp_path):
    with pytest.raises(NotFound, match="import-dataset") as caught:
        Store.open(tmp_path / "nowhere")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "nowhere").exists()


def test_a_catalogue_is_found_again(tmp_path):
    with Store.open(tmp_path / "c", create=True, classification=Classification.RESEARCH) as store:
        store.add_signatures([signature(1)])
    with Store.open(tmp_path / "c") as again:
        assert again.classification is Classification.RESEARCH
        assert list(again.signatures().classification) == ["research"]
    Store.open(tmp_path / "c", create=True).close()  # there already: opened, not emptied
    assert len(Store.open(tmp_path / "c").signatures()) == 1


def test_signatures_come_in_one_order_with_plain_types(any_store):
    any_store.add_signatures([signature(n) for n in (10, 2, 1)] + [signature(7, dpi=300.0, fingerprint=b"\0\xff")])
    frame = any_store.signatures()
    assert list(frame.signature_id) == sorted(frame.signature_id)
    by_id = frame.set_index("signature_id")
    assert by_id.loc["set/w1/genuine/7", "fingerprint"] == b"\0\xff"
    assert by_id.loc["set/w1/genuine/7", "dpi"] == 300.0
    assert frame.duplicate_of.isna().all() and frame.is_reference.dtype == bool and not frame.is_reference.any()


def test_adding_again_changes_nothing(any_store):
    rows = [signature(n) for n in range(5)]
    assert any_store.add_signatures(rows) == 5
    before = any_store.signatures()
    assert any_store.add_signatures([*rows[:3], signature(9)]) == 1
    after = any_store.signatures()
    old = after[after.signature_id != "set/w0/genuine/9"].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, before)


def test_what_was_read_can_be_added_elsewhere(any_store, tmp_path):
    any_store.add_signatures([signature(1), signature(2, duplicate_of="set/w1/genuine/1", dpi=200.0)])
    with Store.open(tmp_path / "other", create=True) as other:
        assert other.add_signatures(any_store.signatures()) == 2
        pd.testing.assert_frame_equal(other.signatures(), any_store.signatures())


@pytest.mark.parametrize("place", [0, 1])
def test_the_same_id_with_other_content_adds_nothing(any_store, place):
    any_store.add_signatures([signature(1)])
    rows = [signature(2), signature(3)]
    rows.insert(place, signature(1, digest="another scan"))
    with pytest.raises(Conflict, match="other content"):
        any_store.add_signatures(rows)
    assert len(any_store.signatures()) == 1


def test_two_contents_under_one_id_in_one_call(any_store):
    with pytest.raises(Conflict):
        any_store.add_signatures([signature(1), signature(1, digest="another scan")])
    assert any_store.signatures().empty


def test_missing_and_unknown_columns_are_named(store):
    row = signature(1, colour="blue")
    del row["digest"]
    with pytest.raises(BadTable, match=r"unknown \['colour'\], missing \['digest'\]"):
        store.add_signatures([row])


def test_some_writers_or_sets(any_store):
    any_store.add_signatures([signature(n) for n in range(9)] + [signature(20, dataset="other", writer_id="x")])
    assert set(any_store.signatures(writer_ids=["set/w1", "nobody"]).writer_id) == {"set/w1"}
    assert len(any_store.signatures(datasets=["other"])) == 1
    assert any_store.signatures(writer_ids=[]).empty


def test_marking_references(any_store):
    any_store.add_signatures([signature(n) for n in range(3)])
    assert any_store.mark_references(["set/w1/genuine/1", "set/w2/genuine/2"]) == 2
    any_store.mark_references(["set/w2/genuine/2"], is_reference=False)
    assert list(any_store.signatures().is_reference) == [False, True, False]
    with pytest.raises(NotFound, match="nobody"):
        any_store.mark_references(["set/w0/genuine/0", "nobody"])
    assert list(any_store.signatures().is_reference) == [False, True, False]


def test_marking_duplicates(any_store):
    any_store.add_signatures([signature(n) for n in range(3)])
    any_store.mark_duplicates({"set/w2/genuine/2": "set/w0/genuine/0"})
    assert any_store.signatures().duplicate_of.fillna("").tolist() == ["", "", "set/w0/genuine/0"]
    with pytest.raises(NotFound):
        any_store.mark_duplicates({"set/w2/genuine/2": "nobody"})


def test_near_duplicates_have_one_order(any_store):
    assert any_store.add_near_duplicates([("b", "a", 0.9), ("a", "b", 0.9), ("b", "c", 0.8)]) == 2
    assert any_store.add_near_duplicates([("a", "b", 0.1)]) == 0
    expected = pd.DataFrame({"signature_a": ["a", "b"], "signature_b": ["b", "c"], "similarity": [0.9, 0.8]})
    pd.testing.assert_frame_equal(any_store.near_duplicates(), expected)
    with pytest.raises(BadInput):
        any_store.add_near_duplicates([("a", "a", 1.0)])


def test_a_password_is_never_written(postgres, tmp_path, monkeypatch):
    url = postgres.new_database().replace("sigverify@", "sigverify:swordfish@")
    Store.open(tmp_path / "c", database_url=url, create=True).close()
    assert "swordfish" not in (tmp_path / "c" / "catalogue.json").read_text()
    monkeypatch.setenv("SIGVERIFY_DATABASE_URL", url)
    with Store.open(tmp_path / "c") as store:
        store.add_signatures([signature(1)])
    assert not (tmp_path / "c" / "catalogue.db").exists()


def test_a_database_without_the_tables_says_so(postgres, tmp_path, monkeypatch):
    Store.open(tmp_path / "c", create=True).close()
    monkeypatch.setenv("SIGVERIFY_DATABASE_URL", postgres.new_database())
    with Store.open(tmp_path / "c") as store, pytest.raises(NotFound, match="holds no catalogue"):
        store.signatures()


def test_another_schema_and_a_damaged_file(tmp_path):
    Store.open(tmp_path / "c", create=True).close()
    path = tmp_path / "c" / "catalogue.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(Mismatch, match="got 99"):
        Store.open(tmp_path / "c")
    path.write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        Store.open(tmp_path / "c", create=True)


def test_two_processes_make_one_catalogue(postgres, tmp_path):
    url = postgres.new_database()
    code = f"from sigverify.storage.store import Store; Store.open({str(tmp_path / 'c')!r}, {url!r}, create=True)"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [p.wait(timeout=120) for p in started] == [0, 0, 0]
    assert Store.open(tmp_path / "c").signatures().empty
