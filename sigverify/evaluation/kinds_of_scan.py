"""How genuine and forged were scanned: file format, colour mode, grey levels, resolution, size, label by label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.records import Label

if TYPE_CHECKING:
    import pandas as pd

BILEVEL_SOFT = 0.005  # share of pixels between the darkest and the lightest: below it, a scan has two levels
GOES_TOGETHER = 0.90  # of images whose label the kind alone would tell
KINDS = ("format", "mode", "tone", "dpi")


def kinds_by_label(signatures: pd.DataFrame, described: pd.DataFrame) -> dict[str, Any]:
    """{kind: {value: [genuine, forged]}} for format, mode, tone and dpi; sizes and levels as [10, 50, 90] % quantiles.

    `tells` {kind: balanced share of labels told by the kind alone, 0.5 .. 1}: at 0.9 label and kind go together. Sizes
    are {label: {width_px, height_px, grey_levels}}.
    """
    readable = described["file.format"].notna().to_numpy() if "file.format" in described else np.zeros(0, bool)
    rows, files = signatures[readable], described[readable]
    genuine = (rows["label"] == Label.GENUINE.value).to_numpy()
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
        "tells": {name: _told(held) for name, held in counted.items()},
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


def _told(counted: dict[str, list[int]]) -> float:
    """Half the sum over values of the larger of the two shares: 0.5 says nothing, 1 tells every label."""
    table = np.array(list(counted.values()), float)
    if not len(table) or (table.sum(0) == 0).any():
        return 0.5
    return float((table / table.sum(0)).max(1).sum() / 2)
