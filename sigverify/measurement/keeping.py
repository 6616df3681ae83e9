"""One finished measurement on disk: written whole or not at all, read back instead of computed again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.config import OperatingPoint, from_dict, to_dict
from sigverify.errors import Conflict
from sigverify.evaluation.benchmark import BenchmarkResult
from sigverify.evaluation.control import Control
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.result import TRIAL_COLUMNS
from sigverify.evaluation.scoring_trials import by_references
from sigverify.records import as_plain
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd

KEPT, SCORES, CALIBRATION, MEASURES = "kept.json", "scores.parquet", "calibration.parquet", "measures.parquet"
CONTROL, CONTROL_TRIALS = ("name", "status", "reasons", "numbers"), "control_{}.parquet"
_BY_REFERENCES = ("figures", "deployment")


def keep(result: BenchmarkResult, point: OperatingPoint, key: str, place: Path) -> None:
    """Write `result` with the operating point it was measured with; `key` names everything it depends on."""
    working = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    held = {
        "key": key,
        "operating_point": to_dict(point),
        "controls": [{name: getattr(control, name) for name in CONTROL} for control in result.controls],
        **{name: getattr(result, name) for name in ("about", "counts", "common", "notes", *_BY_REFERENCES)},
    }
    (working / KEPT).write_text(json.dumps(as_plain(held), indent=1) + "\n", encoding="utf-8")
    result.trial_scores().to_parquet(working / SCORES, index=False, compression="zstd")
    for i, control in enumerate(result.controls):
        if control.trials is not None:
            _table({0: control.trials}).to_parquet(working / CONTROL_TRIALS.format(i), index=False, compression="zstd")
    if result.calibration:
        _table(result.calibration).to_parquet(working / CALIBRATION, index=False, compression="zstd")
    if result.embedded is not None:
        _measures(result.embedded).to_parquet(working / MEASURES, index=False, compression="zstd")
    shutil.rmtree(place, ignore_errors=True)
    working.rename(place)


def kept(place: Path, key: str) -> tuple[BenchmarkResult, OperatingPoint] | None:
    """What `keep` wrote under this key, None where there is nothing. Raises Conflict where it is of another run."""
    if not (place / KEPT).is_file():
        return None
    held: dict[str, Any] = json.loads((place / KEPT).read_text(encoding="utf-8"))
    if held["key"] != key:
        raise Conflict(
            f"{place.name} holds the result of another run",
            got=held["key"],
            expected=key,
            next="give another --out, or leave out --resume to measure again",
        )
    numbered = {name: {int(k): v for k, v in held[name].items()} for name in _BY_REFERENCES}
    result = BenchmarkResult(
        held["about"],
        held["counts"],
        numbered["figures"],
        held["common"],
        tuple(_control(c, place / CONTROL_TRIALS.format(i)) for i, c in enumerate(held["controls"])),
        tuple(held["notes"]),
        _trials(place / SCORES),
        embedded=_embedded(place / MEASURES, held["counts"]),
        calibration=_trials(place / CALIBRATION),
        deployment=numbered["deployment"],
    )
    return result, from_dict(OperatingPoint, held["operating_point"])


def _control(held: dict[str, Any], trials: Path) -> Control:
    return Control(held["name"], held["status"], tuple(held["reasons"]), held["numbers"], _whole(trials))


def _table(trials: dict[int, ScoredTrials]) -> pd.DataFrame:
    import pandas as pd

    parts = [pd.DataFrame({name: getattr(t, name) for name in TRIAL_COLUMNS}) for t in trials.values()]
    return pd.concat(parts, ignore_index=True)


def _trials(path: Path) -> dict[int, ScoredTrials]:
    whole = _whole(path)
    return {} if whole is None else by_references(whole)


def _whole(path: Path) -> ScoredTrials | None:
    import pandas as pd

    if not path.is_file():
        return None
    rows = pd.read_parquet(path)
    return ScoredTrials(**{c: rows[c].to_numpy() for c in TRIAL_COLUMNS if c in rows})


def _measures(embedded: Embedded) -> pd.DataFrame:
    """Signatures and what the nuisance probes read of them; no picture, no embedding."""
    import pandas as pd

    scan, inner = embedded.scan.add_prefix("scan."), embedded.input.add_prefix("input.")
    rows = embedded.signatures.drop(columns=["fingerprint"], errors="ignore").reset_index(drop=True)
    return pd.concat([rows, scan.reset_index(drop=True), inner.reset_index(drop=True)], axis=1)


def _embedded(path: Path, counts: dict[str, Any]) -> Embedded | None:
    import pandas as pd

    if not path.is_file():
        return None
    held = pd.read_parquet(path)
    scan, inner = (
        held[[c for c in held.columns if str(c).startswith(p)]].rename(columns=lambda c: c.split(".", 1)[1])
        for p in ("scan.", "input.")
    )
    rows = held[[c for c in held.columns if not str(c).startswith(("scan.", "input."))]]
    rows = rows.assign(duplicate_of=None)
    nothing = np.zeros((len(rows), 0), np.float32)
    return Embedded(rows, nothing, scan, inner, counts["removed_duplicates"], counts["failures_to_acquire"])
