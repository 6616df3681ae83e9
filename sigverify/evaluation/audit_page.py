"""An audit as one page: findings, probes, sizes, repeats, kinds of scan. Nothing else is loaded, no signature shown."""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Any

from sigverify.evaluation.audit_plots import probes_svg, sizes_svg
from sigverify.evaluation.audit_text import in_words, titled
from sigverify.evaluation.data_probes import CLEAN, QUESTIONS, RAW

if TYPE_CHECKING:
    from sigverify.evaluation.audit import Audit

TEMPLATE = "audit.html.j2"


def as_page(audit: Audit) -> str:
    """The page as HTML text; everything that came from outside is escaped."""
    import jinja2

    source = importlib.resources.files("sigverify.evaluation").joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(source).render(
        audit=audit,
        probes=_probes(audit),
        probes_svg=probes_svg(audit),
        sizes_svg=sizes_svg(audit),
        kinds=_kinds(audit),
        repeats=_repeats(audit),
    )


def _probes(audit: Audit) -> list[dict[str, str]]:
    held = {(a.question.name, a.side): a for a in audit.answers}
    rows = []
    for question in QUESTIONS:
        raw, clean = held.get((question.name, RAW)), held.get((question.name, CLEAN))
        if raw is None and clean is None:
            continue
        best = raw.best.replace("_", " ") if raw is not None else ""
        single = f"{best} ({100 * raw.single[raw.best]:.1f})" if raw is not None and raw.single else "-"
        rows.append({"title": titled(raw or clean), "raw": in_words(raw), "clean": in_words(clean), "best": single})
    return rows


def _kinds(audit: Audit) -> list[tuple[str, str, str]]:
    names = {"format": "file format", "mode": "colour mode", "tone": "tones", "dpi": "dpi stated"}
    rows = []
    for kind, name in names.items():
        sides = [", ".join(f"{v} {n[side]:,}" for v, n in audit.kinds[kind].items() if n[side]) for side in (0, 1)]
        rows.append((name, *sides))
    sizes: dict[str, Any] = audit.kinds["sizes"]
    for key, name in (("width_px", "width, px"), ("height_px", "height, px"), ("grey_levels", "grey levels")):
        genuine, forged = (" / ".join(f"{v:,.0f}" for v in sizes[side][key]) for side in ("genuine", "skilled_forgery"))
        rows.append((f"{name} (10 / 50 / 90 % of scans)", genuine, forged))
    return [(a, b, c) for a, b, c in rows]


def _repeats(audit: Audit) -> list[tuple[str, str]]:
    found = audit.repeats
    left = ", ".join(f"{n}: {writers}" for n, writers in found.genuine_left.items())
    return [
        ("files", f"{found.images:,}"),
        ("exact repeats (genuine / forged)", f"{found.exact_genuine:,} / {found.exact_forged:,}"),
        ("exact repeats across label / across writer", f"{found.exact_across_label} / {found.exact_across_writer}"),
        ("nearly the same ink, pairs (of them across label)", f"{found.near:,} ({found.near_across_label})"),
        ("distinct genuine signatures: writers that have so many", left),
    ]
