"""Every trial behind the published figures, kept small: pack the scores of runs, and measure the figures from them.

Example, after ``sigverify benchmark ... --out runs/bench/cedar`` and the same trials by another verifier::

    python benchmarks/kept_scores.py pack benchmarks/scores/cedar.parquet shipped=runs/bench/cedar others=runs/bench/x
    python benchmarks/kept_scores.py show benchmarks/scores/*.parquet

``pack`` writes a row a trial: which query, against whose references (number and draw), of which kind, and a column for
each NAME=RUN whose trials are the same, scores as whole numbers of 1/10,000. ``show`` reads such files and prints, in
Markdown, skilled and random EER in per cent with 95 % intervals by bootstrap over writers: no signature is needed. The
identifiers are those of the public sets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from sigverify.errors import BadInput, NotFound, SigverifyError
from sigverify.evaluation.result import SCORES

STEP = 1e-4  # of a kept score
TRIAL = ["n_references", "draw", "kind", "writer_id", "query_writer_id", "query_id"]
RESAMPLES, SEED = 1000, 0


def main() -> None:
    """Parse, pack or show; what is wrong with the input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    packing = commands.add_parser("pack", help="scores of runs into one file")
    packing.add_argument("out", type=Path, help="the file to write")
    packing.add_argument("runs", nargs="+", metavar="NAME=RUN", help="a folder that sigverify benchmark --out wrote")
    packing.add_argument(
        "--references", type=int, nargs="+", default=[1, 5, 10], help="numbers kept; 1 5 10 unless told"
    )
    showing = commands.add_parser("show", help="figures from such files")
    showing.add_argument("files", type=Path, nargs="+")
    showing.add_argument("--resamples", type=int, default=RESAMPLES, help=f"of the bootstrap; {RESAMPLES} unless told")
    args = parser.parse_args()
    try:
        if args.what == "pack":
            runs = dict(each.split("=", 1) for each in args.runs if "=" in each)
            if len(runs) != len(args.runs):
                raise BadInput("runs are given as NAME=RUN, each name once", got=args.runs)
            pack({name: Path(folder) for name, folder in runs.items()}, args.references).to_parquet(
                made(args.out), index=False, compression="zstd", compression_level=19
            )
            print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")
        else:
            print(table(args.files, args.resamples))
    except SigverifyError as error:
        parser.exit(2, f"{error}\n")


def made(path: Path) -> Path:
    """`path`, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def pack(runs: dict[str, Path], references: list[int]) -> pd.DataFrame:
    """A row a trial in the order of TRIAL, int16 scores in steps of STEP, a column a run. BadInput: other trials."""
    found: pd.DataFrame | None = None
    for name, folder in runs.items():
        held = folder / SCORES
        if not held.is_file():
            raise NotFound(f"no {SCORES} in {folder}", next="measure with sigverify benchmark --out")
        rows = pd.read_parquet(held, columns=[*TRIAL, "score"])
        rows = rows[rows["n_references"].isin(references)].sort_values(TRIAL, kind="stable", ignore_index=True)
        steps = np.round(rows["score"].to_numpy() / STEP)
        if len(steps) and np.abs(steps).max() > np.iinfo(np.int16).max:
            raise BadInput("scores are too large to keep", got=float(np.abs(rows["score"]).max()), expected="below 3.2")
        trials = rows[TRIAL]
        if found is None:
            found = trials.astype(dict.fromkeys(("n_references", "draw"), "uint8"))
            found = found.astype(dict.fromkeys(TRIAL[2:], "category"))
        elif len(trials) != len(found) or not _same(trials, found):
            raise BadInput(f"{name} was measured on other trials", next="pack it into a file of its own")
        found = found.assign(**{name: steps.astype(np.int16)})
    assert found is not None
    return found


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return all((one[column].astype(str).to_numpy() == other[column].astype(str).to_numpy()).all() for column in TRIAL)


def table(files: list[Path], resamples: int = RESAMPLES) -> str:
    """Markdown: a row a file, verifier and number of references."""
    lines = ["| scores | verifier | references | writers | skilled EER [95 %] | random EER [95 %] |", "|---" * 6 + "|"]
    for file in files:
        if not file.is_file():
            raise NotFound(f"no file {file}", next="pack some with: kept_scores.py pack")
        held = pd.read_parquet(file)
        for verifier in held.columns.drop(TRIAL):
            for k, rows in held.groupby("n_references"):
                cells = [_eer(rows, verifier, kind, resamples) for kind in ("skilled_forgery", "random_forgery")]
                lines.append(
                    f"| {file.stem} | {verifier} | {k} | {rows['writer_id'].nunique()} | {' | '.join(cells)} |"
                )
    return "\n".join(lines)


def _eer(rows: pd.DataFrame, verifier: str, kind: str, resamples: int) -> str:
    """Of genuine against `kind`: "8.9 [7.0, 11.1]", or nothing where there is no such trial."""
    from sigverify.config import OperatingPoint
    from sigverify.evaluation.figures import measure
    from sigverify.scoring.scored_trials import ScoredTrials

    kept = rows[rows["kind"].isin(["genuine", kind])]
    if not (kept["kind"] == kind).any():
        return ""
    columns = {name: kept[name].astype(str).to_numpy() for name in TRIAL[2:]}
    numbers = {name: kept[name].to_numpy(np.int64) for name in TRIAL[:2]}
    scored = ScoredTrials(score=kept[verifier].to_numpy() * STEP, **columns, **numbers)
    found = measure(scored, OperatingPoint(), resamples, SEED)[kind.split("_")[0]]
    low, high = found["eer_interval"]
    return f"{found['eer']:.1f} [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
