"""What fine-tuning on real signatures is worth, with which settings, and what the synthetic ones before it are worth.

Example, with catalogues of CEDAR and BHSig260::

    .venv/bin/python benchmarks/fine_tuning.py --dev runs/bengali runs/hindi runs/cedar --out runs/fine-tuning

Seven tenths of the training writers of all sets together teach, the others judge (fixed by a seed): test writers are
not looked at. Training starts from the shipped weights or from random ones. Prints Markdown: skilled EER in per cent at
1, 5 and 10 references, 4 draws each, of the whole verifier, then of its learnt cells alone. Finished trainings are not
repeated.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sigverify.model.batches import SignatureSet
    from sigverify.records import Ints
    from sigverify.verifier import Verifier

REFERENCES, DRAWS, TEACHING, SEED = (1, 5, 10), 4, 0.7, 7
SHIPPED, NONE = "shipped", "none"
VARIANTS = (  # where training starts, steps, learning rate
    (SHIPPED, 0, 0.0), (SHIPPED, 300, 1e-4), (SHIPPED, 300, 1e-3),
    (NONE, 0, 0.0), (NONE, 300, 3e-3), (NONE, 1000, 3e-3),
)  # fmt: skip


@dataclass(frozen=True)
class Dev:
    """A set's training writers: who teaches, who judges."""

    name: str
    data: SignatureSet
    judging: Ints

    def part(self, judges: bool) -> SignatureSet:
        return self.data.select(np.isin(self.data.writer, self.judging) == judges)


def main() -> None:
    """Parse, train what is not trained yet, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="catalogues; only training writers are used")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from sigverify.verifier import Verifier

    shipped = Verifier.load()
    held = [read(folder, shipped, args.workers) for folder in args.dev]
    rows = []
    for start, steps, rate in VARIANTS:
        tuned = tune(shipped, held, args.out / f"{start}-{steps}-{rate:g}", start, steps, rate)
        alone = tuned.with_settings(encoder=replace(tuned.settings.encoder, direction_share=0.0))
        rows.append([f"| {start} | {steps} | {rate:g} | {judged(v, held)} |" for v in (tuned, alone)])
        print(rows[-1], file=sys.stderr, flush=True)
    for place, title in enumerate(("the whole verifier", "learnt cells alone")):
        print(f"\n{title}\n")
        print("| start | steps | learning rate | " + " | ".join(f"{dev.name}, 1 / 5 / 10" for dev in held) + " |")
        print("|---" * (len(held) + 3) + "|")
        print("\n".join(row[place] for row in rows))


def read(folder: Path, verifier: Verifier, workers: int) -> Dev:
    """The training writers' prepared signatures."""
    from sigverify.config import TrainingSettings
    from sigverify.evaluation.parts import writers_in_part
    from sigverify.records import Part
    from sigverify.retraining import signature_set
    from sigverify.storage.store import Store

    with Store.open(folder) as store:
        rows = store.signatures()
        writers = writers_in_part(sorted(set(rows["writer_id"])), Part.TRAIN)
        settings = TrainingSettings(preprocessing=verifier.settings.preprocessing)
        data, _ = signature_set(store, rows[rows["writer_id"].isin(writers)], settings, workers, lambda *_: None)
    order = np.random.default_rng(SEED).permutation(np.unique(data.writer))
    return Dev(folder.name, data, order[round(TEACHING * len(order)) :])


def tune(shipped: Verifier, held: list[Dev], out: Path, start: str, steps: int, rate: float) -> Verifier:
    """The shipped verifier, or one with random weights, gone on with on the teaching writers of all sets."""
    from sigverify.model.batches import join_sets
    from sigverify.model.encoder import build_encoder, save_weights
    from sigverify.model.training import train
    from sigverify.retraining import fine_tuning
    from sigverify.verifier import Verifier

    if steps == 0 and start == SHIPPED:
        return shipped
    if steps == 0:
        out.mkdir(parents=True, exist_ok=True)
        random = save_weights(build_encoder(shipped.settings.encoder), out / "weights.safetensors")
        return Verifier(shipped.settings, random)
    settings = replace(fine_tuning(shipped), steps=steps, learning_rate=rate)
    data = join_sets([dev.part(judges=False) for dev in held])
    done = train(data, settings, out, resume=True, initial=shipped.weights_path if start == SHIPPED else None)
    return Verifier(shipped.settings, done.weights)


def judged(verifier: Verifier, held: list[Dev]) -> str:
    """Skilled EER on each set's judging writers."""
    from sigverify.evaluation.metrics import eer

    cells = []
    for dev in held:
        data = dev.part(judges=True)
        queries, references = verifier.embed(data.images), verifier.embed_references(data.images)
        rates = []
        for k in REFERENCES:
            rng = np.random.default_rng(SEED)
            genuine: list[float] = []
            forged: list[float] = []
            for writer in dev.judging:
                own = np.flatnonzero((data.writer == writer) & ~data.forged)
                copied = np.flatnonzero((data.writer == writer) & data.forged)
                for _ in range(DRAWS if len(own) > k else 0):
                    order = rng.permutation(own)
                    asked = np.concatenate([order[k:], copied])
                    template = references[order[:k]]
                    found = [
                        pair.score for pair in verifier.scorer.score_pairs(queries[asked], [template] * len(asked))
                    ]
                    genuine += found[: len(order) - k]
                    forged += found[len(order) - k :]
            rates.append(f"{100 * eer(np.array(genuine), np.array(forged)).rate:.1f}")
        cells.append(" / ".join(rates))
    return " | ".join(cells)


if __name__ == "__main__":
    main()
