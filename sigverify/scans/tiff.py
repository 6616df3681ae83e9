"""A TIFF's directories looked at before Pillow opens it: hostile counts are refused, missing strips are noticed.

Pillow builds one Python object for each strip and loads every tag's values, so a small file can cost gigabytes; and a
fax strip that was cut off decodes to white paper without complaint. (TIFF 6.0, Adobe 1992, section 2.)
"""

from __future__ import annotations

import struct

from sigverify.errors import BadScan
from sigverify.records import Reason

MAX_VALUES = 200_000  # values of one tag: strips, tiles, colour maps (768 KB in a good file at the very most)
MAX_DIRECTORIES = 64  # pages looked at here; the rest are checked when they are opened
WIDTH, HEIGHT, STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES = 256, 257, 273, 279, 324, 325
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of each type
CODES = {1: "B", 3: "H", 4: "I"}  # the types sizes and offsets come in
BULK = {2, 7, 1}  # text and opaque bytes (profiles): long ones are harmless

Entry = tuple[int, int, int]  # type, count, position of the values


def check_tiff(data: bytes, max_pixels: int) -> None:
    """Raises BadScan (too_many_pixels, truncated, unreadable) for a TIFF not worth opening; other files pass."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return
    order = "<" if data[:2] == b"II" else ">"
    try:
        position = struct.unpack_from(order + "I", data, 4)[0]
        for page in range(MAX_DIRECTORIES):
            if position == 0:
                return
            entries, following = _directory(data, position, order)
            _check_size(data, entries, order, max_pixels)
            if page == 0:
                _check_strips(data, entries, order)
            position = following
    except struct.error:
        raise BadScan(Reason.TRUNCATED, "the TIFF ends before its directory does") from None


def _directory(data: bytes, position: int, order: str) -> tuple[dict[int, Entry], int]:
    """One image file directory and the position of the next."""
    count = struct.unpack_from(order + "H", data, position)[0]
    entries: dict[int, Entry] = {}
    for start in range(position + 2, position + 2 + 12 * count, 12):
        tag, kind, n = struct.unpack_from(order + "HHI", data, start)
        if n > MAX_VALUES and kind not in BULK:
            raise BadScan(Reason.UNREADABLE, "a TIFF tag has too many values", got=n, expected=f"at most {MAX_VALUES}")
        inline = n * SIZES.get(kind, 1) <= 4
        entries[tag] = (kind, n, start + 8 if inline else struct.unpack_from(order + "I", data, start + 8)[0])
    return entries, struct.unpack_from(order + "I", data, position + 2 + 12 * count)[0]


def _values(data: bytes, entries: dict[int, Entry], tag: int, order: str) -> tuple[int, ...]:
    kind, n, position = entries.get(tag, (0, 0, 0))
    if kind not in CODES:
        return ()
    return struct.unpack_from(f"{order}{n}{CODES[kind]}", data, position)


def _check_size(data: bytes, entries: dict[int, Entry], order: str, max_pixels: int) -> None:
    width, height = (_values(data, entries, tag, order)[:1] or (0,) for tag in (WIDTH, HEIGHT))
    if width[0] * height[0] > max_pixels:
        raise BadScan(
            Reason.TOO_MANY_PIXELS, "a TIFF page announces too many pixels",
            got=f"{width[0]} x {height[0]}", expected=f"at most {max_pixels} in all", next="scan at 200-300 dpi",
        )  # fmt: skip


def _check_strips(data: bytes, entries: dict[int, Entry], order: str) -> None:
    """Every strip or tile of the first page must lie inside the file."""
    for offsets, lengths in ((STRIP_OFFSETS, STRIP_BYTES), (TILE_OFFSETS, TILE_BYTES)):
        starts, sizes = _values(data, entries, offsets, order), _values(data, entries, lengths, order)
        if any(start + size > len(data) for start, size in zip(starts, sizes, strict=False)):
            raise BadScan(Reason.TRUNCATED, "the TIFF ends before its pixels do", got=f"{len(data)} bytes")
