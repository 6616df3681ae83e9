"""Many prepared images to embeddings, in batches, without training anything."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch

from sigverify.errors import BadInput
from sigverify.model.encoder import Encoder
from sigverify.model.numerics import kept_memory
from sigverify.records import Floats, Image, Sizes


def embed(encoder: Encoder, images: Image, batch_size: int = 64, references: bool = False) -> Floats:
    """Prepared images (n, h, w) uint8, ink-positive, to embeddings (n, d) float32, on the encoder's device.

    `references`: what is held of references, (n, parts * d), see Encoder.references.

    The encoder runs in evaluation mode and gets its own mode back; an image's embedding does not depend on which
    other images are in the batch. Raises BadInput for another shape or type.
    """
    if images.ndim != 3 or images.dtype != np.uint8:
        raise BadInput("embed takes prepared images", got=f"{images.dtype} {images.shape}", expected="uint8 (n, h, w)")
    training = encoder.training
    encoder.eval()
    try:
        return _embed(encoder, images, batch_size, references)
    finally:
        encoder.train(training)


def _embed(encoder: Encoder, images: Image, batch_size: int, references: bool) -> Floats:
    device = next(encoder.parameters()).device
    out = np.empty(
        (len(images), encoder.settings.described * (encoder.settings.parts if references else 1)), np.float32
    )
    many = kept_memory(device) if len(images) > batch_size else nullcontext()
    with torch.inference_mode(), many:
        for start in range(0, len(images), batch_size):
            chunk = torch.from_numpy(np.ascontiguousarray(images[start : start + batch_size])).to(device)
            pixels = chunk.unsqueeze(1).float().div_(255)
            out[start : start + batch_size] = (
                (encoder.references(pixels) if references else encoder(pixels)).float().cpu().numpy()
            )
    return out


def with_sizes(embeddings: Floats, sizes_mm: Sizes | None, parts: int = 1) -> Floats:
    """Embeddings (n, parts * d) with each one's physical size behind every part: (n, parts * (d + 2)).

    None: no size is known. Raises BadInput where there is not one for each.
    """
    n = len(embeddings)
    sizes = np.zeros((n, 2), np.float32) if sizes_mm is None else np.asarray(sizes_mm, np.float32).reshape(-1, 2)
    if len(sizes) != n:
        raise BadInput("a size for each image, or none at all", got=f"{len(sizes)} sizes, {n} images")
    each = np.repeat(sizes[:, None], parts, axis=1)
    return np.concatenate([embeddings.reshape(n, parts, -1), each], axis=2).reshape(n, -1)
