"""The slow oracle: an ODCS document read as plain YAML and applied cell by cell, with no code of the library.

Cells are text. Answers the set of (row number from 1, column, rule).
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import json
import math
import re
from typing import Any

import yaml

WRONG = object()


def failures_of(name: str, rows: list[dict[str, str]]) -> set[tuple[int, str, str]]:
    document = yaml.safe_load((importlib.resources.files("data_contracts") / f"{name}.odcs.yaml").read_text("utf-8"))
    table = document["schema"][0]
    parsed = [{p["name"]: value_of(row[p["name"]], p) for p in table["properties"]} for row in rows]
    found = set()
    for prop in table["properties"]:
        for number, row in enumerate(parsed, 1):
            found |= {(number, prop["name"], rule) for rule in broken(row[prop["name"]], prop, parsed)}
    for rule in table.get("quality", []):
        asked = rule["implementation"]
        for number, row in enumerate(parsed, 1):
            if not row_rule_holds(asked, {k: None if v is WRONG else v for k, v in row.items()}):
                found.add((number, asked["column"], asked["rule"]))
    return found


def value_of(cell: str, prop: dict[str, Any]) -> Any:
    """None for an empty cell, WRONG for one that is not of its type."""
    if cell == "":
        return None
    kind = prop["logicalType"]
    try:
        if kind == "integer":
            return int(cell) if re.fullmatch(r"-?\d{1,18}", cell, re.ASCII) else WRONG
        if kind == "number":
            plain = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell, re.ASCII)
            return float(cell) if plain and math.isfinite(float(cell)) else WRONG
        if kind == "boolean":
            return {"true": True, "false": False}.get(cell.lower(), WRONG)
        if kind == "timestamp":
            when = dt.datetime.fromisoformat(cell)
            return cell if when.tzinfo is not None and "T" in cell else WRONG
        if kind == "array":
            entries = json.loads(cell)
            wanted = str if prop["items"]["logicalType"] == "string" else float | int
            return entries if isinstance(entries, list) and all(isinstance(e, wanted) for e in entries) else WRONG
    except ValueError:
        return WRONG
    return cell


def broken(value: Any, prop: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    if value is WRONG:
        return ["type"]
    if value is None:
        return ["required"] if prop["required"] else []
    found = [name for name, a in prop.get("logicalTypeOptions", {}).items() if not option_holds(name, a, value)]
    for quality in prop.get("quality", []):
        if value not in quality["arguments"]["validValues"]:
            found.append("validValues")
    if prop.get("unique") and sum(row[prop["name"]] == value for row in rows) > 1:
        found.append("unique")
    return found


def option_holds(name: str, a: Any, value: Any) -> bool:
    if name == "pattern":
        return re.fullmatch(a, value) is not None
    return {
        "minLength": lambda: len(value) >= a,
        "maxLength": lambda: len(value) <= a,
        "minimum": lambda: value >= a,
        "maximum": lambda: value <= a,
        "exclusiveMinimum": lambda: value > a,
        "timezone": lambda: True,  # part of the type
    }[name]()


def row_rule_holds(asked: dict[str, Any], row: dict[str, Any]) -> bool:
    value, other = row[asked["column"]], row.get(asked.get("other"))
    if not all(row[column] in values for column, values in asked.get("when", {}).items()):
        return True
    match asked["rule"]:
        case "empty" | "empty_when":
            return value is None
        case "required_when":
            return value is not None
        case "required_with":
            return value is not None or other is None
        case "at_most":
            return value is None or other is None or value <= other
        case "equals_when":
            return value is None or other is None or value == other
        case "differs_when":
            return value is None or other is None or value != other
    raise AssertionError(asked)
