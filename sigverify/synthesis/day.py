"""One day's items at a synthetic bank: honest ones, forgeries, and every fault a landing folder has to expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from sigverify.records import Image
from sigverify.synthesis.files import Format, draw_format, encoded, scan_for
from sigverify.synthesis.forgers import forge
from sigverify.synthesis.paper import blank_scan, photocopy
from sigverify.synthesis.writers import SyntheticWriter

UNKNOWN_WRITER = "W9999"


class ItemKind(StrEnum):
    """What an item of the landing folder really is: the truth the decisions are held against."""

    GENUINE = "genuine"
    RANDOM_FORGERY = "random_forgery"
    SKILLED_FORGERY = "skilled_forgery"
    BLANK = "blank"
    TRUNCATED = "truncated"
    EMPTY_FILE = "empty_file"
    MISSING_FILE = "missing_file"
    UNKNOWN_WRITER = "unknown_writer"
    NO_REFERENCES = "no_references"
    COPY_OF_REFERENCE = "copy_of_reference"
    COPY_OF_ITEM = "copy_of_item"


@dataclass(frozen=True)
class Item:
    """One item. `content` None means that the manifest names a file that was never delivered."""

    kind: ItemKind
    writer_id: str  # claimed
    content: bytes | None
    form: Format
    item_id: str = ""
    true_writer_id: str = ""  # who signed, where somebody of the bank did
    copied: str = ""  # the reference's path or the item's id whose ink this is
    deliveries: int = 1
    amount_minor: int = 0


@dataclass(frozen=True)
class Reference:
    """An enrolled scan, kept while the day is drawn so that it can be photocopied."""

    writer_id: str
    path: str
    image: Image


@dataclass(frozen=True)
class Counts:
    """How many items of each drawn kind; every other fault comes exactly once; the first genuine
    item is delivered twice."""

    genuine: int = 80
    random_forgeries: int = 12
    skilled_forgeries: int = 20
    blanks: int = 3


class Day:
    """Draws items for a bank whose account holders are `writers` and whose references are `references`."""

    def __init__(
        self,
        writers: dict[str, SyntheticWriter],
        references: list[Reference],
        rng: np.random.Generator,
        long_side_px: int,
    ) -> None:
        self.writers, self.references, self.rng, self.long_side_px = writers, references, rng, long_side_px
        self.enrolled = sorted({reference.writer_id for reference in references})

    def draw(self, counts: Counts, on_item: Callable[[], None]) -> list[Item]:
        """The day's items in the order they were presented, with ids and amounts; `on_item` is called for each."""
        items: list[Item] = []
        for maker in self._makers(counts):
            items.append(maker())
            on_item()
        items[0] = replace(items[0], deliveries=2)
        items += self._copied_item()
        return self._presented(items, original=len(items) - 2)

    def _makers(self, counts: Counts) -> list[Callable[[], Item]]:
        return [
            *[self._genuine] * counts.genuine,
            *[self._random_forgery] * counts.random_forgeries,
            *[self._skilled_forgery] * counts.skilled_forgeries,
            *[self._blank] * counts.blanks,
            self._truncated,
            self._empty,
            self._missing,
            self._unknown,
            self._without_references,
            self._copy_of_reference,
        ]

    def _presented(self, items: list[Item], original: int) -> list[Item]:
        """Ids in a random order, amounts; the last item learns the id of the `original` it copies."""
        place = self.rng.permutation(len(items)) + 1
        amounts = np.exp(self.rng.normal(10.5, 1.3, len(items))).astype(np.int64)  # median about 363.00
        ids = [f"I{number:06d}" for number in place]
        items[-1] = replace(items[-1], copied=ids[original])
        named = [
            replace(item, item_id=name, amount_minor=int(amount))
            for item, name, amount in zip(items, ids, amounts, strict=True)
        ]
        return sorted(named, key=lambda item: item.item_id)

    def _scan(self, writer_id: str, form: Format) -> Image:
        return scan_for(self.writers[writer_id].sign(self.rng), form, self.rng, self.long_side_px)

    def _signed(self, kind: ItemKind, claimed: str, by: str, form: Format | None = None) -> Item:
        form = draw_format(self.rng) if form is None else form
        return Item(kind, claimed, encoded(self._scan(by, form), form), form, true_writer_id=by)

    def _anyone(self) -> str:
        return self.enrolled[int(self.rng.integers(len(self.enrolled)))]

    def _genuine(self) -> Item:
        writer_id = self._anyone()
        return self._signed(ItemKind.GENUINE, writer_id, writer_id)

    def _random_forgery(self) -> Item:
        claimed, by = self.rng.choice(self.enrolled, 2, replace=False)
        return self._signed(ItemKind.RANDOM_FORGERY, str(claimed), str(by))

    def _skilled_forgery(self) -> Item:
        writer_id, form = self._anyone(), draw_format(self.rng)
        image = scan_for(forge(self.writers[writer_id], self.rng), form, self.rng, self.long_side_px)
        return Item(ItemKind.SKILLED_FORGERY, writer_id, encoded(image, form), form)

    def _blank(self) -> Item:
        form = draw_format(self.rng)
        image = blank_scan(self.rng, self.long_side_px, bilevel=form is Format.TIFF_G4)
        return Item(ItemKind.BLANK, self._anyone(), encoded(image, form), form)

    def _truncated(self) -> Item:
        writer_id = self._anyone()
        item = self._signed(ItemKind.TRUNCATED, writer_id, writer_id, Format.PNG)
        return replace(item, content=(item.content or b"")[: len(item.content or b"") // 2])

    def _empty(self) -> Item:
        return Item(ItemKind.EMPTY_FILE, self._anyone(), b"", Format.TIFF_G4)

    def _missing(self) -> Item:
        return Item(ItemKind.MISSING_FILE, self._anyone(), None, Format.TIFF_G4)

    def _unknown(self) -> Item:
        return replace(self._genuine(), kind=ItemKind.UNKNOWN_WRITER, writer_id=UNKNOWN_WRITER)

    def _without_references(self) -> Item:
        writer_id = next(writer for writer in sorted(self.writers) if writer not in self.enrolled)
        return self._signed(ItemKind.NO_REFERENCES, writer_id, writer_id)

    def _copy_of_reference(self) -> Item:
        reference = self.references[int(self.rng.integers(len(self.references)))]
        content = encoded(photocopy(reference.image, self.rng), Format.JPEG)
        return Item(
            ItemKind.COPY_OF_REFERENCE,
            reference.writer_id,
            content,
            Format.JPEG,
            "",
            reference.writer_id,
            reference.path,
        )

    def _copied_item(self) -> list[Item]:
        """A genuine item, and its ink lifted onto another one."""
        writer_id = self._anyone()
        image = self._scan(writer_id, Format.PNG)
        copy = encoded(photocopy(image, self.rng), Format.TIFF_G4)
        return [
            Item(ItemKind.GENUINE, writer_id, encoded(image, Format.PNG), Format.PNG, true_writer_id=writer_id),
            Item(ItemKind.COPY_OF_ITEM, writer_id, copy, Format.TIFF_G4, true_writer_id=writer_id),
        ]
