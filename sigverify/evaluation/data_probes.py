"""What a data set would let a network cheat with, one probe for each kind of cue, on the scans and after cleaning.

Each probe sees a few plain numbers (evaluation.raw_measures), alone or beside eight references, is fitted and chosen on
inner writer folds and judged on writers it never saw (evaluation.probing). 50 per cent: the cue tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigverify.errors import TooFewWriters
from sigverify.evaluation.intervals import Interval
from sigverify.evaluation.nuisance import nuisance_probe
from sigverify.evaluation.nuisance_references import draw_reference_trials, reference_probe
from sigverify.evaluation.raw_measures import CANVAS, COUNTS, GREY, LINES, PAPER, PIXEL_GEOMETRY, SHAPE, SIZES, STROKE
from sigverify.evaluation.scoring_trials import rows_of
from sigverify.evaluation.trials import Trials
from sigverify.records import Label

if TYPE_CHECKING:
    import pandas as pd

RAW, CLEAN = "raw", "clean"


@dataclass(frozen=True)
class Question:
    """One probe: its `name`, a `title` for people, the numbers it sees, whether beside references, on which `sides`."""

    name: str
    title: str
    columns: tuple[str, ...]
    with_references: bool = False
    sides: tuple[str, ...] = (RAW, CLEAN)


# The columns were chosen among several definitions, on all of CEDAR and BHSig260, as those nearest to what was known
# of these sets. That they agree is therefore no confirmation, and a probe that finds little proves little: other
# numbers of the ranked ink (rim against inside, quantiles) tell far more on CEDAR than the two asked for here.
QUESTIONS = (
    Question("paper", "paper level alone", PAPER),
    Question("grey", "ink grey and edges after Otsu, white paper", GREY),
    Question("canvas", "canvas height and width alone", CANVAS),
    Question("geometry", "two-level geometry at pixel scale", PIXEL_GEOMETRY),
    Question("stroke_with_references", "stroke width beside references", STROKE, True),
    Question(
        "geometry_with_references",
        "twelve geometry numbers beside references",
        ("ink_area_px", *SIZES, STROKE[1], *COUNTS, *SHAPE),
        True,
    ),
    Question("lines", "centre lines at one scale", LINES),
    Question("ranked", "ink grey replaced by ranks", ("ranked_mean", "ranked_slope"), sides=(RAW,)),
)


@dataclass(frozen=True)
class Answer:
    """What a probe found on one side: `eer` and `interval` (shares), the best single number, references used (or 0).

    `constant`: the numbers are the same for every image, so there is nothing to tell apart by.
    """

    question: Question
    side: str
    eer: float
    interval: Interval
    single: dict[str, float]
    n_references: int = 0
    constant: bool = False

    @property
    def best(self) -> str:
        """The number that tells most by itself."""
        return min(self.single, key=lambda name: self.single[name]) if self.single else ""


def ask_all(
    signatures: pd.DataFrame,
    described: pd.DataFrame,
    near_duplicates: Iterable[tuple[str, str]] = (),
    seed: int = 0,
    on_progress: Callable[[str, float], None] | None = None,
    questions: Sequence[Question] = QUESTIONS,
) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """All `questions`, each on its sides; notes in words for what could not be asked.

    `signatures` (n rows, usable, no exact duplicates) and `described` (n rows, evaluation.scan_description). Only
    writers with genuine signatures and skilled forgeries count. Raises TooFewWriters below 10 of them.
    """
    say = on_progress or (lambda stage, share: None)
    genuine = signatures["label"] == Label.GENUINE.value
    both = set(signatures.loc[genuine, "writer_id"]) & set(signatures.loc[~genuine, "writer_id"])
    kept = signatures["writer_id"].isin(both).to_numpy()
    rows = signatures[kept].reset_index(drop=True)
    table = described[kept].reset_index(drop=True)
    trials, notes = _trials(rows, near_duplicates, seed)
    asked = [(question, side) for question in questions for side in question.sides]
    answers = []
    for done, (question, side) in enumerate(asked):
        say(f"probing the {'scans' if side == RAW else 'cleaned scans'}: {question.title}", done / len(asked))
        if question.with_references and trials is None:
            continue
        answers.append(_ask(question, side, rows, table, trials if question.with_references else None, seed))
    return tuple(answers), notes


def _trials(
    rows: pd.DataFrame, near_duplicates: Iterable[tuple[str, str]], seed: int
) -> tuple[Trials | None, tuple[str, ...]]:
    try:
        return draw_reference_trials(rows, near_duplicates, seed), ()
    except TooFewWriters as error:
        return None, (f"nothing was compared with references: {error}",)


def _ask(
    question: Question, side: str, rows: pd.DataFrame, table: pd.DataFrame, trials: Trials | None, seed: int
) -> Answer:
    names = [f"{side}.{column}" for column in question.columns]
    numbers = table.reindex(columns=names).to_numpy(np.float64)
    numbers = np.nan_to_num(numbers)
    k = trials.n_references if trials is not None else 0
    if not numbers.size or not np.ptp(numbers, axis=0).any():
        return Answer(question, side, 0.5, Interval(0.5, 0.5), {}, k, constant=True)
    if trials is not None:
        place = rows_of(trials, rows["signature_id"])
        probe = reference_probe(numbers[place], question.columns, trials, seed)
    else:
        genuine = (rows["label"] == Label.GENUINE.value).to_numpy()
        probe = nuisance_probe(numbers, question.columns, genuine, rows["writer_id"], seed)
    return Answer(question, side, probe.eer, probe.interval, probe.single, k)
