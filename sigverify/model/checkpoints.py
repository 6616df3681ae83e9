"""The state of a run: what a step changes, saved in one safetensors file and restored to the bit.

Random draws need no saving: they are named by (seed, step).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sigverify.config import TrainingSettings, digest
from sigverify.errors import Conflict, Mismatch
from sigverify.model.batches import SignatureSet
from sigverify.model.encoder import Encoder, build_encoder, load_weights
from sigverify.model.tensors import read_tensors, write_tensors

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class RunState:
    """Everything a training step changes."""

    encoder: Encoder
    optimizer: torch.optim.AdamW
    average: Encoder | None  # the moving average of the weights, batch-norm statistics included
    step: int = 0  # steps done
    seconds: float = 0.0  # spent in steps, over all sessions of the run
    best_eer: float = float("inf")
    best_step: int = 0
    finished: bool = False

    @property
    def result(self) -> Encoder:
        """The encoder that counts: the average where there is one."""
        return self.encoder if self.average is None else self.average

    def descend(self, loss: Tensor, rate: float, clip: float) -> Tensor:
        """One optimizer step at learning rate `rate`, gradient cut to the norm `clip` (0: uncut). Returns the norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), clip or float("inf"))
        self.optimizer.step()
        self.step += 1
        return norm

    def update_average(self, decay: float) -> None:
        """Move the average towards the weights; early on it follows them closely ((1 + t) / (10 + t))."""
        if self.average is None:
            return
        share = 1 - min(decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(), self.encoder.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, share)
                else:
                    mean.copy_(value)


def new_state(settings: TrainingSettings, device: torch.device, initial: Path | None = None) -> RunState:
    """The state before the first step; `initial` are weights to start from. Norms and biases are not decayed."""
    encoder = build_encoder(settings.encoder, settings.seed)
    if initial is not None:
        load_weights(encoder, initial)
    encoder = encoder.to(device).to(memory_format=torch.channels_last).train()
    decayed = [p for p in encoder.parameters() if p.ndim > 1]
    plain = [p for p in encoder.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    average = copy.deepcopy(encoder).eval() if settings.ema_decay > 0 else None
    return RunState(encoder, optimizer, average)


def save_checkpoint(state: RunState, folder: Path, identity: str) -> Path:
    """Replace the folder's checkpoint, whole or not at all. `identity` names settings and data: see `run_identity`."""
    tensors = {f"encoder.{name}": value for name, value in state.encoder.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average.{name}": value for name, value in state.average.state_dict().items()}
    for index, values in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
    record = {"identity": identity, "step": state.step, "seconds": state.seconds, "finished": state.finished}
    if state.best_step:
        record |= {"best_eer": state.best_eer, "best_step": state.best_step}
    return write_tensors(folder / CHECKPOINT, {k: v.detach().cpu() for k, v in tensors.items()}, record)


def restore_checkpoint(state: RunState, folder: Path, identity: str) -> bool:
    """Bring `state` to where the folder's checkpoint was; False where there is none.

    Raises Mismatch where the checkpoint was made with other settings or on other data.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return False
    tensors, record = read_tensors(path)
    if record["identity"] != identity:
        raise Mismatch(
            "the checkpoint belongs to another run (settings, data or initial weights differ)",
            got=record["identity"],
            expected=identity,
            next="resume with what the run was begun with, or train into another folder",
        )
    state.encoder.load_state_dict(_under("encoder", tensors))
    if state.average is not None:
        state.average.load_state_dict(_under("average", tensors))
    _restore_optimizer(state.optimizer, _under("optimizer", tensors))
    state.step, state.seconds, state.finished = record["step"], record["seconds"], record["finished"]
    state.best_eer, state.best_step = record.get("best_eer", float("inf")), record.get("best_step", 0)
    return True


def refuse_unfinished(folder: Path) -> None:
    """Raise Conflict where the folder holds a run that was interrupted: starting over would lose it."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return
    _, record = read_tensors(path)
    if not record["finished"]:
        raise Conflict(
            f"{folder.name} holds an unfinished training run",
            got=f"a checkpoint after step {record['step']}",
            next="go on with resume, delete the folder, or train into another one",
        )


def run_identity(settings: TrainingSettings, data: SignatureSet, initial: Path | None) -> str:
    """Names what must be the same for a run to go on: settings, data, initial weights."""
    started_from = "" if initial is None else digest({"bytes": initial.read_bytes().hex()})
    return f"{digest(settings)}-{data.digest}" + (f"-{started_from}" if started_from else "")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + ".")}


def _restore_optimizer(optimizer: torch.optim.AdamW, tensors: dict[str, Tensor]) -> None:
    held: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        held.setdefault(int(index), {})[name] = value
    state = optimizer.state_dict()
    optimizer.load_state_dict({"state": held, "param_groups": state["param_groups"]})
