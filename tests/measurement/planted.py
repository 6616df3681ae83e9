"""Catalogues of drawn strokes in which we decide what tells genuine from forged: the hand, or only the pen."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from sigverify.records import Classification, Label
from sigverify.storage.store import Store

POINTS = 9


def planted_catalogue(
    folder: Path, writers: int = 16, genuine: int = 8, forged: int = 6, *, cue: str, seed: int = 0
) -> Store:
    """`cue` "hand": forgers bend the writer's line, with the same pen. "pen": same line, but another pen each sitting.

    With "pen" every writer signed with one pen of its own and the forger used one a little thinner or thicker.
    """
    store = Store.open(folder, create=True, classification=Classification.SYNTHETIC)
    rng = np.random.default_rng(seed)
    rows = []
    for w in range(writers):
        line = np.cumsum(rng.normal(0, 1, (POINTS, 2)), axis=0) * [1.0, 0.4]
        bent = line + rng.normal(0, 1.0, line.shape) * [1.0, 0.4]
        pen = float(rng.uniform(4, 8))
        other = pen + rng.choice([-2.5, 2.5])
        for label, n in ((Label.GENUINE, genuine), (Label.SKILLED_FORGERY, forged)):
            copied = label is Label.SKILLED_FORGERY
            for i in range(n):
                shape = bent if copied and cue == "hand" else line
                drawn = shape + rng.normal(0, 0.06 if cue == "hand" else 0.35, shape.shape)
                width = other if copied and cue == "pen" else pen
                rows.append(_row(store, _draw(drawn, width), f"planted/{w:03d}", label, i))
    store.add_signatures(rows)
    return store


def _draw(line: np.ndarray, width: float) -> np.ndarray:
    scaled = (line - line.min(0)) / np.maximum(np.ptp(line, axis=0), 1e-6) * [420, 150] + [40, 40]
    picture = Picture.new("L", (1000, 460), 255)
    ImageDraw.Draw(picture).line([tuple(2 * p) for p in scaled], fill=0, width=round(2 * width), joint="curve")
    return np.asarray(picture.resize((500, 230), Picture.Resampling.BOX))


def _row(store: Store, image: np.ndarray, writer: str, label: Label, number: int) -> dict[str, object]:
    held = io.BytesIO()
    Picture.fromarray(image).save(held, "PNG", compress_level=1)
    data = held.getvalue()
    return {
        "signature_id": f"{writer}/{label.value}/{number:03d}", "writer_id": writer, "dataset": "planted",
        "label": label.value, "image_url": store.write_image(data, ".png"),
        "digest": hashlib.sha256(data).hexdigest(), "pixel_digest": hashlib.sha256(image.tobytes()).hexdigest(),
        "width_px": image.shape[1], "height_px": image.shape[0],
    }  # fmt: skip
