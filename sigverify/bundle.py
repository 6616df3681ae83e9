"""The files of a verifier's bundle: read, checked against the digests that verifier.json names, written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from sigverify.errors import BadInput, Mismatch, NotFound
from sigverify.records import Floats
from sigverify.trained_on import TrainedOn

FORMAT = 1
WEIGHTS, COHORT, SETTINGS, CARD = "weights.safetensors", "cohort.safetensors", "verifier.json", "MODEL_CARD.md"
TRAINED_ON = "trained_on.json"  # no part of the version: it changes no decision


def read_bundle(place: Path) -> dict[str, Any]:
    """verifier.json. Raises NotFound where there is no bundle, BadInput or Mismatch for one that cannot be read."""
    path = place / SETTINGS
    if not path.is_file() or not (place / WEIGHTS).is_file():
        raise NotFound(
            f"no verifier in {place.name or place}",
            expected=f"a folder with {WEIGHTS} and {SETTINGS}",
            next="give --verifier a bundle folder or models:/NAME@champion, or leave it out for the shipped one",
        )
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{SETTINGS} is not JSON", got=str(error), next="fetch the bundle again") from error
    if held.get("format") != FORMAT:
        raise Mismatch("verifier bundle of another format", got=held.get("format"), expected=FORMAT)
    return held


def read_cohort(path: Path, expected: str | None) -> Floats | None:
    """The cohort (m, d), None where verifier.json names none. Raises Mismatch for another file."""
    if expected is None:
        return None
    if not path.is_file() or sha256_of(path) != expected:
        raise Mismatch(f"{COHORT} is missing or not the file verifier.json names", next="fetch the bundle again")
    from safetensors.numpy import load_file

    return np.ascontiguousarray(load_file(str(path))["embeddings"], dtype=np.float32)


def read_trained_on(place: Path, expected: str | None) -> TrainedOn | None:
    """What the bundle in `place` was trained on; None where verifier.json names no such file."""
    if expected is None:
        return None
    path = place / TRAINED_ON
    if not path.is_file() or sha256_of(path) != expected:
        raise Mismatch(f"{TRAINED_ON} is missing or not the file verifier.json names", next="fetch the bundle again")
    return TrainedOn.from_json(path.read_bytes())


def write_cohort(path: Path, cohort: Floats) -> None:
    """Keep the cohort (m, d) as float16."""
    from safetensors.numpy import save_file

    save_file({"embeddings": np.ascontiguousarray(cohort, dtype=np.float16)}, str(path))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex. Raises NotFound."""
    if not path.is_file():
        raise NotFound(f"no weights file {path.name}")
    return hashlib.sha256(path.read_bytes()).hexdigest()
