"""A small synthetic set whose writers all belong to the training part, and a tiny verifier for it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image as Picture

from sigverify.config import EncoderSettings, VerifierSettings
from sigverify.evaluation.parts import part_of
from sigverify.model.encoder import build_encoder, save_weights
from sigverify.records import Classification, Label, Part
from sigverify.storage.store import Store
from sigverify.synthesis.sets import draw_signatures
from sigverify.verifier import WEIGHTS, Verifier

ENCODER = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=32)


def names_of(part: Part, n: int, dataset: str = "set") -> list[str]:
    """`n` writer ids that fall into a part by their digest."""
    found = (f"{dataset}/{i:04d}" for i in range(100 * n))
    return [w for w, _ in zip((w for w in found if part_of(w, {}) is part), range(n), strict=False)]


def rows_of(store: Store, names: list[str], genuine: int, forged: int, seed: int, classification: str) -> list[dict]:
    drawn = draw_signatures(len(names), genuine, forged, seed=seed)
    rows, n = [], {}
    for image, number, label in zip(drawn.images, drawn.writer, drawn.label, strict=True):
        writer, label = names[int(number)], Label(label).value
        n[writer, label] = n.get((writer, label), 0) + 1
        held = io.BytesIO()
        Picture.fromarray(image).save(held, "PNG", compress_level=1)
        data = held.getvalue()
        rows.append(
            {
                "signature_id": f"{writer}/{label}/{n[writer, label]:03d}",
                "writer_id": writer,
                "dataset": writer.split("/")[0],
                "label": label,
                "image_url": store.write_image(data, ".png"),
                "digest": hashlib.sha256(data).hexdigest(),
                "pixel_digest": hashlib.sha256(image.tobytes()).hexdigest(),
                "width_px": image.shape[1],
                "height_px": image.shape[0],
                "classification": classification,
            }
        )
    return rows


def catalogue(
    place: Path, names: list[str], genuine: int = 5, forged: int = 2, seed: int = 7, classification: str = "research"
) -> Store:
    store = Store.open(place, create=True, classification=Classification.SYNTHETIC)
    store.add_signatures(rows_of(store, names, genuine, forged, seed, classification))
    return store


def tiny_verifier(folder: Path, seed: int = 0, **settings: object) -> Verifier:
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(build_encoder(ENCODER, seed=seed), folder / WEIGHTS)
    return Verifier(VerifierSettings(name="tiny", encoder=ENCODER, **settings), folder / WEIGHTS)
