"""sigverify audit-data from end to end: a synthetic set in, findings, JSON and a page out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sigverify.synthetic_catalogue import synthesise_catalogue


def run(*arguments, expect=0):
    done = subprocess.run(
        [sys.executable, "-c", "from sigverify.cli import main; main()", "audit-data", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == expect, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("audit") / "catalogue"
    synthesise_catalogue(place, 10, 4, 3, seed=1, workers=1)
    return place


@pytest.mark.slow
def test_an_audit_from_the_command_line(folder, tmp_path):
    done = run(folder, "--out", tmp_path / "out", "--workers", 1, "--json")
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "out" / "audit.json").read_text())
    assert {p["probe"] for p in found["probes"]} >= {"paper", "grey", "canvas", "stroke_with_references"}
    assert found["counts"]["writers"] == 10 and found["findings"]
    assert {p["n_references"] for p in found["probes"]} == {0, 2}  # 4 genuine signatures each: two and two queries
    assert "describing scans 100 %" in done.stderr and "probing the scans" in done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"audit.json", "audit.txt", "audit.html"}


def test_what_cannot_be_audited_is_one_line_and_its_exit_code(folder, tmp_path):
    assert "no catalogue" in run(tmp_path / "nowhere", expect=3).stderr
    assert "too few writers to audit" in run(folder, "--part", "test", expect=5).stderr
    synthesise_catalogue(tmp_path / "genuine", 2, 2, 0, seed=1, workers=1)
    done = run(tmp_path / "genuine", expect=2)
    assert "no skilled forgeries" in done.stderr and done.stderr.count("\n") == 1
