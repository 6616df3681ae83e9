"""Signatures a second, side by side in one run on the same scans: preprocessing alone, embedding alone, whole batch.

Example: .venv/bin/python benchmarks/speed.py --items 5000 --work runs/speed

Draws synthetic scans (600 px long side, PNG), delivers them as one landing folder, and measures in a warm process on
``--workers`` cores: decoding + preprocessing; the network; and the whole batch (ingest, decide, export: scan file ->
committed decision). What the batch costs beyond the first two is printed for each signature. Beside it, on the same
scans and cores, what a published system does up to its features (published_pipeline.py), and the ratio of the
whole batch to it. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

PUBLISHED_SCANS = 500  # of the batch's, timed through the published pipeline


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5000, help="queries in the batch")
    parser.add_argument("--writers", type=int, default=250)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True, help="folder for the scans and the catalogue")
    args = parser.parse_args()
    print(json.dumps(measure(args.work.resolve(), args.items, args.writers, args.workers), indent=1))


def measure(work: Path, n_items: int, n_writers: int, workers: int) -> dict[str, Any]:
    """Scans drawn once are used again; the catalogue is a new one (deleting the last would slow this one's files)."""
    import published_pipeline

    from sigverify.batch.decisions import decide_shard, finish_batch, open_for_verification, shards
    from sigverify.batch.enrolment import add_references, enrol
    from sigverify.batch.export import export_batch
    from sigverify.batch.landing import ingest_batch
    from sigverify.records import Classification
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    landing = draw(work, n_items, n_writers)
    catalogue = work / time.strftime("catalogue-%Y%m%dT%H%M%S")
    store, verifier = Store.open(catalogue, create=True), Verifier.load()
    add_references(store, work / "references", Classification.SYNTHETIC)
    enrol(store, verifier, workers=workers)
    files = sorted(landing.glob("*.png"))
    verifier.prepare_many(files[:64], workers=workers)  # warm
    started = time.perf_counter()
    prepared = verifier.prepare_many(files, workers=workers)
    preparing = time.perf_counter() - started
    images = [p.image for p in prepared if p.image is not None]
    verifier.embed(images[:128])
    started = time.perf_counter()
    verifier.embed(images)
    embedding = time.perf_counter() - started
    started = time.perf_counter()
    batch = ingest_batch(store, landing, classification=Classification.SYNTHETIC).batch_id
    ingested = time.perf_counter()
    frozen = open_for_verification(store, batch, verifier)
    rest = 0.0
    for shard in shards(store, frozen):
        rest += decide_shard(store, verifier, frozen, shard, workers).seconds["rest"]
    totals = finish_batch(store, batch)
    decided = time.perf_counter()
    export_batch(store, batch, work / "out")
    ended = time.perf_counter()
    whole = ended - started
    sample = files[:PUBLISHED_SCANS]
    published = sum(published_pipeline.seconds(sample, workers)) / len(sample)
    return {
        "scans": len(files),
        "workers": workers,
        "cpu_count": os.cpu_count(),
        "preprocessing_per_s": round(len(files) / preparing),
        "embedding_per_s": round(len(images) / embedding),
        "whole_batch_per_s": round(len(files) / whole),
        "scan_file_to_committed_decision_per_s": round(len(files) / (decided - started)),
        "published_pipeline_per_s": round(1 / published, 1),
        "ratio_of_whole_batch_to_published_pipeline": round(published * len(files) / whole, 2),
        "seconds": {
            "preprocessing": round(preparing, 2),
            "embedding": round(embedding, 2),
            "ingest": round(ingested - started, 2),
            "decide": round(decided - ingested, 2),
            "decide_rest": round(rest, 2),
            "export": round(ended - decided, 2),
            "whole": round(whole, 2),
        },
        "overhead_ms_per_signature": round(1000 * (whole - preparing - embedding) / len(files), 3),
        "reconciliation": totals.line(),
    }


def draw(work: Path, n_items: int, n_writers: int) -> Path:
    """References (3 a writer) and a landing folder of `n_items` scans, under `work`."""
    from PIL import Image as Picture

    from sigverify.synthesis.sets import draw_signatures

    landing, references = work / f"landing-{n_items}", work / "references"
    if (landing / "manifest.csv").exists():
        return landing
    for folder in (landing, references):
        folder.mkdir(parents=True, exist_ok=True)
    each = -(-n_items // n_writers)
    drawn = draw_signatures(n_writers, 3 + each, 0, seed=42, workers=2)
    held: list[list[object]] = [["path", "writer_id", "label"]]
    rows: list[list[object]] = [
        ["record_type", "item_id", "writer_id", "path", "page", "amount_minor", "currency", "captured_at", "count"]
    ]
    for i, (image, writer) in enumerate(zip(drawn.images, drawn.writer, strict=True)):
        name = f"W{int(writer):05d}"
        if i % (3 + each) < 3:
            Picture.fromarray(image).save(references / f"{i:06d}.png")
            held.append([f"{i:06d}.png", name, "genuine"])
        elif len(rows) <= n_items:
            Picture.fromarray(image).save(landing / f"{i:06d}.png")
            rows.append(["D", f"item-{i:06d}", name, f"{i:06d}.png", 0, 100, "EUR", "2026-01-01T00:00:00Z", ""])
    rows.append(["T", "", "", "", "", 100 * (len(rows) - 1), "EUR", "", len(rows) - 1])
    for path, table in ((references / "manifest.csv", held), (landing / "manifest.csv", rows)):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
    return landing


if __name__ == "__main__":
    main()
