"""Training an encoder: sample, forward, mine, loss, step, log.

On the CPU the same data, settings and seed give the same bytes, interrupted or not; on a GPU nearly the same numbers.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from sigverify.config import TrainingSettings
from sigverify.errors import BadSettings
from sigverify.model.batches import SignatureSet
from sigverify.model.checkpoints import (
    CHECKPOINT,
    RunState,
    new_state,
    refuse_unfinished,
    restore_checkpoint,
    run_identity,
    save_checkpoint,
)
from sigverify.model.collapse import CollapseWatch
from sigverify.model.encoder import save_weights
from sigverify.model.history import History, Interval, Row
from sigverify.model.interruption import Interrupt, held_interrupt
from sigverify.model.loading import Loader
from sigverify.model.losses import identity_loss, triplet_loss
from sigverify.model.mining import distances, hardness, mine
from sigverify.model.numerics import kept_memory, mixed_precision, repeatable
from sigverify.model.schedule import learning_rate, progress
from sigverify.model.seeds import seed_at
from sigverify.model.validation import validate, writers_to_validate

LOG_EVERY = 10  # steps
WEIGHTS, BEST = "weights.safetensors", "best.safetensors"
OnStep = Callable[[int, Row], None]


@dataclass(frozen=True)
class TrainingResult:
    """Where the weights are and how they came about."""

    weights: Path  # safetensors, float16
    history: list[Row]  # the rows of history.jsonl
    steps: int  # done, over all sessions of the run
    best_step: int  # with the lowest validation skilled EER; 0 without validation
    seconds: float  # spent in steps, over all sessions of the run
    stopped: Literal["finished", "time"]


@dataclass(frozen=True)
class _Run:
    """What stays the same during a run, and its state."""

    settings: TrainingSettings
    out: Path
    identity: str
    validation: SignatureSet | None
    state: RunState
    history: History

    def save_checkpoint(self) -> None:
        save_checkpoint(self.state, self.out, self.identity)


def train(
    data: SignatureSet,
    settings: TrainingSettings,
    out: Path,
    validation: SignatureSet | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
    initial: Path | None = None,
    max_seconds: float | None = None,
    device: str | None = None,
) -> TrainingResult:
    """Train on `data` into the folder `out`: weights.safetensors, history.jsonl, checkpoint.safetensors.

    `resume` goes on from the folder's checkpoint where there is one. `on_step(steps_done, latest_history_row)` is
    called after every step. `initial` are weights to start from. `max_seconds` ends the run early with the learning
    rate brought down in time (the run is then not repeatable). `device` None is the GPU where there is one.

    Ctrl-C finishes the step, saves a checkpoint and raises KeyboardInterrupt. Raises TrainingCollapsed, TooFewWriters,
    BadSettings, Mismatch (resuming another run), Conflict (the folder holds an unfinished run and `resume` is False).
    """
    _check(settings, validation)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with repeatable(place), kept_memory(place):
        identity, state = run_identity(settings, data, initial), new_state(settings, place, initial)
        if not (resume and restore_checkpoint(state, out, identity)):
            _clear(out)
        run = _Run(settings, out, identity, validation, state, History(out, state.step))
        loader = Loader(data, settings, place)
        try:
            if not state.finished:
                _train(run, loader, on_step, max_seconds)
        finally:
            loader.close()
        _finish(run)
    stopped: Literal["finished", "time"] = "finished" if state.step >= settings.steps else "time"
    return TrainingResult(out / WEIGHTS, run.history.rows, state.step, state.best_step, state.seconds, stopped)


def _train(run: _Run, loader: Loader, on_step: OnStep | None, max_seconds: float | None) -> None:
    """The loop. Every step's draws are named by (seed, step): nothing random has to be saved or restored."""
    settings, state = run.settings, run.state
    watch, interval = CollapseWatch(settings.mining.margin), Interval()
    with held_interrupt() as interrupt:
        while (done := progress(state.step, settings.steps, state.seconds, max_seconds)) < 1.0:
            began = time.perf_counter()
            torch.manual_seed(seed_at(settings.seed, state.step, 2))  # dropout
            draws = torch.Generator().manual_seed(seed_at(settings.seed, state.step, 3))  # mining
            rate = learning_rate(settings.learning_rate, settings.warmup_share, done)
            hard = hardness(settings.mining, done)  # share of anchors mined batch-hard

            batch = loader.get(state.step)
            with mixed_precision(batch.pixels.device, settings.mixed_precision):
                embeddings = state.encoder.taught(batch.pixels)  # (n, d) float32
            distance = distances(embeddings, settings.encoder.similarity)  # (n, n)
            triplets = mine(distance, batch.writer, batch.forged, settings.mining, hard, draws)
            triplet, active = triplet_loss(distance, triplets, settings.mining.margin)
            identity = identity_loss(1 - distance, batch.writer, batch.forged, settings.identity_temperature)
            loss = triplet + settings.identity_weight * identity
            gradient = state.descend(loss, rate, settings.gradient_clip)
            state.update_average(settings.ema_decay)

            figures = {"loss": loss, "triplet": triplet, "identity": identity, "active": active, "gradient": gradient}
            interval.note(len(embeddings), figures | {"spread": distance.detach().mean()})
            state.seconds += time.perf_counter() - began
            last = progress(state.step, settings.steps, state.seconds, max_seconds) >= 1.0
            validating = run.validation is not None and _due(state.step, settings.validate_every, last)
            if validating or last or state.step % LOG_EVERY == 0:
                row = {"step": state.step, "learning_rate": rate, "hard_share": hard, **interval.row(loader.waited)}
                run.history.add(row | _validated(run) if validating else row)
                watch.look(state.step, row["triplet"], row["spread"])
            if on_step is not None:
                _tell(on_step, run, interrupt)
            if interrupt.asked or _due(state.step, settings.checkpoint_every, last):
                run.save_checkpoint()
            if interrupt.asked:
                raise KeyboardInterrupt(f"stopped after step {state.step} of {settings.steps}; resume=True goes on")


