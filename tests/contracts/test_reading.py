from __future__ import annotations

import pandas as pd
import pytest

from sigverify.contracts import Contract
from sigverify.contracts.reading import read_table
from sigverify.errors import BadTable

HEADER = "record_type,item_id,writer_id,path,amount_minor,currency"
ROW = "D,i1,w1,a.tif,100,EUR"
MANIFEST = Contract.load("scan_manifest")


def check(tmp_path, data: bytes | str):
    path = tmp_path / "manifest.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return MANIFEST.check_file(path)


@pytest.mark.parametrize(
    "data",
    [
        f"{HEADER}\n{ROW}\n",
        f"{HEADER}\r\n{ROW}\r\n",
        f"{HEADER}\r{ROW}",
        f"\ufeff{HEADER}\n{ROW}\n",
        f"{HEADER}\n\n{ROW}\n\n",
        '"record_type", item_id,writer_id,path,amount_minor,currency\n"D","i1",w1,"a.tif","100",EUR\n',
    ],
    ids=["plain", "crlf", "cr", "byte order mark", "blank lines", "quotes"],
)
def test_the_same_table_in_many_hands(tmp_path, data):
    checked = check(tmp_path, data)
    assert checked.failures.empty
    assert checked.records()[0]["item_id"] == "i1" and checked.good.index.tolist() == [1]


def test_commas_quotes_and_line_breaks_inside_cells(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f'{HEADER}\nD,i1,w1,"a, ""b"".tif",100,EUR\nD,i2,w1,"a\nb.tif",100,EUR\n', encoding="utf-8")
    assert read_table(path).frame.path.tolist() == ['a, "b".tif', "a\nb.tif"]
    assert MANIFEST.check_file(path).failures[["row", "rule"]].values.tolist() == [[2, "pattern"]]


def test_a_ragged_row_is_that_rows_failure(tmp_path):
    rows = [ROW, "D,i2,w1,a.tif,100", "D,i3,w1,a.tif,100,EUR,extra", ROW.replace("i1", "i4")]
    checked = check(tmp_path, "\n".join([HEADER, *rows]))
    assert checked.failures[["row", "column", "rule", "value"]].values.tolist() == [
        [2, "", "cells", "5 cells"],
        [2, "currency", "required", ""],
        [3, "", "cells", "7 cells"],
    ]
    assert checked.good.item_id.tolist() == ["i1", "i4"]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "is empty"),
        (b"\n\n", "no header"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "UTF-16"),
        (f"{HEADER}\n{ROW}\nD,i2,w1,\xfc.tif,1,EUR\n".encode("latin-1"), "byte 0xfc in line 3"),
        (f"{HEADER}\nD,i1\0,w1,a.tif,100,EUR\n".encode(), "a NUL byte in line 2"),
        (f'{HEADER}\nD,"i1"x,w1,a.tif,100,EUR\n'.encode(), "is not CSV"),
        (f'{HEADER}\nD,"i1,w1,a.tif,100,EUR\n'.encode(), "is not CSV"),
        (f"{HEADER}\nD,{'x' * 200_000},w1,a.tif,100,EUR\n".encode(), "field larger"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "NUL byte"),
        (b"item;amount\n1;2\n", "lacks record_type"),
        (b"a,a\n1,2\n", "lacks record_type"),
    ],
)
def test_what_is_no_table_says_why(tmp_path, data, named):
    with pytest.raises(BadTable, match=named):
        check(tmp_path, data)


def test_a_missing_file(tmp_path):
    with pytest.raises(BadTable, match=r"manifest\.csv cannot be read"):
        MANIFEST.check_file(tmp_path / "manifest.csv")


def test_parquet_keeps_its_types(tmp_path):
    frame = pd.DataFrame([dict(zip(HEADER.split(","), ROW.split(","), strict=True))] * 2)
    frame = frame.assign(amount_minor=pd.array([10**15 - 1, None], dtype="Int64"))
    frame["captured_at"] = pd.to_datetime(["2026-11-20T10:00:00Z", None])
    frame.to_parquet(tmp_path / "m.parquet")
    checked = Contract.load("scan_manifest").check_file(tmp_path / "m.parquet")
    assert checked.failures[["row", "column", "rule"]].values.tolist() == [[2, "amount_minor", "required"]]
    assert checked.records()[0]["amount_minor"] == 10**15 - 1
    assert checked.records()[0]["captured_at"] == "2026-11-20T10:00:00+00:00"
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(BadTable, match="not a parquet file"):
        read_table(tmp_path / "broken.parquet")
