"""A verifier trained on public research sets, under a name of its own in benchmarks/weights.

Example, after benchmarks/real_sets.py into runs/real/bengali::

    .venv/bin/python benchmarks/research_verifier.py --bundle runs/real/bengali/training/verifier --name bengali

Keeps weights, operating point and what it was trained on; its card says "research use". Refuses other terms.
"""

from __future__ import annotations

import argparse
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"


def main() -> None:
    """Load, rename, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="the trained verifier")
    parser.add_argument("--name", required=True, help="of the folder; the verifier is called research-NAME")
    args = parser.parse_args()
    from sigverify.model_card import write_card
    from sigverify.verifier import Verifier

    trained = Verifier.load(args.bundle)
    if not trained.settings.terms.startswith("research use"):
        raise SystemExit(f"{args.bundle} is no research verifier: {trained.settings.terms}")
    named = trained.with_settings(name=f"research-{args.name}")
    named.card = write_card(named)
    print(named.save(WEIGHTS / args.name), named.version)


if __name__ == "__main__":
    main()
