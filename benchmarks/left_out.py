"""Ways of comparing that were tried and left out, measured beside the one that ships: training writers only.

Example, with catalogues of CEDAR and BHSig260::

    .venv/bin/python benchmarks/left_out.py --dev runs/bengali runs/hindi runs/cedar

The same embeddings compared in other ways. "Aligned": each cell of a query may take the best of the reference's cells
near it (image distortion model, Keysers et al., PAMI 2007), free or at a price. "Whitened" and "KISSME" (Koestinger et
al., CVPR 2012): Mahalanobis distances of 200 principal components, the matrix learnt on the other sets' writers from
genuine pairs, and from genuine pairs and forgeries. "Cell by cell": of several references the best in each cell counts.
Skilled EER in per cent at 1, 5 and 10 references, 4 draws, each beside the own references as the score that ships.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sigverify.config import EncoderSettings
    from sigverify.records import Floats, Ints
    from sigverify.verifier import Verifier

REFERENCES, DRAWS, SEED, WRITERS = (1, 5, 10), 4, 1, 40
COMPONENTS, RIDGE, PAIRS = 200, 0.3, 6
Fuse = Callable[["Floats"], "Floats"]  # (queries, references, values) -> (queries,)


@dataclass(frozen=True)
class Held:
    """A set's training writers: embeddings (n, parts, d), writers, forged."""

    name: str
    embeddings: Floats
    writer: Ints
    forged: np.ndarray

    def writers(self) -> Iterator[tuple[Ints, Ints]]:
        """Of each writer the genuine rows, and those with the forgeries behind them."""
        for writer in np.unique(self.writer):
            own, copied = (np.flatnonzero((self.writer == writer) & (self.forged == f)) for f in (False, True))
            yield own, np.concatenate([own, copied])


