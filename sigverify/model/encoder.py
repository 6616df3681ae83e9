"""The encoder: a timm backbone by name, and what becomes of its features.

Features are averaged over the canvas, as timm does, or kept in their places, in a grid of cells: a signature is where
its strokes are as much as what they are (the aligned cells of the HOG, Dalal and Triggs, CVPR 2005). Embeddings are a
projection of unit norm, compared by cosine, or the cells themselves, not negative and with a sum of one, compared by
overlap; beside the backbone's cells there may then stand those of a second expert that nothing was learnt for.

Weights travel as safetensors in half precision with all batch-norm statistics; loading rebuilds the network with
``pretrained=False``, so nothing is downloaded and nothing is unpickled.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from sigverify.config import EncoderSettings
from sigverify.errors import BadInput, BadSettings, Mismatch, NotFound
from sigverify.model.directions import stroke_directions, windowed
from sigverify.model.pose import posed, shifted, turned
from sigverify.model.reduction import reduced
from sigverify.model.tensors import read_tensors, write_tensors


class Encoder(nn.Module):
    """Prepared signatures (n, 1, h, w) float in [0, 1], ink-positive, to embeddings (n, d) float32.

    Unit norm where `settings.similarity` is "cosine"; not negative, with a sum of one, where it is "overlap".
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        _check(settings)
        self.settings = settings
        self.backbone = GridBackbone(settings) if settings.grid_rows else _backbone(settings)
        if settings.similarity == "overlap":
            return
        width = _output_width(self.backbone)
        self.dropout = nn.Dropout(settings.dropout)
        self.projection = nn.Linear(width, settings.embedding_dim, bias=not settings.projection_norm)
        self.norm = nn.BatchNorm1d(settings.embedding_dim) if settings.projection_norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self._described(self._posed(images))

    def references(self, images: Tensor) -> Tensor:
        """What is held of references: (n, parts * d), the embedding, then one for each turn and shift of the settings.

        A turned signature is brought to its pose again, one that is moved is not: the pose would move it back.
        """
        settings, upright = self.settings, self._posed(images)
        turns = (self._posed(turned(images, degrees)) for degrees in settings.reference_turns_deg)
        shifts = (shifted(upright, across) for across in settings.reference_shifts_px)
        return torch.cat([self._described(each) for each in (upright, *turns, *shifts)], 1)

    def taught(self, images: Tensor) -> Tensor:
        """The part of the embedding that training changes, as an embedding of its own."""
        return self._learnt(self._posed(images))

    def _described(self, posed_images: Tensor) -> Tensor:
        """The embedding of images in their pose: what was learnt, and beside it the directions of strokes."""
        learnt, settings = self._learnt(posed_images), self.settings
        if not settings.directions:
            return learnt
        how = (settings.direction_window_px, settings.direction_neighbours, settings.direction_limit)
        seen = of_sum_one(stroke_directions(posed_images, settings.grids[1], *how).flatten(1))
        share = settings.direction_share
        return torch.cat([learnt * (1 - share), seen * share], 1)

    def _posed(self, images: Tensor) -> Tensor:
        return images if self.settings.pose_stretch < 0 else posed(images, self.settings.pose_stretch)

    def _learnt(self, images: Tensor) -> Tensor:
        features = self.backbone(reduced(images, self.settings))  # (n, width)
        if self.settings.similarity == "overlap":
            return of_sum_one(functional.relu(features.float()))
        projected = self.norm(self.projection(self.dropout(features)))  # (n, d)
        return functional.normalize(projected.float(), dim=1)  # in float32 whatever the autocast type


def of_sum_one(values: Tensor) -> Tensor:
    """Rows (n, d), not negative, divided by their sums; a row of zeros stays one."""
    return values / values.sum(1, keepdim=True).clamp(min=1e-6)


