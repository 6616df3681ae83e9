"""Write a table that keeps its contract: checked first, then a temporary name, then one rename."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from sigverify.contracts.document import Column, Contract
from sigverify.contracts.outcome import Checked
from sigverify.errors import BadInput, BadTable

ARROW = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool", "date": "string"}


def write_table(frame: pd.DataFrame, contract: Contract, path: Path) -> Path:
    """Write `frame` to `path`, ``.csv`` or ``.parquet``, in the contract's column order and types.

    CSV: UTF-8, comma, one line feed a row, empty cell for missing, JSON text for a list. Parquet names contract and
    version in its metadata. The file appears whole or not at all. Raises BadTable when a row breaks the contract (all
    of them are counted, the first is named), BadInput for another file ending or a full disk.
    """
    return write_tables(frame, contract, [path])[0]


def write_tables(frame: pd.DataFrame, contract: Contract, paths: Sequence[Path]) -> list[Path]:
    """As `write_table`, to several files with one check: nothing is written when a row breaks the contract."""
    for path in paths:
        if path.suffix not in WRITERS:
            raise BadInput("a table is written as .csv or .parquet", got=path.suffix or path.name)
    checked = contract.check(frame)
    if len(checked.failures):
        first = checked.failures.iloc[0]
        raise BadTable(
            f"{checked.n_bad} rows break the contract {contract.name} {contract.version}; nothing was written",
            got=f"row {first['row']}: {first['reason']}",
        )
    for path in paths:
        _write_whole(checked, contract, path)
    return list(paths)


def _write_whole(checked: Checked, contract: Contract, path: Path) -> None:
    working = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[path.suffix](checked, contract, working)
        _to_disk(working)
        os.replace(working, path)
        _to_disk(path.parent)
    except OSError as error:
        raise BadInput(f"{path.name} could not be written", got=error.strerror, next="free space and repeat") from error
    finally:
        with suppress(OSError):
            working.unlink()


def _write_csv(checked: Checked, contract: Contract, path: Path) -> None:
    table = checked.good[contract.column_names].copy()
    for column in contract.columns:
        if column.logical_type == "array":
            table[column.name] = [None if v is None else json.dumps(v, ensure_ascii=False) for v in table[column.name]]
        elif column.logical_type == "boolean":
            table[column.name] = table[column.name].map({True: "true", False: "false"})
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _write_parquet(checked: Checked, contract: Contract, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = {"contract": contract.name, "contract_version": contract.version}
    schema = pa.schema([pa.field(c.name, _arrow(c), nullable=not c.required) for c in contract.columns], metadata=named)
    columns = {c.name: pa.array(checked.good[c.name], type=_arrow(c), from_pandas=True) for c in contract.columns}
    pq.write_table(pa.table(columns, schema=schema), path)


def _arrow(column: Column) -> Any:
    import pyarrow as pa

    if column.logical_type == "array":
        return pa.list_(pa.string() if column.item_type == "string" else pa.float64())
    return pa.type_for_alias(ARROW.get(column.logical_type, "string"))


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


WRITERS: dict[str, Callable[[Checked, Contract, Path], None]] = {".csv": _write_csv, ".parquet": _write_parquet}
