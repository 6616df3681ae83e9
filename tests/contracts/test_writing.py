from __future__ import annotations

import os

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sigverify.contracts import Contract
from sigverify.contracts.reading import read_table
from sigverify.errors import BadInput, BadTable
from tests.contracts.test_checking import VALID

DECISION = Contract.load("verification_decision")


@pytest.mark.parametrize("name", Contract.names())
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_what_is_written_reads_back_the_same(tmp_path, name, ending):
    contract = Contract.load(name)
    good = contract.check_file(VALID[name]).good
    path = contract.write(good, tmp_path / "deep" / f"table{ending}")
    again = contract.check_file(path)
    assert again.failures.empty
    pd.testing.assert_frame_equal(again.good, good)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    good = DECISION.check_file(VALID["verification_decision"]).good
    shuffled = good[list(reversed(good.columns))]
    assert (
        DECISION.write(good, tmp_path / "a.csv").read_bytes()
        == DECISION.write(shuffled, tmp_path / "b.csv").read_bytes()
    )


def test_csv_as_another_program_sees_it(tmp_path):
    good = DECISION.check_file(VALID["verification_decision"]).good
    rows = read_table(DECISION.write(good, tmp_path / "d.csv")).frame
    assert rows.loc[1, ["score", "reference_scores", "amount_minor"]].tolist() == ["2.5", "[0.71, 0.66]", "125000"]
    assert rows.loc[3, ["score", "amount_minor", "currency"]].tolist() == ["", "", ""]
    assert b"\r" not in (tmp_path / "d.csv").read_bytes()


def test_parquet_has_the_contracts_types_and_names_it(tmp_path):
    good = DECISION.check_file(VALID["verification_decision"]).good
    schema = pq.read_schema(DECISION.write(good, tmp_path / "d.parquet"))
    types = {
        name: str(schema.field(name).type) for name in ("score", "amount_minor", "reference_ids", "reference_scores")
    }
    assert types == {
        "score": "double", "amount_minor": "int64", "reference_ids": "list<element: string>",
        "reference_scores": "list<element: double>",
    }  # fmt: skip
    assert schema.metadata[b"contract"] == b"verification_decision"
    assert schema.metadata[b"contract_version"] == DECISION.version.encode()
    assert not schema.field("outcome").nullable and schema.field("score").nullable


def test_a_bad_row_writes_nothing_and_leaves_what_is_there(tmp_path):
    good = DECISION.check_file(VALID["verification_decision"]).good
    path = DECISION.write(good, tmp_path / "d.csv")
    before = path.read_bytes()
    with pytest.raises(BadTable, match=r"1 rows break the contract .* got row 2: outcome must be one of"):
        DECISION.write(good.assign(outcome=["accept", "maybe", *good.outcome[2:]]), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["d.csv"]


def test_several_files_after_one_check(tmp_path):
    good = DECISION.check_file(VALID["verification_decision"]).good
    paths = DECISION.write_all(good, [tmp_path / "d.csv", tmp_path / "d.parquet"])
    for path in paths:
        pd.testing.assert_frame_equal(DECISION.check_file(path).good, good)
    with pytest.raises(BadTable):
        DECISION.write_all(good.assign(outcome="maybe"), [tmp_path / "e.csv", tmp_path / "e.parquet"])
    assert sorted(os.listdir(tmp_path)) == ["d.csv", "d.parquet"]


def test_another_file_ending(tmp_path):
    with pytest.raises(BadInput, match=r"got \.xlsx"):
        DECISION.write(pd.DataFrame(), tmp_path / "d.xlsx")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    good = DECISION.check_file(VALID["verification_decision"]).good
    with pytest.raises(BadInput, match=r"d\.csv could not be written"):
        DECISION.write(good, tmp_path / "file" / "d.csv")
