"""Every error the library raises on purpose, as one tree.

::

    SigverifyError                 says what, got, expected, next; ``exit_code`` is what the command line returns
    ├── BadInput                   something the caller gave is wrong                       exit 2
    │   ├── BadSettings            unknown key, value out of range
    │   ├── BadTable               a table misses columns, cannot be read at all
    │   └── BadScan                one scan gives no image; carries a Reason (never stops a batch)
    ├── NotFound                   a catalogue, batch, writer, verifier or alias that is not there   exit 3
    ├── Mismatch                   two things made for each other are not (gallery/encoder, lane)   exit 4
    ├── TooFewWriters              a figure or threshold the data cannot support             exit 5
    ├── Conflict                   somebody else did it first, or it was done differently   exit 6
    ├── Unreconciled               count or amount does not add up; the export is refused   exit 7
    └── TrainingCollapsed          all embeddings equal, loss stuck at the margin           exit 8

A bad *row* is data (quarantined with reasons); only a bad *run* is one of these.
"""

from __future__ import annotations

from sigverify.records import Reason


class SigverifyError(Exception):
    """An error with four parts, so that whoever reads it at night knows what to do next."""

    exit_code = 1

    def __init__(self, what: str, *, got: object = None, expected: object = None, next: str | None = None) -> None:
        self.what, self.got, self.expected, self.next = what, got, expected, next
        parts = [what]
        if got is not None:
            parts.append(f"got {got}")
        if expected is not None:
            parts.append(f"expected {expected}")
        text = "; ".join(parts)
        super().__init__(f"{text}. {next}" if next else text)


class BadInput(SigverifyError):
    exit_code = 2


class BadSettings(BadInput):
    pass


class BadTable(BadInput):
    pass


class BadScan(BadInput):
    """One scan that yields no usable image; `reason` is what the ledger will hold."""

    def __init__(self, reason: Reason, what: str, **parts: object) -> None:
        super().__init__(what, **parts)  # type: ignore[arg-type]
        self.reason = reason


class NotFound(SigverifyError):
    exit_code = 3


class Mismatch(SigverifyError):
    exit_code = 4


class TooFewWriters(SigverifyError):
    exit_code = 5


class Conflict(SigverifyError):
    exit_code = 6


class Unreconciled(SigverifyError):
    exit_code = 7


class TrainingCollapsed(SigverifyError):
    exit_code = 8
