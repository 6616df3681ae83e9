from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import open_data_contract_standard
import pytest
import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from sigverify.contracts import Contract
from sigverify.contracts.document import parse_table
from sigverify.errors import BadSettings, NotFound
from sigverify.records import Classification, Label, Outcome, TrialKind

FOLDER = Path(str(importlib.resources.files("data_contracts")))
BOUNDARIES = ["scan_manifest", "signature_catalogue", "trial_scores", "verification_decision", "verification_request"]


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.odcs.yaml").read_text(encoding="utf-8")


def test_every_table_that_crosses_a_boundary_has_a_contract():
    assert Contract.names() == BOUNDARIES


@pytest.mark.parametrize("name", BOUNDARIES)
def test_the_document_keeps_the_standard(name):
    schema = json.loads((Path(open_data_contract_standard.__file__).parent / "schema.json").read_text())
    document = yaml.safe_load(text_of(name))
    assert [e.message for e in Draft201909Validator(schema).iter_errors(document)] == []
    assert (document["apiVersion"], document["name"]) == ("v3.1.0", name)
    assert Contract.load(name).version == document["version"]


@pytest.mark.parametrize("name", BOUNDARIES)
def test_each_column_has_type_unit_classification_and_one_sentence(name):
    for column in Contract.load(name).columns:
        assert column.description.endswith(".") and column.description.count(". ") == 0, column.name
        assert column.classification in ("internal", "confidential", "biometric"), column.name
        assert column.unit or column.logical_type not in ("integer", "number"), f"{column.name} needs a unit"


@pytest.mark.parametrize(
    ("name", "column", "words"),
    [
        ("signature_catalogue", "label", Label),
        ("signature_catalogue", "classification", Classification),
        ("verification_decision", "outcome", Outcome),
        ("trial_scores", "kind", TrialKind),
    ],
)
def test_the_words_are_those_of_the_library(name, column, words):
    found = next(c for c in Contract.load(name).columns if c.name == column)
    assert set(next(r.argument for r in found.rules if r.name == "validValues")) == {w.value for w in words}


def test_the_ledgers_decisions_are_the_contracts_columns():
    from sigverify.storage.tables import decisions

    assert Contract.load("verification_decision").column_names == [c.name for c in decisions.columns]


def test_the_catalogues_columns_are_the_contracts():
    from sigverify.storage.tables import signatures

    kept = [c.name for c in signatures.columns if c.name != "fingerprint"]
    assert Contract.load("signature_catalogue").column_names == kept


def test_an_unknown_contract_names_those_there_are():
    with pytest.raises(NotFound, match="expected scan_manifest, signature_catalogue"):
        Contract.load("manifest")
    with pytest.raises(NotFound, match="no table footer"):
        Contract.load("scan_manifest", "footer")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("logicalType: integer", "logicalType: map", "unknown type"),
        ("{minimum: 0, maximum: 9999}", "{multipleOf: 5}", "multipleOf"),
        ("metric: invalidValues", "metric: rowCount", "rowCount"),
        ("mustBe: 0", "mustBe: 5", "invalidValues"),
        ("rule: empty,", "rule: hopeful,", "hopeful"),
        ("column: count}", "column: kount}", "kount"),
        ("value: allow", "value: maybe", "maybe"),
        ("description: Amount", "businessName: Amount", "no description"),
    ],
)
def test_a_document_that_asks_for_what_is_not_checked_is_refused(old, new, named):
    changed = text_of("scan_manifest").replace(old, new, 1)
    assert changed != text_of("scan_manifest")
    document = OpenDataContractStandard.from_string(changed)
    with pytest.raises(BadSettings, match=named):
        parse_table(document.schema_[0], "1.0.0")
