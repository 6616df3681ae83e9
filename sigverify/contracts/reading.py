"""A CSV or parquet file as a table, all CSV cells text, so that a wrong type is a row's failure and never a crash."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sigverify.contracts.outcome import FAILURE_COLUMNS
from sigverify.errors import BadTable

MAX_BYTES = 512_000_000


@dataclass(frozen=True)
class Delivered:
    """`frame`: every row, numbered from 1. `ragged`: rows with too many or too few cells, as failures."""

    frame: pd.DataFrame
    ragged: pd.DataFrame


def read_table(path: Path) -> Delivered:
    """Read ``.csv`` (UTF-8, with or without byte order mark, any line ends) or ``.parquet``.

    Raises BadTable for a file that is missing, empty, in another encoding, or no table; rows are never the reason.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadTable(f"{path.name} is too large", got=f"{path.stat().st_size} bytes", expected=f"<= {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise BadTable(f"{path.name} cannot be read", got=error.strerror, next="check the path") from error
    if path.suffix == ".parquet":
        return Delivered(_parquet(data, path.name), _no_failures())
    return read_csv(data, path.name)


def read_csv(data: bytes, name: str) -> Delivered:
    """As `read_table`, for the bytes of a CSV file that was read already; `name` is for messages."""
    return _csv(_text(data, name), name)


def _parquet(data: bytes, name: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(io.BytesIO(data)).to_pandas(integer_object_nulls=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadTable(f"{name} is not a parquet file", got=type(error).__name__, next="deliver it again") from error
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def _text(data: bytes, name: str) -> str:
    if not data:
        raise BadTable(f"{name} is empty", expected="a header and rows", next="deliver it again")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadTable(f"{name} is not UTF-8", got="UTF-16", next="save it as UTF-8")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise BadTable(f"{name} is not a text file", got=f"a NUL byte in line {line}", expected="CSV in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadTable(
            f"{name} is not UTF-8", got=f"byte 0x{data[error.start]:02x} in line {line}", next="save it as UTF-8"
        ) from error


def _csv(text: str, name: str) -> Delivered:
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise BadTable(f"{name} is not CSV", got=str(error), next="quote cells that hold quotes or commas") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    if not any(header):
        raise BadTable(f"{name} has no header", expected="column names in its first line")
    body = rows[1:]
    width = len(header)
    ragged = [(n, len(row)) for n, row in enumerate(body, 1) if len(row) != width]
    for number, _ in ragged:
        body[number - 1] = (body[number - 1] + [""] * width)[:width]
    frame = pd.DataFrame(body, columns=header, index=pd.RangeIndex(1, len(body) + 1), dtype=object)
    reason = f"the row must have {width} cells, as the header"
    failures = [(number, "", "cells", f"{cells} cells", reason) for number, cells in ragged]
    return Delivered(frame, pd.DataFrame.from_records(failures, columns=list(FAILURE_COLUMNS)))


def _no_failures() -> pd.DataFrame:
    return pd.DataFrame(columns=list(FAILURE_COLUMNS))
