"""What a benchmark found: JSON for machines, a table for people, a folder with plots and trial scores."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.evaluation.control import Control, verdict
from sigverify.evaluation.embedded import Embedded
from sigverify.records import as_plain
from sigverify.scoring.scored_trials import ScoredTrials

if TYPE_CHECKING:
    import pandas as pd

COMPARISON = "comparison only"  # a figure of the legacy lane carries no verdict
TRIAL_COLUMNS = (
    "writer_id",
    "query_id",
    "query_writer_id",
    "kind",
    "n_references",
    "draw",
    "score",
    "score_without_size",
)
SCORES, RESULTS = "scores.parquet", "benchmark.json"
SHOWN = {  # key of the JSON's top level -> where evaluation.figures keeps it
    "skilled_eer": ("skilled", "eer"),
    "random_eer": ("random", "eer"),
    "oracle_skilled_eer": ("skilled", "oracle"),
    "frr_at_far_skilled_1": ("skilled", "frr_at_far_1"),
    "frr_at_far_random_0.1": ("random", "frr_at_far_0.1"),
    "accepted_at_far_skilled_0.5": ("automatic", "genuine_accepted_0.5"),
    "accepted_at_far_skilled_1": ("automatic", "genuine_accepted_1"),
    "far_skilled": ("at_own_thresholds", "skilled_accepted"),
    "far_random": ("at_own_thresholds", "random_accepted"),
    "genuine_accepted": ("at_own_thresholds", "genuine_accepted"),
}


@dataclass(frozen=True)
class BenchmarkResult:
    """`about` names data, verifier, protocol and seed; `figures` {number of references: evaluation.figures.measure}.

    `common` {number of references: skilled EER over the writers that all columns share}; `notes` say in words what
    was left out or cannot be shown; `scored` holds every trial.
    """

    about: dict[str, Any]
    counts: dict[str, Any]
    figures: dict[int, dict[str, Any]]
    common: dict[str, Any]
    controls: tuple[Control, ...]
    notes: tuple[str, ...] = ()
    scored: dict[int, ScoredTrials] = field(default_factory=dict, repr=False)
    embedded: Embedded | None = field(default=None, repr=False)  # the signatures; without embeddings where kept on disk
    calibration: dict[int, ScoredTrials] = field(default_factory=dict, repr=False)  # that thresholds were frozen on
    deployment: dict[int, dict[str, Any]] = field(default_factory=dict)  # evaluation.deployment, by references
    folds: tuple[dict[str, Any], ...] = ()  # what was pooled, fold by fold
    spread: dict[str, Any] = field(default_factory=dict)  # over seeds

    @property
    def status(self) -> str:
        """refused, invalid, warning or valid: the worst of the controls; in the legacy lane "comparison only"."""
        worst = verdict(self.controls)
        return COMPARISON if self.about.get("lane") == "legacy" and worst != "refused" else worst

    def values(self) -> dict[str, Any]:
        """Everything but the trials as builtins; rates in per cent, numbers of references as text."""
        rates = {key: self._each(group, item) for key, (group, item) in SHOWN.items()}
        intervals = {key: self._each(group, f"{item}_interval") for key, (group, item) in SHOWN.items()}
        by_references = {str(k): found["counts"] for k, found in self.figures.items()}
        held: dict[str, Any] = as_plain(
            {
                **self.about,
                **rates,
                "intervals": intervals,
                "counts": {**self.counts, "by_references": by_references},
                "status": self.status,
                "controls": {c.name: {"status": c.status, "reasons": c.reasons, **c.numbers} for c in self.controls},
                "common_writers": self.common,
                "figures": self.figures,
                "deployment": self.deployment,
                "folds": self.folds,
                "spread": self.spread,
                "notes": self.notes,
            }
        )
        return held

    def to_json(self) -> str:
        """`values` as JSON text."""
        return json.dumps(self.values(), indent=1)

    def for_card(self) -> dict[str, Any]:
        """The few figures that a model card shows."""
        shown: dict[str, Any] = {f"{name}_eer": self._each(name, "eer") for name in ("skilled", "random")}
        shown |= {f"{name}_interval": self._each(name, "eer_interval") for name in ("skilled", "random")}
        shown |= {name: self._each("at_own_thresholds", name) for name in ("genuine_accepted", "genuine_rejected")}
        shown["far_skilled"] = self._each("at_own_thresholds", "skilled_accepted")
        return shown

    def table(self) -> str:
        """A plain-text table, controls and notes below it."""
        from sigverify.evaluation.table import as_text

        return as_text(self)

    def trial_scores(self) -> pd.DataFrame:
        """Every trial, under the trial_scores contract."""
        import pandas as pd

        parts = [pd.DataFrame({name: getattr(t, name) for name in TRIAL_COLUMNS}) for t in self.scored.values()]
        return pd.concat(parts, ignore_index=True).assign(verifier_version=self.about["verifier_version"])

    def save(self, folder: str | Path) -> Path:
        """Write benchmark.json, scores.parquet, table.txt and the plots (PNG) to `folder`; returns it."""
        from sigverify.evaluation.plots import save_plots

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / RESULTS).write_text(self.to_json() + "\n", encoding="utf-8")
        (place / "table.txt").write_text(self.table() + "\n", encoding="utf-8")
        self.trial_scores().to_parquet(place / SCORES, index=False, compression="zstd")
        save_plots(self, place)
        return place

    def _each(self, group: str, item: str) -> dict[str, Any]:
        """{number of references: a figure}, for the numbers that have it."""
        return {str(k): found[group][item] for k, found in self.figures.items() if item in found.get(group, {})}
