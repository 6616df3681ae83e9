"""A second process for tests of crashes and races: ``python -m tests.storage.worker JOB FOLDER [NUMBER]``."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator

from sigverify.errors import SigverifyError
from sigverify.storage import ledger
from sigverify.storage.store import Store
from tests.storage.builders import frozen, item, record

N = 4_000


class Fatal(tuple):  # type: ignore[type-arg]
    """Reasons that kill the process when they are read: by then the items are inserted, not committed."""

    def __iter__(self) -> Iterator[object]:
        print("killed in the transaction", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        return super().__iter__()


def die_in_admission(store: Store, _: int) -> None:
    ledger.admit_items(store, "b1", [item(n, row=n + 1) for n in range(N)], [ledger.Quarantined(N + 1, None, Fatal())])


def admit(store: Store, _: int) -> None:
    print(ledger.admit_items(store, "b1", [item(n, row=n + 1) for n in range(N)]).repeated, flush=True)


def freeze(store: Store, number: int) -> None:
    answer = ledger.freeze_verifier(
        store, "b1", verifier_version=f"v{number}", policy_version="p", gallery_id=f"g-{number}"
    )
    print(answer.verifier_version, answer.gallery_id, answer.first, flush=True)


def decide(store: Store, size: int) -> None:
    """All the items, whether decided or not, in shards of `size`; one line a shard with what was new."""
    frozen(store, "b1")
    everything = [ledger.Item(**row) for row in ledger.items_of(store, "b1").to_dict("records")]
    for start in range(0, N, size):
        print(record(store, "b1", everything[start : start + size]), flush=True)


def fill_disk(store: Store, spare: int) -> None:
    """Admission where no file may grow by more than `spare` bytes."""
    largest = max(p.stat().st_size for p in store.folder.rglob("*") if p.is_file())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + spare, largest + spare))
    for job in (lambda: admit(store, 0), lambda: store.write_image(bytes(largest + spare + 1), ".png")):
        try:
            job()
            print("written", flush=True)
        except SigverifyError as error:
            print(type(error).__name__, error, flush=True)


if __name__ == "__main__":
    job, folder, number = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0
    jobs = {f.__name__: f for f in (die_in_admission, admit, freeze, decide, fill_disk)}
    with Store.open(folder) as opened:
        jobs[job](opened, number)
