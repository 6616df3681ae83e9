from __future__ import annotations

import csv
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigverify.contracts import Contract
from sigverify.errors import BadTable
from tests.contracts.oracle import failures_of
from tests.contracts.test_examples import EXAMPLES, FILES

VALID = {name: EXAMPLES / name / "valid.csv" for name in Contract.names()}
ODD = [
    "", " ", "0", "-1", "1", "1.5", "1e3", "+5", "1_000", "٣", "nan", "inf", "-0", "true", "TRUE", "yes", "T", "D",
    "EUR",
    "eur", "NULL", "None", "2026-11-20", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00", "2026-13-01T10:00:00Z", "[]",
    "[1]", '["a"]', "[null]", "{}", "a\nb", "ü", "x" * 1200, "../x", "9" * 18, "9" * 19, "genuine", "accept", "refer",
]  # fmt: skip


def rows_of(name: str) -> list[dict[str, str]]:
    with VALID[name].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def found_in(name: str, rows: list[dict[str, str]]) -> set[tuple[int, str, str]]:
    frame = pd.DataFrame(rows, index=range(1, len(rows) + 1), dtype=object)
    failures = Contract.load(name).check(frame).failures
    return set(failures[["row", "column", "rule"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("name", Contract.names())
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_table_fails_as_the_slow_oracle_says(name, data):
    rows = [dict(row) for row in rows_of(name) for _ in range(2)]
    for _ in range(data.draw(st.integers(0, 12))):
        row = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.sampled_from(sorted(rows[0])))
        other = rows[data.draw(st.integers(0, len(rows) - 1))]
        rows[row][column] = data.draw(st.sampled_from([*ODD, *other.values()]) | st.text(max_size=12))
    assert found_in(name, rows) == failures_of(name, rows)


def test_every_row_gets_every_reason_and_no_neighbour_suffers():
    rng = random.Random(7)
    rows = [dict(rows_of("scan_manifest")[0], item_id=f"i{n}") for n in range(3_000)]
    damaged: dict[int, set[str]] = {}
    for n in rng.sample(range(1, 3_001), 600):
        damaged[n] = set(rng.sample(["item_id", "amount_minor", "currency", "page"], rng.randint(1, 4)))
        for column in damaged[n]:
            rows[n - 1][column] = "?"
    frame = pd.DataFrame(rows, index=range(1, 3_001))
    checked = Contract.load("scan_manifest").check(frame)
    assert {n: set(g.column) for n, g in checked.failures.groupby("row")} == damaged
    assert checked.good.index.tolist() == [n for n in range(1, 3_001) if n not in damaged]
    assert checked.n_bad == 600
    assert checked.failures.row.is_monotonic_increasing


def test_good_rows_are_typed_and_keep_their_labels():
    frame = pd.DataFrame(rows_of("scan_manifest"), index=["a", "b", "c", "d"])
    good = Contract.load("scan_manifest").check(frame).good
    assert good.index.tolist() == ["a", "b", "c", "d"]
    assert good.amount_minor.tolist() == [125_000, 125_000, 0, 10**15] and good.page.isna().tolist() == [
        False,
        True,
        False,
        False,
    ]
    records = Contract.load("scan_manifest").check(frame).records()
    assert records[1]["page"] is None and records[1]["captured_at"] is None and type(records[0]["page"]) is int


@pytest.mark.parametrize("name", Contract.names())
def test_typed_values_pass_as_their_text_does(name):
    """What check() made of text can be checked again: the same table, no text anywhere but where text belongs."""
    contract = Contract.load(name)
    once = contract.check_file(VALID[name]).good
    again = contract.check(once)
    assert again.failures.empty
    pd.testing.assert_frame_equal(again.good, once)


@pytest.mark.parametrize(
    ("value", "good"),
    [(5, True), (5.0, True), (np.int64(5), True), (5.5, False), (True, False), (float(2**53), False), (10**18, False),
     (np.float32(5), True), (b"5", False), ([5], False), (None, False), (pd.NA, False), (float("nan"), False)],
)  # fmt: skip
def test_typed_whole_numbers(value, good):
    frame = pd.DataFrame([rows_of("scan_manifest")[0]], dtype=object)
    frame.at[0, "amount_minor"] = value
    checked = Contract.load("scan_manifest").check(frame)
    assert checked.failures.empty == good, checked.failures.to_string()


def test_text_where_a_number_of_another_type_was_meant():
    """A writer id that a spreadsheet turned into a number is not an id."""
    frame = pd.DataFrame(rows_of("scan_manifest")).assign(writer_id=17)
    failures = Contract.load("scan_manifest").check(frame).failures
    assert set(failures.rule) == {"type"} and len(failures) == len(frame)


def test_an_empty_table_is_a_table():
    checked = Contract.load("scan_manifest").check(pd.DataFrame(columns=list(rows_of("scan_manifest")[0])))
    assert checked.good.empty and checked.failures.empty and checked.records() == []


def test_a_missing_column_names_what_is_there_and_what_is_expected():
    frame = pd.DataFrame(rows_of("scan_manifest")).drop(columns=["item_id", "currency"])
    with pytest.raises(BadTable) as caught:
        Contract.load("scan_manifest").check(frame)
    text = str(caught.value)
    assert (
        "lacks item_id, currency" in text
        and "got record_type, writer_id" in text
        and "expected record_type, item_id" in text
    )


def test_a_column_that_may_be_empty_may_be_missing():
    frame = pd.DataFrame(rows_of("scan_manifest")).drop(columns=["page", "captured_at", "count"])
    checked = Contract.load("scan_manifest").check(frame)
    assert checked.failures.empty and checked.good.page.isna().all()


def test_extra_columns_are_kept_or_refused_as_the_contract_says():
    frame = pd.DataFrame(rows_of("scan_manifest")).assign(colour="blue")
    checked = Contract.load("scan_manifest").check(frame)
    assert checked.extra == ("colour",) and set(checked.good.colour) == {"blue"}
    with pytest.raises(BadTable, match="unknown columns; got colour"):
        Contract.load("verification_decision").check(
            pd.DataFrame(rows_of("verification_decision")).assign(colour="blue")
        )


def test_a_column_twice_is_no_table():
    frame = pd.DataFrame(rows_of("scan_manifest"))
    with pytest.raises(BadTable, match="twice; got path"):
        Contract.load("scan_manifest").check(pd.concat([frame, frame[["path"]]], axis=1))


@pytest.mark.parametrize("path", [p for p in FILES if p.stem == "invalid"], ids=lambda p: p.parent.name)
def test_hidden_values_stay_hidden(path):
    """No failure shows a value of a confidential or biometric column, in any of its texts."""
    contract = Contract.load(path.parent.name)
    secret = {c.name: f"secret{c.name}ü" for c in contract.columns if c.hidden}
    with path.open(newline="", encoding="utf-8") as file:
        frame = pd.DataFrame([row | secret for row in csv.DictReader(file)])
    failures = contract.check(frame).failures
    assert set(secret) & set(failures.column)
    assert "secret" not in failures.drop(columns="column").to_string()


def test_shown_values_are_short_and_printable():
    frame = pd.DataFrame(rows_of("scan_manifest")[:1]).assign(currency="\x1b[31m\n" + "x" * 500)
    failures = Contract.load("scan_manifest").check(frame).failures
    assert failures.value.str.len().max() <= 80 and all(v.isprintable() for v in failures.value)
