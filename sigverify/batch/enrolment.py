"""Enrolment: references become templates, one for each writer, in the gallery of the verifier's encoder.

Only writers whose references changed are prepared and embedded again; a reference that yields no signature is named
with its reason and the next one takes its place; a writer whose references are gone loses the template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sigverify.batch.references import add_references
from sigverify.errors import NotFound
from sigverify.records import Label, Preparation, Template
from sigverify.storage.gallery import find_gallery, load_templates, save_templates
from sigverify.storage.store import Store
from sigverify.storage.writers import withdraw_templates
from sigverify.verification import odd_reference

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.verifier import Verifier

__all__ = ["EnrolSummary", "add_references", "enrol"]

Progress = Callable[[int, int], None]
WRITERS_AT_ONCE = 200  # prepared, embedded and committed together


@dataclass(frozen=True)
class EnrolSummary:
    """What enrolment did. `failed` maps reference id -> reason, `without_references` lists writers no query can be
    held against; `odd` names references that hardly resemble the other references of their writer: filed under
    a wrong name, or signed by somebody else."""

    gallery_id: str
    verifier_version: str
    n_enrolled: int  # made or made anew
    n_unchanged: int
    n_references: int  # in the templates made now
    n_withdrawn: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    without_references: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()

    def text(self) -> str:
        """A few words for a person."""
        parts = [f"gallery {self.gallery_id}: {self.n_enrolled} writers enrolled with {self.n_references} references"]
        parts.append(f"{self.n_unchanged} unchanged")
        parts += [f"{self.n_withdrawn} withdrawn"] if self.n_withdrawn else []
        parts += [f"{len(self.without_references)} without a usable reference"] if self.without_references else []
        lines = [f"not used: {name} ({why})" for name, why in self.failed.items()]
        lines += [f"look at: {name} (hardly resembles the writer's other references)" for name in self.odd]
        return "\n".join([", ".join(parts), *lines])


def enrol(
    store: Store,
    verifier: Verifier,
    writer_ids: Sequence[str] | None = None,
    max_references: int = 10,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> EnrolSummary:
    """Templates for the named writers (None: all) from their first `max_references` usable references, by id.

    A reference is a signature marked is_reference, genuine, not an exact duplicate of another. Committed in groups of
    200 writers: an interrupted enrolment goes on where it stopped. `on_progress(done, of)` counts writers.

    Raises NotFound when nobody has a usable reference, or a named writer is not in the catalogue.
    """
    frame = store.signatures(writer_ids=writer_ids)
    _refuse_unknown(frame, writer_ids)
    candidates = _candidates(frame)
    work = _Enrolling(store, verifier, max_references, workers)
    wanted = sorted(candidates)
    for start in range(0, len(wanted), WRITERS_AT_ONCE):
        group = wanted[start : start + WRITERS_AT_ONCE]
        work.enrol({writer: candidates[writer] for writer in group})
        if on_progress is not None:
            on_progress(start + len(group), len(wanted))
    bare = set(frame.writer_id) - set(candidates) | work.bare
    return work.finish(sorted(bare))


class _Enrolling:
    """One enrolment in progress: what was made, what failed."""

    def __init__(self, store: Store, verifier: Verifier, max_references: int, workers: int) -> None:
        self.store, self.verifier = store, verifier
        self.max_references, self.workers = max_references, workers
        self.n_enrolled = self.n_unchanged = self.n_references = 0
        self.failed: dict[str, str] = {}
        self.bare: set[str] = set()
        self.odd: list[str] = []

    def enrol(self, candidates: Mapping[str, list[dict[str, Any]]]) -> None:
        """Prepare what is not in a template yet, make the templates that changed, commit them."""
        held = {w: t for w, t in self._held(list(candidates)).items() if _still_stands(t, candidates[w])}
        new = [r for w, rows in candidates.items() for r in rows if w not in held or not _holds(held[w], r)]
        prepared = self._prepare(new)
        chosen = {w: self._choose(rows, held.get(w), prepared) for w, rows in candidates.items()}
        changed = {w: rows for w, rows in chosen.items() if rows and not _is(held.get(w), rows)}
        prepared |= self._prepare([r for rows in changed.values() for r in rows if r["signature_id"] not in prepared])
        made = self._templates(changed, prepared)
        if made:
            save_templates(self.store, made, self.verifier.version)
        standing = [held[w] for w, rows in chosen.items() if rows and w not in changed]
        self.odd += [
            name for template in (*made, *standing) if (name := odd_reference(self.verifier, template)) is not None
        ]
        self.n_enrolled += len(made)
        self.n_references += sum(len(t.reference_ids) for t in made)
        self.n_unchanged += len(standing)
        self.bare |= {w for w, rows in chosen.items() if not rows}

    def finish(self, bare: list[str]) -> EnrolSummary:
        version, encoder = self.verifier.version, self.verifier.encoder_id
        try:
            gallery_id = find_gallery(self.store, encoder, version)
        except NotFound as error:
            raise NotFound(
                "no writer has a usable reference",
                got=f"{len(bare)} writers without one, {len(self.failed)} references that failed",
                next="add references first (a folder with a manifest.csv of path, writer_id, label)",
            ) from error
        withdrawn = withdraw_templates(self.store, gallery_id, bare)
        return EnrolSummary(
            gallery_id, version, self.n_enrolled, self.n_unchanged, self.n_references, withdrawn,
            dict(sorted(self.failed.items())), tuple(bare), tuple(sorted(self.odd)),
        )  # fmt: skip

    def _held(self, writers: list[str]) -> dict[str, Template]:
        try:
            gallery_id = find_gallery(self.store, self.verifier.encoder_id, self.verifier.version)
        except NotFound:
            return {}
        return load_templates(self.store, gallery_id, writers, self.verifier.encoder_id)

    def _prepare(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Preparation]:
        scans = [self.store.read_image(row["image_url"]) for row in rows]
        made = self.verifier.prepare_many(scans, workers=self.workers)
        made = [p.at(row["dpi"]) for p, row in zip(made, rows, strict=True)]
        ids = [str(row["signature_id"]) for row in rows]
        self.failed |= {i: str(p.failure) for i, p in zip(ids, made, strict=True) if p.image is None}
        return dict(zip(ids, made, strict=True))

    def _choose(
        self, rows: list[dict[str, Any]], held: Template | None, prepared: Mapping[str, Preparation]
    ) -> list[dict[str, Any]]:
        """The first `max_references` rows that yield a signature."""
        usable = [
            r
            for r in rows
            if (held is not None and _holds(held, r))
            or ((p := prepared.get(r["signature_id"])) is not None and p.image is not None)
        ]
        return usable[: self.max_references]

    def _templates(
        self, chosen: Mapping[str, list[dict[str, Any]]], prepared: Mapping[str, Preparation]
    ) -> list[Template]:
        """Templates of several writers, embedded together."""
        asked = [
            (writer, [str(r["signature_id"]) for r in rows], [str(r["digest"]) for r in rows])
            for writer, rows in chosen.items()
        ]
        return self.verifier.enrol_many(
            [(writer, ids, [prepared[i] for i in ids], digests) for writer, ids, digests in asked]
        )


def _candidates(frame: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """References by writer, ordered by signature id."""
    chosen = frame[frame.is_reference & (frame.label == Label.GENUINE.value) & frame.duplicate_of.isna()]
    kept = chosen[["signature_id", "writer_id", "image_url", "digest", "dpi"]]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in kept.sort_values("signature_id").to_dict("records"):
        found.setdefault(str(row["writer_id"]), []).append({str(k): v for k, v in row.items()})
    return found


def _refuse_unknown(frame: pd.DataFrame, writer_ids: Sequence[str] | None) -> None:
    missing = sorted(set(writer_ids or ()) - set(frame.writer_id))
    if missing:
        some = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise NotFound(f"{len(missing)} writers are not in the catalogue", got=some, next="add their references first")


def _still_stands(template: Template, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every reference of the template is a candidate still, with the same bytes."""
    now = {(r["signature_id"], r["digest"]) for r in rows}
    return all(pair in now for pair in zip(template.reference_ids, template.digests, strict=False))


def _holds(template: Template, row: Mapping[str, Any]) -> bool:
    return row["signature_id"] in template.reference_ids


def _is(template: Template | None, rows: Sequence[Mapping[str, Any]]) -> bool:
    return template is not None and list(template.reference_ids) == [r["signature_id"] for r in rows]
