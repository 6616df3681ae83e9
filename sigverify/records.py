"""The words of the project as types: ids, enums and frozen records. No third-party import but numpy.

An id is a plain string. ``writer_id`` is ``<set>/<writer>`` (``cedar/001``), ``signature_id`` is
``<writer_id>/<genuine|skilled_forgery>/<n>`` for imported sets; a bank's own ids are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]  # (h, w) grey, 0 black .. 255 white for scans
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
MM_PER_INCH = 25.4
Sizes = Floats | Sequence[tuple[float, float]]  # (n, 2) width and height of the ink in mm; 0: not known


class Label(StrEnum):
    """Provenance of an image."""

    GENUINE = "genuine"
    SKILLED_FORGERY = "skilled_forgery"


class TrialKind(StrEnum):
    """What a trial is; random_forgery exists only here, never as an image's label."""

    GENUINE = "genuine"
    RANDOM_FORGERY = "random_forgery"
    SKILLED_FORGERY = "skilled_forgery"


class Part(StrEnum):
    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


class Classification(StrEnum):
    """How an image may be shown: a signature of a real person is biometric data."""

    SYNTHETIC = "synthetic"
    RESEARCH = "research"
    BIOMETRIC = "biometric"


class Pictures(StrEnum):
    """Which pictures may enter a report or a run: the setting, held against the catalogue's classification."""

    NONE = "none"
    SYNTHETIC = "synthetic"
    ALL = "all"

    def allows(self, classification: Classification) -> bool:
        return self is Pictures.ALL or (self is Pictures.SYNTHETIC and classification is Classification.SYNTHETIC)


class Outcome(StrEnum):
    ACCEPT = "accept"
    REFER = "refer"
    REJECT = "reject"
    FAILURE_TO_ACQUIRE = "failure_to_acquire"


class Reason(StrEnum):
    """Why an outcome, or why a row or file went to quarantine. One word each, stable for years."""

    # accept, refer, reject
    SCORE_ACCEPT = "score_at_or_above_accept_threshold"
    SCORE_REFER = "score_between_thresholds"
    SCORE_REJECT = "score_below_reject_threshold"
    COPY_OF_ITEM = "copy_of_item"
    COPY_OF_REFERENCE = "copy_of_reference"
    UNKNOWN_WRITER = "unknown_writer"
    NO_REFERENCES = "no_references"
    # failure to acquire: the file was admitted, no usable signature came out of it
    BLANK = "blank"
    UNIFORM = "uniform"
    TOO_SMALL = "too_small"
    TOO_DARK = "too_dark"
    TOUCHES_BORDER = "touches_border"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    # quarantine: the row or file was not admitted
    CONTRACT = "contract_violation"
    FILE_MISSING = "file_missing"
    PATH_ESCAPES = "path_outside_landing_folder"
    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    FILE_TOO_LARGE = "file_too_large"
    ITEM_ID_CONFLICT = "item_id_with_other_content"
    AMOUNT_UNREADABLE = "amount_unreadable"


class BatchState(StrEnum):
    """receiving -> open -> decided -> exported. `open` is work for verify_batch and the nightly sweep."""

    RECEIVING = "receiving"
    OPEN = "open"
    DECIDED = "decided"
    EXPORTED = "exported"


@dataclass(frozen=True)
class Preparation:
    """What preprocessing made of one scan: an image on the canvas, or the reason why not.

    `image` is (canvas_height, canvas_width) uint8, **ink-positive**: 0 paper, 255 full ink; None when `failure` is set.
    `ink_box` is (top, left, bottom, right) in scan pixels; `measures` holds plain numbers (ink fraction, stroke width
    in px, scale applied, paper level ...), the raw material of quality reports and of the nuisance probe. `dpi` is the
    scan's resolution (across, down) where the file states one that a scanner can have.
    """

    image: Image | None
    failure: Reason | None = None
    warnings: tuple[Reason, ...] = ()
    ink_box: tuple[int, int, int, int] | None = None
    fingerprint: bytes | None = None  # sigverify.scans.fingerprint: finds copies of the same ink
    measures: dict[str, float] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None

    def at(self, dpi: float | None) -> Preparation:
        """The same at a resolution that is known from elsewhere; as it is where that is None or no number."""
        return self if dpi is None or not np.isfinite(dpi) else replace(self, dpi=(float(dpi), float(dpi)))

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the ink in mm; (0, 0) where the resolution is not known."""
        if self.dpi is None or "crop_width_px" not in self.measures:
            return 0.0, 0.0
        wide, high = (self.measures[f"crop_{side}_px"] for side in ("width", "height"))
        return wide / self.dpi[0] * MM_PER_INCH, high / self.dpi[1] * MM_PER_INCH


@dataclass(frozen=True)
class Template:
    """What enrolment makes of one writer's references. `embeddings` (k, d) float32, in reference order."""

    writer_id: str
    reference_ids: tuple[str, ...]
    embeddings: Floats
    encoder_id: str
    fingerprints: tuple[bytes, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """One row of the ledger, without the ids the ledger adds."""

    outcome: Outcome
    reason: Reason
    score: float | None
    accept_threshold: float | None
    reject_threshold: float | None
    n_references: int
    reference_ids: tuple[str, ...] = ()
    reference_scores: tuple[float, ...] = ()  # similarity of the query with each reference, in reference order
    detail: str = ""  # e.g. the item or reference a copy was found to repeat


@dataclass(frozen=True)
class Verification:
    """The answer to one query: the decision, and what a reviewer needs to understand it."""

    decision: Decision
    probability: float | None  # calibrated P(genuine), were genuine signatures and skilled forgeries equally frequent
    query: Preparation
    references: tuple[Preparation, ...]
    provisional: bool  # the operating point was not chosen on the bank's own signatures
    verifier_version: str
    if_forged: TrialKind | None = None  # the kind of forgery the score resembles more; None: not known
    size_share: float = 0.0  # what physical size counted, see ScoringSettings
    odd_reference: str | None = None  # the one that hardly resembles the others: perhaps it is another writer's

    @property
    def size_ratio(self) -> tuple[float, float] | None:
        """How many times as wide and as high as the references (geometric mean); None where no size is known."""
        known = [p.size_mm for p in self.references if p.image is not None and min(p.size_mm) > 0]
        if not known or min(self.query.size_mm) <= 0:
            return None
        usual = np.exp(np.log(known).mean(axis=0))
        return float(self.query.size_mm[0] / usual[0]), float(self.query.size_mm[1] / usual[1])


def as_plain(value: Any) -> Any:
    """A record's value as JSON-ready builtins (enums to text, arrays to lists, tuples to lists)."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(k): as_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(v) for v in value]
    return value
