"""What a ruled line, a crooked scan or a misfiled reference costs, with and without the cure, on training writers only.

Example, with catalogues of BHSig260 in runs/bengali and runs/hindi::

    .venv/bin/python benchmarks/stressed_queries.py --dev runs/bengali runs/hindi

References as scanned, queries as scanned and stressed (sigverify.evaluation.stresses); the shipped verifier beside the
same with one cure left out. Prints Markdown: skilled EER in per cent at 5 references; and, where one of the five is
another writer's, the share of skilled forgeries above the threshold that 5 per cent pass with the right references.
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
MISFILED, PASSING = "passing beside a misfiled reference", 0.05
STRESSED = (AS_SCANNED, "line_across", "rotation_plus_5_deg", "rotation_minus_5_deg")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="catalogues; only training writers are used")
    parser.add_argument("--writers", type=int, default=20, help="the first so many training writers of each")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    from sigverify.storage.store import Store

    shown = [*STRESSED, MISFILED]
    print("| verifier | set | " + " | ".join(name.replace("_", " ") for name in shown) + " |")
    print("|---" * (len(shown) + 2) + "|")
    for name, verifier in variants().items():
        for folder in args.dev:
            with Store.open(folder) as store:
                rates = measured(store, verifier, args.writers, args.workers)
            print(f"| {name} | {folder.name} | " + " | ".join(f"{rates[s]:.1f}" for s in shown) + " |", flush=True)


def variants() -> dict[str, Verifier]:
    """The shipped verifier, and it without one of its cures."""
    from sigverify.verifier import Verifier

    shipped = Verifier.load()
    encoder, preprocessing = shipped.settings.encoder, shipped.settings.preprocessing
    return {
        "shipped": shipped,
        "references upright only": shipped.with_settings(encoder=replace(encoder, reference_turns_deg=())),
        "odd reference counts": shipped.with_settings(scoring=replace(shipped.settings.scoring, odd_reference=0.0)),
        "ruled lines kept": shipped.with_settings(preprocessing=replace(preprocessing, ruled_lines="keep")),
    }


def measured(store: Store, verifier: Verifier, n: int, workers: int) -> dict[str, float]:
    """Skilled EER in per cent by kind of query, of the first `n` training writers."""
    from sigverify.evaluation.metrics import eer
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
        genuine, forged = scores(verifier, rows, references, verifier.embed(images(asked)))
        rates[name] = 100 * eer(genuine, forged).rate
        if name == AS_SCANNED:
            fooled = scores(verifier, rows, references, verifier.embed(images(asked)), misfiled=True)[1]
            rates[MISFILED] = 100 * float(np.mean(fooled > np.quantile(forged, 1 - PASSING)))
    return rates


def images(prepared: list[Preparation]) -> Floats:
    """(n, h, w) of what was prepared; a scan without a signature counts as an empty sheet."""
    shape = next(each.image.shape for each in prepared if each.image is not None)
    return np.stack([np.zeros(shape, np.uint8) if each.image is None else each.image for each in prepared])


def scores(
    verifier: Verifier, rows: pd.DataFrame, references: Floats, queries: Floats, *, misfiled: bool = False
) -> tuple[Floats, Floats]:
    """Of genuine queries and of skilled forgeries, DRAWS draws of references each; `misfiled`: one is another's."""
    rng = np.random.default_rng(SEED)
    genuine: list[float] = []
    forged: list[float] = []
    for writer, own in rows.groupby("writer_id"):
        real = own.index[own["label"] == "genuine"].to_numpy()
        copied = own.index[own["label"] != "genuine"].to_numpy()
        others = rows.index[(rows["label"] == "genuine") & (rows["writer_id"] != writer)].to_numpy()
        for _ in range(DRAWS if len(real) > REFERENCES else 0):
            order, stranger = rng.permutation(real), rng.choice(others)
            enrolled, rest = references[order[:REFERENCES]], order[REFERENCES:]
            if misfiled:
                enrolled[-1] = references[stranger]
            asked = np.concatenate([rest, copied])
            found = [float(score) for score, _ in verifier.scorer.score_pairs(queries[asked], [enrolled] * len(asked))]
            genuine += found[: len(rest)]
            forged += found[len(rest) :]
    return np.array(genuine), np.array(forged)


if __name__ == "__main__":
    main()
