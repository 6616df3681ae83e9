"""A contract as an ODCS document says it: columns with type, rules, unit, classification; rules between columns.

A document that asks for something we do not check is refused when it is loaded: a contract never promises more than
is done. Standard: https://bitol-io.github.io/open-data-contract-standard (v3.1).
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sigverify.contracts.outcome import Checked, Trailer
from sigverify.errors import BadSettings, NotFound

if TYPE_CHECKING:
    import pandas as pd
    from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "array")
OPTIONS = (
    "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems",
    "maxItems",
)  # fmt: skip
ROW_RULES = ("empty", "empty_when", "required_when", "required_with", "at_most", "equals_when", "differs_when")
HIDDEN = ("confidential", "biometric", "restricted")


@dataclass(frozen=True)
class Rule:
    """One demand on a column's values, named as in the document: ``pattern``, ``minimum``, ``validValues``, ..."""

    name: str
    argument: Any = None


@dataclass(frozen=True)
class Column:
    name: str
    logical_type: str
    required: bool
    classification: str
    description: str
    unit: str = ""
    item_type: str = "string"  # of an array
    time_zone: bool = False  # a timestamp must name its zone
    rules: tuple[Rule, ...] = ()

    @property
    def hidden(self) -> bool:
        """Whether values stay out of failures, logs and messages."""
        return self.classification in HIDDEN


@dataclass(frozen=True)
class RowRule:
    """A demand between columns: `column` must be empty, present, at most `other`, ... where `when` holds."""

    name: str
    column: str
    text: str
    other: str = ""
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()


@dataclass(frozen=True)
class Contract:
    """One table's contract. `extra_columns`: whether a table may have columns it does not name."""

    name: str
    version: str
    description: str
    columns: tuple[Column, ...]
    row_rules: tuple[RowRule, ...] = ()
    extra_columns: Literal["allow", "refuse"] = "allow"

    @classmethod
    def load(cls, name: str, table: str | None = None) -> Contract:
        """The contract `name` of data_contracts/; `table` names another than the document's first table.

        Raises NotFound naming the contracts there are.
        """
        return _load(name, table or name)

    @staticmethod
    def names() -> list[str]:
        """Every contract there is."""
        return sorted(p.name.removesuffix(SUFFIX) for p in _folder().iterdir() if p.name.endswith(SUFFIX))

    @property
    def column_names(self) -> list[str]:
        return [c.name for c in self.columns]

    def check(self, frame: pd.DataFrame) -> Checked:
        """Hold a table, of text or of typed values, against the contract: every row, every rule.

        Raises BadTable when a required column is missing, or one is there that the contract refuses.
        """
        from sigverify.contracts.checking import check

        return check(self, frame)

    def check_file(self, path: Path) -> Checked:
        """As `check`, for a CSV or parquet file; a row with too many or too few cells is a failure of its own.

        Rows are numbered from 1. Raises BadTable for a file that cannot be read as a table.
        """
        from sigverify.contracts.checking import check_file

        return check_file(self, path)

    def split_trailer(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, Trailer | None, list[str]]:
        """A manifest's rows, its trailer (None: there is none), and what is wrong with the trailer."""
        from sigverify.contracts.trailer import split_trailer

        return split_trailer(frame)

    def write(self, frame: pd.DataFrame, path: Path) -> Path:
        """Write a table that keeps the contract, as the file's ending says; see writing.write_table."""
        from sigverify.contracts.writing import write_table

        return write_table(frame, self, path)

    def write_all(self, frame: pd.DataFrame, paths: Sequence[Path]) -> list[Path]:
        """As `write`, to several files (CSV and parquet) after one check."""
        from sigverify.contracts.writing import write_tables

        return write_tables(frame, self, paths)


SUFFIX = ".odcs.yaml"


def _folder() -> Any:
    return importlib.resources.files("data_contracts")


@functools.cache
def _load(name: str, table: str) -> Contract:
    from open_data_contract_standard.model import OpenDataContractStandard

    if name not in Contract.names():
        raise NotFound(f"no data contract {name}", expected=", ".join(Contract.names()))
    document = OpenDataContractStandard.from_string((_folder() / f"{name}{SUFFIX}").read_text(encoding="utf-8"))
    tables = {str(t.name): t for t in document.schema_ or []}
    if table not in tables:
        raise NotFound(f"data contract {name} has no table {table}", expected=", ".join(tables))
    return parse_table(tables[table], str(document.version))


def parse_table(table: SchemaObject, version: str) -> Contract:
    """One table of an ODCS document. Raises BadSettings for anything in it that would not be checked."""
    name = str(table.name)
    columns = tuple(_column(p, f"{name}.{p.name}") for p in table.properties or [])
    rules = tuple(_row_rule(q, name, {c.name for c in columns}) for q in table.quality or [])
    extra = _custom(table, "extraColumns") or "allow"
    if extra not in ("allow", "refuse"):
        raise BadSettings(f"{name}: unknown extraColumns", got=extra, expected="allow or refuse")
    return Contract(
        name, version, str(table.description or ""), columns, rules, "refuse" if extra == "refuse" else "allow"
    )


def _column(given: SchemaProperty, place: str) -> Column:
    if given.logicalType not in TYPES:
        raise BadSettings(f"{place}: unknown type", got=given.logicalType, expected=", ".join(TYPES))
    for needed in ("description", "classification"):
        if not getattr(given, needed):
            raise BadSettings(f"{place} has no {needed}")
    options = dict(given.logicalTypeOptions or {})
    zone = bool(options.pop("timezone", False))
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise BadSettings(f"{place} asks for what is not checked", got=", ".join(unknown), expected=", ".join(OPTIONS))
    rules = [Rule(name, options[name]) for name in OPTIONS if name in options]
    rules += [_valid_values(q, place) for q in given.quality or []]
    rules += [Rule("unique")] if given.unique or given.primaryKey else []
    return Column(
        name=str(given.name),
        logical_type=given.logicalType,
        required=bool(given.required),
        classification=str(given.classification),
        description=" ".join(str(given.description).split()),
        unit=_custom(given, "unit") or "",
        item_type=str(given.items.logicalType) if given.items else "string",
        time_zone=zone,
        rules=tuple(rules),
    )


def _valid_values(given: DataQuality, place: str) -> Rule:
    values = (given.arguments or {}).get("validValues")
    if given.metric != "invalidValues" or given.mustBe != 0 or not values:
        raise BadSettings(f"{place} asks for what is not checked", got=given.metric, expected="invalidValues mustBe 0")
    return Rule("validValues", tuple(values))


def _row_rule(given: DataQuality, place: str, columns: set[str]) -> RowRule:
    asked = given.implementation if isinstance(given.implementation, dict) else {}
    name, column, other = (str(asked.get(key, "")) for key in ("rule", "column", "other"))
    if given.engine != "sigverify" or name not in ROW_RULES:
        raise BadSettings(
            f"{place} asks for what is not checked", got=name or given.engine, expected=", ".join(ROW_RULES)
        )
    when = tuple((str(k), tuple(v)) for k, v in asked.get("when", {}).items())
    named = {column, other, *(k for k, _ in when)} - {""}
    if not named <= columns:
        raise BadSettings(f"{place}: a rule names unknown columns", got=", ".join(sorted(named - columns)))
    return RowRule(name, column, str(given.description), other, when)


def _custom(given: SchemaObject | SchemaProperty, name: str) -> str | None:
    found: Iterator[str] = (str(p.value) for p in given.customProperties or [] if p.property == name)
    return next(found, None)
