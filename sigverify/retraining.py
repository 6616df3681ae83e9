"""From a labelled catalogue to a verifier: prepare, fine-tune, operating point, card.

Training writers teach the network, calibration writers choose thresholds, test writers are not touched here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.bundle import SETTINGS, read_trained_on
from sigverify.config import OperatingPoint, Policy, ScoringSettings, TrainingSettings, VerifierSettings, to_dict
from sigverify.errors import Mismatch, TooFewWriters
from sigverify.model_card import write_card
from sigverify.records import Classification, Label, Part
from sigverify.trained_on import NO_REAL_SIGNATURE, TrainedOn
from sigverify.verifier import Verifier

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.model.batches import SignatureSet
    from sigverify.storage.store import Store

Progress = Callable[[str, float], None]  # stage in words, share done 0..1

# Best on BHSig260 training writers: a synthetic cohort misleads an encoder tuned on real ink, and a reference filed
# under a wrong name lets many forgeries pass that never would where it is odd (benchmarks/stressed_queries.py).
SCORING = ScoringSettings(fusion="mean_max", normalisation="own", own_share=0.7, odd_reference=0.125)


@dataclass(frozen=True)
class Retrained:
    """What came out of a training run, and where its evidence lies."""

    bundle: Path
    verifier_version: str
    n_writers: int
    n_images: int
    n_failed: int  # images that preparation refused
    seconds: float
    history: tuple[dict[str, Any], ...] = field(repr=False)
    operating_point: OperatingPoint = field(repr=False)


def retrain(
    store: Store,
    out: Path,
    settings: TrainingSettings,
    *,
    name: str = "retrained",
    policy: Policy | None = None,
    train_writers: Sequence[str] | None = None,
    calibration_writers: Sequence[str] | None = None,
    initial: Path | None = None,
    resume: bool = False,
    workers: int = 2,
    max_seconds: float | None = None,
    on_progress: Progress | None = None,
    more: Sequence[Store] = (),
    thresholds: bool = True,
) -> Retrained:
    """Fine-tune on a catalogue's training writers and save the bundle to ``out/verifier``.

    `more` are further catalogues, from which the named writers are taken too. Without `thresholds` the verifier has no
    operating point (the legacy lane needs none, and keeps exact duplicates as the literature does).

    Writers default to the part their protocol gives them (evaluation.parts), or to a fixed 70/15/15 split by the
    digest of their id where no protocol names them. `initial` starts from another bundle's weights. A run stopped by
    Ctrl-C or `max_seconds` goes on with ``resume=True``. Raises TooFewWriters below 8 training writers,
    Mismatch for initial weights of the other lane. A list of writers that is given and empty is empty.
    """
    import pandas as pd

    from sigverify.model.training import train

    started = time.monotonic()
    say = on_progress or (lambda stage, share: None)
    check_start(settings, initial)
    stores = [store, *more]
    frame = pd.concat([each.signatures() for each in stores], ignore_index=True)
    train_ids = list(writers_of(frame, Part.TRAIN) if train_writers is None else train_writers)
    calibration_ids = list(writers_of(frame, Part.CALIBRATION) if calibration_writers is None else calibration_writers)
    if len(train_ids) < 8:
        raise TooFewWriters(
            "too few writers to train on", got=len(train_ids), expected="at least 8", next="import more"
        )
    need = (policy or Policy()).min_calibration_writers
    if thresholds and len(calibration_ids) < need:
        raise TooFewWriters(
            "too few writers to choose thresholds on after training", got=len(calibration_ids),
            expected=f"at least {need} (policy.min_calibration_writers)",
            next=f"import more writers: of any {-(-need * 100 // 15)}, about {need} calibrate",
        )  # fmt: skip
    data, failed = _together(stores, train_ids, settings, workers, say)
    result = train(
        data,
        settings,
        out / "training",
        resume=resume,
        initial=initial,
        max_seconds=max_seconds,
        on_step=lambda step, row: say("training", step / settings.steps),
    )
    say("operating point", 0.0)
    base = VerifierSettings(
        name=name,
        preprocessing=settings.preprocessing,
        encoder=settings.encoder,
        scoring=SCORING,
        trained_on=tuple(sorted(frame[frame.writer_id.isin(train_ids)].dataset.unique())),
        terms=_terms(frame),
        training={"settings": to_dict(settings), "steps_done": result.steps, "n_writers": len(train_ids)},
    )
    verifier = Verifier(base, result.weights)
    point = OperatingPoint()
    if thresholds:
        point = _operating_point(stores, verifier, policy or Policy(), calibration_ids)
    verifier = verifier.with_settings(operating_point=point)
    verifier.trained_on = taught_by(frame, train_ids, calibration_ids if thresholds else (), initial)
    bundle = finish(verifier, out)
    loaded = Verifier.load(bundle)
    say("done", 1.0)
    seconds = time.monotonic() - started
    rows = tuple(result.history)
    return Retrained(bundle, loaded.version, len(train_ids), len(data.writer), failed, seconds, rows, point)


def fine_tuning(verifier: Verifier) -> TrainingSettings:
    """Settings to go on from another verifier: its encoder and preprocessing, 300 steps, averaged weights.

    Chosen on training writers of BHSig260 and CEDAR, seven tenths of whom taught (``benchmarks/fine_tuning.py``).
    """
    held = verifier.settings
    chosen = TrainingSettings(
        encoder=held.encoder,
        preprocessing=held.preprocessing,
        steps=300,
        learning_rate=1e-3,
        ema_decay=0.98,
        validate_every=0,
    )
    if held.encoder.similarity == "cosine":
        return chosen
    mining = replace(chosen.mining, margin=chosen.mining.margin / 2)  # overlaps lie in half the range of cosines
    return replace(chosen, mining=mining, identity_temperature=chosen.identity_temperature / 2)


def check_start(settings: TrainingSettings, initial: Path | None) -> None:
    """Raises Mismatch for a bundle's weights of the other lane: a legacy figure would hold clean training."""
    place = None if initial is None else initial.parent / SETTINGS
    if place is None or not place.is_file():
        return
    lane = json.loads(place.read_text(encoding="utf-8"))["settings"].get("preprocessing", {}).get("lane", "clean")
    if lane != settings.preprocessing.lane:
        raise Mismatch(
            "training would start from weights of the other lane",
            got=lane,
            expected=settings.preprocessing.lane,
            next=f"start from a verifier of the {settings.preprocessing.lane} lane, or from none (--initial none)",
        )


