"""Scores kept beside the figures: packed small, and the figures come out of them again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigverify.errors import BadInput, NotFound
from sigverify.evaluation.metrics import eer
from tests.benchmark_scripts import FOLDER, load

SCRIPT = FOLDER / "kept_scores.py"


@pytest.fixture(scope="module")
def kept_scores():
    return load("kept_scores")


def run_folder(folder: Path, seed: int, shift: float = 0.0, order: int = 0) -> Path:
    """A run's scores.parquet: 6 writers, 1 and 5 references, in an order of its own."""
    rng, rows = np.random.default_rng(seed), []
    for k in (1, 5):
        for writer in range(6):
            for draw in range(2):
                for query in range(8):
                    kind = ("genuine", "skilled_forgery", "random_forgery")[query % 3]
                    of = writer if kind != "random_forgery" else (writer + 1) % 6
                    score = rng.normal({"genuine": 0.3 + shift, "skilled_forgery": 0.2}.get(kind, 0.0), 0.05)
                    rows.append((f"w{writer}", f"q{of}/{query}", f"w{of}", kind, k, draw, score))
    names = ["writer_id", "query_id", "query_writer_id", "kind", "n_references", "draw", "score"]
    folder.mkdir()
    frame = pd.DataFrame(rows, columns=names).sample(frac=1, random_state=order).assign(verifier_version="x")
    frame.to_parquet(folder / "scores.parquet", index=False)
    return folder


def test_packed_scores_are_those_of_each_trial_to_a_ten_thousandth(tmp_path, kept_scores):
    runs = {"one": run_folder(tmp_path / "a", 1), "other": run_folder(tmp_path / "b", 2, 0.1, order=5)}
    packed = kept_scores.pack(runs, [1, 5])
    assert packed["one"].dtype == np.int16
    for name, folder in runs.items():
        held = pd.read_parquet(folder / "scores.parquet")
        joined = packed.astype(dict.fromkeys(kept_scores.TRIAL[2:], str)).merge(held, on=kept_scores.TRIAL)
        assert len(joined) == len(held) == len(packed)
        assert np.abs(joined[name] * kept_scores.STEP - joined["score"]).max() <= kept_scores.STEP / 2 + 1e-9
    assert set(kept_scores.pack(runs, [5])["n_references"]) == {5}


def test_the_figures_come_out_of_the_file_alone(tmp_path, kept_scores):
    runs = {"one": run_folder(tmp_path / "a", 1)}
    kept_scores.pack(runs, [1, 5]).to_parquet(tmp_path / "small.parquet")
    held = pd.read_parquet(runs["one"] / "scores.parquet")
    shown = kept_scores.table([tmp_path / "small.parquet"], resamples=50)
    for k in (1, 5):
        of = {kind: rows["score"].to_numpy() for kind, rows in held[held["n_references"] == k].groupby("kind")}
        rate = 100 * eer(of["genuine"], of["skilled_forgery"]).rate
        row = next(line for line in shown.splitlines() if line.startswith(f"| small | one | {k} | 6 |"))
        assert f"| {rate:.1f} [" in row


def test_other_trials_large_scores_and_missing_files_are_refused(tmp_path, kept_scores):
    one, other = run_folder(tmp_path / "a", 1), run_folder(tmp_path / "b", 2)
    rows = pd.read_parquet(other / "scores.parquet")
    rows.assign(draw=rows["draw"] + 1).to_parquet(other / "scores.parquet")
    with pytest.raises(BadInput, match="other trials"):
        kept_scores.pack({"one": one, "other": other}, [1, 5])
    rows.assign(score=40.0).to_parquet(other / "scores.parquet")
    with pytest.raises(BadInput, match="too large"):
        kept_scores.pack({"other": other}, [1, 5])
    with pytest.raises(NotFound):
        kept_scores.pack({"none": tmp_path}, [1])


def test_the_script_says_what_is_wrong_and_ends_with_2(tmp_path):
    bad = subprocess.run([sys.executable, SCRIPT, "show", tmp_path / "no.parquet"], capture_output=True, text=True)
    assert bad.returncode == 2 and "no file" in bad.stderr
    run_folder(tmp_path / "a", 1)
    out = tmp_path / "deep" / "kept.parquet"
    done = subprocess.run(
        [sys.executable, SCRIPT, "pack", out, f"one={tmp_path / 'a'}"], capture_output=True, text=True, check=True
    )
    assert "MB" in done.stdout and out.exists()
