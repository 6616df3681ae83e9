"""What each ingredient of a training is worth: the same synthetic signatures and steps, one change at a time.

Example, with catalogues of BHSig260 in runs/bengali and runs/hindi::

    .venv/bin/python benchmarks/ablations.py --dev runs/bengali runs/hindi --steps 200 --out runs/ablations

Trains every variant of ``--variants`` (benchmarks/ablations.json: {name: changes to the training settings, and to
"scoring"}) from random weights on synthetic signatures drawn once, and measures it on *training-part* writers of the
catalogues, which it never saw: choices look at nobody else. A variant with ``"shipped": true`` trains nothing: it is
the shipped verifier with other encoder or scoring settings. Skilled and random EER in per cent at 1 and 5 references.
Finished variants are read from ``--out`` again, so an interrupted run goes on. Prints Markdown. What learns from
Omniglot as well needs ``--omniglot``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigverify.config import TrainingSettings, VerifierSettings
    from sigverify.model.batches import SignatureSet
    from sigverify.storage.store import Store

HERE = Path(__file__).parent
REFERENCES, DRAWS, RANDOM = (1, 5), 4, 20
SIZE = {"canvas_height_px": 96, "canvas_width_px": 192, "margin_px": 4}
PEN = {"stroke_width_px": 3.0, "stroke_oversampling": 3, "stroke_smoothing_px": 0.0}
BACKBONE_SEES = {  # variants that learn do so on a canvas of the size that the shipped backbone sees, and no other
    "encoder": {"learnt_height_px": 0, "learnt_widen_px": 0, "reference_shifts_px": []},
    "preprocessing": {**SIZE, **PEN},
}
OWN_SHARE = 0.6  # of theirs


def main() -> None:
    """Parse, train and measure what is not finished, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="catalogues; only training writers are used")
    parser.add_argument("--dev-writers", type=int, default=40, help="the first so many training writers of each")
    parser.add_argument("--writers", type=int, default=1500, help="synthetic writers to train on")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", type=Path, default=HERE / "ablations.json")
    parser.add_argument("--omniglot", type=Path, help="images_background.zip, for the variant that learns from it")
    parser.add_argument("--only", nargs="*", help="names of variants; all unless told")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    variants: dict[str, Any] = json.loads(args.variants.read_text(encoding="utf-8"))
    rows = []
    for name in args.only or variants:
        if variants[name].get("omniglot_words") and args.omniglot is None:
            print(f"left out, for want of --omniglot: {name}", file=sys.stderr)
            continue
        rows.append((name, figures(args, name, variants[name])))
        print(table(rows), flush=True)


