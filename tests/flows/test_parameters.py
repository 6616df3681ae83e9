"""The forms: what they refuse, which day a run works for, and that they carry no data about people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from flows.outcome import artifact_key
from flows.parameters import Delivery, Enrolment, Retraining, Verification

FORMS: list[type[BaseModel]] = [Delivery, Enrolment, Verification, Retraining]
LEAST: dict[type[BaseModel], dict[str, Any]] = {
    Delivery: {"catalogue": "/c", "landing": "/l"},
    Enrolment: {"catalogue": "/c"},
    Verification: {"catalogue": "/c"},
    Retraining: {"catalogue": "/c", "out": "/o"},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_field_of_a_form_says_what_it_is(form: type[BaseModel]) -> None:
    fields = form.model_json_schema()["properties"]
    silent = [
        name
        for name, field in fields.items()
        if not field.get("description") and not any(o.get("description") for o in field.get("anyOf", []))
    ]
    assert not silent


@pytest.mark.parametrize("form", FORMS)
def test_examples_are_accepted(form: type[BaseModel]) -> None:
    for name, field in form.model_json_schema()["properties"].items():
        for example in field.get("examples", []):
            assert getattr(form.model_validate({**LEAST[form], name: example}), name) is not None


@pytest.mark.parametrize(
    ("form", "bad"),
    [
        (Verification, {"shard_size": 0}),
        (Verification, {"pictures": "some"}),
        (Verification, {"verifier": "http://elsewhere/model"}),
        (Verification, {"verifier": "models:/a/b/c"}),
        (Verification, {"catalogue": "{{ $SIGVERIFY_CATALOGUE }}"}),
        (Verification, {"customer_name": "x"}),
        (Enrolment, {"max_references": 11}),
        (Delivery, {"time_zone": "Europe/Nowhere"}),
        (Delivery, {"business_date": "yesterday"}),
        (Retraining, {"steps": 0}),
        (Retraining, {"backbone": "../resnet"}),
    ],
)
def test_a_form_refuses(form: type[BaseModel], bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        form.model_validate({**LEAST[form], **bad})


def test_the_business_date_is_the_scheduled_day_where_the_bank_is() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # already the 21st in Zurich
    assert Delivery(catalogue="/c", landing="/l").day(late) == date(2026, 11, 20)
    assert Delivery(catalogue="/c", landing="/l", time_zone="Europe/Zurich").day(late) == date(2026, 11, 21)
    assert Delivery(catalogue="/c", landing="/l", business_date=date(2026, 1, 2)).day(late) == date(2026, 1, 2)


def test_the_landing_folder_of_a_day() -> None:
    assert Delivery(catalogue="/c", landing="/in/{date}/x").folder(date(2026, 1, 2)) == "/in/2026-01-02/x"


@given(st.text(max_size=30))
def test_an_artifact_key_is_one_prefect_takes(text: str) -> None:
    key = artifact_key("outcomes", text)
    assert key.startswith("outcomes")
    assert all(c.isdigit() or "a" <= c <= "z" or c == "-" for c in key)
