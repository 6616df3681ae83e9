"""A contact sheet of synthetic writers.

``python -m sigverify.synthesis.contact_sheet --out docs/synthetic_signatures.png`` draws the one in the README.

One row a writer: three genuine signatures, a line, two skilled forgeries by different forgers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageOps

from sigverify.synthesis.forgers import forge
from sigverify.synthesis.render import render
from sigverify.synthesis.styles import Style
from sigverify.synthesis.writers import SyntheticWriter

_CELL = (250, 110)  # px
_GENUINE, _FORGED = 3, 2


def contact_sheet(rows: int, seed: int, style: Style | None = None) -> Pillow.Image:
    """A grey picture with one row of signatures a writer."""
    width, height = _CELL
    sheet = Pillow.new("L", (width * (_GENUINE + _FORGED) + 10, height * rows), 255)
    for row, child in enumerate(np.random.SeedSequence(seed).spawn(rows)):
        rng = np.random.default_rng(child)
        writer = SyntheticWriter.draw(rng, style)
        ways = [writer.sign(rng) for _ in range(_GENUINE)] + [forge(writer, rng) for _ in range(_FORGED)]
        for column, way in enumerate(ways):
            picture = ImageOps.contain(Pillow.fromarray(render(way, None, rng)), (width - 12, height - 8))
            sheet.paste(picture, (column * width + 6 + (10 if column >= _GENUINE else 0), row * height + 4))
    ImageDraw.Draw(sheet).line((_GENUINE * width + 4, 0, _GENUINE * width + 4, sheet.height), fill=0, width=2)
    return sheet


def main(arguments: list[str] | None = None) -> None:
    """Write the sheet as a PNG of 16 greys."""
    parser = argparse.ArgumentParser(prog="python -m sigverify.synthesis.contact_sheet", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=14)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--style", type=Style, choices=list(Style), default=None)
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(options.rows, options.seed, options.style)
    _sixteen_greys(sheet).save(options.out, optimize=True, bits=4)
    print(f"{options.out}: {options.rows} writers, {options.out.stat().st_size / 1000:.0f} kB")


def _sixteen_greys(sheet: Pillow.Image) -> Pillow.Image:
    indexed = Pillow.fromarray(np.rint(np.asarray(sheet) / 17).astype(np.uint8))
    indexed.putpalette([grey for level in range(16) for grey in [17 * level] * 3])
    return indexed


if __name__ == "__main__":
    main()
