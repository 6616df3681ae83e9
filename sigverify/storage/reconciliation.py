"""Reconciliation: received = accepted + referred + rejected + failed to acquire + quarantined + duplicates.

In count and in amount for each currency, and against what the trailer declared. The left side was noted when the batch
was admitted, the right side is read from quarantine, re-deliveries and decisions: a lost or altered row shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sigverify.records import Outcome
from sigverify.storage.batches import undecided_items
from sigverify.storage.rows import Batch, read_batch
from sigverify.storage.store import Store
from sigverify.storage.tables import decisions, items, quarantine, redeliveries

# ISO 4217 currencies whose minor unit is not a hundredth
NO_DECIMALS = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
)  # fmt: skip
THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
DECIMALS = dict.fromkeys(NO_DECIMALS, 0) | dict.fromkeys(THREE_DECIMALS, 3) | {"CLF": 4, "UYW": 4}

PART = 1_000_000_000  # amounts are summed in two parts, in and above thousands of millions


@dataclass(frozen=True)
class Totals:
    """Rows of one kind: how many, their amount in minor units by currency, how many without a readable amount."""

    count: int = 0
    minor: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0

    def __add__(self, other: Totals) -> Totals:
        sums = {c: self.minor.get(c, 0) + other.minor.get(c, 0) for c in sorted({*self.minor, *other.minor})}
        return Totals(self.count + other.count, sums, self.unreadable + other.unreadable)

    def text(self) -> str:
        """``12 (1,234.50 EUR + 3 unreadable)``."""
        parts = [money(minor, currency) for currency, minor in sorted(self.minor.items())]
        parts += [f"{self.unreadable} unreadable"] if self.unreadable else []
        return f"{self.count}" + (f" ({' + '.join(parts)})" if parts else "")


@dataclass(frozen=True)
class Reconciliation:
    """Where every row of a batch went. `problems` is empty exactly when everything adds up."""

    batch_id: str
    received: Totals
    accepted: Totals
    referred: Totals
    rejected: Totals
    failed_to_acquire: Totals
    quarantined: Totals
    duplicates: Totals
    undecided: Totals
    declared_count: int | None
    declared_minor: int | None
    declared_currency: str | None
    problems: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        return not self.problems

    @property
    def unreadable(self) -> int:
        """Rows without a readable amount: the residual."""
        return self.received.unreadable

    def line(self) -> str:
        """One line for logs and people, in count and amount."""
        named = {
            "accepted": self.accepted, "referred": self.referred, "rejected": self.rejected,
            "failed to acquire": self.failed_to_acquire, "quarantined": self.quarantined, "duplicates": self.duplicates,
        }  # fmt: skip
        if self.undecided.count:
            named["undecided"] = self.undecided
        right = " + ".join(f"{name} {totals.text()}" for name, totals in named.items())
        verdict = "reconciled" if self.balanced else f"unreconciled: {'; '.join(self.problems)}"
        return f"received {self.received.text()} = {right}: {verdict}"


def reconcile(store: Store, batch_id: str) -> Reconciliation:
    """Add a batch up. Raises NotFound for an unknown one; a batch that does not add up is an answer, not an error."""
    with store.database.read() as connection:
        batch = read_batch(connection, batch_id)
        outcomes = _by_outcome(connection, batch)
        quarantined = _sum(connection, quarantine, quarantine.c.batch_id == batch_id)
        duplicates = _sum(connection, redeliveries, redeliveries.c.batch_id == batch_id)
        undecided = _sum(connection, items, items.c.item_id.in_(undecided_items(batch).order_by(None)))
    received = Totals(batch.received_count, dict(sorted(batch.received_minor.items())), batch.received_unreadable)
    found = (*outcomes, quarantined, duplicates, undecided)
    problems = (*_differences(received, found), *_trailer_problems(batch, received), *_open_ends(received, undecided))
    declared = (batch.declared_count, batch.declared_minor, batch.currency)
    return Reconciliation(batch_id, received, *found, *declared, problems)


def _by_outcome(connection: sa.Connection, batch: Batch) -> tuple[Totals, Totals, Totals, Totals]:
    ours = sa.and_(
        decisions.c.batch_id == batch.batch_id,
        decisions.c.verifier_version == batch.verifier_version,
        decisions.c.policy_version == batch.policy_version,
    )
    order = (Outcome.ACCEPT, Outcome.REFER, Outcome.REJECT, Outcome.FAILURE_TO_ACQUIRE)
    accepted, referred, rejected, failed = (
        _sum(connection, decisions, sa.and_(ours, decisions.c.outcome == outcome.value)) for outcome in order
    )
    return accepted, referred, rejected, failed


def _sum(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> Totals:
    readable = sa.and_(table.c.amount_minor.is_not(None), table.c.currency.is_not(None), table.c.currency != "")
    currency = sa.case((readable, table.c.currency), else_=None).label("readable_currency")
    whole = sa.case((readable, table.c.amount_minor), else_=0)
    parts = (sa.func.sum(whole // PART), sa.func.sum(whole % PART))  # no sum of 64-bit amounts fits 64 bits for sure
    groups = sa.select(currency, sa.func.count(), *parts).where(where).group_by(currency)
    return _totals(connection.execute(groups).all())


def _totals(groups: Iterable[sa.Row[Any]]) -> Totals:
    total = Totals()
    for currency, count, high, low in groups:
        amount = int(high) * PART + int(low)
        total += Totals(count, {}, count) if currency is None else Totals(count, {currency: amount})
    return total


def _differences(received: Totals, found: Iterable[Totals]) -> list[str]:
    right = sum(found, Totals())
    problems = []
    if right.count != received.count:
        problems.append(f"{received.count} rows received, {right.count} accounted for")
    for currency in sorted({*received.minor, *right.minor}):
        left, have = received.minor.get(currency, 0), right.minor.get(currency, 0)
        if left != have:
            problems.append(f"{money(left, currency)} received, {money(have, currency)} accounted for")
    return problems


def _trailer_problems(batch: Batch, received: Totals) -> list[str]:
    problems = list(batch.trailer_problems)
    if batch.declared_count is None:
        problems += [] if batch.trailer_problems else ["the trailer declares no count"]
    elif batch.declared_count != received.count:
        problems.append(f"the trailer declares {batch.declared_count} rows, received {received.count}")
    if batch.declared_minor is None:
        problems += [] if batch.trailer_problems else ["the trailer declares no amount"]
        return problems
    if batch.currency is None:  # a hash total: one number over all currencies
        total = sum(received.minor.values())
        if batch.declared_minor != total:
            problems.append(f"the trailer declares a total of {batch.declared_minor} minor units, received {total}")
        return problems
    have = received.minor.get(batch.currency, 0)
    if batch.declared_minor != have:
        declared = money(batch.declared_minor, batch.currency)
        problems.append(f"the trailer declares {declared}, received {money(have, batch.currency)}")
    others = sorted(set(received.minor) - {batch.currency})
    return problems + ([f"the trailer declares nothing for {', '.join(others)}"] if others else [])


def _open_ends(received: Totals, undecided: Totals) -> list[str]:
    problems = [f"{received.unreadable} rows without a readable amount"] if received.unreadable else []
    return problems + ([f"{undecided.count} items undecided"] if undecided.count else [])


def money(minor: int, currency: str) -> str:
    """Minor units as people write them: ``1,234.50 EUR``, ``500 JPY``."""
    decimals = DECIMALS.get(currency, 2)
    sign, digits = "-" if minor < 0 else "", str(abs(minor)).rjust(decimals + 1, "0")
    whole, cents = (digits[:-decimals], f".{digits[-decimals:]}") if decimals else (digits, "")
    return f"{sign}{int(whole):,}{cents} {currency}"
