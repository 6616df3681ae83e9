"""Landing folders written by hand, right or wrong on purpose."""

from __future__ import annotations

import csv
import struct
import zlib
from pathlib import Path
from typing import Any

COLUMNS = ("record_type", "item_id", "writer_id", "path", "page", "amount_minor", "currency", "captured_at", "count")


class Delivery:
    """A landing folder under construction: `add` rows, then `write` the manifest with the trailer they deserve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict[str, Any]] = []

    def add(self, item_id: str, content: bytes | None, writer_id: str = "W0001", **cells: Any) -> Delivery:
        """A row and, unless `content` is None, its file."""
        row = {
            "record_type": "D", "item_id": item_id, "writer_id": writer_id, "path": f"{item_id}.png",
            "amount_minor": 1000, "currency": "EUR",
        } | cells  # fmt: skip
        if content is not None:
            (self.folder / f"{item_id}.png").write_bytes(content)
        self.rows.append(row)
        return self

    def write(self, trailer: bool = True, columns: tuple[str, ...] = COLUMNS, **totals: Any) -> Path:
        """manifest.csv; `totals` overrides the trailer's count and amount_minor. Returns the folder."""
        readable = [r["amount_minor"] for r in self.rows if isinstance(r["amount_minor"], int)]
        honest = {"record_type": "T", "amount_minor": sum(readable), "currency": "EUR", "count": len(self.rows)}
        with (self.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows([*self.rows, honest | totals] if trailer else self.rows)
        return self.folder


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few bytes whose header announces far too many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
