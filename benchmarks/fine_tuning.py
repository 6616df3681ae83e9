"""What fine-tuning the shipped verifier on real signatures is worth, and with which settings: training writers only.

Example, with catalogues of CEDAR and BHSig260::

    .venv/bin/python benchmarks/fine_tuning.py --dev runs/bengali runs/hindi runs/cedar --out runs/fine-tuning

Seven tenths of the training writers of all sets together teach, the others judge (fixed by a seed). Prints Markdown:
skilled EER in per cent at 1, 5 and 10 references, 4 draws each. Finished trainings are not repeated.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sigverify.model.batches import SignatureSet
    from sigverify.records import Ints
    from sigverify.verifier import Verifier

REFERENCES, DRAWS, TEACHING, SEED = (1, 5, 10), 4, 0.7, 7
VARIANTS = ((300, 1e-4), (300, 3e-4), (300, 1e-3))  # steps, learning rate


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
    print("| steps | learning rate | " + " | ".join(f"{dev.name}, 1 / 5 / 10" for dev in held) + " |")
    print("|---" * (len(held) + 2) + "|")
    print(f"| 0 | - | {judged(shipped, held)} |", flush=True)
    for steps, rate in VARIANTS:
        tuned = tune(shipped, held, args.out / f"{steps}-{rate:g}", steps, rate)
        print(f"| {steps} | {rate:g} | {judged(tuned, held)} |", flush=True)


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


def tune(shipped: Verifier, held: list[Dev], out: Path, steps: int, rate: float) -> Verifier:
    """The shipped verifier gone on with on the teaching writers of all sets."""
    from sigverify.model.batches import join_sets
    from sigverify.model.training import train
    from sigverify.retraining import fine_tuning
    from sigverify.verifier import Verifier

    settings = replace(fine_tuning(shipped), steps=steps, learning_rate=rate)
    data = join_sets([dev.part(judges=False) for dev in held])
    done = train(data, settings, out, resume=True, initial=shipped.weights_path)
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