def main() -> None:
    """Parse, embed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="catalogues; only training writers are used")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from sigverify.verifier import Verifier

    shipped = Verifier.load()
    encoder = shipped.settings.encoder
    held = [read(folder, shipped, args.workers) for folder in args.dev]
    print("| compared | " + " | ".join(f"{each.name}, 1 / 5 / 10" for each in held) + " |")
    print("|---" * (len(held) + 1) + "|", flush=True)

    def row(name: str, of: Callable[[Held], list[Floats]], fuse: Fuse = mean_max) -> None:
        print(f"| {name} | {' | '.join(rates(each, of(each), fuse) for each in held)} |", flush=True)

    row("as shipped", lambda each: by_cells(each, encoder))
    row("best reference cell by cell", lambda each: by_cells(each, encoder), cell_by_cell)
    for name, reach, price in (("aligned, one cell each way", 1, 0.0), ("the same, at a price", 1, 0.05)):
        row(f"directions alone, {name}", lambda each, r=reach, p=price: aligned(each, encoder, r, p))
    row("directions alone", lambda each: aligned(each, encoder, 0, 0.0))
    for name, forged in (("whitened within writers", False), ("KISSME", True)):
        row(name, lambda each, f=forged: learnt(each, [h for h in held if h is not each], f))


def read(folder: Path, verifier: Verifier, workers: int) -> Held:
    """The first training writers, prepared and embedded as references are held."""
    from sigverify.evaluation.embedded import embed_signatures
    from sigverify.evaluation.parts import writers_in_part
    from sigverify.records import Label, Part
    from sigverify.storage.store import Store

    with Store.open(folder) as store:
        rows = store.signatures()
        chosen = writers_in_part(sorted(rows["writer_id"].unique()), Part.TRAIN)[:WRITERS]
        found = embed_signatures(store, verifier, rows[rows["writer_id"].isin(chosen)], workers)
    encoder, labels = verifier.settings.encoder, found.signatures
    writer = np.unique(labels["writer_id"], return_inverse=True)[1]
    forged = (labels["label"] != Label.GENUINE.value).to_numpy()
    return Held(folder.name, found.embeddings.reshape(-1, encoder.parts, encoder.size), writer, forged)


def by_cells(held: Held, encoder: EncoderSettings) -> list[Floats]:
    """Of each writer (signatures, genuine, cells): what both have in common, the part of the reference most alike."""
    found = []
    for own, every in held.writers():
        asked = held.embeddings[every, 0]
        cells = np.empty((len(every), len(own), sum(rows * columns for _, rows, columns in encoder.grids)), np.float32)
        for column, reference in enumerate(held.embeddings[own]):
            common = np.minimum(asked[:, None], reference[None])
            best = common.sum(axis=2).argmax(axis=1)
            cells[:, column] = summed(common[np.arange(len(every)), best], encoder)
        found.append(cells)
    return found


def summed(values: Floats, encoder: EncoderSettings) -> Floats:
    """(n, d) -> (n, cells of all grids)."""
    parts, start = [], 0
    for numbers, rows, columns in encoder.grids:
        stop = start + numbers * rows * columns
        parts.append(values[:, start:stop].reshape(len(values), numbers, rows * columns).sum(axis=1))
        start = stop
    return np.concatenate(parts, axis=1)


def aligned(held: Held, encoder: EncoderSettings, reach: int, price: float) -> list[Floats]:
    """As `by_cells` of upright stroke directions, each cell beside the best within `reach`, at a `price`."""
    numbers, rows, columns = encoder.grids[1]
    cells = held.embeddings[:, 0, -numbers * rows * columns :].reshape(-1, numbers, rows, columns)
    steps = [(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
    found = []
    for own, every in held.writers():
        table = np.empty((len(every), len(own), rows * columns), np.float32)
        for column, reference in enumerate(own):
            wide = np.pad(cells[reference], ((0, 0), (reach, reach), (reach, reach)))
            best = np.zeros((len(every), rows, columns), np.float32)
            for y, x in steps:
                there = wide[:, reach + y : reach + y + rows, reach + x : reach + x + columns]
                common = np.minimum(cells[every], there).sum(axis=1) * (1 - price * (y * y + x * x))
                np.maximum(best, common, out=best)
            table[:, column] = best.reshape(len(every), -1)
        found.append(table)
    return found


def learnt(held: Held, others: list[Held], forged: bool) -> list[Floats]:
    """Of each writer (signatures, genuine, 1): minus the Mahalanobis distance, its matrix learnt on `others`."""
    rng = np.random.default_rng(SEED)
    upright = np.concatenate([other.embeddings[:, 0] for other in others])
    centre = upright.mean(axis=0)
    axes = np.linalg.svd((upright - centre)[rng.permutation(len(upright))[:2500]], full_matrices=False)[2]
    seen = {id(each): (each.embeddings - centre) @ axes[:COMPONENTS].T for each in (held, *others)}
    same, copied = [], []
    for other in others:
        values = seen[id(other)][:, 0]
        for own, every in other.writers():
            for row in own:
                same += [values[row] - values[j] for j in rng.permutation(own)[:PAIRS] if j != row]
                copied += [values[row] - values[j] for j in rng.permutation(every[len(own) :])[:PAIRS]]
    within, between = (inverse(np.array(pairs)) for pairs in (same, copied))
    matrix = within - between if forged else within
    found = []
    for own, every in held.writers():
        asked, references = seen[id(held)][every, 0], seen[id(held)][own]
        apart = asked[:, None, None] - references[None]  # (signatures, genuine, parts, components)
        distance = np.einsum("qrpi,ij,qrpj->qrp", apart, matrix, apart, optimize=True)
        found.append(-distance.min(axis=2)[..., None].astype(np.float32))
    return found


def inverse(pairs: Floats) -> Floats:
    """Of the covariance of differences (n, c), drawn towards a multiple of the identity."""
    covariance = pairs.T @ pairs / len(pairs)
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    found: Floats = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
    return found


def mean_max(cells: Floats) -> Floats:
    """(queries, references, cells) -> (queries,), as the fusion that ships."""
    from sigverify.scoring.fusion import fuse

    return fuse(cells.sum(axis=2), "mean_max")


def cell_by_cell(cells: Floats) -> Floats:
    """The best reference of each cell."""
    return cells.max(axis=1).sum(axis=1)


def rates(held: Held, tables: list[Floats], fuse: Fuse) -> str:
    """Skilled EER of each number of references, beside the own references."""
    from sigverify.config import ScoringSettings
    from sigverify.evaluation.metrics import eer

    share = ScoringSettings().own_share
    off_diagonal = [t[: t.shape[1]].sum(axis=2)[~np.eye(t.shape[1], dtype=bool)] for t in tables]
    expected = float(np.concatenate(off_diagonal).mean())
    found = []
    for k in REFERENCES:
        rng = np.random.default_rng(SEED)
        scores: tuple[list[float], list[float]] = ([], [])
        for table in tables:
            n = table.shape[1]
            for _ in range(DRAWS if n > k else 0):
                order = rng.permutation(n)
                asked = np.concatenate([order[k:], np.arange(n, len(table))])
                among = table[order[:k]][:, order[:k]].sum(axis=2)
                pairs = np.maximum(among, among.T)[np.triu_indices(k, 1)]
                own = (pairs.sum() + expected) / (len(pairs) + 1)
                values = fuse(table[asked][:, order[:k]]) - share * own
                scores[0].extend(values[: n - k].tolist())
                scores[1].extend(values[n - k :].tolist())
        found.append(f"{100 * eer(np.array(scores[0]), np.array(scores[1])).rate:.1f}")
    return " / ".join(found)


if __name__ == "__main__":
    main()
