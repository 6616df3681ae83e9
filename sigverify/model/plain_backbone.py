"""A timm backbone as it comes, pooled, without any fine-tuning: what a network knows before it sees a signature."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional

from sigverify.errors import BadInput, BadSettings, NotFound
from sigverify.records import Floats, Image

BATCH = 64


class PlainBackbone:
    """The backbone `name` with the ImageNet weights in `weights` (a local safetensors file in timm's names).

    Without a file its weights are random, a function of `seed`. A three-channel stem is summed over its channels.
    Raises BadSettings for a name timm does not have, NotFound or BadInput for the file.
    """

    def __init__(self, name: str, weights: str | Path | None = None, seed: int = 0) -> None:
        self.name = name
        self.random = weights is None
        if not timm.is_model(name):
            near = difflib.get_close_matches(name, timm.list_models(), 3)
            raise BadSettings("timm has no such backbone", got=name, expected=" or ".join(near) or "a timm name")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = _network(name, None if weights is None else Path(weights))
        self._network.eval()

    def embed(self, images: Sequence[Image]) -> Floats:
        """Prepared signatures (n, h, w) uint8, ink-positive, to pooled features (n, d) float32, unit norm.

        Ink is shown dark on white paper, standardised with the mean and spread the backbone was made for.
        """
        config: dict[str, Any] = getattr(self._network, "pretrained_cfg", {}) or {}
        mean, spread = (float(np.mean(config.get(key) or 0.5)) for key in ("mean", "std"))
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                ink = torch.from_numpy(np.stack(list(images[start : start + BATCH]))).unsqueeze(1).float().div_(255)
                features = self._network((1 - ink - mean) / spread)  # (b, d)
                found.append(functional.normalize(features, dim=1).numpy())
        return np.concatenate(found).astype(np.float32)


def _network(name: str, weights: Path | None) -> nn.Module:
    if weights is None:
        made: nn.Module = timm.create_model(name, pretrained=False, in_chans=1, num_classes=0)
        return made
    if not weights.is_file():
        raise NotFound(f"no weights file {weights.name}", next=f"give a safetensors file of {name} in timm's names")
    if weights.suffix != ".safetensors":
        raise BadInput("weights must be safetensors", got=weights.name, next="nothing else is read: it could execute")
    overlay = {"file": str(weights)}
    try:
        made = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, in_chans=1, num_classes=0)
    except (RuntimeError, KeyError, ValueError) as error:
        raise BadInput(f"{weights.name} does not fit {name}", got=str(error).splitlines()[0][:200]) from error
    return made
