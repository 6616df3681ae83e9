"""Scans that were reduced after scanning: their original sizes, so that lengths are those of the scanner again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sigverify.errors import BadTable, NotFound
from sigverify.evaluation.raw_measures import LENGTHS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("path", "orig_width", "orig_height")


def read_sizes(path: str | Path) -> pd.DataFrame:
    """A CSV with path (the file as it was imported), orig_width and orig_height (px); other columns are ignored.

    Raises NotFound where there is none, BadTable for missing columns, values that are no positive numbers, or paths
    named twice.
    """
    import pandas as pd

    if not Path(path).is_file():
        raise NotFound("no table of original sizes", got=str(path), expected=f"a CSV with {', '.join(COLUMNS)}")
    frame = pd.read_csv(path, dtype=str)
    missing = [c for c in COLUMNS if c not in frame]
    if missing:
        raise BadTable("the table of original sizes lacks columns", got=", ".join(missing), expected=", ".join(COLUMNS))
    sizes: pd.DataFrame = frame.set_index("path")[list(COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
    if not (sizes > 0).all(axis=None) or sizes.index.has_duplicates:
        raise BadTable("original sizes cannot be used", got="values missing or not positive, or a path twice")
    return sizes


def restore_sizes(described: pd.DataFrame, source: pd.Series[str], sizes: pd.DataFrame) -> pd.DataFrame:
    """`described` with canvas sizes replaced and other lengths of the raw scans multiplied to the original scale.

    `source` (n,) names each row's file as imported. Raises BadTable where a file has no original size.
    """
    known = sizes.reindex(source.to_numpy())
    if known.isna().any(axis=None):
        lacking = int(known["orig_width"].isna().sum())
        raise BadTable("files without an original size", got=f"{lacking} of {len(known)}", expected="a size for each")
    width, height = (known[c].to_numpy(np.float64) for c in ("orig_width", "orig_height"))
    grown = described.copy()
    times = np.maximum(width, height) / grown[["raw.canvas_width_px", "raw.canvas_height_px"]].max(axis=1).to_numpy()
    for name in LENGTHS:
        grown[f"raw.{name}"] = grown[f"raw.{name}"] * times
    grown["raw.ink_area_px"] = grown["raw.ink_area_px"] * times**2
    grown["raw.canvas_width_px"], grown["raw.canvas_height_px"] = width, height
    return grown
