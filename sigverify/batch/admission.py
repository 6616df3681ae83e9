"""One manifest row at the door: what the contract says of it, then its path, its file and the file's header.

Every reason is collected, never just the first. A row whose only fault is its amount is admitted with the amount
unknown: the signature can be judged, the residual is shown, and the batch stays unreconciled until somebody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sigverify.batch.folder import DeliveredFolder
from sigverify.batch.manifest import Manifest
from sigverify.config import PreprocessingSettings
from sigverify.contracts import Contract
from sigverify.errors import BadScan
from sigverify.records import Reason
from sigverify.scans.read import inspect_file
from sigverify.storage import ledger
from sigverify.storage.images import digest_in
from sigverify.storage.store import Store

SUFFIXES = {"TIFF": ".tif", "PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp"}
LATER = (Reason.TRUNCATED, Reason.UNREADABLE)  # an image, only damaged: admitted, and a failure to acquire when decided
AMOUNT = "amount_minor"
UNEVEN = "the row must have as many cells as the header"
MAX_ID = 128  # characters of an item id that was refused, as kept in quarantine
Why = tuple[Reason, str, str]  # reason, column or "", detail without personal data


@dataclass(frozen=True)
class Row:
    """A data row as text, with what the contract has against it."""

    number: int
    cells: Mapping[str, str]
    faults: tuple[Why, ...]

    def cell(self, name: str) -> str:
        return str(self.cells.get(name) or "").strip()

    @property
    def amount_minor(self) -> int | None:
        """None where the amount cannot be read or the contract refuses it."""
        refused = any(column == AMOUNT for _, column, _ in self.faults)
        return None if refused else int(self.cell(AMOUNT))

    @property
    def currency(self) -> str | None:
        refused = any(column == "currency" for _, column, _ in self.faults)
        return None if refused else self.cell("currency") or None

    def take(
        self, store: Store, folder: DeliveredFolder, settings: PreprocessingSettings
    ) -> ledger.Item | ledger.Quarantined:
        """The item, its file copied into the catalogue; or the row for quarantine with every reason."""
        reasons = [why for why in self.faults if why[0] is not Reason.AMOUNT_UNREADABLE]
        data = b""
        suffix = ""
        if self.cell("path"):
            try:
                data = folder.read(self.cell("path"), settings.max_file_bytes)
                suffix = _suffix(data, settings)
            except BadScan as error:
                reasons.append((error.reason, "path", error.what))
        if reasons:
            name = self.cell("item_id")[:MAX_ID] or None
            return ledger.Quarantined(self.number, name, tuple(reasons), self.amount_minor, self.currency)
        url = store.write_image(data, suffix)
        return ledger.Item(
            item_id=self.cell("item_id"),
            row_number=self.number,
            writer_id=self.cell("writer_id"),
            image_url=url,
            digest=digest_in(url),
            amount_minor=self.amount_minor,
            currency=self.currency,
            page=int(self.cell("page") or 0),
        )


def judge_rows(manifest: Manifest, contract: Contract) -> list[Row]:
    """Every data row with every fault the contract finds. Raises BadTable when a required column is missing."""
    faults: dict[int, list[Why]] = {n: [(Reason.CONTRACT, "", UNEVEN)] for n in manifest.ragged}
    failures = contract.check(manifest.rows).failures
    named = (failures[c].tolist() for c in ("row", "column", "rule", "reason"))
    for number, column, rule, text in zip(*named, strict=True):
        unreadable = column == AMOUNT and rule in ("type", "required")
        why = (Reason.AMOUNT_UNREADABLE if unreadable else Reason.CONTRACT, column, text)
        faults.setdefault(number, []).append(why)
    numbers = manifest.rows.index.tolist()
    records: list[dict[str, str]] = manifest.rows.to_dict("records")  # type: ignore[assignment]  # a manifest is text
    return [Row(number, cells, tuple(faults.get(number, ()))) for number, cells in zip(numbers, records, strict=True)]


def _suffix(data: bytes, settings: PreprocessingSettings) -> str:
    """A file ending by what the header says; BadScan for a file that cannot be an image we take."""
    try:
        return SUFFIXES.get(inspect_file(data, settings).format, "")
    except BadScan as error:
        if error.reason in LATER:
            return ""
        raise
