"""The model card: one page a model-risk reviewer reads before anything else, written from the verifier itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sigverify.config import EncoderSettings, PreprocessingSettings
from sigverify.verifier import Verifier


def write_card(verifier: Verifier, measured: Mapping[str, Any] | None = None) -> str:
    """The card as Markdown. `measured`: {data set in words: BenchmarkResult.for_card}, rates in per cent."""
    settings, pre = verifier.settings, verifier.settings.preprocessing
    parts = [
        f"# Verifier {settings.name}",
        f"- Encoder: timm `{settings.encoder.backbone}`, {_numbers(settings.encoder)}",
        f"- Encoder id: `{verifier.encoder_id}`, weights SHA-256 `{verifier.weights_sha256[:16]}...`",
        f"- Input: {pre.lane} lane, {pre.canvas_height_px} x {pre.canvas_width_px} px, ink {pre.ink}, {_strokes(pre)}",
        f"- Trained on: {', '.join(settings.trained_on) or 'not stated'}",
        f"- Terms: {settings.terms or 'not stated'}",
        f"- Scoring: {settings.encoder.similarity}, fusion {settings.scoring.fusion}, {_normalisation(verifier)}",
        "",
        "## Intended use",
        "Comparing a scanned signature with 1-10 reference signatures of the claimed writer, as one input to a bank's "
        "decision with a refer band and human review. Not for identifying unknown people, nor the sole ground of a "
        "refusal.",
        "",
        *_operating_point(verifier),
        "",
        *_measured(measured or {}),
        "",
        "## Known limits",
        "- Skilled forgeries are far harder than random ones; read the two rates apart.",
        "- Copies (photocopies, replays) score highest of all: they are sought by their ink and referred, but not all "
        "are found (5 to 17 in a hundred simulated photocopies were not).",
        "- With one reference the error is two to three times that with five: do not decide automatically on one.",
        "- A stamp across the signature is taken for ink of it, and costs tens of points of EER.",
        "- A provisional operating point says nothing about your customers: run `sigverify calibrate` on your own "
        "labelled signatures.",
    ]
    return "\n".join(parts) + "\n"


def _numbers(encoder: EncoderSettings) -> str:
    """What an embedding is, in words."""
    if encoder.similarity == "cosine":
        return f"{encoder.size} numbers, unit norm"
    numbers = [f"{each} in each of {rows} x {columns} cells" for each, rows, columns in encoder.grids]
    seen = f" from the canvas reduced to {encoder.learnt_height_px} px" if encoder.learnt_height_px else ""
    told = f"{encoder.described} numbers: {numbers[0]} learnt{seen}"
    return told if len(numbers) == 1 else f"{told}, {numbers[1]} stroke directions, which nothing was learnt for"


def _normalisation(verifier: Verifier) -> str:
    """What makes scores of different writers comparable, in words."""
    scoring = verifier.settings.scoring
    if scoring.normalisation == "own":
        size = f"; {scoring.size_share:g} off for each e-fold of another size on paper" if scoring.size_share else ""
        return f"less {scoring.own_share:g} of the similarity of the writer's references to one another{size}"
    held = "no cohort" if verifier.cohort is None else f"cohort of {len(verifier.cohort)} signatures"
    return f"cohort normalisation {scoring.normalisation}, {held}"


def _strokes(pre: PreprocessingSettings) -> str:
    if pre.stroke_width_px <= 0:
        return "strokes as scanned"
    return f"{'strokes' if pre.stroke_shape == 'pen' else 'centre lines'} {pre.stroke_width_px} px wide in the mean"


def _operating_point(verifier: Verifier) -> list[str]:
    point = verifier.settings.operating_point
    lines = ["## Operating point"]
    if not point.thresholds:
        return [*lines, "None: this verifier scores but cannot decide."]
    marked = " **Provisional**: not chosen on a bank's own signatures." if point.provisional else ""
    lines.append(
        f"Policy {point.policy.name} {point.policy.version}: far_skilled <= {point.policy.max_far_skilled:.2%}, "
        f"far_random <= {point.policy.max_far_random:.2%}, genuine rejected automatically "
        f"<= {point.policy.max_frr_auto:.2%}. "
        f"Chosen on {point.chosen_on} ({point.n_writers} writers).{marked}"
    )
    lines += ["", "| references | accept at | reject below | far_skilled | far_random | genuine not accepted |"]
    lines.append("|---|---|---|---|---|---|")
    for t in point.thresholds:
        lines.append(
            f"| {t.n_references} | {t.accept:.3f} | {t.reject:.3f} | {t.far_skilled:.2%} | {t.far_random:.2%} "
            f"| {t.frr:.1%} |"
        )
    return lines


def _measured(measured: Mapping[str, Any]) -> list[str]:
    lines = ["## Measured"]
    if not measured:
        return [*lines, "See the run's metrics, or run `sigverify benchmark --data CATALOGUE`."]
    lines += [
        "At these thresholds: genuine accepted, genuine rejected, skilled forgeries accepted; all in per cent.",
        "",
        "| data | references | skilled EER | random EER | genuine accepted | genuine rejected | skilled accepted |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in measured.items():
        for k, skilled in result["skilled_eer"].items():
            low, high = result["skilled_interval"][k]
            done = (result.get(each, {}).get(k) for each in ("genuine_accepted", "genuine_rejected", "far_skilled"))
            rates = " | ".join("-" if rate is None else f"{rate:.1f}" for rate in (result["random_eer"][k], *done))
            lines.append(f"| {name} | {k} | {skilled:.1f} [{low:.1f}, {high:.1f}] | {rates} |")
    return lines