class GridBackbone(nn.Module):
    """Images (n, 1, h, w) to (n, rows * columns * cell_channels): features of one stride, each cell reduced alike."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.grid = (settings.grid_rows, settings.grid_columns)
        self.window = settings.cell_window_px / settings.grid_stride  # sd, in features
        if min(*self.grid, settings.cell_channels) < 1:
            raise BadSettings("a grid needs rows, columns and channels", got=(*self.grid, settings.cell_channels))
        self.features = _backbone(settings, features_only=True, out_indices=(_level(settings),))
        with torch.inference_mode():
            depth = self.features.eval()(torch.zeros(1, 1, 64, 64))[0].shape[1]
        self.features.train()
        self.reduce = nn.Conv2d(depth, settings.cell_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(settings.cell_channels)

    def forward(self, images: Tensor) -> Tensor:
        cells: Tensor = self.norm(self.reduce(self.features(images)[0]))  # (n, c, h / stride, w / stride)
        if self.window > 0:
            cells = windowed(functional.relu(cells.float()), *self.grid, self.window)
        elif cells.shape[2:] != self.grid:
            cells = functional.adaptive_avg_pool2d(cells, self.grid)
        return cells.flatten(1)


def build_encoder(settings: EncoderSettings, seed: int = 0) -> Encoder:
    """A fresh encoder, its initial weights a function of `seed` alone; the global generators are left as they were.

    Raises BadSettings for a backbone timm does not have, or a `first_stride` it cannot take.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(settings)


def save_weights(encoder: Encoder, path: str | Path, half: bool = True) -> Path:
    """Write all weights and batch-norm statistics as safetensors, whole or not at all.

    `half` stores float16; a tensor that float16 cannot hold (a statistic above 65,504) stays float32.
    """
    tensors = {name: value.detach().cpu() for name, value in encoder.state_dict().items()}
    if half:
        tensors = {name: _halved(value) for name, value in tensors.items()}
    return write_tensors(Path(path), tensors)


