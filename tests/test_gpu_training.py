"""The full run in pieces, where half of the dependencies are missing: it stops in time, goes on to the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sigverify.config import TrainingSettings, from_dict
from sigverify.model.encoder import build_encoder
from sigverify.pretraining import SyntheticPlan
from sigverify.verifier import Verifier
from tests.benchmark_scripts import FOLDER
from tests.test_architecture import ABSENT_ON_A_GPU_MACHINE

BARE = f"""
import runpy, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {ABSENT_ON_A_GPU_MACHINE!r}:
            raise ModuleNotFoundError(f'{{name}} is not on a bare GPU machine', name=name)
sys.meta_path.insert(0, Absent())
import torch
torch.set_num_threads(1)
sys.argv = ['gpu_training.py', *sys.argv[1:]]
runpy.run_path({str(FOLDER / "gpu_training.py")!r}, run_name='__main__')
"""


def small(folder: Path) -> list[str]:
    """Three steps on a few writers, with the settings that stand ready but for a smaller network."""
    plan = {"writers": 6, "genuine": 3, "forgeries": 2, "seed": 3, "long_side_px": 300, "calibration_writers": 12}
    settings = json.loads((FOLDER / "gpu_training.json").read_text(encoding="utf-8"))
    settings |= {"steps": 3, "batch": {"writers": 4, "genuine": 2, "forgeries": 1}, "augmentation": {"enabled": False}}
    settings["encoder"]["backbone"] = "mobilenetv3_small_050"
    for name, value in (("plan", plan), ("settings", settings)):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return ["--plan", str(folder / "plan.json"), "--settings", str(folder / "settings.json"), "--workers", "1"]


def call(*arguments: str, code: str = BARE) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_run_in_pieces_ends_as_one_in_one_go_and_becomes_a_verifier(tmp_path: Path) -> None:
    how, whole, pieces = small(tmp_path), str(tmp_path / "whole"), str(tmp_path / "pieces")
    assert "3 steps" in call("train", "--out", whole, *how)
    for step in (1, 2):
        assert f"stopped after step {step} of 3" in call("train", "--out", pieces, "--max-seconds", "0", *how)
    assert "3 steps" in call("train", "--out", pieces, *how)
    weights = [Path(place) / "training" / "weights.safetensors" for place in (whole, pieces)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    call("finish", "--out", whole, *how, code=BARE.replace("sys.meta_path.insert(0, Absent())", ""))
    made = Verifier.load(tmp_path / "whole" / "verifier")
    assert made.settings.operating_point.provisional and made.settings.terms.startswith("redistributable")


def test_the_last_call_brings_the_learning_rate_down_in_its_time(tmp_path: Path) -> None:
    how = small(tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    (tmp_path / "settings.json").write_text(json.dumps(settings | {"steps": 100_000}), encoding="utf-8")
    out = tmp_path / "last"
    said = call("train", "--out", str(out), "--max-seconds", "6", "--last", *how)
    assert ", time: " in said and (out / "training" / "weights.safetensors").is_file()
    rates = [
        json.loads(line)["learning_rate"] for line in (out / "training" / "history.jsonl").read_text().splitlines()
    ]
    assert rates[-1] < 0.1 * max(rates)


def test_the_settings_that_stand_ready_are_valid_and_the_network_is_small_enough_to_ship() -> None:
    settings = from_dict(TrainingSettings, json.loads((FOLDER / "gpu_training.json").read_text(encoding="utf-8")))
    plan = from_dict(SyntheticPlan, json.loads((FOLDER / "gpu_plan.json").read_text(encoding="utf-8")))
    numbers = sum(p.numel() for p in build_encoder(settings.encoder).parameters())
    assert 2 * numbers < 12_000_000 and plan.writers >= 10_000
