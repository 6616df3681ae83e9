"""How fast synthetic writers are drawn for training, on one core.

Example::

    .venv/bin/python benchmarks/synthesis_speed.py --writers 40

A writer is what benchmarks/default_plan.json asks for: so many genuine signatures and forgeries, drawn with pen, paper
and scanner, then prepared for the network. Nothing is stored: the seeds are the set. Prints writers and signatures a
second, drawing alone and with preparation.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Parse, draw, prepare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=40)
    parser.add_argument("--plan", type=Path, default=HERE / "default_plan.json")
    args = parser.parse_args()
    from sigverify.config import TrainingSettings, from_dict
    from sigverify.pretraining import SyntheticPlan
    from sigverify.scans.prepare import prepare_images
    from sigverify.synthesis.sets import draw_signatures

    plan = from_dict(SyntheticPlan, json.loads(args.plan.read_text(encoding="utf-8")))
    held = json.loads((HERE / "default_training.json").read_text(encoding="utf-8"))
    settings = from_dict(TrainingSettings, held).preprocessing
    shape = {"long_side_px": plan.long_side_px}
    draw_signatures(1, plan.genuine, plan.forgeries, seed=plan.seed, **shape)  # warm
    began = time.perf_counter()
    drawn = draw_signatures(args.writers, plan.genuine, plan.forgeries, seed=plan.seed + 1, **shape)
    between = time.perf_counter()
    prepare_images(drawn.images, settings)
    ended = time.perf_counter()
    for name, seconds in (("drawn", between - began), ("drawn and prepared", ended - began)):
        print(f"{name}: {args.writers / seconds:.1f} writers, {len(drawn.images) / seconds:.0f} signatures a second")


if __name__ == "__main__":
    main()
