"""Commands of a day's work: ingest, enrol, verify, verify-one."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sigverify.cli.console import (
    CatalogueOption,
    JsonOption,
    TrackingOption,
    VerifierOption,
    WorkersOption,
    emit,
    progress,
)
from sigverify.errors import BadInput, NotFound
from sigverify.records import Classification, Outcome, Pictures

if TYPE_CHECKING:
    from sigverify.records import Verification
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

NOT_ACCEPTED = 10


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    for name, command in (("ingest", ingest), ("enrol", enrol), ("verify", verify), ("verify-one", verify_one)):
        app.command(name)(command)


def ingest(
    landing: Annotated[Path, typer.Argument(help="Folder with manifest.csv (last row the trailer) and the scans.")],
    catalogue: CatalogueOption,
    batch: Annotated[str | None, typer.Option(help="Batch id; default: from folder name and manifest digest.")] = None,
    business_date: Annotated[str | None, typer.Option(help="YYYY-MM-DD; default: today.")] = None,
    classification: Annotated[Classification, typer.Option(help="How they may be shown.")] = Classification.BIOMETRIC,
    as_json: JsonOption = False,
) -> None:
    """Take a landing folder's scans in: every row checked, bad rows to quarantine, the rest opened as a batch.

    Example: sigverify ingest landing/2026-11-20 --catalogue bank
    """
    from sigverify.batch.landing import ingest_batch
    from sigverify.storage.store import Store

    store = Store.open(catalogue, create=True)
    day = dt.date.fromisoformat(business_date) if business_date else dt.date.today()
    with progress("ingest") as say:
        summary = ingest_batch(
            store,
            landing,
            batch_id=batch,
            business_date=day,
            classification=classification,
            on_progress=lambda done, total: say("rows", done / max(total, 1)),
        )
    emit(summary, as_json, summary.text())


def enrol(
    catalogue: CatalogueOption,
    references: Annotated[Path | None, typer.Option(help="Folder with a manifest.csv of references to add.")] = None,
    writers: Annotated[list[str] | None, typer.Option("--writer", help="Only this writer; may be repeated.")] = None,
    withdraw: Annotated[
        list[str] | None, typer.Option(help="Signature id that is no reference any more; may be repeated.")
    ] = None,
    max_references: Annotated[int, typer.Option(help="References kept in a template.", min=1, max=10)] = 10,
    verifier: VerifierOption = "default",
    tracking: TrackingOption = None,
    classification: Annotated[Classification, typer.Option(help="Of the references added.")] = Classification.BIOMETRIC,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Make templates from the catalogue's references, for one verifier's encoder.

    "look at" names references that hardly resemble their writer's others. A person compares them; --withdraw takes a
    wrong one out (until it is delivered among references again).

    Example: sigverify enrol --catalogue bank --references references/
    """
    from sigverify.batch.enrolment import add_references
    from sigverify.batch.enrolment import enrol as run
    from sigverify.registry import open_verifier
    from sigverify.storage.store import Store

    store = Store.open(catalogue, create=references is not None)
    if references is not None:
        add_references(store, references, classification)
    if withdraw:
        store.mark_references(withdraw, is_reference=False)
    with progress("enrol") as say:
        summary = run(
            store,
            open_verifier(verifier, tracking),
            writer_ids=writers,
            max_references=max_references,
            workers=workers,
            on_progress=lambda done, total: say("references", done / max(total, 1)),
        )
    emit(summary, as_json, summary.text())


