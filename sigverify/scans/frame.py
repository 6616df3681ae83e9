"""Dark lines along a scan's edges: the lid of the scanner, the edge of a sheet or a cell. Not ink of the signature."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sigverify.scans.clean import Mask

FRAME_BAND = 0.02  # of the long side: how far from the scan's edge such a line may lie (13 px at 640 px)
FRAME_RUN = 0.05  # of the long side: a straight run this long (32 px at 640 px) belongs to the frame
RAGGED = 2  # px around a run that go with it


def drop_frame(mask: Mask) -> Mask:
    """`mask` (h, w) without straight runs along its four edges, and what lies between them and the edge."""
    band = min(max(2, round(FRAME_BAND * max(mask.shape))), min(mask.shape) // 4)
    run = max(8, round(FRAME_RUN * max(mask.shape)))
    clean = mask.copy()
    for side in (clean, clean[::-1], clean.T, clean.T[::-1]):  # views: the edge in question is row 0 of each
        strip = side[:band]
        if np.count_nonzero(strip) >= run:
            strip &= ~_outside_runs(strip, run)
    return clean


def _outside_runs(strip: Mask, run: int) -> Mask:
    """True where a pixel of the strip (band, length) is on a run of at least `run` px, or between it and row 0."""
    lines = ndimage.minimum_filter1d(strip.view(np.uint8), run, axis=1, mode="constant")
    lines = ndimage.maximum_filter1d(lines, run + 2 * RAGGED, axis=1, mode="constant")
    inner_to_edge = np.maximum.accumulate(lines[::-1], axis=0)[::-1]
    if len(strip) > RAGGED:
        inner_to_edge[RAGGED:] |= inner_to_edge[:-RAGGED].copy()
    outside: Mask = inner_to_edge.astype(bool)
    return outside
