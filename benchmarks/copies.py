"""How well a photocopy of a reference is told from another genuine signature: the numbers behind NEAR_COPY.

    python benchmarks/copies.py SETS

SETS is a folder with bhsig260_bengali and bhsig260_hindi, each laid out with a manifest.csv and the set's own
duplicates.csv. Training writers only. Prints, for each threshold, the share of photocopies found, the share of the
listed near-identical pairs found, and the pairs of different genuine signatures of one writer that reach it.
"""

from __future__ import annotations

import argparse
import csv
import io
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image as Pil
from PIL import ImageFilter

from sigverify.config import PreprocessingSettings
from sigverify.evaluation.parts import load_parts
from sigverify.records import Image
from sigverify.scans.fingerprint import NEAR_COPY, similarity
from sigverify.scans.prepare import prepare
from sigverify.scans.read import read_scan

SETS = ("bhsig260_bengali", "bhsig260_hindi")
THRESHOLDS = (0.80, 0.82, 0.84, 0.85, 0.86, 0.87, 0.88, 0.90, 0.92)
SETTINGS = PreprocessingSettings()


def photocopy(scan: Image, rng: np.random.Generator) -> Image:
    """Turned by up to 1 degree, scaled by up to 10 %, moved by up to 3 px; then JPEG 40, blur, bilevel or both."""
    page = Pil.fromarray(np.pad(scan, 20, constant_values=255))
    moved = tuple(float(v) for v in rng.uniform(-3, 3, 2))
    page = page.rotate(rng.uniform(-1, 1), Pil.Resampling.BICUBIC, translate=moved, fillcolor=255)
    scale = rng.uniform(0.9, 1.1)
    page = page.resize((round(page.width * scale), round(page.height * scale)), Pil.Resampling.BICUBIC)
    kind = rng.integers(4)
    if kind in (1, 3):
        page = page.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5)))
    if kind in (2, 3):
        level = rng.uniform(130, 200)
        page = page.point([255 if grey > level else 0 for grey in range(256)])
    if kind == 0:
        held = io.BytesIO()
        page.save(held, "JPEG", quality=40)
        page = Pil.open(held)
    return np.asarray(page.convert("L"))


def print_of(scan: Image) -> bytes:
    return prepare(scan, SETTINGS).fingerprint or b""


def measure(folder: Path, rng: np.random.Generator) -> tuple[list[float], list[float], list[float]]:
    """Similarities of (photocopy, original), (listed near-identical pair), (two genuine signatures of a writer)."""
    with (folder / "duplicates.csv").open(newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    repeats = {row["path_b"] for row in listed}
    copies, genuine = [], []
    parts = load_parts().query("part == 'train'")["writer_id"]
    for writer in sorted(w.split("/")[1] for w in parts if w.startswith(f"{folder.name}/")):
        paths = sorted((folder / writer / "genuine").iterdir())
        scans = [read_scan(p, SETTINGS) for p in paths if p.relative_to(folder).as_posix() not in repeats]
        prints = [print_of(scan) for scan in scans]
        genuine += [similarity(a, b) for a, b in combinations(prints, 2)]
        copies += [similarity(print_of(photocopy(s, rng)), p) for s, p in zip(scans[::3], prints[::3], strict=True)]
    pairs = [(row["path_a"], row["path_b"]) for row in listed if row["kind"] == "near"]
    near = [similarity(*(print_of(read_scan(folder / p, SETTINGS)) for p in pair)) for pair in pairs]
    return copies, near, genuine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, help="folder with bhsig260_bengali and bhsig260_hindi")
    folder = parser.parse_args().sets
    rng = np.random.default_rng(0)
    print("set               threshold  photocopies found  listed near pairs found  genuine pairs of one writer")
    for name in SETS:
        copies, near, genuine = (np.array(v) for v in measure(folder / name, rng))
        for threshold in THRESHOLDS:
            reached = int(np.sum(genuine >= threshold))
            print(
                f"{name:17s} {threshold:.2f}{'*' if threshold == NEAR_COPY else ' '}"
                f"      {np.mean(copies >= threshold):8.3f} of {copies.size:<5d}"
                f"   {np.mean(near >= threshold) if near.size else float('nan'):8.3f} of {near.size:<5d}"
                f"         {reached} of {genuine.size}"
            )


if __name__ == "__main__":
    main()
