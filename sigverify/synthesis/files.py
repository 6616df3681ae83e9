"""Scan files as banks deliver them: bilevel TIFF with CCITT G4, grey PNG, JPEG."""

from __future__ import annotations

import io
from dataclasses import replace
from enum import StrEnum

import numpy as np
from PIL import Image as Pillow

from sigverify.records import Image
from sigverify.synthesis.kinematics import Trajectory
from sigverify.synthesis.paper import Scanner
from sigverify.synthesis.render import render

_DPI = (200, 200)


class Format(StrEnum):
    """The value is the file's suffix."""

    TIFF_G4 = "tif"
    PNG = "png"
    JPEG = "jpg"


def draw_format(rng: np.random.Generator) -> Format:
    """Half of a bank's images are bilevel TIFF, the rest grey PNG or JPEG."""
    return (Format.TIFF_G4, Format.PNG, Format.JPEG)[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]


def scan_for(way: Trajectory, form: Format, rng: np.random.Generator, long_side_px: int) -> Image:
    """A scan of this signature by a scanner that suits the format: bilevel for TIFF, grey otherwise."""
    threshold = float(rng.uniform(0.4, 0.7)) if form is Format.TIFF_G4 else 0.0
    scanner = replace(Scanner.draw(rng), threshold=threshold, jpeg=0)
    return render(way, None, rng, scanner=scanner, long_side_px=long_side_px)


def encoded(image: Image, form: Format, quality: int = 85) -> bytes:
    """The file's bytes; a grey image is cut between ink and paper for TIFF."""
    buffer = io.BytesIO()
    if form is Format.TIFF_G4:
        Pillow.fromarray(image > _ink_level(image)).save(buffer, "TIFF", compression="group4", dpi=_DPI)
    elif form is Format.PNG:
        Pillow.fromarray(image).save(buffer, "PNG", dpi=_DPI)
    else:
        Pillow.fromarray(image).save(buffer, "JPEG", quality=quality, dpi=_DPI)
    return buffer.getvalue()


def _ink_level(image: Image) -> float:
    """The grey that parts ink from paper, nearer the paper: thin strokes are paler than the ink they are made of."""
    dark, paper = float(np.quantile(image, 0.005)), float(np.median(image))
    if paper - dark < 40:  # nobody signed, unless so finely that only real black counts as ink
        return 127.5
    return dark + 0.65 * (paper - dark)
