"""A catalogue of synthetic signatures: for calibration of the shipped verifier, for trying things, for tests."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

from sigverify.records import Classification, Label
from sigverify.storage.store import Store


def synthesise_catalogue(
    folder: Path,
    n_writers: int,
    n_genuine: int,
    n_forgeries: int,
    *,
    seed: int,
    name: str = "synthetic",
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Draw writers, genuine signatures and skilled forgeries, and import them into the catalogue at `folder`."""
    from PIL import Image as Picture

    from sigverify.datasets import import_dataset
    from sigverify.synthesis.sets import draw_signatures

    drawn = draw_signatures(n_writers, n_genuine, n_forgeries, seed=seed, workers=workers, on_progress=on_progress)
    store = Store.open(folder, create=True)
    with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
        source = Path(place)
        with (source / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["path", "writer_id", "label"])
            for i, (image, writer, label) in enumerate(zip(drawn.images, drawn.writer, drawn.label, strict=True)):
                Picture.fromarray(image).save(source / f"{i:06d}.png", compress_level=1)
                table.writerow([f"{i:06d}.png", f"w{int(writer):05d}", Label(label).value])
        import_dataset("manifest", source, store, name=name, classification=Classification.SYNTHETIC)
    return store
