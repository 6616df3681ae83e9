"""What a ruled line or a crooked scan costs, with and without the cure that ships, on training writers only.

Example, with catalogues of BHSig260 in runs/bengali and runs/hindi::

    .venv/bin/python benchmarks/stressed_queries.py --dev runs/bengali runs/hindi

References as scanned, queries as scanned and stressed (sigverify.evaluation.stresses); the shipped verifier beside the
same with one cure left out. Prints Markdown: skilled EER in per cent at 5 references.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.records import Floats, Preparation
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

REFERENCES, DRAWS, SEED = 5, 4, 0
AS_SCANNED = "as_scanned"
STRESSED = (AS_SCANNED, "line_across", "rotation_plus_5_deg", "rotation_minus_5_deg")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="catalogues; only training writers are used")
    parser.add_argument("--writers", type=int, default=20, help="the first so many training writers of each")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    from sigverify.storage.store import Store

    print("| verifier | set | " + " | ".join(name.replace("_", " ") for name in STRESSED) + " |")
    print("|---" * (len(STRESSED) + 2) + "|")
    for name, verifier in variants().items():
        for folder in args.dev:
            with Store.open(folder) as store:
                rates = measured(store, verifier, args.writers, args.workers)
            print(f"| {name} | {folder.name} | " + " | ".join(f"{rates[s]:.1f}" for s in STRESSED) + " |", flush=True)


def variants() -> dict[str, Verifier]:
    """The shipped verifier, and it without one of its cures."""
    from sigverify.verifier import Verifier

    shipped = Verifier.load()
    encoder, preprocessing = shipped.settings.encoder, shipped.settings.preprocessing
    return {
        "shipped": shipped,
        "references upright only": shipped.with_settings(encoder=replace(encoder, reference_turns_deg=())),
        "ruled lines kept": shipped.with_settings(preprocessing=replace(preprocessing, ruled_lines="keep")),
    }


def measured(store: Store, verifier: Verifier, n: int, workers: int) -> dict[str, float]:
    """Skilled EER in per cent by kind of query, of the first `n` training writers."""
    from sigverify.evaluation.parts import writers_in_part
    from sigverify.evaluation.stresses import STRESSES
    from sigverify.records import Part
    from sigverify.scans.read import read_scan

    rows = store.signatures()
    writers = writers_in_part(sorted(set(rows["writer_id"])), Part.TRAIN)[:n]
    rows = rows[rows["duplicate_of"].isna() & rows["writer_id"].isin(writers)].reset_index(drop=True)
    scans = [store.read_image(url) for url in rows["image_url"]]
    plain = verifier.prepare_many(scans, workers=workers)
    references = verifier.embed_references(images(plain))
    rates = {}
    for name in STRESSED:
        rng = np.random.default_rng(SEED)
        asked = plain
        if name != AS_SCANNED:
            read = [read_scan(scan, verifier.settings.preprocessing) for scan in scans]
            asked = verifier.prepare_many([STRESSES[name](image, None, rng) for image in read], workers=workers)
        rates[name] = rate(verifier, rows, references, verifier.embed(images(asked)))
    return rates


def images(prepared: list[Preparation]) -> Floats:
    """(n, h, w) of what was prepared; a scan without a signature counts as an empty sheet."""
    shape = next(each.image.shape for each in prepared if each.image is not None)
    return np.stack([np.zeros(shape, np.uint8) if each.image is None else each.image for each in prepared])


def rate(verifier: Verifier, rows: pd.DataFrame, references: Floats, queries: Floats) -> float:
    """One threshold for all writers; DRAWS draws of references each."""
    from sigverify.evaluation.metrics import eer

    rng = np.random.default_rng(SEED)
    genuine: list[float] = []
    forged: list[float] = []
    for _, own in rows.groupby("writer_id"):
        real = own.index[own["label"] == "genuine"].to_numpy()
        copied = own.index[own["label"] != "genuine"].to_numpy()
        for _ in range(DRAWS if len(real) > REFERENCES else 0):
            order = rng.permutation(real)
            enrolled, rest = references[order[:REFERENCES]], order[REFERENCES:]
            asked = np.concatenate([rest, copied])
            scores = [float(score) for score, _ in verifier.scorer.score_pairs(queries[asked], [enrolled] * len(asked))]
            genuine += scores[: len(rest)]
            forged += scores[len(rest) :]
    return 100 * eer(np.array(genuine), np.array(forged)).rate


if __name__ == "__main__":
    main()
