"""Signatures on a benchmark's page, where its setting allows: the worst errors, and what preparation made of scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigverify.batch.pictures import Album, Picture, thumbnail
from sigverify.config import PreprocessingSettings
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.result import BenchmarkResult
from sigverify.records import Classification, Label, Pictures, TrialKind
from sigverify.scans.prepare import prepare_file
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

GENUINE_SHOWN = 4  # of the claimed writer, beside a worst error
SHEET_GENUINE, SHEET_SKILLED = 3, 2


@dataclass(frozen=True)
class ErrorCard:
    """`query` was scored `score` as one of `writer_id`'s; `genuine` are signatures the writer did make."""

    kind: str
    writer_id: str
    score: float
    threshold: float
    query: Picture
    genuine: tuple[Picture, ...]


@dataclass(frozen=True)
class SheetRow:
    """One writer: scans and what the network sees of them, genuine ones first."""

    writer_id: str
    cells: tuple[tuple[str, Picture, Picture], ...]


class Gallery:
    """Pictures of a catalogue's signatures under the setting `pictures`; prepared ones as the network sees them."""

    def __init__(self, store: Store, settings: PreprocessingSettings, pictures: Pictures) -> None:
        self.album = Album(store, pictures, settings)
        self.store, self.settings, self.pictures = store, settings, pictures
        self.rows: pd.DataFrame = store.signatures().set_index("signature_id", drop=False)

    @property
    def shown(self) -> bool:
        """Whether any signature of the catalogue may be shown."""
        return any(self.pictures.allows(Classification(c)) for c in self.rows["classification"].unique())

    def scan(self, signature_id: str) -> Picture:
        """The scan as it came."""
        row = self.rows.loc[signature_id]
        return self.album.show(str(row["image_url"]), Classification(str(row["classification"])))

    def prepared(self, signature_id: str) -> Picture:
        """The network's input, dark on white."""
        row = self.rows.loc[signature_id]
        if not self.pictures.allows(Classification(str(row["classification"]))):
            return self.scan(signature_id)
        made = prepare_file(self.store.read_image(str(row["image_url"])), self.settings)
        if made.image is None:
            return Picture(None, f"no signature found: {str(made.failure).replace('_', ' ')}")
        return thumbnail(255 - made.image)

    def of_writer(self, writer_id: str, label: Label, most: int) -> list[str]:
        """The first distinct signatures of a writer, by id."""
        rows = self.rows[(self.rows["writer_id"] == writer_id) & (self.rows["label"] == label.value)]
        return [str(i) for i in rows.loc[rows["duplicate_of"].isna(), "signature_id"].head(most)]


def worst_errors(gallery: Gallery, result: BenchmarkResult, k: int, most: int = 4) -> list[ErrorCard]:
    """The `most` genuine signatures scored lowest and skilled forgeries scored highest, each image once."""
    scored = result.scored[k]
    genuine, skilled = scored.of(TrialKind.GENUINE), scored.of(TrialKind.SKILLED_FORGERY)
    if not len(genuine) or not len(skilled):
        return []
    threshold = eer(genuine.score, skilled.score).threshold
    cards = []
    for side, sign in ((genuine, 1), (skilled, -1)):
        for i in _worst(side, sign, most):
            wrong = (side.score[i] - threshold) * sign < 0
            if wrong and str(side.query_id[i]) in gallery.rows.index:
                cards.append(_card(gallery, side, i, threshold))
    return cards


def contact_sheet(gallery: Gallery, writer_ids: list[str], most: int = 6) -> list[SheetRow]:
    """The first writers by id with scans beside what the network sees."""
    rows = []
    for writer in writer_ids[:most]:
        named = [(Label.GENUINE, SHEET_GENUINE), (Label.SKILLED_FORGERY, SHEET_SKILLED)]
        cells = [
            (label.value, gallery.scan(i), gallery.prepared(i))
            for label, n in named
            for i in gallery.of_writer(writer, label, n)
        ]
        rows.append(SheetRow(writer, tuple(cells)))
    return rows


def _worst(side: ScoredTrials, sign: int, most: int) -> list[int]:
    """Trials with the worst scores, at most one for each query image."""
    found: dict[str, int] = {}
    for i in np.argsort(sign * side.score, kind="stable").tolist():
        found.setdefault(str(side.query_id[i]), i)
        if len(found) == most:
            break
    return list(found.values())


def _card(gallery: Gallery, side: ScoredTrials, i: int, threshold: float) -> ErrorCard:
    query, writer = str(side.query_id[i]), str(side.writer_id[i])
    others = [o for o in gallery.of_writer(writer, Label.GENUINE, GENUINE_SHOWN + 1) if o != query][:GENUINE_SHOWN]
    pictures = tuple(gallery.scan(o) for o in others)
    return ErrorCard(str(side.kind[i]), writer, float(side.score[i]), threshold, gallery.scan(query), pictures)
