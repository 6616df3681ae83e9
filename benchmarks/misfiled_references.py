"""How often enrolment names a reference that was filed under a wrong name, and how often a right one.

Example, with catalogues of BHSig260 in runs/bengali and runs/hindi::

    .venv/bin/python benchmarks/misfiled_references.py --dev runs/bengali runs/hindi

Training writers only; DRAWS draws of references for each: all of them the writer's own (one named is a false alarm),
then one replaced by a genuine signature of another writer. Prints Markdown, shares of draws in per cent.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.records import Floats
    from sigverify.scoring.scorer import Scorer

REFERENCES, DRAWS, SEED = (3, 5, 10), 20, 0


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="catalogues; only training writers are used")
    parser.add_argument("--writers", type=int, default=40, help="the first so many training writers of each")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    from sigverify.evaluation.parts import writers_in_part
    from sigverify.records import Part
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    verifier = Verifier.load()
    print("| set | references | misfiled one named | right one named beside it | right one named, all right |")
    print("|---" * 5 + "|")
    for folder in args.dev:
        with Store.open(folder) as store:
            rows = store.signatures()
            writers = writers_in_part(sorted(set(rows["writer_id"])), Part.TRAIN)[: args.writers]
            genuine = rows["duplicate_of"].isna() & (rows["label"] == "genuine") & rows["writer_id"].isin(writers)
            rows = rows[genuine].reset_index(drop=True)
            prepared = verifier.prepare_many([store.read_image(url) for url in rows["image_url"]], workers=args.workers)
        usable = [each.image is not None for each in prepared]
        embedded = verifier.embed_references([each.image for each in prepared if each.image is not None])
        for k in REFERENCES:
            shares = " | ".join(f"{100 * share:.1f}" for share in named(verifier.scorer, rows[usable], embedded, k))
            print(f"| {folder.name} | {k} | {shares} |", flush=True)


def named(scorer: Scorer, rows: pd.DataFrame, embedded: Floats, k: int) -> Floats:
    """Shares of draws: the misfiled reference named, a right one beside it named, one named where all are right."""
    from sigverify.verification import NAMED_SOONER

    rng = np.random.default_rng(SEED)
    writer = rows["writer_id"].to_numpy()
    found = []
    for one in np.unique(writer):
        own, others = np.flatnonzero(writer == one), np.flatnonzero(writer != one)
        for _ in range(DRAWS if len(own) >= k else 0):
            right = rng.permutation(own)[:k]
            mixed = np.append(right[1:], rng.choice(others))
            seen, alarm = (scorer.odd_reference(embedded[chosen], NAMED_SOONER) for chosen in (mixed, right))
            found.append((seen == k - 1, seen is not None and seen != k - 1, alarm is not None))
    return np.mean(np.array(found, float), axis=0)


if __name__ == "__main__":
    main()
