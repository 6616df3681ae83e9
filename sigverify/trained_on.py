"""What a verifier was trained and calibrated on, as digests: enough to refuse a test on the same writers or images.

``trained_on.json`` in a bundle holds short digests of writer ids and of image pixels, never an id or a picture. A
digest of an id that can be guessed can be found again by guessing: treat a bundle as confidentially as its gallery.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sigverify.config import from_dict, to_dict
from sigverify.errors import BadInput

LENGTH = 16  # hex digits of a digest
NO_REAL_SIGNATURE = "no real signature"


@dataclass(frozen=True)
class TrainedOn:
    """`writers` taught the network, `calibration_writers` chose thresholds, `images` are both's: sorted digests.

    `complete` False: training began from weights of which nobody says what they were trained on.
    """

    statement: str  # in words
    writers: tuple[str, ...] = ()
    calibration_writers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    complete: bool = True

    @staticmethod
    def of(statement: str, train: Iterable[str], calibration: Iterable[str], pixel_digests: Iterable[str]) -> TrainedOn:
        """From writer ids and pixel digests as catalogues hold them."""
        return TrainedOn(statement, short(train), short(calibration), short(pixel_digests))

    def after(self, before: TrainedOn | None) -> TrainedOn:
        """This training on top of what the initial weights had seen; None: nobody knows."""
        if before is None:
            return TrainedOn(self.statement, self.writers, self.calibration_writers, self.images, complete=False)
        earlier = before.statement if before.statement not in ("", self.statement) else ""
        return TrainedOn(
            f"{self.statement}; before that {earlier}" if earlier else self.statement,
            _together(self.writers, before.writers),
            _together(self.calibration_writers, before.calibration_writers),
            _together(self.images, before.images),
            self.complete and before.complete,
        )

    def to_json(self) -> bytes:
        """As it lies in the bundle."""
        return (json.dumps(to_dict(self), indent=0, sort_keys=True) + "\n").encode()

    @staticmethod
    def from_json(data: bytes) -> TrainedOn:
        """Raises BadInput for what is not JSON, BadSettings for unknown keys."""
        try:
            held: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise BadInput("trained_on.json is not JSON", got=str(error), next="fetch the bundle again") from error
        return from_dict(TrainedOn, held)


def short(values: Iterable[str]) -> tuple[str, ...]:
    """Short digests of ids or long digests, sorted, each once."""
    return tuple(sorted({short_digest(value) for value in values}))


def short_digest(value: str) -> str:
    """The first 16 hex digits of the SHA-256 of a text."""
    return hashlib.sha256(str(value).encode()).hexdigest()[:LENGTH]


def _together(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))
