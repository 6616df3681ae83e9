"""What an audit found, in plain words, the worst first, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sigverify.evaluation.data_probes import CLEAN, RAW, Answer
from sigverify.evaluation.repeats_by_label import ENOUGH_GENUINE, Repeats

SEVERE_EER, SERIOUS_EER, SLIGHT_EER = 0.10, 0.25, 0.35
SLIGHT_WITH_REFERENCES = 0.30
CLEARLY = 0.05  # of EER, below which a difference between scans and cleaned scans is not worth a sentence
MANY_REPEATS = 0.01  # share of the images above which exact duplicates are serious
KIND_SEVERE, KIND_SERIOUS = 0.90, 0.65  # balanced share of labels that the kind of scan tells


class Severity(StrEnum):
    SEVERE = "severe"
    SERIOUS = "serious"
    SLIGHT = "slight"
    NONE = "none"


@dataclass(frozen=True)
class Finding:
    """One sentence or two: what is wrong (or `none`), and what to do. `rank` orders within a severity, low first."""

    severity: Severity
    about: str
    text: str
    todo: str = ""
    rank: float = 0.0


WORDS = {  # question: (subject and verb, why, what to do)
    "paper": (
        "The paper alone tells",
        "the two were scanned separately",
        "Remove the paper before training and before every test; a figure measured with it means nothing.",
    ),
    "grey": (
        "Even on white paper, ink grey and edges tell",
        "pen, scanner or image format differ between the two",
        "Keep no ink grey: two levels, or ranks within each image; smooth or redraw the edges.",
    ),
    "canvas": (
        "The height and width of the image alone tell",
        "the two were cut out differently",
        "Crop to the ink; never let the size of the original image reach a network.",
    ),
    "geometry": (
        "Sizes, stroke width and specks in pixels tell",
        "the two differ in scale, pen or scanner dirt, whoever signed",
        "Bring the ink to one size, drop specks, and vary scale and stroke width in training.",
    ),
    "stroke_with_references": (
        "Beside {k} references the stroke width tells",
        "a writer's signatures come from one sitting with one pen, the forgeries from another",
        "Redraw strokes in one width or vary them at random in training, and report the verifier's EER with re-drawn "
        "strokes.",
    ),
    "geometry_with_references": (
        "Beside {k} references twelve numbers of size, pen and shape tell",
        "part of it is real evidence (a wrong size), part is the pen and the sitting",
        "Quote this figure beside the verifier's: one that is no better reads nothing more.",
    ),
    "lines": (
        "Length, ends and gaps of the lines alone tell",
        "hesitation, or strokes broken and specks left by one scanner",
        "Look at some of each: broken strokes and specks are no evidence of a forger.",
    ),
    "ranked": (
        "Even replaced by ranks, ink grey tells",
        "the number of grey levels or the blur of the scanner differs",
        "Use two levels instead of ranks.",
    ),
}
ORDER = list(Severity)


def find(
    answers: Sequence[Answer], repeats: Repeats, kinds: dict[str, Any], failures: dict[str, int]
) -> tuple[Finding, ...]:
    """Findings ordered by severity, then by how well the cue tells."""
    found = [*_from_probes(answers), *_from_repeats(repeats), *_from_kinds(kinds), *_from_failures(failures)]
    if not any(f.severity in (Severity.SEVERE, Severity.SERIOUS) for f in found):
        sound = (
            "No probe tells genuine from forged well, no label contradicts another, no kind of scan goes with a label."
        )
        found.append(Finding(Severity.NONE, "all", sound))
    return tuple(sorted(found, key=lambda f: (ORDER.index(f.severity), f.rank)))


def _from_probes(answers: Sequence[Answer]) -> list[Finding]:
    cleaned = {a.question.name: a for a in answers if a.side == CLEAN}
    found = []
    for answer in answers:
        if answer.side != RAW:
            continue
        severity = _severity(answer)
        if severity is not Severity.NONE:
            found.append(_told(answer, severity, cleaned.get(answer.question.name)))
            continue
        after = cleaned.get(answer.question.name)
        if after is not None and after.eer < answer.eer - CLEARLY and _severity(after) is not Severity.NONE:
            found.append(_made_by_cleaning(after))
    return found


def _severity(answer: Answer) -> Severity:
    limit = SLIGHT_WITH_REFERENCES if answer.n_references else SLIGHT_EER
    if answer.constant or answer.interval.low > limit or answer.eer >= limit:
        return Severity.NONE
    if answer.eer < SEVERE_EER:
        return Severity.SEVERE
    return Severity.SERIOUS if answer.eer < SERIOUS_EER else Severity.SLIGHT


def _told(answer: Answer, severity: Severity, after: Answer | None) -> Finding:
    subject, why, todo = WORDS[answer.question.name]
    weak = " a little" if severity is Severity.SLIGHT else ""
    text = f"{subject.format(k=answer.n_references)} genuine from forged{weak} (EER {_percent(answer.eer)}): {why}."
    return Finding(severity, answer.question.name, f"{text} {_after(after)}".strip(), todo, answer.eer)


def _after(after: Answer | None) -> str:
    if after is None:
        return ""
    if after.constant:
        return "Cleaning removes it altogether."
    if _severity(after) is Severity.NONE:
        return f"After cleaning little of it is left (EER {_percent(after.eer)})."
    return f"It is still there after cleaning (EER {_percent(after.eer)})."


def _made_by_cleaning(after: Answer) -> Finding:
    subject, _, todo = WORDS[after.question.name]
    subject = subject.format(k=after.n_references)
    text = f"Only after cleaning: {subject[0].lower()}{subject[1:]} genuine from forged (EER {_percent(after.eer)})."
    return Finding(_severity(after), after.question.name, text, todo, after.eer)


def _from_repeats(repeats: Repeats) -> list[Finding]:
    found = []
    if repeats.contradicting:
        one, other = repeats.contradicting[0]
        found.append(
            Finding(
                Severity.SEVERE,
                "contradictions",
                f"{_n(len(repeats.contradicting), 'image is', 'images are')} pixel for pixel the same as one with "
                f"another label ({repeats.exact_across_label}) or writer ({repeats.exact_across_writer}): one of each "
                f"two is wrong, first {one} and {other}.",
                "Correct or remove both of each; audit.json lists them.",
                -1.0,
            )
        )
    if repeats.exact:
        many = repeats.exact > MANY_REPEATS * repeats.images
        found.append(
            Finding(
                Severity.SERIOUS if many else Severity.SLIGHT,
                "duplicates",
                f"{repeats.exact:,} of {repeats.images:,} files repeat another exactly ({repeats.exact_genuine:,} "
                f"genuine, {repeats.exact_forged:,} forged, of {_n(repeats.writers_with_repeats, 'writer')}).",
                "Remove them before anything is split or paired; sigverify leaves them out of every trial.",
            )
        )
    return [*found, *_near_and_short(repeats)]


def _near_and_short(repeats: Repeats) -> list[Finding]:
    found = []
    if repeats.near:
        across = repeats.near_across_label
        told = f", {across} of them genuine and forged: traced, copied or wrongly labelled" if across else ""
        found.append(
            Finding(
                Severity.SERIOUS if across else Severity.SLIGHT,
                "near_duplicates",
                f"{_n(repeats.near, 'pair shows', 'pairs show')} nearly the same ink{told}.",
                "Never let the two of a pair meet as reference and query; sigverify does not.",
                0.9,
            )
        )
    if repeats.short:
        found.append(
            Finding(
                Severity.SLIGHT,
                "short_writers",
                f"{_n(repeats.short, 'writer keeps', 'writers keep')} fewer than {ENOUGH_GENUINE} distinct genuine "
                f"signatures, {repeats.emptied} of them through duplicates.",
                "Measure with fewer references, or leave these writers out of columns with 8 references or more.",
                0.95,
            )
        )
    return found


def _from_kinds(kinds: dict[str, Any]) -> list[Finding]:
    names = {"format": "file format", "mode": "colour mode", "tone": "number of tones", "dpi": "stated resolution"}
    found = []
    for kind, share in kinds["tells"].items():
        if share < KIND_SERIOUS:
            continue
        values = "; ".join(f"{v}: {g:,} genuine, {f:,} forged" for v, (g, f) in kinds[kind].items())
        found.append(
            Finding(
                Severity.SEVERE if share >= KIND_SEVERE else Severity.SERIOUS,
                f"kind_{kind}",
                f"Label and {names[kind]} go together ({values}): {share:.0%} of labels are told by it.",
                "Bring all scans to one kind before training, and scan both alike next time.",
                1 - share,
            )
        )
    return found


def _from_failures(failures: dict[str, int]) -> list[Finding]:
    if not failures:
        return []
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in failures.items())
    text = f"{_n(sum(failures.values()), 'scan gives', 'scans give')} no usable signature ({reasons})."
    return [Finding(Severity.SLIGHT, "failures", text, "Look at them; they are left out of the probes.", 0.99)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _n(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"
