"""A labelled research set through the whole system: import, retrain, register, promote, enrol, verify, measure.

Example, with CEDAR unpacked under data/cedar (manifest.csv beside the images)::

    .venv/bin/python benchmarks/real_sets.py --source data/cedar --name cedar --work runs/real/cedar --steps 400

Everything goes through the flows of `flows/` with embedded Prefect and MLflow on SQLite, all under ``--work``. Training
writers teach, calibration writers choose thresholds, test writers are enrolled with 5 references and their remaining
signatures are delivered as one batch: half of the genuine ones under their own name, half as random forgeries under
another test writer's, and every skilled forgery. Both looks at test writers go into benchmarks/test_runs.csv. Prints
one JSON document; ``results.json`` holds it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

REFERENCES, SEED = 5, 0


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder with manifest.csv and the images")
    parser.add_argument("--name", required=True, help="as in writer_parts.csv: cedar, bhsig260_hindi ...")
    parser.add_argument("--work", type=Path, required=True, help="fresh folder for everything this run makes")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--initial", default="default", help="start from this verifier; none: random weights")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "PREFECT_HOME": str(work / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "MLFLOW_TRACKING_URI": f"sqlite:///{work}/mlflow.db",
        "DO_NOT_TRACK": "true",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }
    results = run(args.source, args.name, work, args.steps, None if args.initial == "none" else args.initial)
    (work / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def run(source: Path, name: str, work: Path, steps: int, initial: str | None) -> dict[str, Any]:
    """The whole way for one set."""
    from flows.enrol import enrol_writers
    from flows.ingest import ingest_scans
    from flows.parameters import Delivery, Enrolment, Retraining, Verification
    from flows.retrain import retrain_verifier
    from flows.verify import verify_batch
    from sigverify.datasets import import_dataset
    from sigverify.measurement.looks import register_look
    from sigverify.records import Part
    from sigverify.registry import Registry
    from sigverify.retraining import writers_of
    from sigverify.storage.store import Store

    catalogue = work / "catalogue"
    store = Store.open(catalogue, create=True)
    imported = import_dataset("manifest", source, store, name=name)
    started = time.monotonic()
    plan = Retraining(catalogue=str(catalogue), out=str(work / "training"), initial=initial, steps=steps)
    made = retrain_verifier(plan)
    trained_s = time.monotonic() - started
    champion = Registry().promote(made["uri"], approved_by="benchmark")
    test_writers = writers_of(store.signatures(), Part.TEST)
    truth = deliver(store, work / "landing" / "day-1")
    verifier = "models:/sigverify@champion"
    enrol_writers(Enrolment(catalogue=str(catalogue), verifier=verifier))
    ingest_scans(Delivery(catalogue=str(catalogue), landing=str(work / "landing"), classification="research"))
    began = time.monotonic()
    closed = verify_batch(Verification(catalogue=str(catalogue), verifier=verifier, export_to=str(work / "out")))[0]
    seconds = time.monotonic() - began
    rates = batch_rates(store, truth, [closed["batch_id"]])
    row = {name: f"{REFERENCES}: {rates[name]}" for name in ("skilled_eer", "random_eer")}
    row |= {"protocol": "verify_batch", "verifier_version": champion.verifier_version, "lane": "clean", "seed": "0"}
    register_look(test_writers, {**row, "command": f"benchmarks/real_sets.py --name {name} --steps {steps}"})
    return {
        "set": name,
        "imported": imported.text(),
        "retrain_steps": steps,
        "retrain_seconds": round(trained_s),
        "verifier": champion.verifier_version,
        "promoted": champion.uri,
        "reconciliation": closed["reconciliation"],
        "batch_items": len(truth),
        "batch_seconds": round(seconds, 1),
        "batch": rates,
        "test_writers": {k: v for k, v in Registry().metrics(champion.run_id).items() if "_eer" in k},
        "run_id": champion.run_id,
    }


def deliver(store: Any, landing: Path) -> dict[str, str]:
    """Mark 5 references of each test writer, write the rest as a landing folder; returns {item_id: kind}."""
    import numpy as np

    from sigverify.records import Label, Part
    from sigverify.retraining import writers_of

    landing.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    frame = store.signatures()
    frame = frame[frame.duplicate_of.isna()]
    writers = writers_of(frame, Part.TEST)
    rows, truth = [], {}
    for i, writer in enumerate(writers):
        own = frame[frame.writer_id == writer]
        genuine = list(rng.permutation(own[own.label == Label.GENUINE.value].signature_id))
        store.mark_references(genuine[:REFERENCES])
        other = writers[(i + 1 + int(rng.integers(len(writers) - 1))) % len(writers)]
        queries = [(s, writer, "genuine") for s in genuine[REFERENCES::2]]
        queries += [(s, other, "random_forgery") for s in genuine[REFERENCES + 1 :: 2]]
        queries += [(s, writer, "skilled_forgery") for s in own[own.label == Label.SKILLED_FORGERY.value].signature_id]
        urls = dict(zip(own.signature_id, own.image_url, strict=True))
        for signature, claimed, kind in queries:
            item = f"item-{len(truth):06d}"
            (landing / f"{item}.png").write_bytes(store.read_image(urls[signature]))
            rows.append(["D", item, claimed, f"{item}.png", 0, 1000, "EUR", "2026-01-01T00:00:00Z", ""])
            truth[item] = kind
    rows.append(["T", "", "", "", "", 1000 * len(rows), "EUR", "", len(rows)])
    names = ["record_type", "item_id", "writer_id", "path", "page", "amount_minor", "currency", "captured_at", "count"]
    with (landing / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return truth


def batch_rates(store: Any, truth: dict[str, str], batches: list[str]) -> dict[str, Any]:
    """What the batch's decisions did, by kind, and the EER of their scores."""
    import numpy as np
    import pandas as pd

    from sigverify.evaluation.metrics import eer
    from sigverify.storage import ledger

    decided = pd.concat(ledger.decisions_of(store, batch) for batch in batches)
    decided["kind"] = decided.item_id.map(truth)
    table = decided.groupby(["kind", "outcome"]).size().unstack(fill_value=0)
    scored = decided[decided.score.notna()]
    scores = {kind: scored[scored.kind == kind].score.to_numpy(dtype=np.float64) for kind in set(truth.values())}
    out: dict[str, Any] = {
        "outcomes": {str(k): {str(c): int(n) for c, n in row.items()} for k, row in table.iterrows()}
    }
    for kind, word in (("skilled_forgery", "skilled_eer"), ("random_forgery", "random_eer")):
        out[word] = round(100 * eer(scores["genuine"], scores[kind]).rate, 2)
    return out


if __name__ == "__main__":
    main()
