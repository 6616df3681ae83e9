"""The record as data agrees with what is quoted, and is printed with its provenance and its caveat."""

from __future__ import annotations

import re

import pytest

from sigverify.errors import NotFound
from sigverify.measurement.published import caveat_text, load_published, published_for, published_text

QUOTED = {  # (table, method, column): figure, mark
    ("pairwise", "DetailSemNet", "bhsig260_bengali"): ("2.11", "s"),
    ("pairwise", "DetailSemNet", "cedar"): ("0.58", "s"),
    ("pairwise", "MS-SigNet", "bhsig260_hindi"): ("6.68", "r"),
    ("pairwise", "MS-SigNet's network, plain triplet", "cedar"): ("6.92", "r"),
    ("pairwise", "TransOSV", "bhsig260_hindi"): ("3.39", "s"),
    ("pairwise", "CaC", "bhsig260_bengali"): ("3.96", "s"),
    ("pairwise", "SDINet", "cedar"): ("1.75", "s"),
    ("pairwise", "IDN", "bhsig260_bengali"): ("acc 95.32", "s"),
    ("pairwise", "2C2S", "bhsig260_hindi"): ("acc 90.68", "r"),
    ("pairwise", "SURDS", "bhsig260_bengali"): ("acc 87.34", "s"),
    ("pairwise", "SigNet", "bhsig260_bengali"): ("acc 86.11", "b"),
    ("cross-data-set", "DetailSemNet", "bhsig260_hindi>bhsig260_bengali"): ("7.46", "s"),
    ("cross-data-set", "DetailSemNet", "cedar>bhsig260_bengali"): ("8.40", "s"),
    ("cross-data-set", "TransOSV", "bhsig260_bengali>bhsig260_hindi"): ("17.17", "s"),
    ("cross-data-set", "CaC", "cedar>bhsig260_hindi"): ("39.08", "s"),
    ("cross-data-set", "SigNet", "bhsig260_hindi>cedar"): ("40.43", "s"),
    ("many-references", "SigNet-F", "gpds160"): ("1.72", "r"),
    ("measured", "HOG + logistic regression on a 3-pixel skeleton", "bhsig260_bengali"): ("26.9 / 20.8", "m"),
    ("measured", "stroke width", "bhsig260_bengali"): ("7.5", "m"),
    ("people-and-machines", "document examiners (Kam)", "far"): ("0.49", "s"),
}


@pytest.mark.parametrize("where", sorted(QUOTED))
def test_figures_are_those_quoted_with_their_mark(where):
    table, method, column = where
    row = next(row for row in load_published().table(table).rows if row.method == method)
    assert (row.figures[column], row.mark) == QUOTED[where]


def test_what_the_record_leaves_open_stays_open():
    rows = {row.method: row for row in load_published().table("cross-data-set").rows}
    assert "bhsig260_hindi>cedar" not in rows["TransOSV"].figures
    counted = {t.name: sum(len(row.figures) for row in t.rows) for t in load_published().tables}
    assert (counted["pairwise"], counted["cross-data-set"], counted["measured"]) == (27, 17, 31)


def test_every_figure_is_in_its_table_s_columns_and_is_a_number():
    for table in load_published().tables:
        assert set(table.heads) == set(table.columns)
        for row in table.rows:
            assert row.figures and set(row.figures) <= set(table.columns)
            assert row.mark in {*load_published().marks, ""}
            assert all(re.fullmatch(r"(acc )?\d+(\.\d+)?( / \d+\.\d+|-\d+)?", text) for text in row.figures.values())


def test_a_set_gets_the_tables_that_measured_it():
    assert [t.name for t in published_for(["cedar"])] == ["pairwise", "cross-data-set", "many-references", "measured"]
    assert published_for(["somebody's own"]) == []
    methods = {row.method for row in load_published().table("pairwise").rows_for("bhsig260_hindi")}
    assert "SDINet" not in methods and "TransOSV" in methods
    with pytest.raises(NotFound, match="pairwise"):
        load_published().table("no such")


def test_text_holds_ours_beside_theirs():
    text = published_text(load_published().table("pairwise"), {"v7": {"cedar": "9.99"}})
    lines = text.splitlines()
    assert "quoted as quoted" in lines[0] and lines[3].split() == ["v7", "9.99", "-", "-", "ours"]
    assert len({line.index(end) + len(end) for line, end in ((lines[3], "9.99"), (lines[4], "0.58"))}) == 1
    for word in ("canvas", "0.00", "five writers", "s = second-hand"):
        assert word in caveat_text()
