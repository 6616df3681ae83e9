"""Training as a whole: it learns, it repeats to the byte, it survives being killed, and it notices a collapse."""

from __future__ import annotations

import dataclasses
import hashlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sigverify.config import AugmentationSettings, EncoderSettings, MiningSettings, TrainingSettings, to_dict
from sigverify.errors import BadSettings, Conflict, Mismatch, TooFewWriters, TrainingCollapsed
from sigverify.model.batches import SignatureSet
from sigverify.model.checkpoints import CHECKPOINT
from sigverify.model.encoder import build_encoder, load_encoder, save_weights
from sigverify.model.training import train
from sigverify.model.validation import validate

ROOT = Path(__file__).resolve().parents[2]
replace = dataclasses.replace


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, planted: SignatureSet, small: TrainingSettings) -> Path:
    """The folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    train(planted, small, out)
    return out


def test_a_run_leaves_weights_history_and_a_checkpoint(
    planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    told: list[int] = []
    result = train(planted, small, tmp_path, on_step=lambda step, row: told.append(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == [CHECKPOINT, "history.jsonl", "weights.safetensors"]
    assert told == list(range(1, 11)) and result.steps == 10 and result.stopped == "finished"
    row = result.history[-1]
    wanted = {
        "step",
        "loss",
        "triplet",
        "identity",
        "active",
        "spread",
        "learning_rate",
        "images_per_s",
        "waiting_share",
    }
    assert wanted <= set(row) and row["step"] == 10 and 0 <= row["waiting_share"] <= 1
    assert load_encoder(result.weights, small.encoder).settings == small.encoder


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    whole: Path, planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    torch.manual_seed(99)  # whatever happened before in the process
    again = train(planted, small, tmp_path / "again")
    assert sha(again.weights) == sha(whole / "weights.safetensors")
    other = train(planted, replace(small, seed=1), tmp_path / "other")
    assert sha(other.weights) != sha(again.weights)


def test_training_leaves_the_process_as_it_was(planted: SignatureSet, small: TrainingSettings, tmp_path: Path) -> None:
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    before = signal.getsignal(signal.SIGINT), torch.are_deterministic_algorithms_enabled()
    train(planted, replace(small, steps=1), tmp_path)
    assert torch.equal(torch.rand(2), expected)
    assert (signal.getsignal(signal.SIGINT), torch.are_deterministic_algorithms_enabled()) == before
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


RUN = """
import os, signal, sys
from pathlib import Path
import numpy as np
from sigverify.config import TrainingSettings, from_dict
from sigverify.model.batches import SignatureSet
from sigverify.model.training import train
settings = from_dict(TrainingSettings, {settings!r})
held = np.load({data!r})
data = SignatureSet(held["images"], held["writer"], held["forged"])
def on_step(step, row):
    if step == {stop}:
        os.kill(os.getpid(), signal.{signal})
try:
    train(data, settings, Path({out!r}), resume=True, on_step=on_step)
except KeyboardInterrupt as stop:
    print(stop)
    sys.exit(130)
