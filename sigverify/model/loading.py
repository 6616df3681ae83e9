"""Batches ready when the step wants them: prepared ahead by a thread on the CPU, or made on the GPU itself."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sigverify.config import TrainingSettings
from sigverify.model.augmentation import Augmenter, as_pixels
from sigverify.model.batches import Batches, SignatureSet
from sigverify.model.device_augmentation import augment_on_device
from sigverify.model.reduction import reduced_images
from sigverify.model.seeds import seed_at

AHEAD = 3  # batches prepared before they are asked for


@dataclass(frozen=True)
class Batch:
    pixels: Tensor  # (n, 1, h, w) float32 in [0, 1], ink-positive, channels last
    writer: Tensor  # (n,) int64
    forged: Tensor  # (n,) bool


class Loader:
    """Augmented batches by step, on `device`; a step's batch depends on (seed, step) alone. Close it after use."""

    def __init__(self, data: SignatureSet, settings: TrainingSettings, device: torch.device) -> None:
        data = replace(data, images=reduced_images(data.images, settings.encoder))
        self._data, self._settings, self._device = data, settings, device
        self._batches = Batches(data, settings.batch, settings.seed)
        self._on_device = device.type != "cpu"
        self._images = torch.from_numpy(data.images).to(device) if self._on_device else None
        self._augment = None if self._on_device else Augmenter(settings.augmentation)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: deque[tuple[int, Future[Batch]]] = deque()
        self.waited = 0.0  # seconds that steps stood still for data

    def get(self, step: int) -> Batch:
        """The batch of `step`; those of the next steps are begun meanwhile."""
        began = time.perf_counter()
        batch = self._from_thread(step) if self._images is None else self._draw_on_device(self._images, step)
        self.waited += time.perf_counter() - began
        return batch

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _from_thread(self, step: int) -> Batch:
        while self._coming and self._coming[0][0] != step:
            self._coming.popleft()[1].cancel()
        first = self._coming[-1][0] + 1 if self._coming else step
        for later in range(first, step + AHEAD + 1):
            self._coming.append((later, self._thread.submit(self._draw, later)))
        return self._coming.popleft()[1].result()

    def _draw(self, step: int) -> Batch:
        assert self._augment is not None
        rows = self._batches.draw(step)
        pixels = self._augment(self._data.images[rows], seed_at(self._settings.seed, step, 1))
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return Batch(pixels, torch.from_numpy(self._data.writer[rows]), torch.from_numpy(self._data.forged[rows]))

    def _draw_on_device(self, images: Tensor, step: int) -> Batch:
        rows = torch.from_numpy(self._batches.draw(step))
        generator = torch.Generator().manual_seed(seed_at(self._settings.seed, step, 1))
        pixels = augment_on_device(as_pixels(images[rows.to(self._device)]), self._settings.augmentation, generator)
        writer, forged = torch.from_numpy(self._data.writer)[rows], torch.from_numpy(self._data.forged)[rows]
        return Batch(pixels, writer.to(self._device), forged.to(self._device))
