"""What a check answers: the good rows, and every failure of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FAILURE_COLUMNS = ("row", "column", "rule", "value", "reason")


@dataclass(frozen=True)
class Checked:
    """`good`: rows without a failure, with the contract's types, under their labels of the table that was given.

    `failures`: row (label), column, rule, value (hidden where the column is confidential or biometric) and reason,
    one line for each rule a row breaks, in the order of rows and columns. `extra`: columns the contract does not know.
    """

    good: pd.DataFrame
    failures: pd.DataFrame
    extra: tuple[str, ...] = ()

    @property
    def n_bad(self) -> int:
        """Rows with at least one failure."""
        return int(self.failures["row"].nunique())

    def records(self) -> list[dict[str, Any]]:
        """The good rows as plain dictionaries; an empty cell is None."""
        plain = self.good.astype(object)
        return [
            {str(k): None if is_missing(v) else v for k, v in row.items()} for row in plain.to_dict(orient="records")
        ]


@dataclass(frozen=True)
class Trailer:
    """A manifest's control totals; None where they cannot be read. `currency` None: a total over all currencies."""

    count: int | None
    amount_minor: int | None
    currency: str | None


def is_missing(value: object) -> bool:
    """None, NaN, NaT and pandas' NA."""
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )
