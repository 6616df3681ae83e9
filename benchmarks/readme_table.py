"""The one table that matters, from the folders that ``sigverify benchmark --out`` wrote.

Example, after a benchmark of each set into runs/bench/SET::

    .venv/bin/python benchmarks/readme_table.py runs/bench/cedar runs/bench/bengali runs/bench/hindi runs/bench/ssbi

Prints Markdown: a row a system (the verifier, then the baselines measured beside it), a column a set; skilled EER in
per cent with its 95 % interval at ``--references``, random EER behind the stroke, and the verdict of the controls. Then
what the verifier's own thresholds do, in per cent of trials.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

DONE = ("genuine_accepted", "genuine_rejected", "skilled_accepted", "skilled_rejected", "random_accepted")


def main() -> None:
    """Read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="one a data set, with benchmark.json")
    parser.add_argument("--references", default="5", help="the number of references shown; 5 unless told")
    args = parser.parse_args()
    results = [read(folder) for folder in args.folders]
    print(table(results, args.references))
    print()
    print(decisions(results, args.references))


def read(folder: Path) -> dict[str, Any]:
    """A result and the baselines beside it."""
    result: dict[str, Any] = json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))
    beside = folder / "baselines.json"
    return {**result, "baselines": json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else []}


def table(results: list[dict[str, Any]], k: str) -> str:
    """Markdown; a system that was not measured on a set leaves its cell empty."""
    heads = [f"{', '.join(r['datasets'])} ({r['counts']['writers']})" for r in results]
    systems = list(dict.fromkeys(b["name"] for r in results for b in r["baselines"]))
    versions = ", ".join(dict.fromkeys(r["verifier_version"] for r in results))
    lines = [
        f"| {k} references: skilled EER [95 %] / random EER | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
    ]
    lines.append(f"| **{versions}** | {' | '.join(cell(r, k) for r in results)} |")
    for name in systems:
        cells = [next((cell(b, k) for b in r["baselines"] if b["name"] == name), "") for r in results]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def decisions(results: list[dict[str, Any]], k: str) -> str:
    """Markdown: what the verifier's own thresholds do with each kind of trial."""
    heads = [f"{', '.join(r['datasets'])} ({r['counts']['writers']})" for r in results]
    lines = [f"| {k} references, own thresholds | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in DONE:
        cells = []
        for result in results:
            own = result["figures"].get(k, {}).get("at_own_thresholds") or {}
            low, high = own.get(f"{name}_interval") or (None, None)
            cells.append("-" if low is None else f"{own[name]:.1f} [{low:.1f}, {high:.1f}]")
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(found: dict[str, Any], k: str) -> str:
    """Figure, interval, verdict."""
    rate, interval = found["skilled_eer"].get(k), found["intervals"]["skilled_eer"].get(k)
    if rate is None:
        return "-"
    random = found["random_eer"].get(k)
    behind = "" if random is None else f" / {random:.1f}"
    return f"{rate:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]{behind} {found['status']}"


if __name__ == "__main__":
    main()
