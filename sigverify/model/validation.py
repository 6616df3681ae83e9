"""A quick look at an encoder during training: skilled and random EER on validation writers, mean of the references.

Good for curves and for choosing between checkpoints on writers of the training part; the figures that count come from
sigverify.evaluation.
"""

from __future__ import annotations

import numpy as np

from sigverify.errors import TooFewWriters
from sigverify.evaluation.metrics import eer
from sigverify.model.batches import SignatureSet
from sigverify.model.embedding import embed
from sigverify.model.encoder import Encoder
from sigverify.records import Floats
from sigverify.scoring.similarity import similarity_named

N_REFERENCES = 5


def validate(encoder: Encoder, data: SignatureSet, n_references: int = N_REFERENCES) -> dict[str, float]:
    """`skilled_eer` and `random_eer` as shares, and the numbers of trials; each writer's first genuine are references.

    `skilled_eer` is left out where the set has no forgeries. Raises TooFewWriters where fewer than two writers have
    more than `n_references` genuine signatures.
    """
    return measure(embed(encoder, data.images), data, n_references, encoder.settings.similarity)


def measure(
    embeddings: Floats, data: SignatureSet, n_references: int = N_REFERENCES, similarity: str = "cosine"
) -> dict[str, float]:
    """As `validate`, from embeddings (n, d) of the set's images."""
    able = writers_to_validate(data, n_references)
    way = similarity_named(similarity)
    rows = way.scaled(embeddings, "embeddings")
    references = np.zeros(len(data), bool)
    scores = np.empty((len(data), len(able)), np.float32)  # mean similarity with each writer's references
    for column, writer in enumerate(able):
        held = np.flatnonzero((data.writer == writer) & ~data.forged)[:n_references]
        references[held] = True
        scores[:, column] = way.table(rows, rows[held]).mean(axis=1)
    own = data.writer[:, None] == np.asarray(able)[None, :]
    query = ~references & np.isin(data.writer, able)
    genuine = scores[own & (query & ~data.forged)[:, None]]
    random = scores[~own & (query & ~data.forged)[:, None]]
    skilled = scores[own & (query & data.forged)[:, None]]
    figures = {"random_eer": eer(genuine, random).rate, "genuine": len(genuine), "random": len(random)}
    if len(skilled):
        figures |= {"skilled_eer": eer(genuine, skilled).rate, "skilled": len(skilled)}
    return {name: float(value) for name, value in figures.items()}


def writers_to_validate(data: SignatureSet, n_references: int = N_REFERENCES) -> list[int]:
    """Writers with a genuine signature left after their references. Raises TooFewWriters where there are not two."""
    able = [w for w in np.unique(data.writer) if np.count_nonzero((data.writer == w) & ~data.forged) > n_references]
    if len(able) < 2:
        raise TooFewWriters(f"validation needs two writers with over {n_references} genuine signatures", got=len(able))
    return [int(w) for w in able]
