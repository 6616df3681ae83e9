"""Planted embeddings: writers whose signatures lie where we put them, so that every control's answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sigverify.config import ScoringSettings
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.trials import Trials, draw_trials
from sigverify.scoring.scored_trials import ScoredTrials
from sigverify.scoring.scorer import Scorer

DIMENSION = 32


def signatures(writers: int = 20, genuine: int = 12, skilled: int = 8) -> pd.DataFrame:
    rows = [
        {"signature_id": f"p/{w:03d}/{label}/{i:02d}", "writer_id": f"p/{w:03d}", "label": label, "duplicate_of": None}
        for w in range(writers)
        for label, n in (("genuine", genuine), ("skilled_forgery", skilled))
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def embeddings(rows: pd.DataFrame, kind: str, seed: int = 0) -> np.ndarray:
    """(n, 32): what each planted system sees.

    sound: near the writer's own direction, forgeries further off. quality: sound, plus a little of one direction that
    says "written fluently". ignores / paper: genuine ones all on one direction, forgeries off it, whoever the writer.
    """
    rng = np.random.default_rng(seed)
    forged = (rows.label == "skilled_forgery").to_numpy()
    noise = rng.normal(size=(len(rows), DIMENSION)) / np.sqrt(DIMENSION)
    homes = {w: rng.normal(size=DIMENSION) / np.sqrt(DIMENSION) for w in sorted(rows.writer_id.unique())}
    home = np.stack([homes[w] for w in rows.writer_id])
    common = np.zeros(DIMENSION)
    common[0] = 1.0
    strength = np.where(forged, 1.1, 3.0)[:, None]
    vectors = {
        "sound": strength * home + noise,
        "quality": strength * home + noise + np.where(forged, -0.3, 0.8)[:, None] * common,
        "ignores": np.where(forged, 0.3, 2.0)[:, None] * common + 0.4 * noise,
    }[kind]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def system(kind: str, k: int = 5, draws: int = 3) -> tuple[Scorer, Trials, ScoredTrials, Embedded]:
    rows = signatures()
    vectors = embeddings(rows, kind)
    scorer = Scorer(ScoringSettings(normalisation="none"))
    trials = draw_trials(rows, k, draws)
    scored = score_trials(scorer, trials, vectors, rows["signature_id"])
    empty = pd.DataFrame(index=rows.index)
    return scorer, trials, scored, Embedded(rows, vectors, empty, empty, 0, {})
