"""The control "parts": a test on writers or images the verifier was trained or calibrated on is no test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sigverify.evaluation.control import Control, did_not_run
from sigverify.trained_on import TrainedOn, short_digest

if TYPE_CHECKING:
    import pandas as pd

NAME = "parts"
UNKNOWN = "unknown training data: the verifier does not say what it was trained on"


def parts_control(
    tested: pd.DataFrame,
    trained_on: TrainedOn | None,
    near_duplicates: Iterable[tuple[str, str]] = (),
    catalogue: pd.DataFrame | None = None,
) -> Control:
    """refused: a tested writer or an exact copy of a tested image taught the network or chose its thresholds.

    `tested` are all measured rows, duplicates included; `near_duplicates` (pairs of signature ids) warn where the other
    one belongs to a writer of `catalogue` (all rows) that taught. not_run where nobody knows what the verifier saw.
    """
    if trained_on is None:
        return did_not_run(NAME, UNKNOWN)
    images = {short_digest(p) for p in tested["pixel_digest"]} & set(trained_on.images)
    writers = {short_digest(w) for w in tested["writer_id"].unique()}
    taught = writers & set(trained_on.writers)
    calibrated = writers & set(trained_on.calibration_writers)
    near = _near(tested, trained_on, near_duplicates, catalogue)
    reasons = [
        text.format(len(found))
        for found, text in (
            (taught, "{} tested writers are among those the network was trained on"),
            (calibrated, "{} tested writers are among those its thresholds were chosen on"),
            (images, "{} tested images are exact copies of images it was trained or calibrated on"),
        )
        if found
    ]
    status = "refused" if reasons else "valid"
    if near and not reasons:
        status, reasons = "warning", [f"{near} tested images have near duplicates among what it was trained on"]
    numbers = {
        "trained_on": trained_on.statement,
        "writers_in_two_parts": len(taught | calibrated),
        "exact_copies_across_parts": len(images),
        "near_duplicates_across_parts": near,
    }
    if status == "valid" and not trained_on.complete:
        return did_not_run(NAME, "what its initial weights were trained on is unknown", numbers)
    return Control(NAME, status, tuple(reasons), numbers)


def _near(
    tested: pd.DataFrame, trained_on: TrainedOn, pairs: Iterable[tuple[str, str]], catalogue: pd.DataFrame | None
) -> int:
    if catalogue is None:
        return 0
    known = {*trained_on.writers, *trained_on.calibration_writers}
    taught = {w for w in catalogue["writer_id"].unique() if short_digest(w) in known}
    teaching = set(catalogue.loc[catalogue["writer_id"].isin(taught), "signature_id"])
    asked = set(tested["signature_id"])
    return len({a for pair in pairs for a, b in (pair, pair[::-1]) if a in asked and b in teaching - asked})