def finish(verifier: Verifier, out: Path) -> Path:
    """Write card and bundle to ``out/verifier``."""
    verifier.card = write_card(verifier)
    return verifier.save(out / "verifier")


def writers_of(frame: pd.DataFrame, part: Part) -> list[str]:
    """The catalogue's writers that belong to a part (evaluation.parts), sorted."""
    from sigverify.evaluation.parts import writers_in_part

    return writers_in_part(sorted(frame.writer_id.unique()), part)


def taught_by(frame: pd.DataFrame, train: Sequence[str], calibration: Sequence[str], initial: Path | None) -> TrainedOn:
    """What a verifier trained on `train` and calibrated on `calibration` has seen, its initial weights included."""
    rows = frame[frame.writer_id.isin({*train, *calibration})]
    real = sorted(rows.loc[rows.classification != Classification.SYNTHETIC.value, "dataset"].unique())
    real_writers = set(rows.loc[rows.dataset.isin(real), "writer_id"])
    kept = [[w for w in writers if w in real_writers] for writers in (train, calibration)]
    images = rows.loc[rows.dataset.isin(real), "pixel_digest"]
    taught = TrainedOn.of(", ".join(real) or NO_REAL_SIGNATURE, kept[0], kept[1], images)
    return taught if initial is None else taught.after(known_before(initial))


def known_before(weights: Path) -> TrainedOn | None:
    """What the bundle these weights lie in was trained on; None where nobody says."""
    place = weights.parent / SETTINGS
    if not place.is_file():
        return None
    held = json.loads(place.read_text(encoding="utf-8"))
    return read_trained_on(weights.parent, held.get("trained_on_sha256"))


def _together(
    stores: Sequence[Store], train_ids: Sequence[str], settings: TrainingSettings, workers: int, say: Progress
) -> tuple[SignatureSet, int]:
    """The training writers' signatures of all catalogues. Returns (set, refused by preparation)."""
    from sigverify.model.batches import join_sets

    frames = [(each, each.signatures()) for each in stores]
    chosen = [(each, frame[frame.writer_id.isin(train_ids)]) for each, frame in frames]
    found = [signature_set(each, frame, settings, workers, say) for each, frame in chosen if len(frame)]
    refused = sum(failed for _, failed in found)
    return (found[0][0] if len(found) == 1 else join_sets([data for data, _ in found])), refused


def signature_set(
    store: Store, frame: pd.DataFrame, settings: TrainingSettings, workers: int, say: Progress
) -> tuple[SignatureSet, int]:
    """Prepared images of a catalogue's rows as training data; exact duplicates left out, but in the legacy lane.

    Returns (set, refused).
    """
    from sigverify.model.batches import SignatureSet
    from sigverify.scans.prepare import prepare_many

    rows = frame if settings.preprocessing.lane == "legacy" else frame[frame.duplicate_of.isna()]
    sources = [store.read_image(url) for url in rows.image_url]
    prepared = prepare_many(
        sources,
        settings.preprocessing,
        workers=workers,
        on_progress=lambda done, total: say("preprocessing", done / total),
    )
    kept = np.array([p.image is not None for p in prepared], dtype=bool)
    images = np.stack([p.image for p in prepared if p.image is not None])
    codes = {w: i for i, w in enumerate(sorted(rows.writer_id.unique()))}
    writer = rows.writer_id.map(codes).to_numpy(dtype=np.int64)[kept]
    forged = (rows.label == Label.SKILLED_FORGERY.value).to_numpy(dtype=bool)[kept]
    return SignatureSet(images, writer, forged), int((~kept).sum())


def _operating_point(
    stores: Sequence[Store], verifier: Verifier, policy: Policy, writers: Sequence[str]
) -> OperatingPoint:
    from sigverify.evaluation.calibration_trials import calibrate

    return calibrate(stores, verifier, policy, writer_ids=writers)


def _terms(frame: pd.DataFrame) -> str:
    kinds = set(frame.classification.unique())
    sets = ", ".join(sorted(frame.dataset.unique()))
    if "biometric" in kinds:
        return f"the bank's own: trained on customers' signatures of {sets}"
    return (
        f"research use: trained on {sets}"
        if "research" in kinds
        else "redistributable: trained on synthetic signatures"
    )


def save_history(retrained: Retrained, folder: Path) -> Path:
    """The training history as JSON lines, for the run's evidence."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in retrained.history)
    (folder / "history.jsonl").write_text(text, encoding="utf-8")
    return folder
