"""An audit as plain text: findings with what to do, then the table of probes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sigverify.evaluation.data_probes import CLEAN, QUESTIONS, RAW, Answer

if TYPE_CHECKING:
    from sigverify.evaluation.audit import Audit

WIDTH = 110
NO_CHECK = (
    "The columns of these probes were chosen among several definitions for agreement with published figures of CEDAR "
    "and BHSig260, on all their writers, test writers among them: that they agree there is no independent check."
)


def as_text(audit: Audit) -> str:
    """The whole audit; lines of at most WIDTH characters."""
    counts = audit.counts
    lines = [
        f"{', '.join(audit.about['datasets'])} ({audit.about['part']} writers): {counts['signatures']:,} signatures of "
        f"{counts['writers']:,} writers; probed {counts['probed_genuine']:,} genuine, "
        f"{counts['probed_forged']:,} forged",
        "",
        "What a network could cheat with",
    ]
    for finding in audit.findings:
        told = f"{finding.severity.value:8s} {finding.text}"
        lines += textwrap.wrap(told, WIDTH, subsequent_indent=" " * 9, break_on_hyphens=False)
        if finding.todo:
            lines += textwrap.wrap(f"-> {finding.todo}", WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 12)
    lines += ["", *_table(audit), *textwrap.wrap(NO_CHECK, WIDTH)]
    lines += ["", *(f"note: {note}" for note in audit.notes)] if audit.notes else []
    return "\n".join(lines)


def _table(audit: Audit) -> list[str]:
    held = {(a.question.name, a.side): a for a in audit.answers}
    lines = [f"{'EER of a probe, per cent [95 %]; 50 tells nothing':<52}{'scans':>20}{'cleaned':>20}"]
    for question in QUESTIONS:
        raw, clean = held.get((question.name, RAW)), held.get((question.name, CLEAN))
        if raw is not None or clean is not None:
            lines.append(f"{titled(raw or clean):<52}{in_words(raw):>20}{in_words(clean):>20}")
    return lines


def titled(answer: Answer | None) -> str:
    """The probe's title, with the number of references it used."""
    if answer is None:
        return ""
    title = answer.question.title
    return title.replace("references", f"{answer.n_references} references") if answer.n_references else title


def in_words(answer: Answer | None) -> str:
    """12.3 [10.1, 14.5], or constant, or a dash where it was not asked."""
    if answer is None:
        return "-"
    if answer.constant:
        return "constant"
    return f"{100 * answer.eer:.1f} [{100 * answer.interval.low:.1f}, {100 * answer.interval.high:.1f}]"
