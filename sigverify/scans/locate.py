"""Where the signature is, and a view of it at a good working resolution.

A scan is first looked at with its long side at 640 px. When that leaves the ink's box much smaller or larger than the
canvas needs, the box is cut from the scan itself and looked at again: a small signature on a large sheet keeps its
detail, and the size of the sheet never reaches the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from sigverify.config import PreprocessingSettings
from sigverify.records import Image
from sigverify.scans.clean import Box, Ink, Mask, bounding_box, drop_dust, find_ink, resize
from sigverify.scans.frame import drop_frame
from sigverify.scans.place import fit
from sigverify.scans.rules import drop_rules, thickest

FIRST_LOOK_PX = 640  # long side
DETAIL = (2.0, 4.5)  # thirds of its size where strokes are redrawn, of the ink's box: fewer is coarse, more is slow
SECOND_LOOK = (2.2, 3.2)  # thirds that a second look keeps within, as near to the scan's own pixels as they allow
PAPER_AROUND = 0.06  # of the box's long side, kept around it for the paper estimate


@dataclass(frozen=True)
class View:
    """The ink as finally seen: `image`, `ink` and `mask` (h, w) of the view, `box` of the ink in it, in view px.

    `first_mask` is the cleaned mask of the first look at the whole scan (for border and coverage checks); `scale` is
    view px per scan px, `origin` the (row, column) of the view's corner in scan px.
    """

    image: Image
    ink: Ink
    mask: Mask
    box: Box | None
    first_mask: Mask
    scale: float
    origin: tuple[float, float] = (0.0, 0.0)
    ruled: bool = False  # lines were taken out of it

    def scan_box(self) -> Box | None:
        """The ink's box in scan px."""
        if self.box is None:
            return None
        top, left, bottom, right = self.box
        row, column = self.origin
        return (
            int(row + top / self.scale),
            int(column + left / self.scale),
            int(row + bottom / self.scale + 0.999),
            int(column + right / self.scale + 0.999),
        )


def locate(scan: Image, settings: PreprocessingSettings) -> View:
    """The ink of a scan (h, w) at working resolution; the box is None where there is none."""
    first = _first_look(scan, settings)
    if first.box is None:
        return first
    top, left, bottom, right = first.box
    redrawn = fit(bottom - top, right - left, settings) * settings.stroke_oversampling
    detail = 3.0 / redrawn
    if DETAIL[0] <= detail <= DETAIL[1] or (detail > DETAIL[1] and first.scale <= 1.0 and detail < 2 * DETAIL[1]):
        return first
    coarsest, finest = (multiple / detail * first.scale for multiple in SECOND_LOOK)
    return _second_look(scan, first, min(max(1.0, coarsest), finest), settings)


def _first_look(scan: Image, settings: PreprocessingSettings) -> View:
    scale = min(1.0, FIRST_LOOK_PX / max(scan.shape))
    view = scan if scale == 1.0 else _scaled(scan, scale)
    ink = find_ink(view)
    plain = drop_rules(ink.mask) if settings.ruled_lines == "drop" else ink.mask
    mask = drop_dust(drop_frame(plain), ink, settings.min_speck_px * (max(view.shape) / FIRST_LOOK_PX) ** 2)
    return View(view, ink, mask, bounding_box(mask), mask, scale, ruled=plain is not ink.mask)


def _second_look(scan: Image, first: View, scale: float, settings: PreprocessingSettings) -> View:
    """The first look's box, cut from the scan with some paper around it, at `scale` view px per scan px."""
    top, left, bottom, right = first.scan_box() or (0, 0, *scan.shape)
    around = max(4, round(PAPER_AROUND * max(bottom - top, right - left)))
    top, left = max(0, top - around), max(0, left - around)
    cut = scan[top : bottom + around, left : right + around]
    view = cut if scale == 1.0 else _scaled(cut, scale)
    ink = find_ink(view)
    most = thickest(len(first.image)) * scale / first.scale
    # only where the whole scan had one: cut to the ink, a straight flourish would be a rule too
    plain = drop_rules(ink.mask, most) if first.ruled else ink.mask
    # dust is as large as the first look said it is: measured in the scan's own px
    mask = drop_dust(plain, ink, settings.min_speck_px * (scale * max(scan.shape) / FIRST_LOOK_PX) ** 2)
    return View(view, ink, mask, bounding_box(mask), first.first_mask, scale, (float(top), float(left)), first.ruled)


def _scaled(image: Image, scale: float) -> Image:
    return resize(image, max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
