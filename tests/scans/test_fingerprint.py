"""A copy of the same ink is found, another signature is not, and the fast search agrees with the slow one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pil
from PIL import ImageFilter
from scipy import ndimage

from sigverify.config import PreprocessingSettings
from sigverify.errors import Mismatch
from sigverify.records import Image
from sigverify.scans.fingerprint import BYTES, NEAR_COPY, find_copies, fingerprint, similarity
from sigverify.scans.prepare import prepare
from tests.scans.drawing import bilevel_of, coverage, scan_of

CLEAN = PreprocessingSettings()


def print_of(scan: Image) -> bytes:
    return prepare(scan, CLEAN).fingerprint or b""


def jpeg(scan: Image) -> Image:
    held = io.BytesIO()
    Pil.fromarray(scan).save(held, "JPEG", quality=40)
    return np.asarray(Pil.open(held).convert("L"))


def turned(scan: Image, degrees: float) -> Image:
    return np.asarray(Pil.fromarray(scan).rotate(degrees, Pil.Resampling.BICUBIC, fillcolor=235))


COPIES = {
    "rescan": lambda ink: scan_of(ink, 250, 110, noise=6, seed=9),
    "jpeg": lambda ink: jpeg(scan_of(ink)),
    "bilevel": bilevel_of,
    "moved": lambda ink: np.roll(scan_of(ink), (2, -3), axis=(0, 1)),
    "blurred": lambda ink: np.asarray(Pil.fromarray(scan_of(ink)).filter(ImageFilter.GaussianBlur(1.2))),
    "smaller": lambda ink: np.asarray(Pil.fromarray(scan_of(ink)).resize((576, 225))),
    "larger": lambda ink: np.asarray(Pil.fromarray(scan_of(ink)).resize((704, 275))),
    "turned": lambda ink: turned(scan_of(ink), 1.0),
    "all": lambda ink: jpeg(turned(np.asarray(Pil.fromarray(scan_of(ink)).resize((600, 234))), -1.0)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found(kind: str) -> None:
    for seed in range(8):
        ink = coverage(seed)
        assert similarity(print_of(COPIES[kind](ink)), print_of(scan_of(ink))) >= NEAR_COPY


def bent(ink: np.ndarray, seed: int) -> np.ndarray:
    """The same movement made again: smoothly displaced by a few pixels, as no hand repeats itself."""
    rng = np.random.default_rng(seed)
    drift = [ndimage.zoom(rng.normal(0, 9, (3, 6)), (250 / 3, 640 / 6), order=3) for _ in range(2)]
    rows, columns = np.mgrid[:250, :640]
    return ndimage.map_coordinates(ink, [rows + drift[0], columns + drift[1]], order=1)


def test_signing_again_is_no_copy() -> None:
    values = []
    for seed in range(8):
        ink = coverage(seed)
        values.append(similarity(print_of(scan_of(bent(ink, seed))), print_of(scan_of(ink))))
    assert max(values) < NEAR_COPY
    assert np.median(values) > 0.2  # related all the same


def test_similarity_is_symmetric_and_one_for_itself() -> None:
    prints = [print_of(scan_of(coverage(seed))) for seed in range(5)]
    assert all(len(p) == BYTES for p in prints)
    for a in prints:
        assert similarity(a, a) == pytest.approx(1.0, abs=1e-5)
        for b in prints:
            assert similarity(a, b) == pytest.approx(similarity(b, a))
            assert 0.0 <= similarity(a, b) <= 1.0


def test_a_mask_and_its_picture_have_one_fingerprint() -> None:
    mask = coverage(1) > 0.5
    assert fingerprint(mask) == fingerprint(np.where(mask, 255, 0).astype(np.uint8))


def test_search_agrees_with_comparing_every_pair() -> None:
    rng = np.random.default_rng(0)
    inks = [coverage(seed) for seed in range(30)]
    pool = [print_of(scan_of(ink)) for ink in inks]
    query = [print_of(jpeg(turned(scan_of(inks[i]), rng.uniform(-1, 1)))) for i in range(0, 30, 3)]
    found = find_copies(query, pool)
    for print_, copies in zip(query, found, strict=True):
        slow = {i: similarity(print_, other) for i, other in enumerate(pool)}
        assert dict(copies) == pytest.approx({i: s for i, s in slow.items() if s >= NEAR_COPY}, abs=1e-5)
        assert [s for _, s in copies] == sorted((s for _, s in copies), reverse=True)
    assert [copies[0][0] for copies in found] == list(range(0, 30, 3))


def test_no_ink_matches_nothing() -> None:
    some = print_of(scan_of(coverage(0)))
    assert fingerprint(np.zeros((10, 10), dtype=bool)) == b""
    assert similarity(b"", some) == similarity(b"", b"") == 0.0
    assert find_copies([b"", some], [b"", some]) == [[], [(1, pytest.approx(1.0, abs=1e-5))]]
    assert find_copies([], [some]) == [] and find_copies([some], []) == [[]]


def test_a_foreign_fingerprint_is_named() -> None:
    with pytest.raises(Mismatch, match=f"expected {BYTES} bytes"):
        similarity(b"123", b"456")
