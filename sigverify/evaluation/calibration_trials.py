"""An operating point from labelled signatures: a bank's own, or calibration writers'. Never from test writers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sigverify.config import OperatingPoint, Policy
from sigverify.errors import TooFewWriters
from sigverify.evaluation.drawing import near_pairs
from sigverify.evaluation.embedded import Embedded, Progress, embed_signatures
from sigverify.evaluation.protocols import load_protocol, select_signatures
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.trials import QUERIES_LEFT, draw_trials
from sigverify.records import Classification, Label, Part
from sigverify.scoring.operating_point import ScoredTrials, choose_operating_point

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

NUMBERS = (1, 2, 3, 5, 8, 10)  # of references that trials are drawn for, as far as the data allow


def calibrate(
    store: Store | Sequence[Store],
    verifier: Any,
    policy: Policy | None = None,
    part: Part | str | None = None,
    seed: int = 0,
    *,
    writer_ids: Sequence[str] | None = None,
    draws: int = 20,
    workers: int = 2,
    on_progress: Progress | None = None,
) -> OperatingPoint:
    """Thresholds for `policy` from all writers of the catalogue, a `part` of them, or `writer_ids`.

    Of several catalogues, each one's writers are strangers to each other only.
    Provisional when the signatures are synthetic. Raises TooFewWriters below `policy.min_calibration_writers`
    writers with three or more distinct genuine signatures, before anything is prepared.
    """
    policy = policy or Policy()
    stores = [*store] if isinstance(store, Sequence) else [store]
    selected = [(each, _selected(each, part, writer_ids)) for each in stores]
    held = [(each, rows) for each, rows in selected if len(rows)]
    _check_writers([rows for _, rows in held], policy)
    trials = []
    for each, rows in held:
        embedded = embed_signatures(each, verifier, rows, workers, on_progress)
        own = policy if len(held) == 1 else replace(policy, min_calibration_writers=2)
        trials.append(calibration_trials(verifier.scorer, embedded, own, near_pairs(each), draws, seed))
    names = {str(name) for _, rows in held for name in rows["dataset"].unique()}
    kinds = {str(kind) for _, rows in held for kind in rows["classification"].unique()}
    return choose_operating_point(
        ScoredTrials.concatenate(trials),
        policy,
        chosen_on=", ".join(sorted(names)),
        provisional=kinds == {Classification.SYNTHETIC.value},
    )


def calibration_trials(
    scorer: Any,
    embedded: Embedded,
    policy: Policy,
    near_duplicates: Sequence[tuple[str, str]] = (),
    draws: int = 20,
    seed: int = 0,
) -> ScoredTrials:
    """Scored trials for each number of references that `policy.min_calibration_writers` writers have signatures for."""
    found, rows = [], embedded.signatures
    genuine = rows[rows["label"] == Label.GENUINE.value].groupby("writer_id").size()
    for k in NUMBERS:
        if int((genuine >= k + QUERIES_LEFT).sum()) < max(2, policy.min_calibration_writers):
            break
        trials = draw_trials(rows, k, draws, seed, near_duplicates)
        found.append(score_trials(scorer, trials, embedded.embeddings, rows["signature_id"]))
    if not found:
        raise _too_few(int((genuine >= 1 + QUERIES_LEFT).sum()), policy)
    return ScoredTrials.concatenate(found)


def _selected(store: Store, part: Part | str | None, writer_ids: Sequence[str] | None) -> pd.DataFrame:
    rows = store.signatures()
    wanted = None if writer_ids is None else list(writer_ids)
    if rows.empty or (wanted is not None and not wanted):
        raise _too_few(0, Policy())
    if wanted is not None:
        return rows[rows["writer_id"].isin(set(wanted))]
    return select_signatures(rows, load_protocol("open"), part=part)


def _check_writers(selected: Sequence[pd.DataFrame], policy: Policy) -> None:
    enough = 0
    for rows in selected:
        distinct = rows[rows["duplicate_of"].isna() & (rows["label"] == Label.GENUINE.value)]
        enough += int((distinct.groupby("writer_id").size() >= 1 + QUERIES_LEFT).sum())
    if enough < policy.min_calibration_writers:
        raise _too_few(enough, policy)


def _too_few(found: int, policy: Policy) -> TooFewWriters:
    need = policy.min_calibration_writers
    return TooFewWriters(
        "too few labelled writers to choose thresholds on",
        got=f"{found} writers with {1 + QUERIES_LEFT} or more distinct genuine signatures",
        expected=f"at least {need} (policy.min_calibration_writers)",
        next=f"label the signatures of {max(1, need - found)} more writers",
    )
