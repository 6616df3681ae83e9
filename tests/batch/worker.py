"""Another process that decides a batch: `python -m tests.batch.worker CATALOGUE BUNDLE BATCH SHARD_SIZE`."""

from __future__ import annotations

import sys
from pathlib import Path

from sigverify.batch.decisions import verify_batch
from sigverify.storage.store import Store
from sigverify.verifier import Verifier

if __name__ == "__main__":
    catalogue, bundle, batch_id, size = sys.argv[1:]
    with Store.open(Path(catalogue)) as store:
        verifier = Verifier.load(bundle)
        print("ready", flush=True)
        sys.stdin.readline()
        print(verify_batch(store, verifier, batch_id, shard_size=int(size)).line())
