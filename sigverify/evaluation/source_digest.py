"""The code behind a kept result, as a digest: what was computed by other code is not taken for what this code gives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
_DRAWS = ("records.py", "config.py", "synthesis", "synthetic_catalogue.py")
_PREPARES = (
    "records.py", "config.py", "scans", "model", "bundle.py", "verifier.py", "evaluation/embedded.py",
    "evaluation/network_input.py", "evaluation/hog.py", "measurement/baselines.py",
)  # fmt: skip
_TRAINS = (*_PREPARES, *_DRAWS, "scoring", "evaluation", "retraining.py", "trained_on.py")
DECIDES = {"drawings": _DRAWS, "embeddings": _PREPARES, "training": _TRAINS, "figures": (*_TRAINS, "measurement")}
SHOWS = {
    "audit", "findings", "page", "plots", "pictures", "table", "text", "words", "headline", "outputs", "provenance",
    "published", "tracking", "looks",
}  # words in the names of files that only show or file what others decided  # fmt: skip
READ = (".py", ".json", ".csv")


@cache
def source_digest(what: Literal["drawings", "embeddings", "training", "figures"]) -> str:
    """Names the files of this package that decide such results; 16 hex digits, read once a process."""
    return digest_of(ROOT, DECIDES[what])


def digest_of(root: Path, rooms: Sequence[str]) -> str:
    """Digest of names and bytes of the files in these folders, and of these files, but those that only show."""
    files = {path for room in rooms for path in [root / room, *(root / room).rglob("*")] if path.suffix in READ}
    found = hashlib.sha256()
    for path in sorted(p for p in files if p.is_file() and not SHOWS & set(p.stem.split("_"))):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{path.relative_to(root).as_posix()}\t{content}\n".encode())
    return found.hexdigest()[:16]