def figures(args: argparse.Namespace, name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Of one variant; kept in ``out/NAME/figures.json`` with everything they depend on."""
    from sigverify.config import digest
    from sigverify.storage.store import Store
    from sigverify.verifier import Verifier

    about_run = {"writers": args.writers, "steps": args.steps, "seed": args.seed}
    key = digest({"changes": changes, **({"of": Verifier.load().version} if changes.get("shipped") else about_run)})
    place = args.out / f"{name.replace(' ', '-')}-{key}"
    kept = place / "figures.json"
    if kept.exists():
        held: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return held
    about, weights, found = verifier_of(args, changes, place)
    for folder in args.dev:
        found |= measured(Store.open(folder), about, weights, args.dev_writers, args.workers)
    place.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def verifier_of(
    args: argparse.Namespace, changes: dict[str, Any], place: Path
) -> tuple[VerifierSettings, Path, dict[str, Any]]:
    """Settings and weights of a variant, and what training it took."""
    from sigverify.config import VerifierSettings, from_dict, to_dict
    from sigverify.model.training import train
    from sigverify.pretraining import SCORING
    from sigverify.verifier import DEFAULT_FOLDER, WEIGHTS, Verifier

    if changes.get("shipped"):
        held = merged(to_dict(Verifier.load().settings), {k: v for k, v in changes.items() if k != "shipped"})
        return from_dict(VerifierSettings, held), DEFAULT_FOLDER / WEIGHTS, {"seconds": 0, "steps": 0}
    scoring = {**to_dict(SCORING), "own_share": OWN_SHARE, **changes.get("scoring", {})}
    apart = ("scoring", "omniglot_words")
    settings = settings_of({k: v for k, v in changes.items() if k not in apart}, args.steps, args.seed)
    result = train(drawn(args, settings, changes.get("omniglot_words", 0)), settings, place, resume=True)
    made = {"preprocessing": to_dict(settings.preprocessing), "encoder": to_dict(settings.encoder), "scoring": scoring}
    about = from_dict(VerifierSettings, made)
    return about, result.weights, {"seconds": round(result.seconds), "steps": result.steps}


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes`, tables merged key by key."""
    found = dict(values)
    for name, value in changes.items():
        found[name] = {**found.get(name, {}), **value} if isinstance(value, dict) else value
    return found


def settings_of(changes: dict[str, Any], steps: int, seed: int) -> TrainingSettings:
    """benchmarks/default_training.json as the backbone sees it, with `changes`; references are turned, not moved."""
    from sigverify.config import TrainingSettings, from_dict

    shipped = json.loads((HERE / "default_training.json").read_text(encoding="utf-8"))
    chosen = from_dict(TrainingSettings, merged(merged(shipped, BACKBONE_SEES), changes))
    return replace(chosen, steps=steps, seed=seed, ema_decay=min(chosen.ema_decay, 0.99))


def drawn(args: argparse.Namespace, settings: TrainingSettings, words: int) -> SignatureSet:
    """The synthetic signatures, drawn once for each preprocessing, and so many words of Omniglot beside them."""
    from sigverify.pretraining import SyntheticPlan, training_set

    plan = SyntheticPlan(writers=args.writers, seed=11, omniglot_words=words)

    def say(stage: str, share: float) -> None:
        print(f"\r{stage} {share:4.0%}", end="" if share < 1 else "\n", file=sys.stderr, flush=True)

    return training_set(args.out / "drawn", settings, plan, args.omniglot, args.workers, say)


def measured(store: Store, about: VerifierSettings, weights: Path, n: int, workers: int) -> dict[str, Any]:
    """{"SET, k references": [skilled EER, random EER]} on the first `n` training writers, in per cent."""
    from sigverify.evaluation.drawing import near_pairs
    from sigverify.evaluation.embedded import embed_signatures
    from sigverify.evaluation.metrics import eer
    from sigverify.evaluation.parts import writers_in_part
    from sigverify.evaluation.scoring_trials import score_trials
    from sigverify.evaluation.trials import draw_trials
    from sigverify.records import Part, TrialKind
    from sigverify.verifier import Verifier

    verifier = Verifier(about, weights)
    rows = store.signatures()
    writers = writers_in_part(sorted(rows["writer_id"].unique()), Part.TRAIN)[:n]
    held = embed_signatures(store, verifier, rows[rows["writer_id"].isin(writers)], workers)
    found = {}
    for k in REFERENCES:
        trials = draw_trials(held.signatures, k, DRAWS, 0, near_pairs(store), RANDOM)
        scored = score_trials(verifier.scorer, trials, held.embeddings, held.signatures["signature_id"])
        genuine = scored.of(TrialKind.GENUINE).score
        kinds = (TrialKind.SKILLED_FORGERY, TrialKind.RANDOM_FORGERY)
        rates = [round(100 * eer(genuine, scored.of(kind).score).rate, 1) for kind in kinds]
        found[f"{rows['dataset'].iloc[0]}, {k}"] = rates
    return found


def table(rows: list[tuple[str, dict[str, Any]]]) -> str:
    """Markdown: a row a variant, skilled / random EER by set and number of references, seconds of training."""
    columns = [name for name in rows[0][1] if name not in ("seconds", "steps")]
    lines = [f"| variant | {' | '.join(columns)} | seconds |", "|---" * (len(columns) + 2) + "|"]
    for name, found in rows:
        cells = [f"{found[c][0]} / {found[c][1]}" for c in columns]
        lines.append(f"| {name} | {' | '.join(cells)} | {found['seconds']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
