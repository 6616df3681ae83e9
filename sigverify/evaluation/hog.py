"""Histograms of oriented gradients of prepared signatures: the classic description before networks.

Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, as scikit-image computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sigverify.records import Floats, Image

ORIENTATIONS = 9
CELLS_DOWN = 4  # of the canvas's height: 24 px of 96; chosen on BHSig260 training writers among 8, 12, 16, 24, 32 px
BLOCK_CELLS = 2  # a side, normalised together


def hog_features(images: Sequence[Image]) -> Floats:
    """Prepared signatures (n, h, w) uint8 to (n, d) float32: gradients by direction in every cell, block-normalised."""
    from skimage.feature import hog

    return np.stack(
        [
            hog(
                image.astype(np.float32) / 255,
                orientations=ORIENTATIONS,
                pixels_per_cell=(image.shape[0] // CELLS_DOWN,) * 2,
                cells_per_block=(BLOCK_CELLS, BLOCK_CELLS),
                block_norm="L2-Hys",
            )
            for image in images
        ]
    ).astype(np.float32)