def _check(settings: TrainingSettings, validation: SignatureSet | None) -> None:
    if settings.steps < 1 or settings.learning_rate <= 0 or settings.mining.margin <= 0:
        raise BadSettings("steps, learning_rate and margin must be above 0", got=settings)
    if settings.select == "best" and (validation is None or settings.validate_every < 1):
        raise BadSettings("select 'best' needs a validation set and validate_every > 0", next="or select 'last'")
    if validation is not None and settings.validate_every > 0:
        writers_to_validate(validation)


def _clear(out: Path) -> None:
    """Make room for a new run: what a finished one left goes, an unfinished one is a Conflict."""
    refuse_unfinished(out)
    for name in (CHECKPOINT, WEIGHTS, BEST):
        (out / name).unlink(missing_ok=True)


def _due(step: int, every: int, last: bool) -> bool:
    return every > 0 and (last or step % every == 0)


def _validated(run: _Run) -> Row:
    """Figures on the validation writers; the best weights so far are kept beside the run."""
    assert run.validation is not None
    state = run.state
    figures = validate(state.result, run.validation)
    eer = figures.get("skilled_eer", figures["random_eer"])
    if eer < state.best_eer:
        state.best_eer, state.best_step = eer, state.step
        save_weights(state.result, run.out / BEST)
    return {f"validation_{name}": value for name, value in figures.items()}


def _tell(on_step: OnStep, run: _Run, interrupt: Interrupt) -> None:
    """Call back; a callback that raises KeyboardInterrupt asks for the end like Ctrl-C does."""
    try:
        on_step(run.state.step, run.history.latest)
    except KeyboardInterrupt:
        interrupt.asked = True


def _finish(run: _Run) -> None:
    """Write the weights that count, then the checkpoint that says the run is over."""
    weights = run.out / WEIGHTS
    if run.settings.select == "best" and run.state.best_step:
        copy = shutil.copyfile(run.out / BEST, weights.with_name(f".{WEIGHTS}"))
        copy.replace(weights)
    else:
        save_weights(run.state.result, weights)
    run.state.finished = True
    run.save_checkpoint()
