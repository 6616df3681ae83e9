"""One query held against a few reference scans, nothing stored: the decision and what a reviewer needs to see why.

As where references are enrolled, a copy of another one does not count (here a photocopy does not, either), and one that
hardly resembles the others is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sigverify.errors import BadInput
from sigverify.records import Decision, Outcome, Preparation, Reason, Template, Verification
from sigverify.scoring.operating_point import MAX_REFERENCES, kind_if_forged, probability

if TYPE_CHECKING:
    from sigverify.verifier import Scan, Verifier

NAMED_SOONER = 0.8  # of the difference from which a reference ceases to count (benchmarks/misfiled_references.py)


def verify_one(verifier: Verifier, query: Scan, references: Sequence[Scan]) -> Verification:
    """One query against 1-10 reference scans.

    Raises BadInput for more references, and where none yields a signature; a query that yields none is a failure to
    acquire. A copy of a reference given before is left out, as `copy_of_reference`: beside it the writer's hand would
    look steadier than it is, and the writer be rejected.
    """
    if len(references) > MAX_REFERENCES:
        raise BadInput(
            "too many references", got=len(references), expected=f"1 to {MAX_REFERENCES}", next="leave some out"
        )
    asked = verifier.prepare(query)
    prepared = _without_copies([verifier.prepare(each) for each in references])
    usable = [(i, p) for i, p in enumerate(prepared) if p.image is not None]
    if not usable:
        why = ", ".join(str(p.failure) for p in prepared)
        raise BadInput("no reference yields a signature", got=why or "no references", next="scan a reference again")
    ids = tuple(str(i + 1) for i, _ in usable)
    template = verifier.enrol("writer", ids, [p for _, p in usable])
    decision = _decision(verifier, asked, template)
    point, score, chance, kind = verifier.settings.operating_point, decision.score, None, None
    if score is not None and decision.reason is not Reason.COPY_OF_REFERENCE:  # a copy's score says nothing of its hand
        chance = probability(point, score, decision.n_references)
        kind = kind_if_forged(point, score, decision.n_references)
    told = (point.provisional, verifier.version, kind, verifier.settings.scoring.size_share)
    return Verification(decision, chance, asked, prepared, *told, odd_reference(verifier, template))


def odd_reference(verifier: Verifier, template: Template) -> str | None:
    """The id of the reference that hardly resembles the others of its template, if there is one: look at it."""
    found = verifier.scorer.odd_reference(template.embeddings, NAMED_SOONER)
    return None if found is None else template.reference_ids[found]


def _without_copies(prepared: Sequence[Preparation]) -> tuple[Preparation, ...]:
    """The same, a copy of an earlier one without its image and with the reason."""
    kept: list[Preparation] = []
    for each in prepared:
        copied = each.image is not None and any(
            _alike(each.fingerprint, other.fingerprint) for other in kept if other.image is not None
        )
        kept.append(replace(each, image=None, failure=Reason.COPY_OF_REFERENCE) if copied else each)
    return tuple(kept)


def _decision(verifier: Verifier, query: Preparation, template: Template) -> Decision:
    ids = template.reference_ids
    if query.image is None:
        failure = query.failure or Reason.UNREADABLE
        return Decision(Outcome.FAILURE_TO_ACQUIRE, failure, None, None, None, len(ids), ids)
    decision = verifier.decide(verifier.embed([query.image], sizes_mm=[query.size_mm]), [template])[0]
    for name, fingerprint in zip(ids, template.fingerprints, strict=True):
        if _alike(query.fingerprint, fingerprint):
            return replace(decision, outcome=Outcome.REFER, reason=Reason.COPY_OF_REFERENCE, detail=name)
    return decision


def _alike(one: bytes | None, other: bytes | None) -> bool:
    from sigverify.scans.fingerprint import NEAR_COPY, similarity

    return similarity(one or b"", other or b"") >= NEAR_COPY