"""


def run_until(data: SignatureSet, settings: TrainingSettings, out: Path, stop: int, how: str) -> tuple[int, str]:
    """Train in another process that sends itself a signal after a step: (exit status, what it printed)."""
    held = out.with_suffix(".npz")
    np.savez(held, images=data.images, writer=data.writer, forged=data.forged)
    code = textwrap.dedent(RUN).format(settings=to_dict(settings), data=str(held), stop=stop, signal=how, out=str(out))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout + done.stderr[-1500:]


@pytest.mark.parametrize("average", [0.0, 0.9], ids=["plain", "averaged"])
def test_a_killed_run_resumes_to_the_same_bytes(
    planted: SignatureSet, small: TrainingSettings, tmp_path: Path, average: float
) -> None:
    settings = replace(small, ema_decay=average, encoder=replace(small.encoder, dropout=0.2))
    out = tmp_path / "killed"
    status, said = run_until(planted, settings, out, stop=6, how="SIGKILL")
    assert status == -signal.SIGKILL, said
    assert (out / CHECKPOINT).exists() and not (out / "weights.safetensors").exists()
    seen: list[int] = []
    result = train(planted, settings, out, resume=True, on_step=lambda step, row: seen.append(step))
    assert seen == list(range(5, 11)), "it goes on after the checkpoint of step 4"
    assert sha(result.weights) == sha(train(planted, settings, tmp_path / "whole").weights)


def test_ctrl_c_saves_where_it_stopped_and_resumes_to_the_same_bytes(
    whole: Path, planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    status, said = run_until(planted, small, tmp_path / "stopped", stop=7, how="SIGINT")
    assert status == 130 and "after step 7 of 10" in said and "resume" in said, said
    seen: list[int] = []
    result = train(planted, small, tmp_path / "stopped", resume=True, on_step=lambda step, row: seen.append(step))
    assert seen == [8, 9, 10]
    assert sha(result.weights) == sha(whole / "weights.safetensors")
    assert [row["step"] for row in result.history] == [10]


def test_a_finished_run_resumes_to_itself(whole: Path, planted: SignatureSet, small: TrainingSettings) -> None:
    before = sha(whole / "weights.safetensors")
    result = train(planted, small, whole, resume=True, on_step=lambda step, row: pytest.fail("it trained on"))
    assert result.steps == 10 and sha(result.weights) == before


def stop_at(step: int) -> Callable[[int, object], None]:
    def on_step(done: int, row: object) -> None:
        if done == step:
            raise KeyboardInterrupt

    return on_step


def test_an_unfinished_run_is_neither_lost_nor_mixed_up(
    planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(planted, small, tmp_path, on_step=stop_at(3))
    with pytest.raises(Conflict, match="step 3"):
        train(planted, small, tmp_path)
    with pytest.raises(Mismatch, match="another run"):
        train(planted, replace(small, learning_rate=0.5), tmp_path, resume=True)
    fewer = planted.select(np.arange(len(planted)) >= 10)
    with pytest.raises(Mismatch, match="another run"):
        train(fewer, small, tmp_path, resume=True)
    assert train(planted, small, tmp_path, resume=True).stopped == "finished"
    with pytest.raises(KeyboardInterrupt):  # a finished folder may be used again, and holds no stale weights meanwhile
        train(planted, small, tmp_path, on_step=stop_at(2))
    assert not (tmp_path / "weights.safetensors").exists()


def test_validation_does_not_change_the_run(
    whole: Path, planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    watched = replace(small, validate_every=5)
    result = train(planted, watched, tmp_path, validation=planted)
    assert sha(result.weights) == sha(whole / "weights.safetensors")
    rows = [row for row in result.history if "validation_skilled_eer" in row]
    assert [row["step"] for row in rows] == [5, 10]
    best = min(rows, key=lambda row: row["validation_skilled_eer"])
    assert result.best_step == best["step"]


def test_the_best_weights_are_kept_only_when_asked(
    planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    watched = replace(small, validate_every=2, select="best", checkpoint_every=2)
    result = train(planted, watched, tmp_path, validation=planted)
    eers = {r["step"]: r["validation_skilled_eer"] for r in result.history if "validation_skilled_eer" in r}
    assert eers[result.best_step] == min(eers.values())
    chosen = load_encoder(result.weights, small.encoder)
    assert validate(chosen, planted)["skilled_eer"] == pytest.approx(min(eers.values()), abs=0.05)
    with pytest.raises(BadSettings, match="validation"):
        train(planted, watched, tmp_path / "none")
    with pytest.raises(TooFewWriters, match="validation"):  # at once, not when validation is first due
        train(planted, watched, tmp_path / "few", validation=planted.select(planted.writer == 0))


def test_initial_weights_are_where_a_run_begins(planted: SignatureSet, small: TrainingSettings, tmp_path: Path) -> None:
    start = save_weights(build_encoder(small.encoder, 7), tmp_path / "start.safetensors")
    still = replace(small, steps=1, learning_rate=1e-12, weight_decay=0.0)
    tuned = load_encoder(train(planted, still, tmp_path / "tuned", initial=start).weights, small.encoder)
    begun = load_encoder(start, small.encoder)
    assert torch.allclose(tuned.projection.weight, begun.projection.weight, atol=1e-4)
    with pytest.raises(Mismatch, match="does not fit"):
        other = replace(small, encoder=EncoderSettings(backbone="resnet10t"))
        train(planted, other, tmp_path / "other", initial=start)


def test_a_time_budget_ends_the_run_with_the_rate_brought_down(
    planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    long = replace(small, steps=100_000)
    result = train(planted, long, tmp_path, max_seconds=3.0)
    assert result.stopped == "time" and 0 < result.steps < 100_000 and result.weights.exists()
    assert result.history[-1]["step"] == result.steps
    assert result.history[-1]["learning_rate"] < 0.2 * small.learning_rate
    assert train(planted, long, tmp_path, resume=True, max_seconds=3.0).steps == result.steps


def test_training_separates_writers_it_saw(planted: SignatureSet, small: TrainingSettings, tmp_path: Path) -> None:
    fresh = validate(build_encoder(small.encoder).eval(), planted, 3)
    plain = replace(small, steps=60, checkpoint_every=0, augmentation=AugmentationSettings(enabled=False))
    result = train(planted, plain, tmp_path)
    trained = validate(load_encoder(result.weights, small.encoder), planted, 3)
    assert fresh["random_eer"] > 0.05 and fresh["skilled_eer"] > 0.1
    assert trained["random_eer"] < 0.02 and trained["skilled_eer"] < 0.02
    assert result.history[-1]["loss"] < 0.3 * result.history[0]["loss"]


def test_characters_without_forgeries_train(
    make_planted: Callable[..., SignatureSet], small: TrainingSettings, tmp_path: Path
) -> None:
    data = make_planted(writers=12, genuine=6, forgeries=0)
    result = train(data, replace(small, validate_every=10), tmp_path, validation=data.select(data.writer < 6))
    assert result.stopped == "finished" and "validation_skilled_eer" not in result.history[-1]
    assert result.best_step == 10, "without forgeries the random EER chooses"
    with pytest.raises(TooFewWriters):
        train(data.select(data.writer == 0), small, tmp_path / "one")


def test_hard_triplets_alone_from_random_weights_collapse_and_training_says_so(
    planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    reckless = replace(
        small,
        steps=300,
        learning_rate=1e-2,
        warmup_share=0.0,
        identity_weight=0.0,
        mining=MiningSettings(strategy="batch_hard"),
    )
    with pytest.raises(TrainingCollapsed, match="curriculum") as caught:
        train(planted, reckless, tmp_path)
    assert "all equal" in str(caught.value) and caught.value.exit_code == 8
    careful = replace(reckless, identity_weight=0.5, warmup_share=0.1, learning_rate=1e-3, mining=MiningSettings())
    assert train(planted, replace(careful, steps=60), tmp_path / "careful").history[-1]["spread"] > 0.1


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": 0.0}, {"mining": MiningSettings(margin=0.0)}])
def test_settings_that_train_nothing_are_refused(
    wrong: dict[str, object], planted: SignatureSet, small: TrainingSettings, tmp_path: Path
) -> None:
    with pytest.raises(BadSettings, match="above 0"):
        train(planted, replace(small, **wrong), tmp_path)  # type: ignore[arg-type]
