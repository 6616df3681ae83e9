"""What surrounds the loop: schedule, collapse watch, diary, seeds, interruption, the average of the weights."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from sigverify.config import TrainingSettings
from sigverify.errors import TrainingCollapsed
from sigverify.model.checkpoints import new_state
from sigverify.model.collapse import PATIENCE, CollapseWatch
from sigverify.model.history import History, Interval
from sigverify.model.interruption import held_interrupt
from sigverify.model.numerics import kept_memory, mixed_precision
from sigverify.model.schedule import learning_rate, progress
from sigverify.model.seeds import seed_at


def test_one_cycle_rises_to_the_peak_and_falls_to_a_hundredth() -> None:
    rates = [learning_rate(2.0, 0.1, done / 1000) for done in range(1001)]
    assert max(rates) == rates[100] == pytest.approx(2.0) and rates[-1] == pytest.approx(0.02)
    assert rates[:101] == sorted(rates[:101]) and rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[50] == pytest.approx(1.0) and rates[550] == pytest.approx(1.01, abs=0.01) and rates[0] > 0
    assert learning_rate(2.0, 0.0, 0.0) == pytest.approx(2.0)


def test_progress_is_by_steps_or_by_time_whichever_is_further() -> None:
    assert progress(25, 100, 1e9, None) == 0.25
    assert progress(25, 100, 10, 100) == 0.25
    assert progress(25, 100, 50, 100) == 0.5
    assert progress(25, 100, 500, 100) == 1.0 == progress(100, 100, 0, 100)


def test_the_watch_wants_equal_embeddings_and_a_loss_at_the_margin_for_a_while() -> None:
    watch = CollapseWatch(margin=0.2)
    for step in range(50):
        watch.look(step, 0.2, spread=0.5)  # hard triplets, healthy embeddings
        watch.look(step, 0.05, spread=0.001)  # close together, yet learning
    for step in range(PATIENCE - 1):
        watch.look(step, 0.201, spread=0.001)
    watch.look(9, 0.2, spread=0.3)  # recovered
    for step in range(PATIENCE - 1):
        watch.look(step, 0.199, spread=0.001)
    with pytest.raises(TrainingCollapsed, match="step 77"):
        watch.look(77, 0.2, spread=0.001)


@pytest.mark.parametrize("figures", [(float("nan"), 0.5), (0.1, float("inf"))])
def test_the_watch_stops_at_once_where_numbers_end(figures: tuple[float, float]) -> None:
    with pytest.raises(TrainingCollapsed, match="not a number"):
        CollapseWatch(0.2).look(3, *figures)


def test_a_diary_drops_what_came_after_the_checkpoint_and_half_a_line(tmp_path: Path) -> None:
    diary = History(tmp_path, 0)
    for step in (10, 20, 30):
        diary.add({"step": step})
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"step": 4')
    again = History(tmp_path, 20)
    assert [row["step"] for row in again.rows] == [10, 20] and again.latest == {"step": 20}
    again.add({"step": 30})
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20, 30]
    assert History(tmp_path / "new", 0).latest == {}


def test_an_interval_gives_means_since_the_last_row() -> None:
    interval = Interval()
    for value in (1.0, 2.0, 3.0):
        interval.note(8, {"loss": torch.tensor(value, requires_grad=True), "active": torch.tensor(0.5)})
    row = interval.row(waited=0.0)
    assert row["loss"] == 2.0 and row["active"] == 0.5 and row["images_per_s"] > 0 and row["waiting_share"] == 0.0
    interval.note(8, {"loss": torch.tensor(7.0), "active": torch.tensor(1.0)})
    assert interval.row(waited=0.0)["loss"] == 7.0


def test_seeds_differ_by_every_part_of_the_place() -> None:
    places = [(s, step, purpose) for s in range(5) for step in range(5) for purpose in range(3)]
    assert len({seed_at(*place) for place in places}) == len(places)
    assert seed_at(1, 2) == seed_at(1, 2) and 0 <= seed_at(0) < 2**63


def test_the_first_interrupt_is_noted_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), held_interrupt() as interrupt:
        assert not interrupt.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_train_without_touching_signals() -> None:
    seen: list[bool] = []

    def work() -> None:
        with held_interrupt() as interrupt:
            seen.append(interrupt.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_the_average_follows_weights_and_statistics(small: TrainingSettings) -> None:
    settings = TrainingSettings(encoder=small.encoder, ema_decay=0.9)
    state = new_state(settings, torch.device("cpu"))
    assert state.result is state.average and state.average is not None
    weight = next(iter(state.encoder.parameters()))
    start = weight.detach().clone()
    state.step = 10_000  # long after its warm-up
    with torch.no_grad():
        weight.add_(1.0)
        state.encoder.get_buffer("backbone.bn1.running_mean").add_(10.0)
    state.update_average(0.9)
    assert torch.allclose(next(iter(state.average.parameters())), start + 0.1, atol=1e-6)
    assert torch.allclose(state.average.get_buffer("backbone.bn1.running_mean"), torch.tensor(1.0))
    state.step = 1  # at first it keeps up
    state.update_average(0.9)
    assert torch.allclose(next(iter(state.average.parameters())), weight - 0.9 * 2 / 11, atol=1e-5)


def test_on_a_cpu_precision_is_full_and_memory_is_given_back() -> None:
    with mixed_precision(torch.device("cpu"), True), kept_memory(torch.device("cpu")):
        assert (torch.rand(4, 4) @ torch.rand(4, 4)).dtype == torch.float32


def test_what_comes_after_a_run_pays_no_page_faults_for_it() -> None:
    """Arrays of 300 KB, made and dropped: the C library keeps their room, as it does by itself after a while."""
    with kept_memory(torch.device("cpu")), kept_memory(torch.device("cpu")):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        np.empty(300_000, np.uint8).fill(1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 200 * 20  # 74 pages each
