"""The trailer of a manifest: the last row, record_type T, with control totals. A T elsewhere stays a (bad) row."""

from __future__ import annotations

import pandas as pd

from sigverify.contracts.document import Contract
from sigverify.contracts.outcome import Trailer, is_missing

TRAILER = "T"


def split_trailer(frame: pd.DataFrame) -> tuple[pd.DataFrame, Trailer | None, list[str]]:
    """(rows, trailer, problems). Without a trailer the rows are all rows and the problem says so.

    What the trailer holds unreadably is None there, and a problem. Raises BadTable where there is no record_type.
    """
    kinds = frame["record_type"] if "record_type" in frame else pd.Series(dtype=object)
    if frame.empty or kinds.iloc[-1:].tolist() != [TRAILER]:
        return frame, None, ["the last row is no trailer (record_type T)"]
    last = frame.iloc[-1:]
    contract = Contract.load("scan_manifest", "trailer")
    cells = last.reindex(columns=contract.column_names)
    problems = [f"trailer: {f.reason}" for f in contract.check(cells).failures.itertuples()]
    refused = set(contract.check(cells).failures["column"])
    read = {c: None if c in refused else _value(contract, cells, c) for c in ("count", "amount_minor", "currency")}
    return frame.iloc[:-1], Trailer(**read), problems  # type: ignore[arg-type]


def _value(contract: Contract, cells: pd.DataFrame, name: str) -> object:
    from sigverify.contracts.cells import parse_column

    column = next(c for c in contract.columns if c.name == name)
    value = parse_column(cells[name], column)[0].iloc[0]
    return None if is_missing(value) else value if isinstance(value, str) else int(value)
