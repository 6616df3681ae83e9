"""Simple systems measured by the same protocols as the verifier: what its figures are worth is what they add to these.

A `Baseline` has what a benchmark asks of a verifier. It has no thresholds: baselines are compared, they never decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from sigverify.config import PreprocessingSettings, ScoringSettings, VerifierSettings, digest, to_dict
from sigverify.errors import BadInput
from sigverify.evaluation.drawing import near_pairs
from sigverify.evaluation.embedded import Progress, embed_signatures
from sigverify.evaluation.hog import hog_features
from sigverify.evaluation.network_input import NUISANCES, SHAPES, describe_input
from sigverify.measurement.nuisance_scorer import NuisanceScorer, fit_nuisance_scorer
from sigverify.measurement.pair_scorer import PairScorer, fit_pair_scorer
from sigverify.records import Floats, Image, Ints, Preparation
from sigverify.scans.prepare import Source, prepare_many
from sigverify.scoring.scorer import Scorer
from sigverify.trained_on import TrainedOn

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

Kind = Literal["hog", "nuisance", "nuisance_and_shape"]
SKELETON = PreprocessingSettings(stroke_width_px=3.0, stroke_shape="line")
NO_TRAINING = "no training on signatures"
RAW = PreprocessingSettings(lane="legacy")
TITLES = {
    "hog": "HOG + logistic regression",
    "nuisance": "nuisance numbers + logistic regression",
    "nuisance_and_shape": "nuisance and shape numbers + logistic regression",
    "backbone": "backbone without fine-tuning",
}


class TrialScorer(Protocol):
    """What scores trials: scoring.Scorer, or a pair scorer."""

    def score_trials(self, embeddings: Floats, references: Ints, query: Ints, template: Ints) -> Floats:
        """Scores (t,); see scoring.Scorer.score_trials."""
        ...


@dataclass(frozen=True, eq=False)
class Baseline:
    """`title` in words; `encoder_id` names preprocessing and description, `version` also what was learnt."""

    title: str
    settings: VerifierSettings
    encoder_id: str
    version: str
    scorer: TrialScorer
    describe: Callable[[Sequence[Image]], Floats]
    trained_on: TrainedOn | None = None  # so that a baseline, too, is refused where it learnt what is tested

    def prepare_many(
        self,
        sources: Sequence[Source],
        pages: Sequence[int] | None = None,
        workers: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Preparation]:
        """As Verifier.prepare_many."""
        return prepare_many(sources, self.settings.preprocessing, pages, workers=workers, on_progress=on_progress)

    def embed(self, images: Sequence[Image]) -> Floats:
        """Prepared images (n, h, w) uint8 to their descriptions (n, d) float32."""
        return self.describe(images)


def train_baseline(
    store: Store | Sequence[Store],
    kind: Kind,
    writer_ids: Sequence[str],
    preprocessing: PreprocessingSettings | None = None,
    seed: int = 0,
    workers: int = 2,
    *,
    on_progress: Progress | None = None,
    cache_dir: Path | None = None,
) -> Baseline:
    """Learn a baseline on the training writers `writer_ids` of a catalogue, or of several, and on nobody else.

    "hog": gradients by direction, logistic regression on absolute differences; fusion over references (mean or max) is
    chosen on inner folds of the same writers. "nuisance": the plain numbers of control 2 compared with those of the
    references; "nuisance_and_shape": crop size and aspect too. `preprocessing` None is the 3-pixel skeleton. Raises
    TooFewWriters below two writers with skilled forgeries, BadInput for an unknown kind.
    """
    import pandas as pd

    from sigverify.retraining import taught_by

    if kind not in _DESCRIPTIONS:
        raise BadInput("no such baseline", got=kind, expected=", ".join(_DESCRIPTIONS))
    wanted = preprocessing or SKELETON
    bare = untrained_baseline(kind, wanted)
    stores = list(store) if isinstance(store, Sequence) else [store]
    taught = _of_writers(stores, writer_ids)
    held = [embed_signatures(each, bare, rows, workers, on_progress, cache_dir) for each, rows in taught]
    embeddings = np.concatenate([each.embeddings for each in held])
    signatures = pd.concat([each.signatures for each in held], ignore_index=True)
    pairs = [pair for each, _ in taught for pair in near_pairs(each)]
    scorer: PairScorer | NuisanceScorer
    if kind == "hog":
        scorer = fit_pair_scorer(embeddings, signatures, seed, near_duplicates=pairs)
    else:
        scorer = fit_nuisance_scorer(embeddings, signatures, seed, pairs)
    learnt = hashlib.sha256(scorer.learnt).hexdigest()
    version = f"{bare.settings.name}-{digest({'encoder': bare.encoder_id, 'learnt': learnt}, 8)}"
    seen = taught_by(pd.concat([rows for _, rows in taught]), sorted(set(writer_ids)), (), None)
    return replace(bare, version=version, scorer=scorer, trained_on=seen)


def _of_writers(stores: Sequence[Store], writer_ids: Sequence[str]) -> list[tuple[Store, pd.DataFrame]]:
    """Each catalogue with its rows of these writers; catalogues without any of them are left out."""
    wanted = sorted(set(writer_ids))
    found = [(store, store.signatures(writer_ids=wanted)) for store in stores]
    return [(store, rows) for store, rows in found if len(rows)] or found[:1]


def untrained_baseline(kind: Kind, preprocessing: PreprocessingSettings) -> Baseline:
    """A baseline that prepares and describes; its scorer knows nothing yet."""
    encoder = digest({"baseline": kind, "definition": _definition(kind), "preprocessing": to_dict(preprocessing)})
    slug = f"{kind}-lr-{variant(preprocessing)}".replace(" ", "-").replace("_", "-")
    settings = VerifierSettings(name=slug, preprocessing=preprocessing)
    title = f"{TITLES[kind]}, {variant(preprocessing)}"
    return Baseline(title, settings, encoder, slug, PairScorer(np.zeros(0), 0.0), _DESCRIPTIONS[kind])


def plain_backbone(
    name: str = "mobilenetv3_small_100",
    weights: str | Path | None = None,
    preprocessing: PreprocessingSettings | None = None,
    seed: int = 0,
) -> Baseline:
    """A timm backbone without fine-tuning, by cosine; ImageNet weights from a local safetensors file.

    Without a file its weights are random, and its name and title say so.
    """
    from sigverify.model.plain_backbone import PlainBackbone

    backbone = PlainBackbone(name, weights, seed)
    wanted = preprocessing or PreprocessingSettings()
    initial = "random weights" if weights is None else "ImageNet weights"
    start = f"seed {seed}" if weights is None else hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    encoder = digest({"backbone": name, "start": start, "preprocessing": to_dict(wanted)})
    slug = f"{name}-{initial.replace(' ', '-')}"
    scoring = ScoringSettings(normalisation="none")
    settings = VerifierSettings(name=slug, preprocessing=wanted, scoring=scoring)
    title = f"{name}, {initial}, no fine-tuning, {variant(wanted)}"
    version = f"{slug}-{encoder[:8]}"
    return Baseline(title, settings, encoder, version, Scorer(scoring), backbone.embed, TrainedOn(NO_TRAINING))


def variant(preprocessing: PreprocessingSettings) -> str:
    """What a scan becomes, in words."""
    if preprocessing.lane == "legacy":
        return "raw resized scan"
    if preprocessing.stroke_width_px > 0:
        kept = "skeleton" if preprocessing.stroke_shape == "line" else "strokes"
        return f"{preprocessing.stroke_width_px:g}-pixel {kept}"
    return "ink as ranks" if preprocessing.ink == "rank" else "binary as scanned"


def nuisance_numbers(images: Sequence[Image], names: Sequence[str] = NUISANCES) -> Floats:
    """The plain numbers (n, f) float32 of prepared images that no hand made."""
    found = [describe_input(image) for image in images]
    return np.array([[numbers[name] for name in names] for numbers in found], np.float32)


_DESCRIPTIONS: dict[str, Callable[[Sequence[Image]], Floats]] = {
    "hog": hog_features,
    "nuisance": nuisance_numbers,
    "nuisance_and_shape": partial(nuisance_numbers, names=(*NUISANCES, *SHAPES)),
}


def _definition(kind: str) -> Any:
    """What besides the kind decides a description."""
    from sigverify.evaluation import hog

    names = {"nuisance": list(NUISANCES), "nuisance_and_shape": [*NUISANCES, *SHAPES]}
    return names.get(kind, [hog.ORIENTATIONS, hog.CELLS_DOWN, hog.BLOCK_CELLS])
