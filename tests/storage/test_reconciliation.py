"""Whatever becomes of a batch's rows, both sides add up; and whatever is lost or altered afterwards, shows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigverify.records import Outcome
from sigverify.storage import ledger
from sigverify.storage.store import Store
from sigverify.storage.tables import decisions, items, quarantine
from tests.storage.builders import admitted, begin, decision, frozen, item, record, refused

AMOUNTS = st.tuples(st.none() | st.integers(0, 10**15), st.sampled_from(["EUR", "JPY", "KWD", None]))
FATES = st.sampled_from([*Outcome, "quarantined", "again", "undecided"])
NAMES = {
    Outcome.ACCEPT: "accepted", Outcome.REFER: "referred", Outcome.REJECT: "rejected",
    Outcome.FAILURE_TO_ACQUIRE: "failed_to_acquire", "quarantined": "quarantined", "again": "duplicates",
    "undecided": "undecided",
}  # fmt: skip


def totals(rows: list[tuple[int | None, str | None]]) -> ledger.Totals:
    sums: Counter[str] = Counter()
    readable = [(amount, currency) for amount, currency in rows if amount is not None and currency]
    for amount, currency in readable:
        sums[currency] += amount
    return ledger.Totals(len(rows), dict(sums), len(rows) - len(readable))


def a_day(store: Store, batch_id: str, rows: list[tuple[Any, tuple[int | None, str | None]]], **trailer: Any) -> None:
    """A batch whose row n meets the fate rows[n]; 'again' repeats an item delivered the day before."""
    place = {n: f"{batch_id}-{n}" for n in range(len(rows))}
    built = [
        ledger.Item(place[n], n + 1, "w", "", f"{n}", amount, currency)
        for n, (_, (amount, currency)) in enumerate(rows)
    ]
    admitted(store, f"day before {batch_id}", [built[n] for n, (fate, _) in enumerate(rows) if fate == "again"])
    begin(store, batch_id, len(rows), **trailer)
    out = [refused(n + 1, *money) for n, (fate, money) in enumerate(rows) if fate == "quarantined"]
    ledger.admit_items(store, batch_id, [b for b, (f, _) in zip(built, rows, strict=True) if f != "quarantined"], out)
    frozen(store, batch_id)
    waiting = ledger.undecided(store, batch_id)
    for outcome in Outcome:
        record(store, batch_id, [w for w in waiting if rows[w.row_number - 1][0] == outcome], outcome)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FATES, AMOUNTS), max_size=12))
def test_every_mixture_is_told_apart_and_adds_up(store, rows):
    batch_id = f"b{len(ledger.list_batches(store))}"  # the store outlives an example
    whole = totals([money for _, money in rows])
    declared = {"declared_count": len(rows), "declared_minor": sum(whole.minor.values())}
    a_day(store, batch_id, rows, **declared)
    found = ledger.reconcile(store, batch_id)
    for fate, name in NAMES.items():
        assert getattr(found, name) == totals([money for f, money in rows if f == fate]), name
    assert found.received == whole
    assert sum((getattr(found, name) for name in NAMES.values()), ledger.Totals()) == whole
    assert found.unreadable == whole.unreadable
    waits = any(fate == "undecided" for fate, _ in rows)
    assert found.balanced == (not waits and not whole.unreadable), found.problems


def day(store: Store, **trailer: Any) -> ledger.Reconciliation:
    declared = {"declared_count": 3, "declared_minor": 600, "currency": "EUR"}
    a_day(store, "b1", [(Outcome.ACCEPT, (100, "EUR")), (Outcome.REFER, (200, "EUR")), ("quarantined", (300, "EUR"))],
          **(declared | trailer))  # fmt: skip
    return ledger.reconcile(store, "b1")


def test_the_line_a_person_reads(any_store):
    assert day(any_store).line() == (
        "received 3 (6.00 EUR) = accepted 1 (1.00 EUR) + referred 1 (2.00 EUR) + rejected 0 + failed to acquire 0 + "
        "quarantined 1 (3.00 EUR) + duplicates 0: reconciled"
    )


@pytest.mark.parametrize(
    ("trailer", "problem"),
    [
        ({"declared_count": 4}, "the trailer declares 4 rows, received 3"),
        ({"declared_minor": 601}, "the trailer declares 6.01 EUR, received 6.00 EUR"),
        ({"declared_count": None}, "the trailer declares no count"),
        ({"declared_minor": None}, "the trailer declares no amount"),
        ({"currency": "CHF"}, "the trailer declares 6.00 CHF, received 0.00 CHF"),
        ({"currency": None, "declared_minor": 599}, "the trailer declares a total of 599 minor units, received 600"),
        ({"trailer_problems": ["two trailers"]}, "two trailers"),
    ],
)
def test_a_trailer_that_does_not_add_up(store, trailer, problem):
    found = day(store, **trailer)
    assert problem in found.problems and not found.balanced and "unreconciled" in found.line()


def test_a_total_over_all_currencies(store):
    rows = [(Outcome.ACCEPT, (100, "EUR")), (Outcome.ACCEPT, (7, "JPY"))]
    a_day(store, "b1", rows, declared_count=2, declared_minor=107)
    assert ledger.reconcile(store, "b1").balanced
    a_day(store, "b2", rows, declared_count=2, declared_minor=100, currency="EUR")
    assert ledger.reconcile(store, "b2").problems == ("the trailer declares nothing for JPY",)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (decisions.delete().where(decisions.c.outcome == "accept"), "1 items undecided"),
        (
            decisions.update().where(decisions.c.outcome == "refer").values(amount_minor=250),
            "6.00 EUR received, 6.50 EUR",
        ),
        (
            decisions.update().where(decisions.c.outcome == "refer").values(currency="CHF"),
            "0.00 CHF received, 2.00 CHF",
        ),
        (quarantine.delete(), "3 rows received, 2 accounted for"),
        (items.delete(), None),  # the decisions still say where every row went
        (decisions.update().values(outcome="maybe"), "3 rows received, 1 accounted for"),
    ],
)
def test_a_lost_or_altered_row_shows(store, damage, problem):
    assert day(store).balanced
    with store.database.write() as connection:
        connection.execute(damage)
    problems = ledger.reconcile(store, "b1").problems
    assert any(problem in p for p in problems) if problem else not problems


def test_decisions_of_another_verifier_do_not_count(any_store):
    admitted(any_store, "b1", [item(1)], declared_count=1, declared_minor=100)
    frozen(any_store, "b1")
    record(any_store, "b1", ledger.undecided(any_store, "b1"))
    with any_store.database.write() as connection:
        row = dict(connection.execute(sa.select(decisions)).one()._mapping)
        connection.execute(decisions.insert(), row | {"decision_id": "d-2", "verifier_version": "v6"})
    found = ledger.reconcile(any_store, "b1")
    assert found.accepted.count == 1 and found.balanced
    assert len(ledger.decisions_of(any_store, "b1")) == 1


def test_amounts_beyond_doubles_and_32_bits(any_store):
    big = 9_007_199_254_740_993  # 2**53 + 1: a float would round it
    rows = [item(1, amount=big, row=1), item(2, amount=1, row=2)]
    admitted(any_store, "b1", rows, declared_count=2, declared_minor=big + 1, currency="EUR")
    frozen(any_store, "b1")
    record(any_store, "b1", ledger.undecided(any_store, "b1"))
    found = ledger.reconcile(any_store, "b1")
    assert found.balanced and found.accepted.minor == {"EUR": big + 1}
    assert ledger.decisions_of(any_store, "b1").amount_minor.tolist() == [big, 1]


def test_a_sum_beyond_64_bits(any_store):
    most = 999_999_999_999_999_999
    admitted(any_store, "b1", [item(n, row=n + 1, amount=most - n) for n in range(20)])
    frozen(any_store, "b1")
    record(any_store, "b1", ledger.undecided(any_store, "b1"))
    found = ledger.reconcile(any_store, "b1")
    assert found.received.minor == found.accepted.minor == {"EUR": 20 * most - sum(range(20))}


def test_negative_amounts_add_up_too(any_store):
    amounts = [-5_000_000_001, 3, -999_999_999, 2_000_000_000]
    admitted(any_store, "b1", [item(n, row=n + 1, amount=a) for n, a in enumerate(amounts)])
    assert ledger.reconcile(any_store, "b1").undecided.minor == {"EUR": sum(amounts)}


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(5, "EUR", "0.05 EUR"), (-123456, "EUR", "-1,234.56 EUR"), (1234, "JPY", "1,234 JPY"), (5, "KWD", "0.005 KWD")],
)
def test_money_with_each_currencys_decimals(minor, currency, text):
    assert ledger.Totals(1, {currency: minor}).text() == f"1 ({text})"


def test_a_decision_builder_for_every_outcome():
    assert {decision(o).outcome for o in Outcome} == set(Outcome)
