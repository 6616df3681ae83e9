"""Control 4, reference-free classifier: does the embedding alone say "forged", whoever is claimed?

Logistic regression and gradient boosting see a query's embedding and no reference; the better by inner writer folds
is judged on unseen writers, on the verifier's own trials. When the verifier is not clearly better than a classifier
that cannot know whose signature it should be, its references do no work. Twice the verifier's EER is the aim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sigverify.errors import TooFewWriters
from sigverify.evaluation.control import Control, did_not_run, interval_in_per_cent
from sigverify.evaluation.embedded import Embedded
from sigverify.evaluation.paired_eer import paired_eer
from sigverify.evaluation.probing import held_out
from sigverify.records import Label, TrialKind
from sigverify.scoring.scored_trials import ScoredTrials

AIM = 2.0  # its EER over the verifier's


def reference_free_control(embedded: Embedded, scored: ScoredTrials, seed: int = 0, resamples: int = 500) -> Control:
    """Invalid when the paired interval of (its EER - the verifier's) over the trials `scored` includes 0 or less."""
    name = "reference_free"
    own = scored.where(scored.kind != TrialKind.RANDOM_FORGERY.value)
    if not len(own.of(TrialKind.SKILLED_FORGERY)) or not len(own.of(TrialKind.GENUINE)):
        return did_not_run(name, "it needs skilled forgeries")
    try:
        blind, chosen = _without_references(embedded, own, seed)
    except TooFewWriters as error:
        return did_not_run(name, str(error))
    return judged_reference_free(own, blind, chosen, seed, resamples)


def judged_reference_free(
    own: ScoredTrials, blind: ScoredTrials, chosen: Sequence[str] = (), seed: int = 0, resamples: int = 500
) -> Control:
    """The same of trials scored already: by the verifier (`own`) and by classifiers without references (`blind`)."""
    name = "reference_free"
    found = paired_eer(own, blind, resamples=resamples, seed=seed)
    numbers: dict[str, Any] = {
        "eer": round(100 * found.after, 4),
        "verifier_eer": round(100 * found.before, 4),
        "n_references": int(own.n_references[0]),
        "difference_interval": interval_in_per_cent(found.interval),
        "ratio": round(found.after / found.before, 2) if found.before > 0 else None,
        "ratio_aim": AIM,
        "models": sorted(set(chosen)),
    }
    if found.interval.low > 0:
        return Control(name, "valid", (), numbers, blind)
    reason = (
        f"a classifier that sees no reference reaches EER {found.after:.1%}, the verifier {found.before:.1%}: "
        f"no clear difference [{found.interval.low:+.1%}, {found.interval.high:+.1%}]"
    )
    return Control(name, "invalid", (reason,), numbers, blind)


def _without_references(embedded: Embedded, own: ScoredTrials, seed: int) -> tuple[ScoredTrials, list[str]]:
    """The trials `own` with the scores of a classifier that sees the query's embedding only, its writer unseen."""
    rows = embedded.signatures
    used = rows["writer_id"].isin(set(own.writer_id.tolist())).to_numpy()
    genuine = (rows["label"] == Label.GENUINE.value).to_numpy()[used]
    writers = rows["writer_id"].to_numpy(str)[used]
    score, chosen = held_out(np.asarray(embedded.queries[used], np.float64), genuine, writers, seed)
    of = dict(zip(rows["signature_id"].to_numpy(str)[used].tolist(), score.tolist(), strict=True))
    return replace(own, score=np.array([of[query] for query in own.query_id.tolist()])), chosen
