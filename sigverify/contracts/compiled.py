"""A contract compiled to a pandera schema: types are parsed before, the schema holds every rule as a named check.

A rule between columns is computed as one true/false column of its own, so that a failure names one row once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from sigverify.contracts.document import Contract, RowRule, Rule

Test = Callable[[pd.Series], pd.Series]


@functools.cache
def compile_schema(contract: Contract) -> pa.DataFrameSchema:
    """The schema a parsed table must satisfy; its checks are named after the contract's rules."""
    columns = {
        c.name: pa.Column(None, [pa.Check(test_of(r), name=r.name) for r in c.rules], nullable=True)
        for c in contract.columns
    }
    for i, rule in enumerate(contract.row_rules):
        columns[row_column(i)] = pa.Column(None, [pa.Check(_holds, name=rule.name)], nullable=True)
    return pa.DataFrameSchema(columns)


def row_column(index: int) -> str:
    """The name of the true/false column of a contract's rule between columns; no column of a table is called so."""
    return f"\0{index}"


def _holds(values: pd.Series) -> pd.Series:
    return values.astype(bool)


def test_of(rule: Rule) -> Test:
    """The vectorised test of a column rule: (n,) values without empty ones -> (n,) bool."""
    a = rule.argument
    if rule.name == "pattern":
        matches = re.compile(a).fullmatch
        return lambda s: s.map({v: matches(v) is not None for v in s.unique()}).astype(bool)  # many cells repeat
    tests: dict[str, Test] = {
        "minLength": lambda s: _lengths(s) >= a,
        "maxLength": lambda s: _lengths(s) <= a,
        "minItems": lambda s: _lengths(s) >= a,
        "maxItems": lambda s: _lengths(s) <= a,
        "minimum": lambda s: s >= a,
        "maximum": lambda s: s <= a,
        "exclusiveMinimum": lambda s: s > a,
        "exclusiveMaximum": lambda s: s < a,
        "validValues": lambda s: s.isin(a),
        "unique": lambda s: ~s.duplicated(keep=False),
    }
    return tests[rule.name]


def _lengths(values: pd.Series) -> pd.Series:
    return pd.Series([len(v) for v in values], index=values.index, dtype=np.int64)


def row_rule_holds(rule: RowRule, table: pd.DataFrame) -> pd.Series:
    """(n,) bool: whether a rule between columns holds for each row of a parsed table."""
    column = table[rule.column]
    there = column.notna()
    concerned = pd.Series(True, index=table.index)
    for name, values in rule.when:
        concerned &= table[name].isin(values)
    if rule.name in ("empty", "empty_when"):
        return ~(there & concerned)
    if rule.name == "required_when":
        return there | ~concerned
    other = table[rule.other]
    if rule.name == "required_with":
        return there | other.isna()
    both = there & other.notna() & concerned
    compared: Any = {"at_most": column.le, "equals_when": column.eq, "differs_when": column.ne}[rule.name](other)
    kept: pd.Series = ~both | compared.fillna(False).astype(bool)
    return kept
