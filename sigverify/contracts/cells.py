"""Cells to values: a column of text or typed values as its logical type, and which cells are none of it.

The empty text, None and NaN are one and the same empty cell. Text is taken as it stands: no trimming, no thousands
separators, no decimals for whole numbers, no other digits than 0-9.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigverify.contracts.document import Column

Mask = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]
INTEGER = re.compile(r"-?[0-9]{1,18}")  # fits 64 bits
NUMBER = re.compile(r"[+-]?([0-9]{1,32}(\.[0-9]{0,32})?|\.[0-9]{1,32})([eE][+-]?[0-9]{1,3})?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
EXACT = 2**53  # whole numbers above may already have been rounded when they come as floats
WRONG = object()  # a cell that is not of its type
DTYPES = {"string": "object", "integer": "Int64", "number": "float64", "boolean": "boolean"}


def parse_column(given: pd.Series, column: Column) -> tuple[pd.Series, Mask, Mask]:
    """(values, empty, wrong), each (n,): values under the column's dtype, missing where empty or wrong."""
    cells = given.to_numpy(dtype=object)
    empty = pd.isna(cells) | np.fromiter((isinstance(c, str) and not c for c in cells), bool, len(cells))
    values = np.empty(len(cells), dtype=object)
    if column.logical_type == "string" and pd.api.types.infer_dtype(cells[~empty], skipna=False) in ("string", "empty"):
        values[~empty] = cells[~empty]
        return _series(values, column), empty, np.zeros(len(cells), dtype=bool)
    parse = PARSERS[column.logical_type]
    values[:] = [None if e else parse(c, column) for c, e in zip(cells, empty.tolist(), strict=True)]
    wrong = np.fromiter((v is WRONG for v in values), bool, len(values))
    values[wrong] = None
    return _series(values, column), empty, wrong


def _series(values: Objects, column: Column) -> pd.Series:
    dtype = DTYPES.get(column.logical_type, "object")
    if dtype == "float64":
        return pd.Series([math.nan if v is None else v for v in values], dtype=dtype)
    return pd.Series(values, dtype=dtype)


def parse_string(cell: Any, _column: Column) -> Any:
    return cell if isinstance(cell, str) else WRONG


def parse_integer(cell: Any, _column: Column) -> Any:
    """``42``; a float counts when it is whole and small enough never to have been rounded."""
    if isinstance(cell, str):
        return int(cell) if INTEGER.fullmatch(cell) else WRONG
    if isinstance(cell, bool | np.bool_):
        return WRONG
    if isinstance(cell, int | np.integer):
        return int(cell) if abs(int(cell)) < 10**18 else WRONG
    whole = isinstance(cell, float | np.floating) and float(cell).is_integer() and abs(float(cell)) < EXACT
    return int(cell) if whole else WRONG


def parse_number(cell: Any, _column: Column) -> Any:
    """A finite number."""
    if isinstance(cell, str):
        value = float(cell) if NUMBER.fullmatch(cell) else math.inf
    elif isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool):
        value = float(cell)
    else:
        return WRONG
    return value if math.isfinite(value) else WRONG


def parse_boolean(cell: Any, _column: Column) -> Any:
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    return {"true": True, "false": False}.get(cell.lower(), WRONG) if isinstance(cell, str) else WRONG


def parse_date(cell: Any, _column: Column) -> Any:
    """``2026-11-20``, kept as text."""
    if isinstance(cell, dt.date) and not isinstance(cell, dt.datetime):
        return cell.isoformat()
    return cell if isinstance(cell, str) and DATE.fullmatch(cell) and _exists(dt.date, cell) else WRONG


def parse_timestamp(cell: Any, column: Column) -> Any:
    """``2026-11-20T17:05:00Z``, kept as text; with a zone where the contract asks for one."""
    text = cell.isoformat() if isinstance(cell, dt.datetime) else cell
    if not isinstance(text, str):
        return WRONG
    match = MOMENT.fullmatch(text)
    if match is None or (column.time_zone and match[3] is None):
        return WRONG
    return text if _exists(dt.datetime, text) else WRONG


def parse_array(cell: Any, column: Column) -> Any:
    """A list, or its JSON text; every entry of the item type and none missing."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return WRONG
    if not isinstance(cell, list | tuple | np.ndarray):
        return WRONG
    parse = parse_string if column.item_type == "string" else parse_typed_number
    entries = [parse(entry, column) for entry in cell]
    return WRONG if any(entry is WRONG for entry in entries) else entries


def parse_typed_number(cell: Any, column: Column) -> Any:
    return WRONG if isinstance(cell, str) else parse_number(cell, column)


def _exists(kind: type[dt.date], text: str) -> bool:
    """Whether the calendar and the clock know it: no 30 February, no 25 o'clock."""
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True


PARSERS = {
    "string": parse_string,
    "integer": parse_integer,
    "number": parse_number,
    "boolean": parse_boolean,
    "date": parse_date,
    "timestamp": parse_timestamp,
    "array": parse_array,
}
