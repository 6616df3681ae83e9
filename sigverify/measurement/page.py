"""A benchmark as one page: the table that matters, controls in words, plots, writers, provenance. Nothing is loaded.

Style, plots and pictures are inside the file; a content security policy in it forbids any request. Signatures are
shown only as far as the setting allows for each image's classification.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.batch.export import write_whole
from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput
from sigverify.evaluation.control import ORDER, all_gating_ran
from sigverify.evaluation.result import COMPARISON, BenchmarkResult
from sigverify.evaluation.scoring_trials import largest_up_to
from sigverify.measurement.control_words import control_words
from sigverify.measurement.decisions_table import decision_rows, frozen_rows, headings
from sigverify.measurement.headline import RANDOM_REFERENCES, headline_rows, headlines, name_of, references_of, spreads
from sigverify.measurement.looks import looked_at_training_writers_only
from sigverify.measurement.page_pictures import Gallery, contact_sheet, worst_errors
from sigverify.measurement.page_plots import plots_of
from sigverify.measurement.per_writer import writer_errors
from sigverify.measurement.provenance import provenance
from sigverify.measurement.published import PublishedTable, load_published, published_for
from sigverify.records import Classification, Pictures

if TYPE_CHECKING:
    from sigverify.storage.store import Store

PAGE = "benchmark.html"
TEMPLATE = "page.html.j2"
STYLES = {"valid": "good", "warning": "warn", "unproven": "warn", "invalid": "bad", "refused": "bad"}
SAYS = {
    "valid": "No control objects: what was measured is the hand, as far as these controls can see.",
    "incomplete": "None of the controls that ran objects, but not all ran: what was measured may be something else.",
    "warning": "Nothing invalidates the figures, but read the warnings before quoting them.",
    "invalid": "Do not quote these figures as signature verification: a control shows another explanation for them.",
    "refused": "This is no test: something tested was also learnt from.",
    "comparison only": "The legacy lane keeps paper, pen and canvas as the literature does: shown to compare like with "
    "like, it carries no verdict.",
}


def write_page(
    results: Sequence[BenchmarkResult],
    folder: str | Path,
    baselines: Sequence[tuple[str, BenchmarkResult]] = (),
    published: Sequence[PublishedTable] | None = None,
    *,
    store: Store | None = None,
    preprocessing: PreprocessingSettings | None = None,
    pictures: Pictures = Pictures.SYNTHETIC,
    command: str = "",
) -> Path:
    """Write the page of one system's `results` and return its path.

    They are one result, or as measurement.measuring returns them: over all folds, other seeds, single folds.

    `baselines` are (name, result) on the same data; `published` None shows the rows of the record that fit data and
    protocol, () none. `store` and the system's `preprocessing` let it show signatures, as far as `pictures` allows.
    `folder` may be an .html file. Raises BadInput without a result, or where results are of different protocols.
    """
    _check(results)
    held = [r for r in headlines(results) if r.scored and r.about["seed"] == results[0].about["seed"]]
    numbers = references_of(results)
    k = largest_up_to(numbers, RANDOM_REFERENCES)
    page = _render(
        title=results[0].about["title"],
        verifier=", ".join(dict.fromkeys(str(r.about["verifier_version"]) for r in results)),
        datasets=sorted({d for r in results for d in r.about["datasets"]}),
        lane=str(results[0].about.get("lane") or ""),
        synthetic=_synthetic(results),
        development=any(r.about.get("development") for r in results),
        training_only=all(looked_at_training_writers_only(r) for r in results),
        status=_status(results),
        says=_says(results),
        numbers=numbers,
        k=k,
        rows=headline_rows(results, baselines, published),
        spreads=spreads(results),
        sections=[_section(r) for r in results],
        writers=writer_errors(held, k),
        record=published_for([d for r in results for d in r.about["datasets"]]) if published is None else published,
        caveat=load_published().caveat,
        marks=load_published().marks,
        pictures=pictures.value,
        **_pictures(held, k, store, preprocessing, pictures),
        provenance=provenance(results, command),
    )
    path = Path(folder) if Path(folder).suffix == ".html" else Path(folder) / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page.encode())
    return path


def _check(results: Sequence[BenchmarkResult]) -> None:
    if not results:
        raise BadInput("a page needs at least one result", next="run a benchmark first")
    kinds = {(str(r.about["protocol"]), str(r.about.get("lane") or "")) for r in results}
    if len(kinds) > 1:
        got = ", ".join(" ".join(kind) for kind in sorted(kinds))
        raise BadInput("results of different protocols or lanes do not belong in one table", got=got)


def _status(results: Sequence[BenchmarkResult]) -> str:
    """The worst of the results over all writers; in the legacy lane refused or comparison only."""
    return min((r.status for r in headlines(results)), key=(*ORDER, COMPARISON).index)


def _says(results: Sequence[BenchmarkResult]) -> str:
    """What the status means; that the hand was measured only where every control ran that could have said otherwise."""
    status = _status(results)
    ran = all(all_gating_ran(result.controls) for result in headlines(results))
    return SAYS["valid" if ran else "incomplete"] if status == "valid" else SAYS[status]


def _synthetic(results: Sequence[BenchmarkResult]) -> bool:
    return all(set(r.about["classification"]) == {Classification.SYNTHETIC.value} for r in results)


def _section(result: BenchmarkResult) -> dict[str, Any]:
    return {
        "name": name_of(result),
        "status": result.status,
        "controls": [control_words(c) for c in result.controls],
        "plots": plots_of(result) if result.scored else [],
        "counts": _counts(result),
        "figures": result.figures,
        "decided": decision_rows(result),
        "frozen": frozen_rows(result),
        "notes": result.notes,
    }


def _counts(result: BenchmarkResult) -> list[tuple[str, str]]:
    counts = result.counts
    failures = counts.get("failures_to_acquire", {})
    why = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in failures.items())
    named = [
        ("writers", counts.get("writers")), ("scans", counts.get("signatures")),
        ("distinct genuine", counts.get("distinct_genuine")), ("distinct skilled", counts.get("distinct_skilled")),
        ("exact duplicates left out", counts.get("removed_duplicates")),
    ]  # fmt: skip
    shown = [(name, f"{value:,}") for name, value in named if value is not None]
    return [*shown, ("failures to acquire", why or "0")]


def _pictures(
    results: Sequence[BenchmarkResult],
    k: int,
    store: Store | None,
    preprocessing: PreprocessingSettings | None,
    pictures: Pictures,
) -> dict[str, Any]:
    """Worst errors and a contact sheet, or a sentence why there are none."""
    empty: dict[str, Any] = {"errors": [], "sheet": [], "no_pictures": ""}
    if store is None or pictures is Pictures.NONE:
        return empty | {"no_pictures": "Signatures are not shown: pictures were not asked for."}
    gallery = Gallery(store, preprocessing or PreprocessingSettings(), pictures)
    if not gallery.shown:
        kinds = ", ".join(sorted(gallery.rows["classification"].unique()))
        return empty | {"no_pictures": f"Signatures are not shown: {kinds} images, pictures = {pictures.value}."}
    found = [
        card for r in results if k in r.scored for card in worst_errors(gallery, r, k, 4 if len(results) < 3 else 1)
    ]
    writers = sorted({str(w) for r in results for t in r.scored.values() for w in t.writer_id})
    return empty | {"errors": found, "sheet": contact_sheet(gallery, writers)}


def _render(**values: Any) -> str:
    import jinja2

    template = (importlib.resources.files("sigverify.measurement") / TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.filters["headings"] = headings
    environment.filters["style"] = lambda status: STYLES.get(str(status).replace(" ", "_"), "plain")
    return environment.from_string(template).render(**values)
