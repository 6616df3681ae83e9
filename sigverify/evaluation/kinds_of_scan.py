"""How genuine and forged were scanned: file format, colour mode, grey levels, resolution, size, label by label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.evaluation.parts import inner_folds
from sigverify.records import Label

if TYPE_CHECKING:
    import pandas as pd

BILEVEL_SOFT = 0.005  # share of pixels between the darkest and the lightest: below it, a scan has two levels
FOLDS = 5  # of writers, on which it is judged what a kind tells
KINDS = ("format", "mode", "tone", "dpi")


def kinds_by_label(signatures: pd.DataFrame, described: pd.DataFrame) -> dict[str, Any]:
    """{kind: {value: [genuine, forged]}} for format, mode, tone and dpi; sizes and levels as [10, 50, 90] % quantiles.

    `tells` {kind: balanced share of labels told by the kind alone, 0.5 .. 1}, judged on folds of writers that did not
    say what a value means: at 0.9 label and kind go together. Sizes are {label: {width_px, height_px, grey_levels}}.
    """
    readable = described["file.format"].notna().to_numpy() if "file.format" in described else np.zeros(0, bool)
    rows, files = signatures[readable], described[readable]
    genuine = (rows["label"] == Label.GENUINE.value).to_numpy()
    writers = rows["writer_id"].to_numpy(str)
    kinds = {
        "format": files["file.format"].astype(str).to_numpy(),
        "mode": files["file.mode"].astype(str).to_numpy(),
        "tone": _tone(files),
        "dpi": np.array(["not stated" if np.isnan(d) else f"{d:.0f}" for d in files["file.dpi"].astype(float)]),
    }
    counted = {name: _counted(values, genuine) for name, values in kinds.items()}
    sides = (("genuine", genuine), ("skilled_forgery", ~genuine))
    return {
        **counted,
        "tells": {name: _told(values, genuine, writers) for name, values in kinds.items()},
        "sizes": {
            label: {
                name: np.quantile(files.loc[side, f"file.{name}"].astype(float), [0.1, 0.5, 0.9]).tolist()
                for name in ("width_px", "height_px", "grey_levels")
            }
            for label, side in sides
            if side.any()
        },
    }


def _tone(files: pd.DataFrame) -> Any:
    levels = files["file.grey_levels"].astype(float).to_numpy()
    soft = files["file.soft_share"].astype(float).to_numpy()
    return np.where(levels <= 2, "two levels", np.where(soft < BILEVEL_SOFT, "nearly two levels", "grey"))


def _counted(values: Any, genuine: Any) -> dict[str, list[int]]:
    sides = Counter(values[genuine].tolist()), Counter(values[~genuine].tolist())
    return {name: [side[name] for side in sides] for name in sorted(set(values.tolist()))}


def _told(values: Any, genuine: Any, writers: Any) -> float:
    """Balanced share of labels that the kind tells about writers it was not learnt from; 0.5 tells nothing.

    On each fold of writers the label is the side that a value is the more frequent on among the others; a value that
    they do not have, or have alike on both sides, is half right. Rare values and noise so come out near 0.5.
    """
    folds = min(FOLDS, len(set(writers.tolist())))
    if folds < 2 or genuine.all() or not genuine.any():
        return 0.5
    right = np.full(len(values), 0.5)
    for names in inner_folds(writers.tolist(), folds):
        held = np.isin(writers, names)
        leaning = _leaning(values[~held], genuine[~held])
        said = np.array([leaning.get(value, 0.0) for value in values[held].tolist()])
        right[held] = np.where(said == 0, 0.5, (said > 0) == genuine[held])
    return float(max(0.5, (right[genuine].mean() + right[~genuine].mean()) / 2))


def _leaning(values: Any, genuine: Any) -> dict[str, float]:
    """{value: its share among genuine less its share among forged}."""
    counted = _counted(values, genuine)
    n = np.maximum(1, [genuine.sum(), (~genuine).sum()])
    return {value: float(sides[0] / n[0] - sides[1] / n[1]) for value, sides in counted.items()}
