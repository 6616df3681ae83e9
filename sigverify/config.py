"""Settings: frozen dataclasses, every number with its unit, unknown keys refused. They travel inside the verifier.

``to_dict`` / ``from_dict``: any of them as JSON and back; ``digest`` names their content.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from sigverify.errors import BadSettings
from sigverify.records import as_plain

T = TypeVar("T")
ADDED = "added after the first release"


def added(default: T) -> T:
    """A setting that older bundles do not know. Its default means what they did before it, and is not written down:

    so the names that settings have (`digest`: verifier versions, encoder ids) outlive new settings.
    """
    return field(default=default, metadata={ADDED: True})


@dataclass(frozen=True)
class PreprocessingSettings:
    """From a scan to the network's input (sigverify.scans). The lane is part of the encoder's identity."""

    lane: Literal["clean", "legacy"] = "clean"
    canvas_height_px: int = 96
    canvas_width_px: int = 192
    margin_px: int = 4  # paper kept around the ink on the canvas
    ink: Literal["binary", "rank"] = "binary"  # how ink darkness is normalised inside the mask
    stroke_width_px: float = 2.5  # mean width that strokes get on the canvas; 0: kept as scanned
    stroke_shape: Literal["pen", "line"] = added("pen")  # of strokes given a width: thick and thin kept, or all equal
    ruled_lines: Literal["keep", "drop"] = added("keep")  # the printed line people sign on, across most of the scan
    stroke_oversampling: int = added(3)  # strokes are redrawn at this many times the canvas resolution, then averaged
    stroke_smoothing_px: float = added(0.0)  # sd of a Gaussian over the ink there, before centre lines are sought
    min_speck_px: int = 12  # connected ink smaller than this (at 640 px long side) is dust
    min_ink_px: int = 150  # less ink than this is a blank scan (at 640 px long side)
    min_side_px: int = 24  # scans smaller than this on either side are too small
    max_ink_fraction: float = 0.45  # more ink than this inside the scan is a too dark scan
    max_border_share: float = 0.03  # share of the strokes' length on the scan's border above which it is cut off
    max_pixels: int = 64_000_000  # a larger header is refused before decoding
    max_file_bytes: int = 32_000_000


@dataclass(frozen=True)
class EncoderSettings:
    """A timm backbone by name and what becomes of its features: a projection of unit norm, or cells that sum to one."""

    backbone: str = "mobilenetv3_small_100"
    embedding_dim: int = 128  # numbers of the projection; where cells are compared there is none, see `size`
    dropout: float = 0.0  # share, before the projection
    first_stride: int = 2  # 1 keeps twice the resolution through the whole backbone
    projection_norm: bool = False  # batch normalisation between projection and unit norm
    grid_rows: int = added(0)  # > 0: features keep their place, in grid_rows x grid_columns cells; 0: averaged away
    grid_columns: int = added(0)
    grid_stride: int = added(16)  # px of the canvas from one feature to the next where they keep their place
    cell_channels: int = added(16)  # numbers kept of each cell
    similarity: Literal["cosine", "overlap"] = added("cosine")  # overlap: what two signatures have in the same cells
    pose_stretch: float = added(-1.0)  # >= 0: centred and scaled by ink moments, aspect normalised by this power
    cell_window_px: float = added(0.0)  # sd of the Gaussian window through which a cell sees the backbone's features
    directions: int = added(0)  # > 0: a second expert in the same cells, stroke directions, nothing learnt
    direction_window_px: float = added(12.0)  # sd of its Gaussian windows
    direction_share: float = added(0.5)  # of the overlap; the rest is the backbone's
    direction_split: int = added(1)  # cells of directions along each side of a cell of the grid: 2 sees four in each
    direction_neighbours: int = added(3)  # cells along a side of the square whose energy a cell is divided by; odd
    direction_limit: float = added(0.4)  # of that energy: one bold stroke does not drown its neighbourhood
    reference_turns_deg: tuple[float, ...] = added(())  # references are also enrolled turned by these angles ...
    reference_shifts_px: tuple[int, ...] = added(())  # ... and moved to the right by so many px of the canvas
    learnt_height_px: int = added(0)  # > 0: the backbone sees the canvas reduced to this height; 0: as it is
    learnt_widen_px: int = added(0)  # even: how much wider strokes become before they are reduced
    physical_size: bool = added(False)  # width and height of the ink in mm stand behind the cells (0: not known)

    @property
    def parts(self) -> int:
        """Embeddings held of a reference: as it is, and one for each turn and shift."""
        return 1 + len(self.reference_turns_deg) + len(self.reference_shifts_px)

    @property
    def grids(self) -> tuple[tuple[int, int, int], ...]:
        """What an embedding of cells holds, in order: (numbers a cell, rows, columns) of each expert."""
        rows, columns, split = self.grid_rows, self.grid_columns, self.direction_split
        seen = ((self.directions, rows * split, columns * split),) if self.directions else ()
        return ((self.cell_channels, rows, columns), *seen)

    @property
    def described(self) -> int:
        """Numbers in an embedding that come from the picture."""
        cells = sum(numbers * rows * columns for numbers, rows, columns in self.grids)
        return self.embedding_dim if self.similarity == "cosine" else cells

    @property
    def size(self) -> int:
        """Numbers in an embedding of a query; a reference has `parts` times as many."""
        return self.described + (2 if self.physical_size else 0)


@dataclass(frozen=True)
class AugmentationSettings:
    """Random changes a signature survives; all shares are probabilities, all ranges symmetric."""

    enabled: bool = True
    rotation_deg: float = 5.0
    scale_share: float = 0.10
    shear_deg: float = 4.0
    shift_share: float = 0.03  # of the canvas
    elastic_alpha: float = 0.0  # px; 0 = none
    stroke_change: float = 0.5  # probability of thinning or thickening strokes (pen randomisation)
    erase: float = 0.2  # probability that a line or box hides part of the ink
    blur: float = 0.2


@dataclass(frozen=True)
class BatchSettings:
    """P writers x (K genuine + F skilled forgeries)."""

    writers: int = 16
    genuine: int = 4
    forgeries: int = 4
    source_shares: tuple[float, ...] = ()  # share of the writers from each source of the set; () = by number of writers


@dataclass(frozen=True)
class MiningSettings:
    """Which triplets count. Anchors and positives are always genuine of one writer; forgeries are negatives only."""

    strategy: Literal["semi_hard", "batch_hard", "curriculum"] = "curriculum"
    margin: float = 0.2  # in distance, 1 - similarity
    skilled_share: float = 0.5  # share of anchors whose negative is the writer's own skilled forgery
    hard_from: float = 0.4  # curriculum: share of the steps after which batch-hard begins


@dataclass(frozen=True)
class TrainingSettings:
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    preprocessing: PreprocessingSettings = field(default_factory=PreprocessingSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    mining: MiningSettings = field(default_factory=MiningSettings)
    steps: int = 2_000
    learning_rate: float = 1e-3  # AdamW, one cycle: linear warm-up, cosine down
    warmup_share: float = 0.05  # of the steps
    weight_decay: float = 1e-4
    identity_weight: float = 0.5  # weight of the softmax-over-similarities term that keeps early training from collapse
    identity_temperature: float = 0.1  # of that softmax: similarities are divided by it
    gradient_clip: float = 1.0  # longest gradient (2-norm over all weights); 0 = none
    ema_decay: float = 0.0  # > 0: the weights kept are an exponential moving average over steps
    select: Literal["last", "best"] = "last"  # best = lowest validation skilled EER
    seed: int = 0
    checkpoint_every: int = 250  # steps
    validate_every: int = 250  # steps; 0 = never
    mixed_precision: bool = True  # on a GPU only


@dataclass(frozen=True)
class ScoringSettings:
    """From cosines with k references to one score (sigverify.scoring)."""

    fusion: Literal["mean", "max", "median", "mean_max"] = "mean_max"
    normalisation: Literal["none", "z", "s", "own"] = "s"  # by a cohort (template side, both) or by the own references
    cohort_top: int = 0  # adaptive: only the nearest n cohort members count; 0 = all
    own_share: float = added(0.6)  # "own": of the references' similarity to one another, taken off the score
    own_expected: float = added(0.8)  # that similarity where there is one reference ...
    own_pairs: float = added(1.0)  # ... and how many pairs of references this expectation is worth where there are more
    size_share: float = added(0.0)  # > 0: taken off a similarity for each e-fold of another size on paper
    odd_reference: float = added(0.0)  # > 0: a reference so much less like the others does not count among those pairs


@dataclass(frozen=True)
class Policy:
    """What a bank tolerates. The accept threshold keeps both FARs, the reject threshold keeps `max_frr_auto`."""

    name: str = "standard"
    version: str = "1"
    max_far_skilled: float = 0.01  # of skilled forgeries accepted automatically
    max_far_random: float = 0.001  # of random forgeries accepted automatically
    max_frr_auto: float = 0.01  # of genuine signatures rejected automatically; everything between is referred
    min_calibration_writers: int = 10


@dataclass(frozen=True)
class Thresholds:
    """For one number of references. Rates are those measured on the calibration writers, as shares."""

    n_references: int
    accept: float
    reject: float
    far_skilled: float
    far_random: float
    frr: float  # genuine not accepted (referred or rejected)
    frr_auto: float  # genuine rejected
    calibration_slope: float = 1.0  # logit P(genuine) = slope * score + intercept, equal priors
    calibration_intercept: float = 0.0
    measured: bool = True  # False: interpolated between numbers of references that were measured
    random_below: float | None = added(None)  # a forgery that scores less is rather a random than a skilled one


@dataclass(frozen=True)
class OperatingPoint:
    """Thresholds + the policy they serve + the writers they were chosen on."""

    policy: Policy = field(default_factory=Policy)
    thresholds: tuple[Thresholds, ...] = ()  # one for each number of references 1 .. 10
    chosen_on: str = ""  # data, in words: "synthetic" or a catalogue's name
    n_writers: int = 0
    n_skilled: int = 0
    n_genuine: int = 0
    provisional: bool = True  # not chosen on the bank's own signatures
    warnings: tuple[str, ...] = ()  # what the calibration data could not support, in words


@dataclass(frozen=True)
class VerifierSettings:
    """Everything but the weights and the cohort: what verifier.json holds."""

    name: str = "unnamed"
    preprocessing: PreprocessingSettings = field(default_factory=PreprocessingSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    operating_point: OperatingPoint = field(default_factory=OperatingPoint)
    trained_on: tuple[str, ...] = ()  # data sets, in words
    terms: str = ""  # "research use: trained on ..." or "redistributable"
    training: dict[str, Any] = field(default_factory=dict)  # the TrainingSettings and results, for the card


def to_dict(settings: Any) -> dict[str, Any]:
    """Settings as JSON-ready builtins, without `added` ones that have their default."""
    shown: dict[str, Any] = {}
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if not (item.metadata.get(ADDED) and value == item.default):
            shown[item.name] = _plain(value)
    return shown


def from_dict(kind: type[T], values: dict[str, Any]) -> T:
    """Settings from builtins; an unknown key or a wrong type is an error that names it.

    Raises BadSettings with the path of the key, what was got, what was expected.
    """
    return typing.cast(T, _build(kind, values, kind.__name__))


def digest(settings: Any, length: int = 12) -> str:
    """A short name for the content of settings: SHA-256 of canonical JSON, `length` hex digits."""
    plain = settings if isinstance(settings, dict) else to_dict(settings)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return as_plain(value)


def _build(kind: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path)
    if origin is Literal:
        if value not in typing.get_args(kind):
            raise BadSettings(f"{path} has an unknown value", got=repr(value), expected=typing.get_args(kind))
        return value
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(_build(inner, v, f"{path}[{i}]") for i, v in enumerate(value))
    if origin in (typing.Union, types.UnionType):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = origin or kind
    fits = isinstance(plain, type) and isinstance(value, plain) and (plain is bool or not isinstance(value, bool))
    if isinstance(plain, type) and plain is not object and not fits:
        raise BadSettings(
            f"{path} has the wrong type", got=f"{value!r} ({type(value).__name__})", expected=plain.__name__
        )
    return value


def _build_dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise BadSettings(f"{path} must be a table of settings", got=repr(value))
    known = typing.get_type_hints(kind)
    if unknown := sorted(set(value) - set(known)):
        raise BadSettings(
            f"{path} has unknown keys", got=", ".join(unknown), expected=f"some of {', '.join(sorted(known))}"
        )
    return kind(**{key: _build(known[key], v, f"{path}.{key}") for key, v in value.items()})
