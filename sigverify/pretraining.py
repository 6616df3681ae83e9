"""The verifier that ships: trained on synthetic signatures and Omniglot only, by one command, from seeds.

No person's signature goes in; the operating point is chosen on other synthetic writers and marked provisional.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sigverify.config import (
    Policy,
    TrainingSettings,
    VerifierSettings,
    to_dict,
)
from sigverify.model.batches import SignatureSet, join_sets
from sigverify.records import Label
from sigverify.retraining import SCORING, Progress, Retrained, check_start, finish, known_before
from sigverify.trained_on import NO_REAL_SIGNATURE, TrainedOn
from sigverify.verifier import Verifier

CALIBRATION_SEED = 80_001
PROVISIONAL_POLICY = Policy(name="demonstration", version="2", max_far_skilled=0.05, max_far_random=0.002)
WRITERS_IN_MEMORY = 250  # raw scans of so many at a time


@dataclass(frozen=True)
class SyntheticPlan:
    """How much is drawn. Writers of training, calibration and cohort come from different seeds."""

    writers: int = 2_000
    genuine: int = 8
    forgeries: int = 8
    seed: int = 1
    long_side_px: int = 400  # of the scans drawn
    omniglot_words: int = 0  # word writers made from Omniglot drawings; 0 = none
    calibration_writers: int = 60


def pretrain(
    out: Path,
    settings: TrainingSettings,
    plan: SyntheticPlan,
    *,
    omniglot: Path | None = None,
    name: str = "default",
    policy: Policy | None = None,
    initial: Path | None = None,
    resume: bool = False,
    workers: int = 2,
    max_seconds: float | None = None,
    on_progress: Progress | None = None,
) -> Retrained:
    """Draw, train, calibrate on other synthetic writers, save ``out/verifier``. What was drawn is kept in `out`."""
    from sigverify.model.training import train

    started = time.monotonic()
    say = on_progress or (lambda stage, share: None)
    check_start(settings, initial)
    data = training_set(out, settings, plan, omniglot, workers, say)
    words = omniglot is not None and plan.omniglot_words
    beside = [f"Omniglot, background set ({plan.omniglot_words} words)"] if words else []
    result = train(
        data,
        settings,
        out / "training",
        resume=resume,
        initial=initial,
        max_seconds=max_seconds,
        on_step=lambda step, row: say("training", step / settings.steps),
    )
    verifier = taught_by_synthesis(result.weights, settings, plan, result.steps, beside, name)
    if initial is not None:
        verifier.trained_on = TrainedOn(NO_REAL_SIGNATURE).after(known_before(initial))
    bundle = calibrate_on_synthetic(verifier, out, plan, policy or PROVISIONAL_POLICY, workers, say)
    loaded = Verifier.load(bundle)
    seconds, rows = time.monotonic() - started, tuple(result.history)
    point = loaded.settings.operating_point
    return Retrained(bundle, loaded.version, plan.writers, len(data.writer), 0, seconds, rows, point)


def taught_by_synthesis(
    weights: Path,
    settings: TrainingSettings,
    plan: SyntheticPlan,
    steps: int,
    beside: Sequence[str] = (),
    name: str = "default",
) -> Verifier:
    """The verifier that `steps` on the writers of `plan`, and on what is named `beside` them, made; not calibrated."""
    about = VerifierSettings(
        name=name,
        preprocessing=settings.preprocessing,
        encoder=settings.encoder,
        scoring=SCORING,
        trained_on=(f"synthetic signatures ({plan.writers} writers, seed {plan.seed})", *beside),
        terms="redistributable: no person's signature in it",
        training={"settings": to_dict(settings), "plan": to_dict(plan), "steps_done": steps},
    )
    verifier = Verifier(about, weights)
    verifier.trained_on = TrainedOn(NO_REAL_SIGNATURE)
    return verifier


def calibrate_on_synthetic(
    verifier: Verifier, out: Path, plan: SyntheticPlan, policy: Policy, workers: int, say: Progress
) -> Path:
    """Choose the provisional operating point on synthetic writers the network never saw; save the bundle."""
    from sigverify.evaluation.calibration_trials import calibrate
    from sigverify.synthetic_catalogue import synthesise_catalogue

    with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
        store = synthesise_catalogue(
            Path(place) / "calibration",
            plan.calibration_writers,
            14,
            10,
            seed=CALIBRATION_SEED,
            workers=workers,
            on_progress=lambda done, total: say("calibration signatures", done / total),
        )
        point = calibrate(store, verifier, policy)
    return finish(verifier.with_settings(operating_point=point), out)


def training_set(
    out: Path, settings: TrainingSettings, plan: SyntheticPlan, omniglot: Path | None, workers: int, say: Progress
) -> SignatureSet:
    """The synthetic signatures of `plan` and, where the archive is given and the plan asks for them, Omniglot words."""
    data = synthetic_set(out, settings, plan, workers, say)
    if omniglot is None or not plan.omniglot_words:
        return data
    return join_sets([data, omniglot_set(omniglot, settings, plan)])


def synthetic_set(
    out: Path, settings: TrainingSettings, plan: SyntheticPlan, workers: int, say: Progress
) -> SignatureSet:
    """Drawn and prepared training signatures as the backbone sees them; kept in ``out/drawn-KEY.npz``, read again."""
    from sigverify.config import digest

    encoder, preprocessing = settings.encoder, settings.preprocessing
    seen = {"reduced": [encoder.learnt_height_px, encoder.learnt_widen_px]} if encoder.learnt_height_px else {}
    drawn = replace(plan, omniglot_words=0)  # they stand beside what is drawn
    key = digest({"plan": to_dict(drawn), "preprocessing": to_dict(preprocessing), **seen})
    held = out / f"drawn-{key}.npz"
    if held.exists():
        with np.load(held, allow_pickle=False) as file:
            return SignatureSet(file["images"], file["writer"], file["forged"])
    chunks = [_draw(settings, plan, first, workers, say) for first in range(0, plan.writers, WRITERS_IN_MEMORY)]
    data = join_sets(chunks)
    out.mkdir(parents=True, exist_ok=True)
    np.savez(held, images=data.images, writer=data.writer, forged=data.forged)
    return SignatureSet(data.images, data.writer, data.forged)


def _draw(settings: TrainingSettings, plan: SyntheticPlan, first: int, workers: int, say: Progress) -> SignatureSet:
    """Writers `first` to `first` + WRITERS_IN_MEMORY, drawn and prepared; raw scans are not kept."""
    from sigverify.model.reduction import reduced_images
    from sigverify.scans.prepare import prepare_images
    from sigverify.synthesis.sets import draw_signatures

    drawn = draw_signatures(
        min(WRITERS_IN_MEMORY, plan.writers - first),
        plan.genuine,
        plan.forgeries,
        seed=plan.seed * 1_000_000 + first,
        workers=workers,
        long_side_px=plan.long_side_px,
        on_progress=lambda done, _: say("drawing signatures", (first + done) / plan.writers),
    )
    prepared = prepare_images(drawn.images, settings.preprocessing, workers)
    kept = np.array([p.image is not None for p in prepared], dtype=bool)
    images = np.stack([p.image for p in prepared if p.image is not None])
    forged = np.array([label is Label.SKILLED_FORGERY for label in drawn.label], dtype=bool)[kept]
    seen = reduced_images(images, settings.encoder)
    return SignatureSet(seen, np.asarray(drawn.writer, dtype=np.int64)[kept], forged)


def omniglot_set(path: Path, settings: TrainingSettings, plan: SyntheticPlan) -> SignatureSet:
    """Words joined from Omniglot characters of one drawer; the same word by another drawer is its skilled forgery."""
    from sigverify.model.omniglot import WordSettings, load_omniglot
    from sigverify.model.reduction import reduced_images

    words = WordSettings(writers=plan.omniglot_words, seed=plan.seed)
    found = load_omniglot(path, settings.preprocessing, words=words)
    return replace(found, images=reduced_images(found.images, settings.encoder))
