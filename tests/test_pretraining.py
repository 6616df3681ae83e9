"""From seeds to a bundle: synthetic writers and Omniglot words, seen as small as the backbone sees them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigverify.config import BatchSettings, EncoderSettings, PreprocessingSettings, TrainingSettings
from sigverify.model.reduction import reduced_images
from sigverify.pretraining import SyntheticPlan, pretrain, synthetic_set
from sigverify.verifier import Verifier
from tests.model.test_omniglot import zipped

PLAN = SyntheticPlan(writers=4, genuine=4, forgeries=3, omniglot_words=3, calibration_writers=10, long_side_px=300)
FINE = PreprocessingSettings(stroke_shape="line", stroke_oversampling=2)
SETTINGS = TrainingSettings(
    encoder=EncoderSettings(
        grid_rows=3, grid_columns=6, grid_stride=8, cell_channels=4, similarity="overlap", directions=4,
        learnt_height_px=48, learnt_widen_px=2,
    ),
    preprocessing=FINE,
    batch=BatchSettings(writers=3, genuine=2, forgeries=2, source_shares=(0.5, 0.5)),
    steps=2,
)  # fmt: skip


def say(stage: str, share: float) -> None:
    del stage, share


def test_drawn_signatures_are_kept_as_the_backbone_sees_them_and_drawn_once(tmp_path: Path) -> None:
    small = synthetic_set(tmp_path, SETTINGS, PLAN, 1, say)
    assert small.images.shape[1:] == (48, 96) and small.n_writers == 4
    (held,) = tmp_path.glob("drawn-*.npz")
    stamp = held.stat().st_mtime_ns
    again = synthetic_set(tmp_path, SETTINGS, replace(PLAN, omniglot_words=0), 1, say)
    assert held.stat().st_mtime_ns == stamp and again.digest == small.digest
    whole_canvas = replace(SETTINGS.encoder, learnt_height_px=0, learnt_widen_px=0)
    whole = synthetic_set(tmp_path, replace(SETTINGS, encoder=whole_canvas), PLAN, 1, say)
    assert whole.images.shape[1:] == (96, 192) and len(list(tmp_path.glob("drawn-*.npz"))) == 2
    assert np.array_equal(reduced_images(whole.images, SETTINGS.encoder), small.images)


def test_a_bundle_comes_out_that_says_what_taught_it(tmp_path: Path, archive: Path) -> None:
    done = pretrain(tmp_path / "out", SETTINGS, PLAN, omniglot=archive, workers=2, name="small")
    verifier = Verifier.load(done.bundle)
    assert verifier.version == done.verifier_version and verifier.settings.name == "small"
    assert any("Omniglot" in line for line in verifier.settings.trained_on)
    assert verifier.settings.terms.startswith("redistributable")
    assert verifier.settings.operating_point.thresholds
    canvas = np.zeros((1, 96, 192), np.uint8)
    canvas[:, 40:44, 30:150] = 255
    assert verifier.embed(canvas).shape == (1, verifier.settings.encoder.size)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zipped(tmp_path_factory.mktemp("omniglot") / "images_background.zip")
