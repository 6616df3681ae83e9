"""Controls in plain words: what each asks, what it found, what it would have to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sigverify.evaluation.control import Control

QUESTIONS = {
    "parts": ("Training and test apart", "No writer and no exact copy of an image is on both sides."),
    "nuisance_without_references_input": (
        "1 Nuisance, no reference",
        "Can paper, ink and stroke numbers of the network's own input tell a forgery, with no reference in sight? "
        "They must not: EER 35 or more.",
    ),
    "nuisance_without_references_scan": (
        "1 The same on the raw scans",
        "What these data would let a network cheat with, before preprocessing. Reported, not judged.",
    ),
    "nuisance_with_references": (
        "2 Nuisance with references",
        "Do the same numbers tell a forgery once they are held against references? They must not (EER 30 or more), "
        "or the verifier must not need them.",
    ),
    "stroke_redrawn": (
        "2 Strokes re-drawn",
        "Does the verifier stay within 2 points when every stroke width is drawn anew at random?",
    ),
    "wrong_reference": (
        "3 Wrong reference",
        "Against another writer's references, genuine and forged must look alike (AUC near 0.5), and neither be "
        "accepted.",
    ),
    "reference_free": (
        "4 Without the reference",
        "Can a classifier on the query's embedding alone do as well as the verifier? It must not.",
    ),
    "order": ("5 Order", "Random forgeries must not be harder than skilled ones."),
    "stress": (
        "6 Stress",
        "Thicker strokes, other scales, rotation, JPEG, 150 dpi, bilevel, a line or stamp across: none may cost more "
        "than 2 points.",
    ),
}  # fmt: skip
LABELS = {
    "eer": "EER", "verifier_eer": "the verifier's EER", "auc_wrong": "AUC with wrong references",
    "auc_right": "AUC with the right ones", "retained_share": "advantage retained", "ratio": "ratio of the two",
    "difference_interval": "difference", "random_minus_skilled_eer": "random EER minus skilled EER",
    "shape_eer_not_gated": "EER of aspect, crop size and ink density alone (not judged)",
    "accepted_genuine": "others' genuine accepted", "accepted_skilled": "others' forgeries accepted",
    "writers_in_two_parts": "writers in two parts", "exact_copies_across_parts": "exact copies across parts",
    "near_duplicates_across_parts": "near duplicates across parts", "n_references": "references",
    "proof": "what is known of the raw scans",
}  # fmt: skip
IN_SHARES = ("auc", "retained", "ratio")
COUNTED = ("n_references", "writers_in_two_parts", "exact_copies_across_parts", "near_duplicates_across_parts")


@dataclass(frozen=True)
class ControlWords:
    """`found` are (what, figure) in words; `reasons` why the status is not valid."""

    title: str
    question: str
    status: str
    found: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]


def control_words(control: Control) -> ControlWords:
    """A control for people; one that is not known here keeps its name."""
    title, question = QUESTIONS.get(control.name, (control.name.replace("_", " ").capitalize(), ""))
    return ControlWords(title, question, control.status.replace("_", " "), tuple(_found(control)), control.reasons)


def _found(control: Control) -> list[tuple[str, str]]:
    numbers = control.numbers
    if isinstance(numbers.get("folds"), dict):
        return _over_folds(list(numbers["folds"].values()))
    found = []
    for key, value in numbers.items():
        if key not in LABELS or value is None:
            continue
        interval = numbers.get("interval" if key == "eer" else f"{key}_interval")
        interval = numbers.get("retained_interval") if key == "retained_share" else interval
        found.append((LABELS[key], _figure(key, value, interval)))
    single = numbers.get("single_number_eer")
    if single:
        found.append(("best single numbers", _best(single)))
    costs = _costs(numbers.get("by_stress"))
    return found + _redrawn(numbers.get("by_references")) + ([("cost in points", costs)] if costs else [])


def _redrawn(by_references: Any) -> list[tuple[str, str]]:
    """EER with strokes re-drawn beside the EER as they are, by number of references."""
    found = []
    for k, figures in (by_references if isinstance(by_references, dict) else {}).items():
        plain, redrawn = figures.get("eer"), figures.get("eer_redrawn")
        if isinstance(plain, int | float) and isinstance(redrawn, int | float):
            references = f"{k} reference" + ("" if str(k) == "1" else "s")
            found.append((f"EER re-drawn (as it is), {references}", f"{redrawn:.1f} % ({plain:.1f} %)"))
    return found


def _over_folds(folds: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The lowest and highest of each figure over folds that have it."""
    found = []
    for key, label in LABELS.items():
        values = [numbers[key] for numbers in folds if isinstance(numbers.get(key), int | float)]
        if values:
            low, high = _figure(key, min(values), None), _figure(key, max(values), None)
            found.append((f"{label}, {len(values)} folds", low if low == high else f"{low} to {high}"))
    return found


def _figure(key: str, value: Any, interval: Any) -> str:
    shares = key.startswith(IN_SHARES)
    if isinstance(value, list):
        return f"{value[0]:.1f} to {value[1]:.1f}"
    if isinstance(value, str) or key in COUNTED:
        return str(value)
    text = f"{value:.3f}" if shares else f"{value:.1f} %"
    if not interval or None in interval:
        return text
    form = ".3f" if shares else ".1f"
    return f"{text} ({interval[0]:{form}} to {interval[1]:{form}})"


def _best(single: dict[str, float], most: int = 3) -> str:
    ranked = sorted(single.items(), key=lambda item: item[1])[:most]
    return ", ".join(f"{name.replace('_', ' ')} {rate:.1f} %" for name, rate in ranked)


def _costs(stress: Any, most: int = 4) -> str:
    """The dearest kinds of stress, where the control's numbers say what each cost."""
    if not isinstance(stress, dict):
        return ""
    costs = {name: held.get("cost") if isinstance(held, dict) else held for name, held in stress.items()}
    ranked = sorted(((n, c) for n, c in costs.items() if isinstance(c, int | float)), key=lambda item: -item[1])
    return ", ".join(f"{name.replace('_', ' ')} {cost:+.1f}" for name, cost in ranked[:most])
