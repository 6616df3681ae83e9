"""What leaves a batch: decisions as Parquet and CSV, quarantine, reconciliation, and a manifest of digests.

Each file is written under a temporary name and renamed; ``manifest.json`` comes last, so its presence says the
export is whole. The bytes depend on the ledger alone: exporting again writes the same files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.batch.collector import collector_paused
from sigverify.contracts import Contract
from sigverify.errors import Conflict, Unreconciled
from sigverify.records import BatchState
from sigverify.storage import ledger
from sigverify.storage.ledger import Reconciliation
from sigverify.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd

DECISIONS_PARQUET, DECISIONS_CSV, QUARANTINE = "decisions.parquet", "decisions.csv", "quarantine.csv"
RECONCILIATION, MANIFEST = "reconciliation.json", "manifest.json"


@dataclass(frozen=True)
class Exported:
    """Where the files lie. `files` maps name -> SHA-256; `problems` is empty when the batch was reconciled."""

    batch_id: str
    folder: Path
    files: Mapping[str, str]
    n_decisions: int
    problems: tuple[str, ...]

    def text(self) -> str:
        """A few words for a person."""
        state = f"UNRECONCILED: {'; '.join(self.problems)}" if self.problems else "reconciled"
        return f"{self.n_decisions} decisions of batch {self.batch_id} in {self.folder} ({state})"


@collector_paused()
def export_batch(store: Store, batch_id: str, out: str | Path, allow_unreconciled: bool = False) -> Exported:
    """Write a decided batch's files into the folder `out` and mark it exported.

    Raises NotFound for an unknown batch, Conflict for one that is not decided, Unreconciled when count or amount does
    not add up (unless `allow_unreconciled`: the files then say so), BadTable when a decision breaks its contract.
    """
    batch = ledger.find_batch(store, batch_id)
    if batch.state not in (BatchState.DECIDED, BatchState.EXPORTED):
        raise Conflict(f"batch {batch_id} is not decided", got=batch.state.value, next="verify it to the end first")
    totals = ledger.reconcile(store, batch_id)
    if not totals.balanced and not allow_unreconciled:
        raise Unreconciled(
            f"batch {batch_id} does not add up, nothing was exported",
            got="; ".join(totals.problems),
            next="settle it with whoever delivered it, or export it marked as unreconciled (allow_unreconciled)",
        )
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # a half-written export has none
    contract = Contract.load("verification_decision")
    decisions = ledger.decisions_of(store, batch_id)
    contract.write_all(decisions, [folder / DECISIONS_PARQUET, folder / DECISIONS_CSV])
    write_whole(folder / QUARANTINE, _quarantine(ledger.quarantined_of(store, batch_id)))
    write_whole(folder / RECONCILIATION, _json(_reconciliation(totals)))
    about = _about(batch, contract, totals, folder, len(decisions))
    write_whole(folder / MANIFEST, _json(about))
    ledger.mark_exported(store, batch_id)
    return Exported(batch_id, folder, about["sha256"], len(decisions), totals.problems)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears under its name whole or not at all, and survives a power cut."""
    working = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with working.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(working, path)
    finally:
        working.unlink(missing_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quarantine(frame: pd.DataFrame) -> bytes:
    """One line a row that was not admitted; `reasons` as JSON text, `first_reason` for those who cannot read JSON."""
    plain = frame.drop(columns="reasons")
    plain["first_reason"] = [reasons[0]["reason"] for reasons in frame.reasons]
    plain["reasons"] = [json.dumps(reasons, ensure_ascii=False) for reasons in frame.reasons]
    data: bytes = plain.to_csv(index=False, lineterminator="\n").encode()
    return data


def _about(
    batch: ledger.Batch, contract: Contract, totals: Reconciliation, folder: Path, n_decisions: int
) -> dict[str, Any]:
    names = (DECISIONS_PARQUET, DECISIONS_CSV, QUARANTINE, RECONCILIATION)
    return {
        "batch_id": batch.batch_id,
        "business_date": batch.business_date,
        "contract": f"{contract.name} {contract.version}",
        "verifier_version": batch.verifier_version,
        "policy_version": batch.policy_version,
        "gallery_id": batch.gallery_id,
        "reconciled": totals.balanced,
        "n_decisions": n_decisions,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names},
    }


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1) + "\n").encode()


def _reconciliation(totals: Reconciliation) -> dict[str, Any]:
    state = "reconciled" if totals.balanced else "unreconciled"
    return {"state": state, **asdict(totals), "line": totals.line()}
