"""Variants of the clean preprocessing side by side, on training writers only; no network is trained.

Example, with a catalogue in runs/hindi::

    .venv/bin/python benchmarks/clean_variants.py --data runs/hindi --writers 30 --out runs/variants

Prints a table a catalogue and writes ``clean_variants.md``, ``clean_variants.json`` and a contact sheet of synthetic
signatures, ``clean_variants.png``. ``--variants`` names a JSON file {name: preprocessing settings} instead of the
four built in.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from sigverify.config import PreprocessingSettings, from_dict
from sigverify.evaluation.parts import writers_in_part
from sigverify.measurement.clean_variants import VARIANTS, measure_variants, variants_sheet, variants_text
from sigverify.records import Part, as_plain
from sigverify.storage.store import Store


def main() -> None:
    """Parse, measure each catalogue, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="catalogue folders")
    parser.add_argument("--writers", type=int, default=0, help="the first so many training writers; 0 = all")
    parser.add_argument("--variants", type=Path, help="JSON: {name: preprocessing settings}")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    variants = VARIANTS if args.variants is None else read_variants(args.variants)
    args.out.mkdir(parents=True, exist_ok=True)
    texts, held = [], {}
    for folder in args.data:
        store = Store.open(folder)
        teaching = writers_in_part(sorted(store.signatures()["writer_id"].unique()), Part.TRAIN)
        chosen = teaching[: args.writers or None]
        found = measure_variants(
            store, variants, chosen, draws=args.draws, seed=args.seed, workers=args.workers,
            on_progress=lambda text: print(text.splitlines()[-1], flush=True),
        )  # fmt: skip
        texts.append(f"## {folder.name}, {len(chosen)} training writers, seed {args.seed}\n\n{variants_text(found)}\n")
        held[folder.name] = [asdict(figures) for figures in found]
    (args.out / "clean_variants.md").write_text("\n".join(texts), encoding="utf-8")
    (args.out / "clean_variants.json").write_text(json.dumps(as_plain(held), indent=1) + "\n", encoding="utf-8")
    variants_sheet(variants).save(args.out / "clean_variants.png", optimize=True)
    print("\n".join(texts))


def read_variants(path: Path) -> dict[str, PreprocessingSettings]:
    """{name: settings}; unset keys keep their defaults, an unknown key is an error."""
    named = json.loads(path.read_text(encoding="utf-8"))
    return {name: from_dict(PreprocessingSettings, values) for name, values in named.items()}


if __name__ == "__main__":
    main()
