"""What the public sets must hold, and which copy of one is at hand: counts that refuse, digests that only label.

``protocols/sets/NAME.json`` lists writers, images and the digests of known copies. A digest is that of the pixels,
writer and label of every image (`copy_digest`), so that lossless re-coding and other numbers make no difference.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from sigverify.config import from_dict
from sigverify.errors import Mismatch, TooFewWriters
from sigverify.records import Label

if TYPE_CHECKING:
    import pandas as pd

FOLDER = resources.files("sigverify.evaluation") / "protocols" / "sets"
UNVERIFIED = "unverified copy"


@dataclass(frozen=True)
class KnownCopy:
    """A copy in circulation. An empty digest: known to exist, not seen by us."""

    name: str
    digest: str = ""
    note: str = ""


@dataclass(frozen=True)
class KnownSet:
    """A public set as its authors describe it; images before duplicates are left out."""

    name: str
    title: str
    writers: int
    genuine: int
    skilled_forgeries: int
    copies: tuple[KnownCopy, ...] = ()


def load_set(name: str) -> KnownSet | None:
    """The document of a set, None where there is none."""
    document = FOLDER / f"{name}.json"
    if not name or not document.is_file():
        return None
    return from_dict(KnownSet, json.loads(document.read_text(encoding="utf-8")))


def copy_digest(signatures: pd.DataFrame) -> str:
    """Names the pixels of a whole set with writer and label, in any order of rows; 16 hex digits."""
    rows = zip(signatures["writer_id"], signatures["label"], signatures["pixel_digest"], strict=True)
    text = "\n".join(sorted("\t".join(map(str, row)) for row in rows))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def which_copy(signatures: pd.DataFrame, name: str) -> str:
    """The known copy that these rows (the whole set) are, or "unverified copy"; "" for a set unknown here."""
    known = load_set(name)
    if known is None:
        return ""
    held = copy_digest(signatures)
    return next((copy.name for copy in known.copies if copy.digest == held), UNVERIFIED)


def check_set(signatures: pd.DataFrame, name: str) -> None:
    """Refuse rows that are not the whole set: TooFewWriters for missing writers, Mismatch for anything else."""
    known = load_set(name)
    if known is None:
        return
    writers = signatures["writer_id"].nunique()
    again = f"import the whole of {known.title} again, as {name}; or use protocol open"
    if writers < known.writers:
        missing = f"{writers} writers"
        raise TooFewWriters(
            f"the catalogue lacks writers of {known.title}", got=missing, expected=known.writers, next=again
        )
    if writers > known.writers:
        raise Mismatch(f"writers that {known.title} does not have", got=writers, expected=known.writers, next=again)
    forged = int((signatures["label"] == Label.SKILLED_FORGERY.value).sum())
    got, expected = (len(signatures) - forged, forged), (known.genuine, known.skilled_forgeries)
    if got != expected:
        words = "{} genuine signatures and {} skilled forgeries"
        wrong = f"the catalogue does not hold the images of {known.title}"
        raise Mismatch(wrong, got=words.format(*got), expected=words.format(*expected), next=again)
