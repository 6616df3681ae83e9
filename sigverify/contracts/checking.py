"""Hold a table against a contract: columns, then types, then every rule; collect, never stop at the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pandera.errors import SchemaErrors

from sigverify.contracts.cells import Mask, parse_column
from sigverify.contracts.compiled import compile_schema, row_column, row_rule_holds
from sigverify.contracts.document import Column, Contract, Rule
from sigverify.contracts.outcome import FAILURE_COLUMNS, Checked, is_missing
from sigverify.contracts.reading import read_table
from sigverify.errors import BadTable

Found = list[tuple[int, int, str, str, str, str]]  # row position, column position, column, rule, value, reason
SHOWN = 80  # characters of a value in a failure
KINDS = {
    "integer": "a whole number written with digits alone",
    "number": "a finite number",
    "boolean": "true or false",
    "date": "a date, YYYY-MM-DD",
    "timestamp": "a time, ISO 8601",
    "string": "text",
}


def check(contract: Contract, frame: pd.DataFrame) -> Checked:
    """See Contract.check."""
    extra = _check_columns(contract, frame)
    found: Found = []
    parsed: dict[str, pd.Series] = {}
    for place, column in enumerate(contract.columns):
        given = frame[column.name] if column.name in frame else pd.Series([None] * len(frame), dtype=object)
        values, empty, wrong = parse_column(given, column)
        parsed[column.name] = values
        _note(found, place, column, given, wrong, "type", f"{column.name} must be {_kind(column)}")
        if column.required:
            _note(found, place, column, given, empty, "required", f"{column.name} must not be empty")
    table = pd.DataFrame(parsed, index=pd.RangeIndex(len(frame)))
    found += _rule_failures(contract, frame, table)
    failures = _as_table(found, frame.index)
    good = np.ones(len(frame), dtype=bool)
    good[sorted({f[0] for f in found})] = False
    for name in extra:
        table[name] = frame[name].to_numpy()
    table.index = frame.index
    return Checked(table[good], failures, extra)


def check_file(contract: Contract, path: Path) -> Checked:
    """See Contract.check_file."""
    delivered = read_table(path)
    checked = check(contract, delivered.frame)
    if delivered.ragged.empty:
        return checked
    failures = pd.concat([delivered.ragged, checked.failures], ignore_index=True)
    failures = failures.sort_values("row", kind="stable", ignore_index=True)
    good = checked.good[~checked.good.index.isin(delivered.ragged["row"])]
    return Checked(good, failures, checked.extra)


def _check_columns(contract: Contract, frame: pd.DataFrame) -> tuple[str, ...]:
    names = [str(name) for name in frame.columns]
    expected = ", ".join(contract.column_names)
    missing = [c.name for c in contract.columns if c.required and c.name not in names]
    if missing:
        got = ", ".join(names)[:500] or "no columns"
        raise BadTable(f"{contract.name} lacks {', '.join(missing)}", got=got, expected=expected)
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise BadTable(f"{contract.name} has columns twice", got=", ".join(twice)[:500], expected=expected)
    extra = tuple(n for n in names if n not in contract.column_names)
    if extra and contract.extra_columns == "refuse":
        raise BadTable(f"{contract.name} has unknown columns", got=", ".join(extra)[:500], expected=expected)
    return extra


def _rule_failures(contract: Contract, frame: pd.DataFrame, table: pd.DataFrame) -> Found:
    marked = table.copy(deep=False)
    for i, row_rule in enumerate(contract.row_rules):
        marked[row_column(i)] = row_rule_holds(row_rule, table)
    try:
        compile_schema(contract).validate(marked, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    found: Found = []
    places = {name: i for i, name in enumerate(contract.column_names)}
    for (name, rule), group in cases.groupby(["column", "check"], sort=False):
        failed = np.zeros(len(table), dtype=bool)
        failed[group["index"].to_numpy(dtype=np.int64)] = True
        if name in places:
            column = contract.columns[places[name]]
            text = _reason(column, next(r for r in column.rules if r.name == rule))
        else:
            broken = contract.row_rules[int(name[1:])]
            column, text = contract.columns[places[broken.column]], broken.text
        given = frame[column.name] if column.name in frame else table[column.name]
        _note(found, places[column.name], column, given, failed, str(rule), text)
    return found


def _note(found: Found, place: int, column: Column, given: pd.Series, failed: Mask, rule: str, reason: str) -> None:
    positions = np.flatnonzero(failed)
    cells = given.iloc[positions].to_numpy(dtype=object)
    for position, cell in zip(positions.tolist(), cells, strict=True):
        found.append((position, place, column.name, rule, _shown(cell, column), reason))


def _shown(cell: object, column: Column) -> str:
    """A value as a failure may show it: hidden where the column is confidential or biometric, control signs escaped."""
    if (isinstance(cell, str) and not cell) or is_missing(cell):
        return ""
    if column.hidden:
        return f"hidden ({len(cell)} characters)" if isinstance(cell, str) else "hidden"
    text = str(cell)
    return (text if text.isprintable() else ascii(text)[1:-1])[:SHOWN]


def _kind(column: Column) -> str:
    if column.logical_type == "array":
        return f"a list of {column.item_type}s, in CSV as JSON"
    kind = KINDS[column.logical_type] + (" with its zone" if column.time_zone else "")
    return f"{kind} ({column.unit})" if column.unit else kind


def _reason(column: Column, rule: Rule) -> str:
    a = rule.argument
    listed = (
        ", ".join(map(str, a[:8])) + (f", ... ({len(a)} in all)" if len(a) > 8 else "") if isinstance(a, tuple) else ""
    )
    return {
        "pattern": f"{column.name} must match {a}",
        "minLength": f"{column.name} must have at least {a} characters",
        "maxLength": f"{column.name} must have at most {a} characters",
        "minItems": f"{column.name} must have at least {a} entries",
        "maxItems": f"{column.name} must have at most {a} entries",
        "minimum": f"{column.name} must be at least {a}",
        "maximum": f"{column.name} must be at most {a}",
        "exclusiveMinimum": f"{column.name} must be more than {a}",
        "exclusiveMaximum": f"{column.name} must be less than {a}",
        "validValues": f"{column.name} must be one of {listed}",
        "unique": f"{column.name} must not repeat within the table",
    }[rule.name]


def _as_table(found: Found, index: pd.Index) -> pd.DataFrame:
    ordered = sorted(found, key=lambda f: (f[0], f[1]))
    labels = index.to_numpy()
    rows = [(labels[f[0]], *f[2:]) for f in ordered]
    return pd.DataFrame.from_records(rows, columns=list(FAILURE_COLUMNS))
