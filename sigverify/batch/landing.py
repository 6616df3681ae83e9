"""Ingest: a landing folder becomes a batch. Good rows become items, bad rows go to quarantine with every reason.

Nothing is decoded here: a file is admitted on its header. Files are copied into the catalogue under the digest of the
bytes that were read, then everything is committed at once; a crash leaves nothing but files that the next try reuses.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sigverify.batch.admission import Row, judge_rows
from sigverify.batch.collector import collector_paused
from sigverify.batch.folder import DeliveredFolder
from sigverify.batch.manifest import MANIFEST, read_manifest, require_whole
from sigverify.config import PreprocessingSettings
from sigverify.contracts import Contract, Trailer
from sigverify.errors import BadInput, Conflict, SigverifyError
from sigverify.records import BatchState, Classification
from sigverify.storage import ledger
from sigverify.storage.store import Store

# Files at a time: reading, hashing and writing wait for the disk, not for each other. More threads than processors take
# turns more often than they wait (5,000 local files on 2 of them: 1.2 s with 2, 1.6 s with 4).
READERS = max(2, min(4, os.cpu_count() or 2))
AT_A_TIME = 16  # rows a thread takes: handing over a single one costs a tenth of its work
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class IngestSummary:
    """What became of a delivery. `problems` are the totals that do not add up; `supplement_of` names an earlier batch
    of the same folder whose manifest was another one."""

    batch_id: str
    received: int  # data rows of the manifest
    admitted: int
    quarantined: int
    redelivered: int
    reasons: Mapping[str, int]  # quarantined rows by reason; a row with two counts under both
    problems: tuple[str, ...] = ()
    already_ingested: bool = False
    supplement_of: str | None = None

    def text(self) -> str:
        """A few words for a person: one line, and one for each problem."""
        if self.already_ingested:
            return f"batch {self.batch_id} was ingested before ({self.received} rows): nothing to do"
        why = ", ".join(f"{reason} {n}" for reason, n in self.reasons.items())
        line = (
            f"batch {self.batch_id}: {self.received} rows = {self.admitted} items + {self.quarantined} quarantined"
            f"{f' ({why})' if why else ''} + {self.redelivered} delivered before"
        )
        late = f"; supplements {self.supplement_of}" if self.supplement_of else ""
        return "\n".join([line + late, *(f"unreconciled: {problem}" for problem in self.problems)])


@collector_paused()
def ingest_batch(
    store: Store,
    landing: Path,
    batch_id: str | None = None,
    business_date: date | str | None = None,
    classification: Classification | None = None,
    settings: PreprocessingSettings | None = None,
    *,
    require_trailer: bool = True,
    on_progress: Progress | None = None,
) -> IngestSummary:
    """Take in the delivery in `landing` (manifest.csv and scans) as one batch; the same delivery again is a no-op.

    `batch_id` defaults to the folder's name and the manifest's digest, so a manifest that changed after its ingest
    becomes a supplementary batch, in which rows known already count as re-deliveries. `business_date` defaults to
    today, `classification` to the catalogue's; `settings` give the limits on file size and pixels.
    `on_progress(done, of)` counts rows.

    Raises NotFound for no such folder, BadTable for a manifest that is no table, misses columns or (with
    `require_trailer`) has no trailer yet, Conflict when `batch_id` is taken by another manifest.
    """
    with DeliveredFolder(Path(landing)) as folder:
        manifest = read_manifest(folder)
        if require_trailer:
            require_whole(manifest, folder.path.name)
        contract = Contract.load("scan_manifest")
        rows = judge_rows(manifest, contract)  # before anything is written: a manifest without columns leaves no trace
        day = date.today().isoformat() if business_date is None else _day(business_date)
        earlier = _earlier(store, folder.path, manifest.digest, batch_id)
        same = earlier is not None and earlier.manifest_digest == manifest.digest
        batch = ledger.begin_batch(
            store,
            earlier.batch_id if earlier and same else batch_id or derived_batch_id(folder.path, manifest.digest),
            landing_url=str(folder.path.absolute()),
            manifest_digest=manifest.digest,
            business_date=day,
            contract_version=contract.version,
            received_count=len(manifest.rows),
            classification=classification,
            trailer_problems=manifest.trailer_problems,
            **_declared(manifest.trailer),
        )
        if batch.state is not BatchState.RECEIVING:
            return _summary(store, batch.batch_id, already=True)
        _admit(store, folder, batch.batch_id, rows, settings or PreprocessingSettings(), on_progress)
    supplement = earlier.batch_id if earlier is not None and earlier.batch_id != batch.batch_id else None
    return _summary(store, batch.batch_id, supplement_of=supplement)


def find_landings(root: Path, store: Store | None = None) -> list[Path]:
    """Deliveries beneath `root` that are complete (their manifest has its trailer), oldest manifest first.

    `root` itself may be one; links are not followed. A manifest that cannot be read is listed, so that its ingest says
    what is wrong. With a `store`, deliveries it holds already are left out.
    """
    if not root.is_dir():
        return []
    folders = [root, *sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink())]
    found = []
    for folder in folders:
        manifest = folder / MANIFEST
        if manifest.is_file() and _ready(folder, store):
            found.append((manifest.stat().st_mtime_ns, folder.name, folder))
    return [folder for _, _, folder in sorted(found)]


def derived_batch_id(landing: Path, manifest_digest: str) -> str:
    """``<folder name>-<8 hex digits of the manifest's digest>``, letters, digits, dot, dash and underscore only."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", landing.absolute().name).strip("-._")[:80]
    return f"{name or 'landing'}-{manifest_digest[:8]}"


