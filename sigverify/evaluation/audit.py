"""An audit of labelled signatures: what could a network cheat with? Probes, repeats, kinds of scan, in plain words.

The data side only: no verifier is asked. The same probes on what preprocessing makes of the scans show what cleaning
removes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.config import PreprocessingSettings, to_dict
from sigverify.errors import BadInput, TooFewWriters
from sigverify.evaluation.data_probes import QUESTIONS, Answer, Question, ask_all
from sigverify.evaluation.embedded import signatures_digest
from sigverify.evaluation.findings import Finding, find
from sigverify.evaluation.kinds_of_scan import kinds_by_label
from sigverify.evaluation.original_sizes import restore_sizes
from sigverify.evaluation.parts import writers_in_part
from sigverify.evaluation.probing import OUTER
from sigverify.evaluation.repeats_by_label import Repeats, count_repeats
from sigverify.evaluation.scan_description import describe_scans
from sigverify.records import Label, Part, as_plain

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

RESULTS, TEXT, PAGE = "audit.json", "audit.txt", "audit.html"
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Audit:
    """`findings` the worst first; `answers` of every probe; `sizes` (n rows: genuine, width_px, height_px)."""

    about: dict[str, Any]
    counts: dict[str, int]
    failures: dict[str, int]
    repeats: Repeats
    kinds: dict[str, Any]
    answers: tuple[Answer, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    sizes: pd.DataFrame | None = field(default=None, repr=False)

    def values(self) -> dict[str, Any]:
        """Everything as builtins; rates in per cent."""
        plain: dict[str, Any] = as_plain(
            {
                **self.about,
                "findings": [{k: v for k, v in asdict(f).items() if k != "rank"} for f in self.findings],
                "probes": [_answer(a) for a in self.answers],
                "counts": self.counts,
                "failures": self.failures,
                "repeats": asdict(self.repeats),
                "kinds": self.kinds,
                "notes": self.notes,
            }
        )
        return plain

    def text(self) -> str:
        """For people: findings, then the table of probes."""
        from sigverify.evaluation.audit_text import as_text

        return as_text(self)

    def save(self, folder: str | Path) -> Path:
        """Write audit.json, audit.txt and the self-contained audit.html to `folder`; returns it."""
        from sigverify.evaluation.audit_page import as_page

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / RESULTS).write_text(json.dumps(self.values(), indent=1) + "\n", encoding="utf-8")
        (place / TEXT).write_text(self.text() + "\n", encoding="utf-8")
        (place / PAGE).write_text(as_page(self), encoding="utf-8")
        return place


def audit_data(
    store: Store,
    part: Part | str | None = None,
    preprocessing: PreprocessingSettings | None = None,
    sizes: pd.DataFrame | None = None,
    seed: int = 0,
    workers: int = 2,
    on_progress: Progress | None = None,
    questions: Sequence[Question] = QUESTIONS,
) -> Audit:
    """Audit the labelled signatures of a catalogue, of all writers or of one `part`.

    `preprocessing` is the cleaning whose result is probed beside the scans; `sizes` (evaluation.original_sizes) those
    of scans that were reduced since; `questions` which probes to run. Raises BadInput for a catalogue without labels,
    without genuine signatures or without skilled forgeries, TooFewWriters below 10 writers with both.
    """
    say = on_progress or (lambda stage, share: None)
    cleaning = preprocessing or PreprocessingSettings()
    rows = _selected(store.signatures(), part)
    near = store.near_duplicates()
    distinct = rows[rows["duplicate_of"].isna()].reset_index(drop=True)
    described = describe_scans(store, distinct, cleaning, workers, say)
    if sizes is not None:
        described = restore_sizes(described, distinct["source"], sizes)
    usable = (described["failure"] == "").to_numpy()
    kept, numbers = distinct[usable].reset_index(drop=True), described[usable].reset_index(drop=True)
    pairs = list(zip(near["signature_a"], near["signature_b"], strict=True))
    answers, notes = ask_all(kept, numbers, pairs, seed, say, questions)
    say("done", 1.0)
    failures = dict(sorted(Counter(described.loc[~usable, "failure"].tolist()).items()))
    repeats, kinds = count_repeats(rows, near), kinds_by_label(distinct, described)
    return Audit(
        about=_about(rows, part, cleaning, sizes is not None, seed),
        counts=_counts(rows, kept),
        failures=failures,
        repeats=repeats,
        kinds=kinds,
        answers=answers,
        findings=find(answers, repeats, kinds, failures),
        notes=notes,
        sizes=_canvases(kept, numbers),
    )


def _selected(signatures: pd.DataFrame, part: Part | str | None) -> pd.DataFrame:
    rows = signatures
    if part is not None:
        rows = rows[rows["writer_id"].isin(writers_in_part(sorted(set(rows["writer_id"])), Part(part)))]
    if rows.empty:
        raise BadInput("no signatures to audit", got=f"part {part}" if part else "an empty catalogue")
    unknown = sorted(set(rows["label"]) - {label.value for label in Label})
    if unknown:
        raise BadInput(
            "signatures without a known label", got=", ".join(map(str, unknown)),
            expected=" or ".join(label.value for label in Label), next="import the set again with its labels",
        )  # fmt: skip
    for label, words in ((Label.GENUINE, "genuine signatures"), (Label.SKILLED_FORGERY, "skilled forgeries")):
        if not (rows["label"] == label.value).any():
            raise BadInput(
                f"no {words}: there is nothing to tell apart", got=f"{len(rows):,} signatures, all of the other label",
                next="audit a set that holds both, labelled genuine and skilled_forgery",
            )  # fmt: skip
    both = rows.groupby("writer_id")["label"].nunique()
    if (enough := int((both == len(Label)).sum())) < 2 * OUTER:
        raise TooFewWriters(
            "too few writers to audit", got=f"{enough} with genuine signatures and skilled forgeries",
            expected=f"{2 * OUTER} or more", next="probes are judged on writers they never saw; import more of them",
        )  # fmt: skip
    return rows


def _about(
    rows: pd.DataFrame, part: Part | str | None, cleaning: PreprocessingSettings, sized: bool, seed: int
) -> dict[str, Any]:
    return {
        "datasets": sorted(rows["dataset"].unique()),
        "part": str(part) if part is not None else "all",
        "catalogue_digest": signatures_digest(rows),
        "classification": sorted(rows["classification"].unique()),
        "preprocessing": to_dict(cleaning),
        "sizes": "original, from a table" if sized else "as the scans show",
        "seed": seed,
        "interval_level": 0.95,
    }


def _counts(rows: pd.DataFrame, kept: pd.DataFrame) -> dict[str, int]:
    genuine = kept["label"] == Label.GENUINE.value
    return {
        "writers": int(rows["writer_id"].nunique()),
        "writers_with_forgeries": int(rows.loc[rows["label"] != Label.GENUINE.value, "writer_id"].nunique()),
        "signatures": len(rows),
        "probed_genuine": int(genuine.sum()),
        "probed_forged": int((~genuine).sum()),
    }


def _canvases(rows: pd.DataFrame, numbers: pd.DataFrame) -> pd.DataFrame:
    found = numbers[["raw.canvas_width_px", "raw.canvas_height_px"]].set_axis(["width_px", "height_px"], axis=1)
    return found.assign(genuine=(rows["label"] == Label.GENUINE.value).to_numpy())


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "probe": answer.question.name,
        "title": answer.question.title,
        "side": answer.side,
        "eer": round(100 * answer.eer, 2),
        "interval": [round(100 * answer.interval.low, 2), round(100 * answer.interval.high, 2)],
        "n_references": answer.n_references,
        "constant": answer.constant,
        "numbers": answer.question.columns,
        "single_number_eer": {k: round(100 * v, 2) for k, v in sorted(answer.single.items(), key=lambda i: i[1])},
    }
