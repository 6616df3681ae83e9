"""Which way strokes run, and where: histograms of gradient directions in soft, overlapping cells. Nothing is learnt.

Dalal and Triggs (CVPR 2005) with Gaussian windows in place of hard cells: a stroke that strays by a few pixels moves
its weight a little instead of jumping to the next cell, and strokes of one writer's genuine signatures do stray.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

REDUCTION = 4  # px; gradients are pooled this far before they are smoothed
_LEAST_ENERGY = 1e-3


def stroke_directions(
    images: Tensor, grid: tuple[int, int, int], window_px: float, neighbours: int = 3, limit: float = 0.4
) -> Tensor:
    """Images (n, 1, h, w) float in [0, 1] -> (n, directions, rows, columns) float32, not negative.

    `grid` is (directions, rows, columns). Directions are unsigned (0 to 180 degrees), each gradient shared between its
    two nearest; `window_px` is the standard deviation of the Gaussian window of a cell. Each cell is divided by the
    energy of the `neighbours` x `neighbours` cells about it, and cut off at `limit` of it.
    """
    directions, rows, columns = grid
    with torch.autocast(images.device.type, enabled=False):
        cells = windowed(_oriented(images.float(), directions), rows, columns, window_px / REDUCTION)
        energy = cells.square().sum(1, keepdim=True)
        if neighbours > 1:
            energy = functional.avg_pool2d(energy, neighbours, 1, neighbours // 2, count_include_pad=False)
        return (cells / (energy.sqrt() + _LEAST_ENERGY)).clamp(max=limit)


def _oriented(images: Tensor, directions: int) -> Tensor:
    """Gradient magnitude by direction, pooled: (n, directions, h / REDUCTION, w / REDUCTION).

    Most of a canvas is paper without any gradient, so only the pixels that have one are looked at.
    """
    n, _, height, width = images.shape
    rows, columns = height // REDUCTION, width // REDUCTION
    across, down = torch.zeros_like(images), torch.zeros_like(images)
    torch.sub(images[..., 2:], images[..., :-2], out=across[..., 1:-1])
    torch.sub(images[..., 2:, :], images[..., :-2, :], out=down[..., 1:-1, :])
    cut = (slice(None), 0, slice(rows * REDUCTION), slice(columns * REDUCTION))
    image, y, x = torch.nonzero((across[cut] != 0) | (down[cut] != 0), as_tuple=True)
    across, down = across[image, 0, y, x], down[image, 0, y, x]
    strength = torch.hypot(across, down)
    angle = torch.atan2(down, across).mul_(directions / torch.pi).remainder_(float(directions))
    lower = angle.floor()
    share = angle - lower
    first = lower.long() % directions
    cell = (y // REDUCTION) * columns + x // REDUCTION
    maps = images.new_zeros(n * directions * rows * columns)
    for direction, part in ((first, 1 - share), ((first + 1) % directions, share)):
        maps.index_add_(0, (image * directions + direction) * (rows * columns) + cell, strength * part)
    return maps.view(n, directions, rows, columns) / REDUCTION**2


def windowed(maps: Tensor, rows: int, columns: int, deviation: float) -> Tensor:
    """Maps (n, c, h, w) averaged over `rows` x `columns` cells seen through Gaussian windows: (n, c, rows, columns).

    The convolution with a Gaussian of `deviation` map pixels, zero outside, then the mean over each cell; both are
    linear along each axis, so two small matrices do it at once. `deviation` 0 is the mean alone.
    """
    down = _window(maps.shape[2], rows, deviation, maps)
    across = _window(maps.shape[3], columns, deviation, maps)
    return down @ maps @ across.T


def _window(length: int, cells: int, deviation: float, like: Tensor) -> Tensor:
    """(cells, length): what each map pixel along one axis weighs in each cell."""
    place = torch.arange(length, device=like.device, dtype=like.dtype)
    mean = functional.adaptive_avg_pool1d(torch.eye(length, device=like.device, dtype=like.dtype), cells).T
    if deviation <= 0:
        return mean
    reach = max(1, round(3 * deviation))
    apart = (place[:, None] - place[None, :]).abs()
    window = torch.exp(-0.5 * (apart / deviation).square()).masked_fill(apart > reach, 0.0)
    offsets = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
    return mean @ (window / torch.exp(-0.5 * (offsets / deviation).square()).sum())