def load_weights(encoder: Encoder, path: str | Path) -> Encoder:
    """Fill `encoder` from `path`, every tensor, strictly; evaluation mode afterwards. Returns the same encoder.

    Raises NotFound, BadInput for a file that is no safetensors or holds NaN, Mismatch for other names or shapes.
    """
    place = Path(path)
    if not place.is_file():
        raise NotFound(f"no weights file {place.name}", next="train first, or give the path of a weights.safetensors")
    held, _ = read_tensors(place)
    _check_fit(encoder, held, place.name)
    broken = [name for name, value in held.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if broken:
        raise BadInput(f"{place.name} holds NaN or infinite values", got=broken[0], next="train it again")
    encoder.load_state_dict(held, strict=True)
    return encoder.eval()


def load_encoder(path: str | Path, settings: EncoderSettings) -> Encoder:
    """The encoder `settings` describes with the weights at `path`, in evaluation mode, float32 on the CPU.

    Its weights lie channels last, with which convolutions take two thirds of the time.
    """
    return load_weights(build_encoder(settings), path).to(memory_format=torch.channels_last)


def _backbone(settings: EncoderSettings, **how: Any) -> nn.Module:
    """The timm backbone with one input channel; `how` is for timm.create_model. By default its pooled features."""
    if not timm.is_model(settings.backbone):
        near = difflib.get_close_matches(settings.backbone, timm.list_models(), 3)
        expected = " or ".join(near) or "one of timm.list_models()"
        raise BadSettings("timm has no such backbone", got=settings.backbone, expected=expected)
    backbone: nn.Module = timm.create_model(
        settings.backbone, pretrained=False, in_chans=1, **(how or {"num_classes": 0})
    )
    if settings.first_stride not in (1, 2):
        raise BadSettings("first_stride must be 1 or 2", got=settings.first_stride)
    if settings.first_stride == 1:
        _keep_resolution(backbone, settings.backbone)
    return backbone


def _check(settings: EncoderSettings) -> None:
    """Raise BadSettings where cells are asked for that are not kept."""
    if settings.similarity == "overlap" and settings.grid_rows < 1:
        raise BadSettings(
            "overlap compares cells, so features must keep their places", next="set grid_rows and columns"
        )
    if settings.directions and settings.similarity != "overlap":
        raise BadSettings("stroke directions are compared by overlap", got=settings.similarity, expected="overlap")
    if settings.parts > 1 and settings.similarity != "overlap":
        raise BadSettings("turned references are compared by overlap", got=settings.similarity, expected="overlap")
    if settings.physical_size and settings.similarity != "overlap":
        raise BadSettings("a physical size stands behind cells", got=settings.similarity, expected="overlap")
    if settings.direction_split < 1 or settings.direction_neighbours < 1 or settings.direction_neighbours % 2 == 0:
        got = (settings.direction_split, settings.direction_neighbours)
        raise BadSettings("directions need a split >= 1 and an odd number of neighbours", got=got)
    if settings.learnt_height_px < 0 or settings.learnt_widen_px < 0 or settings.learnt_widen_px % 2:
        got = (settings.learnt_height_px, settings.learnt_widen_px)
        raise BadSettings("learnt_height_px and learnt_widen_px are >= 0, the latter even", got=got)
    if not 0 <= settings.direction_share <= 1:
        raise BadSettings("direction_share is a share", got=settings.direction_share, expected="0 to 1")


def _level(settings: EncoderSettings) -> int:
    """Which of the backbone's feature levels has the grid's stride."""
    if not timm.is_model(settings.backbone):
        return 0  # _backbone says so
    try:
        probe: Any = timm.create_model(settings.backbone, pretrained=False, in_chans=1, features_only=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise BadSettings("this backbone gives no features by stride", got=settings.backbone) from error
    strides: list[int] = probe.feature_info.reduction()
    if settings.grid_stride not in strides:
        raise BadSettings(
            f"{settings.backbone} has no features of this stride", got=settings.grid_stride, expected=strides
        )
    return strides.index(settings.grid_stride)


def _keep_resolution(backbone: nn.Module, name: str) -> None:
    """Set the first strided convolution to stride 1; backbones with a branched or patch stem cannot take it."""
    strided = [m for m in backbone.modules() if isinstance(m, nn.Conv2d) and m.stride != (1, 1)]
    if not strided or strided[0].stride != (2, 2):
        raise BadSettings(f"first_stride=1 needs a stem of stride 2, {name} has none", next="use first_stride=2")
    strided[0].stride = (1, 1)
    try:
        with torch.inference_mode():
            backbone.eval()(torch.zeros(1, 1, 64, 64))
        backbone.train()
    except RuntimeError as error:
        raise BadSettings(f"first_stride=1 does not fit the stem of {name}", next="use first_stride=2") from error


def _output_width(backbone: nn.Module) -> int:
    """Numbers the pooled backbone gives for one image; measured, because timm's heads differ in what they report."""
    training = backbone.training
    backbone.eval()
    with torch.inference_mode():
        width = backbone(torch.zeros(1, 1, 64, 128)).shape[1]
    backbone.train(training)
    return int(width)


def _halved(value: Tensor) -> Tensor:
    if value.dtype != torch.float32:
        return value
    half = value.half()
    return half if bool(half.isfinite().all()) else value


def _check_fit(encoder: Encoder, held: dict[str, Tensor], name: str) -> None:
    wanted = {key: tuple(value.shape) for key, value in encoder.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in held.items()}
    if wanted == found:
        return
    differing = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    first = differing[0]
    raise Mismatch(
        f"{name} does not fit {encoder.settings.backbone} with {encoder.settings.size} numbers: "
        f"{len(differing)} tensors differ, first {first}",
        got=found.get(first, "no such tensor"),
        expected=wanted.get(first, "no such tensor"),
        next="load it with the EncoderSettings it was trained with",
    )
