"""The shipped verifier's model card with what was measured: from the folders that ``sigverify benchmark --out`` wrote.

Example, after a benchmark of each set into runs/bench/SET::

    .venv/bin/python benchmarks/shipped_card.py runs/bench/cedar runs/bench/bengali runs/bench/hindi runs/bench/ssbi

Writes sigverify/assets/default/MODEL_CARD.md. Refuses results of another verifier.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SHOWN = ("skilled_eer", "random_eer", "genuine_accepted", "far_skilled")
REFERENCES = ("1", "3", "5", "10")


def main() -> None:
    """Read, write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="one a data set, with benchmark.json")
    args = parser.parse_args()
    from sigverify.bundle import CARD
    from sigverify.model_card import write_card
    from sigverify.verifier import Verifier

    verifier = Verifier.load()
    measured = {}
    for folder in args.folders:
        result: dict[str, Any] = json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))
        if result["verifier_version"] != verifier.version:
            raise SystemExit(f"{folder} measured {result['verifier_version']}, not {verifier.version}")
        measured[f"{result['title']} ({result['code_commit'].split(',')[0]})"] = shown(result)
    place = verifier.weights_path.parent / CARD
    place.write_text(write_card(verifier, measured), encoding="utf-8")
    print(place)


def shown(result: dict[str, Any]) -> dict[str, Any]:
    """As BenchmarkResult.for_card, from its JSON."""
    found = {name: {k: result[name].get(k) for k in REFERENCES} for name in SHOWN}
    figures = result["figures"]
    found["genuine_rejected"] = {k: figures[k]["at_own_thresholds"].get("genuine_rejected") for k in REFERENCES}
    found["skilled_interval"] = {k: result["intervals"]["skilled_eer"][k] for k in REFERENCES}
    return found


if __name__ == "__main__":
    main()
