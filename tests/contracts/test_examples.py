"""The examples beside the contracts are tests: valid files pass, invalid ones fail exactly as written down."""

from __future__ import annotations

import csv
import importlib.resources
from pathlib import Path

import pytest

from sigverify.contracts import Contract
from sigverify.contracts.reading import read_table
from tests.contracts.oracle import failures_of

EXAMPLES = Path(str(importlib.resources.files("data_contracts"))) / "examples"
FILES = sorted(p for p in EXAMPLES.rglob("*.csv") if not p.name.endswith(".expected.csv"))


def expected(path: Path) -> set[tuple[int, str, str]]:
    if path.name.startswith("valid"):
        return set()
    with path.with_suffix(".expected.csv").open(newline="", encoding="utf-8") as file:
        return {(int(row["row"]), row["column"], row["rule"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_example(path):
    checked = Contract.load(path.parent.name).check_file(path)
    found = set(checked.failures[["row", "column", "rule"]].itertuples(index=False, name=None))
    assert found == expected(path)
    rows = read_table(path).frame
    assert set(checked.good.index) == set(rows.index) - {row for row, _, _ in found}


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_the_oracle_agrees_with_the_examples(path):
    rows = read_table(path).frame.to_dict("records")
    assert failures_of(path.parent.name, rows) == expected(path)


@pytest.mark.parametrize("name", Contract.names())
def test_every_contract_has_valid_and_invalid_examples(name):
    kinds = {p.stem.split(".")[0].split("-")[0] for p in FILES if p.parent.name == name}
    assert kinds == {"valid", "invalid"}


@pytest.mark.parametrize("name", Contract.names())
def test_every_rule_between_columns_and_every_type_has_an_invalid_example(name):
    contract = Contract.load(name)
    seen = set().union(*(expected(p) for p in FILES if p.parent.name == name))
    broken = {(column, rule) for _, column, rule in seen}
    assert {(r.column, r.name) for r in contract.row_rules} <= broken
    assert {"type", "required"} & {rule for _, rule in broken}
