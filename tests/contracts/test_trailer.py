from __future__ import annotations

import pandas as pd
import pytest

from sigverify.contracts import Contract, Trailer

COLUMNS = ["record_type", "item_id", "writer_id", "path", "amount_minor", "currency", "count"]
MANIFEST = Contract.load("scan_manifest")


def manifest(*trailers: list[str], n: int = 2) -> pd.DataFrame:
    rows = [["D", f"i{k}", "w1", "a.tif", "100", "EUR", ""] for k in range(n)] + [list(t) for t in trailers]
    return pd.DataFrame(rows, columns=COLUMNS, index=range(1, len(rows) + 1), dtype=object)


def trailer(count: str = "2", amount: str = "200", currency: str = "EUR") -> list[str]:
    return ["T", "", "", "", amount, currency, count]


def test_the_last_row_is_the_trailer():
    rows, found, problems = MANIFEST.split_trailer(manifest(trailer()))
    assert (found, problems) == (Trailer(2, 200, "EUR"), [])
    assert rows.index.tolist() == [1, 2] and MANIFEST.check(rows).failures.empty


@pytest.mark.parametrize(
    ("row", "expected", "named"),
    [
        (trailer(count="two"), Trailer(None, 200, "EUR"), "count must be a whole number"),
        (trailer(count=""), Trailer(None, 200, "EUR"), "count must not be empty"),
        (trailer(count="-2"), Trailer(None, 200, "EUR"), "count must be at least 0"),
        (trailer(amount="2.00"), Trailer(2, None, "EUR"), "amount_minor must be a whole number"),
        (trailer(currency="euro"), Trailer(2, 200, None), "currency must match"),
    ],
)
def test_what_cannot_be_read_is_none_and_a_problem(row, expected, named):
    _, found, problems = MANIFEST.split_trailer(manifest(row))
    assert found == expected
    assert any(named in p and p.startswith("trailer: ") for p in problems)


def test_a_total_over_all_currencies():
    assert MANIFEST.split_trailer(manifest(trailer(currency="")))[1:] == (Trailer(2, 200, None), [])


@pytest.mark.parametrize("frame", [manifest(), manifest(n=0), pd.DataFrame()])
def test_without_a_trailer_all_rows_are_rows(frame):
    rows, found, problems = MANIFEST.split_trailer(frame)
    assert found is None and len(rows) == len(frame) and "no trailer" in problems[0]


def test_a_trailer_elsewhere_is_a_bad_row():
    rows, found, _ = MANIFEST.split_trailer(manifest(trailer(count="9"), trailer()))
    assert found == Trailer(2, 200, "EUR")
    failures = MANIFEST.check(rows).failures
    assert set(failures.row) == {3} and ("record_type", "validValues") in set(
        zip(failures.column, failures.rule, strict=True)
    )


def test_a_manifest_of_nothing_but_a_trailer():
    rows, found, problems = MANIFEST.split_trailer(manifest(trailer("0", "0"), n=0))
    assert (found, problems) == (Trailer(0, 0, "EUR"), []) and rows.empty
