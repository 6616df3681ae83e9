"""The published pipeline that speeds are compared with, written from its paper: preprocessing and network of SigNet.

Hafemann, Sabourin & Oliveira, Learning features for offline handwritten signature verification using deep convolutional
neural networks, Pattern Recognition 70 (2017): section 4.1 (centred on a canvas by the centre of mass, background by
Otsu's threshold set to white, inverted, resized) and table 1 (the network). For its cost only: the weights are random.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Picture
from torch import nn

Grey = npt.NDArray[np.uint8]
RESIZED = (170, 242)  # px, the paper's; the middle of it goes in:
INPUT = (150, 220)
BLUR_PX = 2.0  # so that specks do not count where the ink's box and middle are sought


def prepare(path: Path, canvas: tuple[int, int]) -> Grey:
    """A scan file as the network's input (150, 220) uint8, ink light on black; `canvas` holds every scan, px."""
    from skimage.filters import gaussian, threshold_otsu
    from skimage.transform import resize

    scan = np.asarray(Picture.open(path).convert("L"))
    blurred = gaussian(scan, BLUR_PX, preserve_range=True)
    threshold = threshold_otsu(scan)
    rows, columns = np.nonzero(blurred <= threshold)
    sheet = np.full(canvas, 255, np.uint8)
    if rows.size:
        top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        crop = scan[top:bottom, left:right]
        middle = rows.mean() - top, columns.mean() - left
        start = [
            int(np.clip(room // 2 - round(float(centre)), 0, room - side))
            for room, centre, side in zip(canvas, middle, crop.shape, strict=True)
        ]
        sheet[start[0] : start[0] + crop.shape[0], start[1] : start[1] + crop.shape[1]] = crop
    sheet[sheet > threshold] = 255
    small = resize(255 - sheet, RESIZED, preserve_range=True, anti_aliasing=True)
    down, across = ((whole - part) // 2 for whole, part in zip(RESIZED, INPUT, strict=True))
    middle_part: Grey = small[down : down + INPUT[0], across : across + INPUT[1]].astype(np.uint8)
    return middle_part


def network() -> nn.Module:
    """(n, 1, 150, 220) -> (n, 2048): table 1 of the paper, random weights, for inference."""

    def step(into: int, out: int, size: int, stride: int = 1, around: int = 0) -> list[nn.Module]:
        return [nn.Conv2d(into, out, size, stride, around, bias=False), nn.BatchNorm2d(out), nn.ReLU()]

    def wide(into: int) -> list[nn.Module]:
        return [nn.Linear(into, 2048, bias=False), nn.BatchNorm1d(2048), nn.ReLU()]

    layers = [
        *step(1, 96, 11, 4), nn.MaxPool2d(3, 2),
        *step(96, 256, 5, 1, 2), nn.MaxPool2d(3, 2),
        *step(256, 384, 3, 1, 1), *step(384, 384, 3, 1, 1), *step(384, 256, 3, 1, 1), nn.MaxPool2d(3, 2),
        nn.Flatten(), *wide(256 * 3 * 5), *wide(2048),
    ]  # fmt: skip
    return nn.Sequential(*layers).eval()


def seconds(files: list[Path], workers: int) -> tuple[float, float]:
    """(preprocessing, network) of `files` on `workers` cores, warm; what follows (scores, records) is not counted."""
    sizes = np.array([Picture.open(file).size for file in files])
    canvas = (int(sizes[:, 1].max()), int(sizes[:, 0].max()))
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(partial(prepare, canvas=canvas), files[: 8 * workers]))  # warm
        started = time.perf_counter()
        images = list(pool.map(partial(prepare, canvas=canvas), files, chunksize=16))
        preparing = time.perf_counter() - started
    net, threads = network(), torch.get_num_threads()
    torch.set_num_threads(workers)
    batches = torch.from_numpy(np.stack(images)).unsqueeze(1).split(64)
    with torch.inference_mode():
        net(batches[0].float() / 255)
        started = time.perf_counter()
        for batch in batches:
            net(batch.float() / 255)
        embedding = time.perf_counter() - started
    torch.set_num_threads(threads)
    return preparing, embedding
