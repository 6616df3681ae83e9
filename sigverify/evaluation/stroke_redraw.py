"""The other half of control 2: the verifier's EER with every image's stroke width exchanged for a drawn one.

Each prepared image gets the mean stroke width of another, drawn image of the same set, so that widths stay as they
are in the set and say nothing any more about who wrote what. A verifier that reads the hand loses little; one that
reads the pen loses what the pen gave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from sigverify.errors import BadInput
from sigverify.evaluation.control import Control, did_not_run, interval_in_per_cent
from sigverify.evaluation.embedded import Embedded, Progress, embed_for_both
from sigverify.evaluation.network_input import describe_input
from sigverify.evaluation.paired_eer import paired_eer
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.trials import Trials
from sigverify.records import Floats, Image, TrialKind
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

MOST_LOST = 0.02  # of the skilled EER
THINNEST_PX = 1.0  # a centre line is never drawn thinner
CHUNK = 1024  # scans held at once
_FINER = 3  # strokes are drawn at this many times the canvas resolution, then averaged


def redraw(image: Image, change_px: float) -> Image:
    """A prepared image (h, w) uint8, ink-positive, with all strokes `change_px` wider (negative: thinner).

    Edges move by half of it along their normal; centre lines stay, so no stroke is lost. Ink keeps its darkness.
    """
    from skimage.morphology import skeletonize

    if not (image > 127).any():
        return image
    fine = ndimage.zoom(image.astype(np.float32), _FINER, order=1, grid_mode=True, mode="grid-constant")
    mask = fine > 127
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    lines = skeletonize(mask)  # type: ignore[no-untyped-call]
    to_line = ndimage.distance_transform_edt(~lines)
    moved = np.where(mask, inside - 0.5, 0.5 - outside) + 0.5 * _FINER * change_px
    kept = np.minimum(0.5 * _FINER * THINNEST_PX - to_line, np.where(mask, inside, 0.0))
    cover = np.clip(np.maximum(moved, kept) + 0.5, 0.0, 1.0)
    ink = ndimage.maximum_filter(fine, size=2 * _FINER + 1) if change_px <= 0 else _spread_ink(fine, mask)
    shape = (image.shape[0], _FINER, image.shape[1], _FINER)
    redrawn: Image = np.round((cover * ink).reshape(shape).mean(axis=(1, 3))).clip(0, 255).astype(np.uint8)
    return redrawn


def _spread_ink(fine: Floats, mask: Any) -> Floats:
    """The darkness of the nearest ink everywhere, taken a little inside the stroke where edges are not averaged."""
    strongest = ndimage.maximum_filter(fine, size=2 * _FINER + 1)
    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    ink: Floats = strongest[tuple(nearest)]
    return ink


def redraw_at_random(images: list[Image], widths: Any, seed: int = 0) -> list[Image]:
    """Each image with a stroke width drawn from `widths` (m,) canvas px, independent of its own."""
    rng = np.random.default_rng(seed)
    wanted = rng.choice(np.asarray(widths, np.float64), len(images))
    return [redraw(i, float(w) - stroke_width(i)) for i, w in zip(images, wanted, strict=True)]


def stroke_width(image: Image) -> float:
    """Mean stroke width of a prepared image in canvas px, as the nuisance probe sees it."""
    return describe_input(image)["stroke_width_px"]


def redrawn_embeddings(
    store: Store, verifier: Any, embedded: Embedded, seed: int = 0, workers: int = 0, say: Progress | None = None
) -> Floats:
    """Embeddings (n, d) of the signatures of `embedded`, in order, prepared again and with strokes re-drawn."""
    found = []
    rows: pd.DataFrame = embedded.signatures
    for start in range(0, len(rows), CHUNK):
        scans = [store.read_image(url) for url in rows["image_url"].iloc[start : start + CHUNK]]
        prepared = verifier.prepare_many(scans, workers=workers)
        images = [p.image for p in prepared if p.image is not None]
        if len(images) != len(scans):
            raise BadInput("a scan that was prepared before yields no signature now", next="run the benchmark again")
        widths = embedded.input["stroke_width_px"].to_numpy()
        sizes = None if embedded.sizes_mm is None else embedded.sizes_mm[start : start + CHUNK]
        found.append(embed_for_both(verifier, redraw_at_random(images, widths, seed + start), sizes))
        if say is not None:
            say("controls: strokes re-drawn", min(1.0, (start + CHUNK) / len(rows)))
    return np.concatenate(found)


def stroke_redraw_control(
    scorer: Any,
    embeddings: Floats,
    embedded: Embedded,
    trials: dict[int, Trials],
    scored: dict[int, ScoredTrials],
    seed: int = 0,
    resamples: int = 500,
) -> Control:
    """Skilled EER with `embeddings` (n, d) of re-drawn images against the headline, same trials, paired over writers.

    Invalid when it is more than 2 points higher with any number of references.
    """
    ids = embedded.signatures["signature_id"]
    forged = [k for k in trials if len(scored[k].of(TrialKind.SKILLED_FORGERY))]
    again = {k: score_trials(scorer, trials[k], embeddings, ids) for k in forged}
    return judged_redrawn(scored, again, seed, resamples)


def judged_redrawn(
    scored: Mapping[int, ScoredTrials], again: Mapping[int, ScoredTrials], seed: int = 0, resamples: int = 500
) -> Control:
    """The same of trials scored already: `scored` before and `again` after, by number of references."""
    if not again:
        return did_not_run("stroke_redrawn", "it needs skilled forgeries")
    costs: dict[str, Any] = {}
    lost = []
    for k in again:
        found = paired_eer(scored[k], again[k], resamples=resamples, seed=seed)
        lost.append(found.cost)
        costs[str(k)] = {
            "eer": round(100 * found.before, 4),
            "eer_redrawn": round(100 * found.after, 4),
            "cost_interval": interval_in_per_cent(found.interval),
        }
    numbers, every = {"by_references": costs}, ScoredTrials.concatenate(list(again.values()))
    if max(lost) <= MOST_LOST:
        return Control("stroke_redrawn", "valid", (), numbers, every)
    reason = f"with stroke widths re-drawn at random the skilled EER rises by {100 * max(lost):.1f} points, more than 2"
    return Control("stroke_redrawn", "invalid", (reason,), numbers, every)
