"""Signatures as small pictures for a page, under the setting that says whose may be shown.

A picture that may not be shown, or cannot be made, is a sentence that says why; never a gap.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadScan, SigverifyError
from sigverify.records import Classification, Image, Pictures
from sigverify.scans.read import read_scan
from sigverify.storage.store import Store

WIDTH, HEIGHT = 460, 200  # px a thumbnail has at most: twice what the page shows, for fine screens
GREYS = 16


@dataclass(frozen=True)
class Picture:
    """Either `source`, a data URL with its `width` and `height` in px, or the reason why there is none."""

    source: str | None
    why_not: str = ""
    width: int = 0
    height: int = 0


class Album:
    """Thumbnails from a catalogue's image store, each made once."""

    def __init__(self, store: Store, setting: Pictures, limits: PreprocessingSettings) -> None:
        self.store, self.setting, self.limits = store, setting, limits
        self._made: dict[tuple[str, int], Picture] = {}

    def show(self, image_url: str, classification: Classification, page: int = 0) -> Picture:
        """The thumbnail of an image, or why it is not shown."""
        if not self.setting.allows(classification):
            return Picture(None, f"not shown: {classification.value} image, pictures = {self.setting.value}")
        key = (image_url, page)
        if key not in self._made:
            self._made[key] = self._make(image_url, page)
        return self._made[key]

    def _make(self, image_url: str, page: int) -> Picture:
        try:
            image = read_scan(self.store.read_image(image_url), self.limits, page)
        except BadScan as error:
            return Picture(None, f"cannot be shown: {error.reason.value.replace('_', ' ')}")
        except (SigverifyError, OSError):
            return Picture(None, "cannot be shown: the image is lost")
        return thumbnail(image)


def thumbnail(image: Image) -> Picture:
    """A grey scan (h, w), 255 white, as a PNG of 16 greys within WIDTH x HEIGHT px."""
    height, width = image.shape
    scale = min(1.0, WIDTH / width, HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BOX), dtype=np.uint16)
    levels = ((small * (GREYS - 1) + 127) // 255).astype(np.uint8)
    picture = Pillow.fromarray(levels, mode="P")
    picture.putpalette([round(level * 255 / (GREYS - 1)) for level in range(GREYS) for _ in "rgb"])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4, bits=4)  # level 9 takes ten times as long
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/png;base64,{text}", width=size[0], height=size[1])
