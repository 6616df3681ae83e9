"""A batch as one page: outcomes, reconciliation, scores, and each item beside its references. Nothing else is loaded.

Style, drawings and pictures are inside the file; a content security policy in it forbids any request. Everything that
came from outside is escaped. Pictures follow the setting and each image's classification.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.batch.collector import collector_paused
from sigverify.batch.export import write_whole
from sigverify.batch.pictures import Album
from sigverify.batch.report_items import cards
from sigverify.batch.score_plot import Histogram, histogram
from sigverify.batch.truth import outcomes_by_kind
from sigverify.errors import Mismatch
from sigverify.records import Outcome, Pictures
from sigverify.storage import ledger
from sigverify.storage.ledger import Reconciliation
from sigverify.storage.reconciliation import money
from sigverify.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.verifier import Verifier

PAGE = "report.html"
TEMPLATE = "report.html.j2"
MAX_CARDS = 60
OF_EACH_REASON = 3  # cards that every reason gets before the commonest fill the page
ORDER = (Outcome.REFER, Outcome.REJECT, Outcome.FAILURE_TO_ACQUIRE, Outcome.ACCEPT)


@collector_paused()
def write_batch_report(
    store: Store,
    verifier: Verifier,
    batch_id: str,
    out: str | Path,
    pictures: Pictures = Pictures.SYNTHETIC,
    truth: str | Path | None = None,
    max_cards: int = MAX_CARDS,
) -> Path:
    """Write the page of a batch and return its path; `out` is a folder (then ``report.html`` in it) or an .html file.

    Shows at most `max_cards` items, refers and rejects first, and says how many are left out. `truth` is a CSV of
    item_id and kind: error rates are then shown, marked synthetic. Raises NotFound for an unknown batch, Mismatch when
    `verifier` is not the one that decided it.
    """
    batch = ledger.find_batch(store, batch_id)
    if batch.verifier_version not in (None, verifier.version):
        raise Mismatch(
            f"batch {batch_id} was decided by another verifier", got=verifier.version, expected=batch.verifier_version
        )
    decisions = ledger.decisions_of(store, batch_id)
    totals = ledger.reconcile(store, batch_id)
    plot = _plot(decisions)
    album = Album(store, pictures, verifier.settings.preprocessing)
    shown = _shown(decisions, max_cards)
    known = dict(zip(decisions.item_id, decisions.outcome, strict=True))
    page = _render(
        batch=batch,
        point=verifier.settings.operating_point,
        totals=totals,
        tiles=_tiles(totals),
        outcomes=_by_reason(decisions),
        plot=plot if len(decisions.score.dropna()) else None,
        n_scored=int(decisions.score.notna().sum()),
        cards=cards(store, batch, shown, album, plot.axis),
        left_out=_left_out(decisions, shown),
        quarantined=_quarantined(store, batch_id),
        kinds=outcomes_by_kind(Path(truth), known) if truth is not None else [],
        pictures=pictures,
        classification=batch.classification,
    )
    path = Path(out) if Path(out).suffix == ".html" else Path(out) / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page.encode())
    return path


def _render(**values: Any) -> str:
    import jinja2

    template = (importlib.resources.files("sigverify.batch") / TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.filters["money"] = _amount
    environment.filters["after"] = lambda text, start: str(text).removeprefix(str(start))
    return environment.from_string(template).render(columns=[o.value for o in Outcome], **values)


def _amount(minor: dict[str, int], unreadable: int = 0) -> str:
    parts = [money(total, currency) for currency, total in sorted(minor.items())]
    return " + ".join(parts + ([f"{unreadable} unreadable"] if unreadable else [])) or "-"


def _plot(decisions: pd.DataFrame) -> Histogram:
    scored = decisions[decisions.score.notna()]
    return histogram(
        scored.score.tolist(),
        scored.outcome.tolist(),
        scored.accept_threshold.tolist(),
        scored.reject_threshold.tolist(),
    )


def _tiles(totals: Reconciliation) -> list[tuple[str, str, ledger.Totals]]:
    """(name, style, totals) of the terms on the right of the reconciliation, in its order."""
    named = [
        ("accepted", "accept", totals.accepted),
        ("referred", "refer", totals.referred),
        ("rejected", "reject", totals.rejected),
        ("failed to acquire", "failure_to_acquire", totals.failed_to_acquire),
        ("quarantined", "plain", totals.quarantined),
        ("duplicates", "plain", totals.duplicates),
    ]
    return named + ([("undecided", "plain", totals.undecided)] if totals.undecided.count else [])


def _by_reason(decisions: pd.DataFrame) -> list[dict[str, Any]]:
    """Outcome, reason, count, amounts by currency; in the order accept last."""
    found = []
    for outcome in ORDER:
        of_outcome = decisions[decisions.outcome == outcome.value]
        for reason, rows in of_outcome.groupby("reason", sort=True):
            readable = rows[rows.amount_minor.notna() & rows.currency.notna()]
            sums = {str(c): int(v) for c, v in readable.groupby("currency").amount_minor.sum().items()}
            found.append(
                {
                    "outcome": outcome.value,
                    "reason": str(reason),
                    "count": len(rows),
                    "minor": sums,
                    "unreadable": len(rows) - len(readable),
                }
            )
    return found


def _shown(decisions: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` decisions: some of every reason, then refers, rejects, failures to acquire, acceptances.

    Ordered by outcome; within one, what was not decided by score first, then as in the manifest.
    """
    keys = decisions[["outcome", "reason"]].copy()
    keys["rank"] = keys.outcome.map({o.value: n for n, o in enumerate(ORDER)})
    keys["common"] = keys.groupby(["outcome", "reason"]).cumcount() >= OF_EACH_REASON
    keys["by_score"] = keys.reason.str.startswith("score_")
    chosen = keys.sort_values(["common", "rank"], kind="stable").head(most)
    return decisions.loc[chosen.sort_index().sort_values(["rank", "by_score"], kind="stable").index]


def _left_out(decisions: pd.DataFrame, shown: pd.DataFrame) -> list[tuple[str, int]]:
    left = decisions.outcome.value_counts().sub(shown.outcome.value_counts(), fill_value=0)
    return [(o.value, int(left.get(o.value, 0))) for o in ORDER if left.get(o.value, 0)]


def _quarantined(store: Store, batch_id: str) -> list[dict[str, Any]]:
    """Rows that were not admitted, each with its amount in words."""
    frame = ledger.quarantined_of(store, batch_id)
    readable = frame.amount_minor.notna() & frame.currency.notna()
    amounts = [
        money(int(amount), str(currency)) if fine else "unreadable"
        for amount, currency, fine in zip(frame.amount_minor, frame.currency, readable, strict=True)
    ]
    rows = frame[["row_number", "item_id", "reasons"]].to_dict("records")
    return [{str(k): v for k, v in row.items()} | {"amount": a} for row, a in zip(rows, amounts, strict=True)]
