"""Trials with their scores: plain arrays that operating points are chosen from and error rates measured on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sigverify.errors import BadInput
from sigverify.records import TrialKind

Strings = npt.NDArray[np.str_]


@dataclass(frozen=True)
class ScoredTrials:
    """One entry a trial, all arrays (t,).

    `score` higher is more genuine; `kind` TrialKind values; `writer_id` the claimed writer; `n_references` 1 or more;
    `query_id` the questioned signature, `query_writer_id` who made it or whom it imitates, `draw` which drawing of
    references, `score_without_size` the score with no eye for physical size (all four optional: without them a trial's
    own position, the claimed writer, 0 and the score itself stand in).
    """

    score: npt.NDArray[np.float64]
    kind: Strings
    writer_id: Strings
    n_references: npt.NDArray[np.int64]
    query_id: Strings = field(default_factory=lambda: np.empty(0, np.str_))
    query_writer_id: Strings = field(default_factory=lambda: np.empty(0, np.str_))
    draw: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    score_without_size: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", np.asarray(self.score, np.float64))
        for name in ("kind", "writer_id", "query_id", "query_writer_id"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.str_))
        object.__setattr__(self, "n_references", np.asarray(self.n_references, np.int64))
        object.__setattr__(self, "draw", np.asarray(self.draw, np.int64))
        object.__setattr__(self, "score_without_size", np.asarray(self.score_without_size, np.float64))
        n = len(self.score)
        if not len(self.score_without_size):
            object.__setattr__(self, "score_without_size", self.score)
        if not len(self.draw):
            object.__setattr__(self, "draw", np.zeros(n, np.int64))
        if not len(self.query_id):
            object.__setattr__(self, "query_id", np.arange(n).astype(np.str_))
        if not len(self.query_writer_id):
            object.__setattr__(self, "query_writer_id", self.writer_id)
        self._check(n)

    def _check(self, n: int) -> None:
        lengths = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        if set(lengths.values()) != {n}:
            raise BadInput("the columns of scored trials have different lengths", got=lengths)
        if not np.isfinite(self.score).all():
            raise BadInput("a trial's score is not finite", got=f"{int((~np.isfinite(self.score)).sum())} of {n}")
        unknown = sorted(set(np.unique(self.kind).tolist()) - {k.value for k in TrialKind})
        if unknown:
            raise BadInput("unknown kind of trial", got=unknown, expected=[k.value for k in TrialKind])

    def __len__(self) -> int:
        return len(self.score)

    def where(self, kept: npt.NDArray[Any]) -> ScoredTrials:
        """The trials named by a mask or index."""
        return ScoredTrials(**{name: getattr(self, name)[kept] for name in self.__dataclass_fields__})

    def of(self, kind: TrialKind, n_references: int | None = None) -> ScoredTrials:
        """The trials of one kind, and of one number of references where given."""
        kept = self.kind == kind.value
        return self.where(kept if n_references is None else kept & (self.n_references == n_references))

    @staticmethod
    def concatenate(parts: list[ScoredTrials]) -> ScoredTrials:
        """All trials of `parts`, in order."""
        names = list(ScoredTrials.__dataclass_fields__)
        return ScoredTrials(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})
