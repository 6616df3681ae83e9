"""The full training on one GPU, in calls of minutes, on a bare machine: numpy, scipy, torch, timm and skimage, no more.

Example, with eight minutes of a GPU now and more of it later::

    python benchmarks/gpu_training.py train --out runs/gpu --max-seconds 480
    python benchmarks/gpu_training.py train --out runs/gpu --max-seconds 480 --last
    .venv/bin/python benchmarks/gpu_training.py finish --out runs/gpu

``train`` draws the synthetic writers of ``--plan`` on every core (the same ones each time: they are seeds, nothing has
to be carried), keeps the prepared signatures on the GPU, and trains until the steps of ``--settings`` are done or the
time is over, which leaves a checkpoint; carry OUT/training to go on elsewhere. ``--last`` brings the learning rate down
in the time of this call. ``finish`` needs the whole installation: thresholds on other synthetic writers, and the bundle
in OUT/verifier. Without a GPU the same commands train on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigverify.config import TrainingSettings
    from sigverify.pretraining import SyntheticPlan

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # a bare machine has no installation


def main() -> None:
    """Parse, do the one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "finish"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plan", type=Path, default=HERE / "gpu_plan.json")
    parser.add_argument("--settings", type=Path, default=HERE / "gpu_training.json")
    parser.add_argument("--max-seconds", type=float, default=480, help="of this call, drawing included")
    parser.add_argument("--last", action="store_true", help="no call follows: end the training in the time of this one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that draw")
    args = parser.parse_args()
    from sigverify.config import TrainingSettings, from_dict
    from sigverify.pretraining import SyntheticPlan

    plan = from_dict(SyntheticPlan, json.loads(args.plan.read_text(encoding="utf-8")))
    settings = from_dict(TrainingSettings, json.loads(args.settings.read_text(encoding="utf-8")))
    train(args, plan, settings) if args.what == "train" else finish(args, plan, settings)


def train(args: argparse.Namespace, plan: SyntheticPlan, settings: TrainingSettings) -> None:
    """Draw, train or go on, say how fast; Ctrl-C and the end of the time leave a checkpoint."""
    import torch

    from sigverify.model.training import train as run
    from sigverify.pretraining import synthetic_set

    began = time.monotonic()
    data = synthetic_set(args.out, settings, plan, args.workers, said)
    drawn = time.monotonic() - began
    print(f"\n{plan.writers} writers ({len(data)} signatures) ready after {drawn:.0f} s on {args.workers} cores")
    ends = began + args.max_seconds

    def watch(step: int, row: dict[str, Any]) -> None:
        if step % 50 == 0:
            rate, waits = row.get("images_per_s", 0), row.get("waiting_share", 0)
            said(f"step {step}: {rate:.0f} images a second, waits {waits:.0%} of the time;", step / settings.steps)
        if not args.last and time.monotonic() > ends:
            raise KeyboardInterrupt

    place = args.out / "training"
    whole = record(place)["seconds"] + max(1.0, ends - time.monotonic()) if args.last else None
    try:
        done = run(data, settings, place, resume=True, on_step=watch, max_seconds=whole)
    except KeyboardInterrupt as stop:
        print(f"\n{stop}")
    else:
        print(f"\n{done.steps} steps in {done.seconds:.0f} s of training, {done.stopped}: {done.weights}")
    if torch.cuda.is_available():
        print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on {torch.cuda.get_device_name()}")


def record(folder: Path) -> dict[str, Any]:
    """What the checkpoint in `folder` says of the run so far: steps done, seconds of training."""
    from sigverify.model.checkpoints import CHECKPOINT
    from sigverify.model.tensors import read_tensors

    held = folder / CHECKPOINT
    return read_tensors(held)[1] if held.is_file() else {"step": 0, "seconds": 0.0}


def finish(args: argparse.Namespace, plan: SyntheticPlan, settings: TrainingSettings) -> None:
    """The bundle, provisional thresholds chosen on synthetic writers the network never saw."""
    from sigverify.pretraining import PROVISIONAL_POLICY, calibrate_on_synthetic, taught_by_synthesis
    from sigverify.verifier import Verifier

    place = args.out / "training"
    verifier = taught_by_synthesis(place / "weights.safetensors", settings, plan, record(place)["step"])
    bundle = calibrate_on_synthetic(verifier, args.out, plan, PROVISIONAL_POLICY, min(args.workers, 8), said)
    print(f"\n{Verifier.load(bundle).version} in {bundle}")


def said(stage: str, share: float) -> None:
    print(f"\r{stage} {share:4.0%}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
