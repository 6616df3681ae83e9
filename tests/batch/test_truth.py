"""Error rates against the truth: counted by hand, with the exact binomial interval."""

from __future__ import annotations

import pytest
from scipy.stats import beta

from sigverify.batch.truth import outcomes_by_kind


def test_rates_are_those_of_the_counts(tmp_path):
    path = tmp_path / "truth.csv"
    kinds = ["genuine"] * 10 + ["skilled_forgery"] * 8 + ["random_forgery"] * 5 + ["blank", "missing_file"]
    path.write_text("item_id,kind\n" + "".join(f"i{n},{kind}\n" for n, kind in enumerate(kinds)))
    outcomes = {f"i{n}": "accept" for n in range(24)} | {f"i{n}": "refer" for n in (0, 1, 10)}
    outcomes |= {f"i{n}": "reject" for n in range(11, 16)} | {"i23": "failure_to_acquire"}
    found = {k.kind: k for k in outcomes_by_kind(path, outcomes)}
    assert list(found) == ["genuine", "random_forgery", "skilled_forgery", "blank"]  # the missing file was not decided
    assert (found["genuine"].error, found["genuine"].errors, found["genuine"].n) == ("frr", 2, 10)
    assert (found["skilled_forgery"].errors, found["skilled_forgery"].n) == (2, 8)
    assert (found["random_forgery"].errors, found["random_forgery"].low) == (5, pytest.approx(beta.ppf(0.025, 5, 1)))
    assert found["genuine"].high == pytest.approx(beta.ppf(0.975, 3, 8))
    assert found["blank"].error is None
