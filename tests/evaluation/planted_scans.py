"""Planted scans: a small catalogue, and verifiers of which we know what they look at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sigverify.config import PreprocessingSettings, ScoringSettings, VerifierSettings
from sigverify.evaluation.network_input import describe_input
from sigverify.evaluation.stresses import as_png
from sigverify.records import Image
from sigverify.scans.prepare import prepare_many
from sigverify.scoring.scorer import Scorer
from sigverify.storage.store import Store

SETTINGS = PreprocessingSettings(stroke_width_px=0.0)  # the pen stays visible: what reads it must be caught
EYES = VerifierSettings(preprocessing=SETTINGS)


def drawn_scan(writer: int, forged: bool, width_px: int, rng: np.random.Generator) -> Image:
    """A writer's own polyline on white paper (160, 420); a forger misses its corners by more than the writer does."""
    from PIL import Image as Pil
    from PIL import ImageDraw

    own = np.random.default_rng(1000 + writer)
    across = np.linspace(40, 380, 9)
    down = np.clip(own.uniform(40, 120, 9) + rng.normal(0, 24 if forged else 2, 9), 36, 124)
    down[[3, 6]] = 30, 130  # everybody's highest and lowest corner: one crop, one scale on the canvas
    picture = Pil.new("L", (420, 160), 255)
    ImageDraw.Draw(picture).line(list(zip(across, down, strict=True)), fill=0, width=width_px, joint="curve")
    return np.asarray(picture)


@dataclass(frozen=True)
class Eyes:
    """A verifier that sees a prepared image through one function, in place of a network."""

    see: Any
    encoder_id: str
    settings: VerifierSettings = EYES

    @property
    def scorer(self) -> Scorer:
        return Scorer(ScoringSettings(normalisation="none"))

    def prepare_many(self, sources: Any, pages: Any = None, workers: int = 0, on_progress: Any = None) -> Any:
        return prepare_many(sources, SETTINGS)

    def embed(self, images: Any) -> np.ndarray:
        seen = np.stack([self.see(image) for image in images]).astype(np.float32)
        return seen / np.linalg.norm(seen, axis=1, keepdims=True)


def shape_of(image: Image) -> np.ndarray:
    """Where the line runs, column by column: nothing of the pen."""
    rows = np.arange(image.shape[0])[:, None]
    ink = image.astype(np.float64) + 1e-3
    middle = (ink * rows).sum(0) / ink.sum(0)
    return middle[::4] - middle.mean()


def pen_of(image: Image) -> np.ndarray:
    """The stroke's width and nothing else, as a direction on a circle."""
    angle = describe_input(image)["stroke_width_px"] / 2
    return np.array([np.cos(angle), np.sin(angle)])


def fill(store: Store, pens_differ: bool, writers: int = 12, each: int = 6) -> pd.DataFrame:
    """Writers with one pen each; where `pens_differ` the forgers use another, else the writer's own. The rows."""
    rng = np.random.default_rng(0)
    rows = []
    for w in range(writers):
        own = 3 + 2 * (w % 4)
        for label in ("genuine", "skilled_forgery"):
            forged = label == "skilled_forgery"
            for i in range(each):
                image = drawn_scan(w, forged, own + (4 if pens_differ and forged else 0), rng)
                rows.append(_row(store, image, f"p/{w:02d}", label, i))
    store.add_signatures(rows)
    return store.signatures()


def _row(store: Store, image: Image, writer: str, label: str, number: int) -> dict[str, Any]:
    data = as_png(image)
    return {
        "signature_id": f"{writer}/{label}/{number}",
        "writer_id": writer,
        "dataset": "p",
        "label": label,
        "image_url": store.write_image(data, ".png"),
        "digest": hashlib.sha256(data).hexdigest(),
        "pixel_digest": hashlib.sha256(image.tobytes()).hexdigest(),
        "width_px": image.shape[1],
        "height_px": image.shape[0],
    }