def _ready(folder: Path, store: Store | None) -> bool:
    try:
        with DeliveredFolder(folder) as opened:
            manifest = read_manifest(opened)
    except SigverifyError:
        return True
    if manifest.trailer is None:
        return False
    if store is None:
        return True
    known = _earlier(store, folder, manifest.digest)
    return known is None or known.manifest_digest != manifest.digest or known.state is BatchState.RECEIVING


def _earlier(store: Store, landing: Path, manifest_digest: str, asked_id: str | None = None) -> ledger.Batch | None:
    """The batch this folder was taken in as: of the same manifest where there is one, else of its last manifest."""
    here = [b for b in ledger.list_batches(store) if b.landing_url == str(landing.absolute())]
    same = [b for b in here if b.manifest_digest == manifest_digest]
    if same and asked_id not in (None, *(b.batch_id for b in same)):
        raise Conflict(
            f"this delivery was ingested as batch {same[0].batch_id}",
            got=f"batch id {asked_id}",
            next="leave the batch id out, or deliver under another folder name",
        )
    return next(reversed(same or here), None)


def _day(business_date: date | str) -> str:
    try:
        return date.fromisoformat(str(business_date)).isoformat()
    except ValueError as error:
        raise BadInput("a business date that is none", got=str(business_date), expected="YYYY-MM-DD") from error


def _declared(trailer: Trailer | None) -> dict[str, Any]:
    if trailer is None:
        return {}
    return {"declared_count": trailer.count, "declared_minor": trailer.amount_minor, "currency": trailer.currency}


def _admit(
    store: Store,
    folder: DeliveredFolder,
    batch_id: str,
    rows: list[Row],
    settings: PreprocessingSettings,
    on_progress: Progress | None,
) -> None:
    """Copy every row's file into the catalogue, or note why not; then one transaction."""
    items: list[ledger.Item] = []
    refused: list[ledger.Quarantined] = []
    for done, outcome in enumerate(_taken(store, folder, rows, settings), 1):
        (items if isinstance(outcome, ledger.Item) else refused).append(outcome)  # type: ignore[arg-type]
        if on_progress is not None:
            on_progress(done, len(rows))
    ledger.admit_items(store, batch_id, items, refused)


def _taken(
    store: Store, folder: DeliveredFolder, rows: list[Row], settings: PreprocessingSettings
) -> Iterator[ledger.Item | ledger.Quarantined]:
    """What becomes of each row, in order; several files are read, judged and copied at a time."""
    parts = [rows[start : start + AT_A_TIME] for start in range(0, len(rows), AT_A_TIME)]
    with warnings.catch_warnings(), ThreadPoolExecutor(READERS) as pool:  # threads may leave warnings' filters changed
        try:
            for some in pool.map(lambda part: [row.take(store, folder, settings) for row in part], parts):
                yield from some
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _summary(store: Store, batch_id: str, already: bool = False, supplement_of: str | None = None) -> IngestSummary:
    totals = ledger.reconcile(store, batch_id)
    refused = ledger.quarantined_of(store, batch_id)
    reasons: dict[str, int] = {}
    for row in refused.reasons:
        for reason in {r["reason"] for r in row}:
            reasons[reason] = reasons.get(reason, 0) + 1
    return IngestSummary(
        batch_id=batch_id,
        received=totals.received.count,
        admitted=totals.received.count - totals.quarantined.count - totals.duplicates.count,
        quarantined=totals.quarantined.count,
        redelivered=totals.duplicates.count,
        reasons=dict(sorted(reasons.items())),
        problems=tuple(p for p in totals.problems if not p.endswith("undecided")),  # of course they are, just now
        already_ingested=already,
        supplement_of=supplement_of,
    )