def verify(
    catalogue: CatalogueOption,
    batch: Annotated[str | None, typer.Option(help="Batch id; default: every open batch.")] = None,
    out: Annotated[Path | None, typer.Option(help="Exports and reports; default: CATALOGUE/exports.")] = None,
    verifier: VerifierOption = "default",
    tracking: TrackingOption = None,
    pictures: Annotated[Pictures, typer.Option(help="Whose signatures the report may show.")] = Pictures.SYNTHETIC,
    allow_unreconciled: Annotated[bool, typer.Option(help="Export although totals do not add up.")] = False,
    shard_size: Annotated[int, typer.Option(help="Items decided in one transaction.", min=1)] = 1000,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Decide open batches exactly once, export the decisions, write the report. Safe to repeat and to interrupt.

    Example: sigverify verify --catalogue bank --out decisions/
    """
    from sigverify.batch.decisions import verify_batch
    from sigverify.registry import open_verifier
    from sigverify.storage import ledger
    from sigverify.storage.store import Store

    store = Store.open(catalogue)
    found = [batch] if batch else ledger.open_batches(store)
    if not found and not as_json:
        print("no open batch: nothing to decide")
    chosen = open_verifier(verifier, tracking)
    results, texts = [], []
    for batch_id in found:
        with progress(f"verify {batch_id}") as say:
            done = verify_batch(
                store,
                chosen,
                batch_id,
                shard_size=shard_size,
                workers=workers,
                on_progress=lambda n, m: say("items", n / max(m, 1)),
            )
        results.append(_deliver(store, chosen, batch_id, out or catalogue / "exports", pictures, allow_unreconciled))
        texts.append(f"{done.line()}\nreport: {results[-1]['report']}")
    emit(results, as_json, "\n\n".join(texts))


def _deliver(
    store: Store, verifier: Verifier, batch_id: str, out: Path, pictures: Pictures, allow_unreconciled: bool
) -> dict[str, Any]:
    from sigverify.batch.export import export_batch
    from sigverify.batch.report import write_batch_report
    from sigverify.storage import ledger

    report = write_batch_report(store, verifier, batch_id, out / batch_id, pictures=pictures)
    export_batch(store, batch_id, out / batch_id, allow_unreconciled=allow_unreconciled)
    line = ledger.reconcile(store, batch_id).line()
    return {"batch_id": batch_id, "reconciliation": line, "report": report, "folder": out / batch_id}


def verify_one(
    query: Annotated[Path, typer.Argument(help="The questioned signature.")],
    references: Annotated[
        list[Path], typer.Option("--references", "-r", help="1-10 reference scans; more may follow.")
    ],
    more: Annotated[list[Path] | None, typer.Argument(help="Further references.")] = None,
    verifier: VerifierOption = "default",
    tracking: TrackingOption = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write a picture of what speaks for and against (PNG, SVG or PDF).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare one query with 1-10 references. Exit code 0 accept, 10 anything else.

    Example: sigverify verify-one query.png --references a.png b.png c.png --picture why.png
    """
    from sigverify.explanation import save_picture
    from sigverify.registry import open_verifier
    from sigverify.verification import verify_one as compare

    scans = [*references, *(more or [])]
    missing = [p.name for p in (query, *scans) if not p.is_file()]
    if missing:
        raise NotFound("no such scan", got=", ".join(missing), next="check the paths")
    if picture is not None and picture.resolve() in {p.resolve() for p in (query, *scans)}:
        raise BadInput("the picture would be written over a scan", got=picture.name, next="name another file")
    chosen = open_verifier(verifier, tracking)
    answer = compare(chosen, query, scans)
    if picture is not None and answer.query.image is not None:
        save_picture(chosen, answer, picture)
    elif picture is not None:
        picture.unlink(missing_ok=True)  # one from before would show another query
        print("no picture: the query yields no signature to show", file=sys.stderr)
    emit(_as_json(answer), as_json, _as_text(answer, chosen.settings.terms))
    raise typer.Exit(0 if answer.decision.outcome is Outcome.ACCEPT else NOT_ACCEPTED)


def _as_json(answer: Verification) -> dict[str, Any]:
    d = answer.decision
    return {
        "outcome": d.outcome,
        "reason": d.reason,
        "detail": d.detail,
        "score": d.score,
        "accept_threshold": d.accept_threshold,
        "reject_threshold": d.reject_threshold,
        "probability": answer.probability,
        "if_forged": answer.if_forged,
        "reference_scores": d.reference_scores,
        "references": [{"used": p.image is not None, "failure": p.failure} for p in answer.references],
        "n_references": d.n_references,
        "odd_reference": answer.odd_reference,
        "size_ratio": answer.size_ratio,
        "verifier_version": answer.verifier_version,
        "provisional": answer.provisional,
    }


def _as_text(answer: Verification, terms: str) -> str:
    from sigverify.explanation import told_apart

    d = answer.decision
    lines = [f"{d.outcome.value}: {d.reason.value}{f' ({d.detail})' if d.detail else ''}"]
    if d.score is not None:
        each = ", ".join(f"{s:.3f}" for s in d.reference_scores)
        score, accept, reject = told_apart(d.score, d.accept_threshold, d.reject_threshold)
        lines.append(f"score {score}; accept at {accept}, reject below {reject}")
        lines.append(f"similarity with each reference: {each}")
    if answer.probability is not None:
        lines.append(
            f"calibrated probability of genuine {answer.probability:.3f}, "
            "were genuine signatures and skilled forgeries equally frequent"
        )
    if answer.if_forged is not None:
        lines.append(f"were it forged, it would rather be a {answer.if_forged.value.replace('_', ' ')}")
    if answer.size_ratio is not None:
        wide, high = answer.size_ratio
        counted = "counted in the score" if answer.size_share else "not counted"
        lines.append(f"on paper {wide:.2f} times as wide and {high:.2f} times as high as the references ({counted})")
    lines += [f"reference {i + 1} not used: {p.failure}" for i, p in enumerate(answer.references) if p.failure]
    if answer.odd_reference is not None:
        lines.append(f"look at reference {answer.odd_reference}: it hardly resembles the others, is it this writer's?")
    mark = " (operating point provisional: run `sigverify calibrate`)" if answer.provisional else ""
    if terms.startswith("research use"):
        mark += f"; {terms}"
    return "\n".join([*lines, f"verifier {answer.verifier_version}{mark}"])
