"""Encoder and weights: unit norm, what a batch does not change, files that fit and files that do not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sigverify.config import EncoderSettings
from sigverify.errors import BadInput, BadSettings, Mismatch, NotFound
from sigverify.model.batches import SignatureSet
from sigverify.model.embedding import embed
from sigverify.model.encoder import Encoder, build_encoder, load_encoder, load_weights, save_weights
from sigverify.model.tensors import read_tensors, write_tensors

SMALL = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=16)


def used_encoder(settings: EncoderSettings = SMALL, seed: int = 0) -> Encoder:
    """With batch-norm statistics that are not the initial ones."""
    encoder = build_encoder(settings, seed).train()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _ in range(20):
            encoder(torch.rand(8, 1, 32, 64, generator=generator))
    return encoder.eval()


@pytest.mark.parametrize(
    "settings",
    [SMALL, EncoderSettings(backbone="resnet10t", embedding_dim=24, projection_norm=True, first_stride=1)],
    ids=lambda s: s.backbone,
)
def test_embeddings_have_unit_norm_whatever_the_size(settings: EncoderSettings) -> None:
    encoder = used_encoder(settings)
    for height, width in ((32, 64), (96, 192), (65, 127)):
        out = encoder(torch.rand(2, 1, height, width))
        assert out.shape == (2, settings.embedding_dim) and out.dtype == torch.float32
        assert torch.allclose(out.norm(dim=1), torch.ones(2), atol=1e-5)


def test_the_seed_decides_the_weights_and_global_randomness_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = build_encoder(SMALL, 1), build_encoder(SMALL, 1), build_encoder(SMALL, 2)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.projection.weight, other.projection.weight)


def test_first_stride_one_doubles_the_resolution() -> None:
    coarse = build_encoder(SMALL)
    fine = build_encoder(EncoderSettings(backbone=SMALL.backbone, embedding_dim=16, first_stride=1))
    image = torch.rand(1, 1, 64, 128)
    shape = coarse.backbone.forward_features(image).shape  # type: ignore[operator]
    finer = fine.backbone.forward_features(image).shape  # type: ignore[operator]
    assert finer[2:] == (2 * shape[2], 2 * shape[3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EncoderSettings(backbone="mobilnetv3_small_100"), "mobilenetv3_small_100"),
        (EncoderSettings(backbone="convnext_atto", first_stride=1), "use first_stride=2"),
        (EncoderSettings(first_stride=3), "1 or 2"),
    ],
)
def test_settings_timm_cannot_serve_are_refused(settings: EncoderSettings, message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        build_encoder(settings)


def test_half_precision_weights_come_back_with_their_statistics(tmp_path: Path, planted: SignatureSet) -> None:
    encoder = used_encoder()
    path = save_weights(encoder, tmp_path / "weights.safetensors")
    held = load_file(str(path))
    assert {v.dtype for v in held.values()} == {torch.float16, torch.int64}
    assert any(name.endswith("running_var") for name in held)
    loaded = load_encoder(path, SMALL)
    assert not loaded.training
    cosine = (embed(encoder, planted.images) * embed(loaded, planted.images)).sum(1)
    assert cosine.min() > 0.999
    full = load_encoder(save_weights(encoder, tmp_path / "full.safetensors", half=False), SMALL)
    assert all(torch.equal(value, full.state_dict()[name]) for name, value in encoder.state_dict().items())
    assert np.allclose(embed(encoder, planted.images), embed(full, planted.images), atol=1e-5)  # laid out otherwise


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    digests = {
        hashlib.sha256(save_weights(used_encoder(), tmp_path / name).read_bytes()).hexdigest() for name in ("a", "b")
    }
    assert len(digests) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"], "a temporary file was left behind"


def test_a_statistic_too_large_for_half_precision_stays_whole(tmp_path: Path) -> None:
    encoder = used_encoder(EncoderSettings(backbone=SMALL.backbone, embedding_dim=16, projection_norm=True))
    assert isinstance(encoder.norm, torch.nn.BatchNorm1d) and encoder.norm.running_var is not None
    encoder.norm.running_var.fill_(1e6)
    path = save_weights(encoder, tmp_path / "w")
    loaded = load_encoder(path, encoder.settings)
    assert isinstance(loaded.norm, torch.nn.BatchNorm1d) and loaded.norm.running_var is not None
    assert loaded.norm.running_var[0] == 1e6


@pytest.mark.parametrize(
    "other",
    [
        EncoderSettings(backbone=SMALL.backbone, embedding_dim=32),
        EncoderSettings(backbone="mobilenetv3_small_100", embedding_dim=16),
        EncoderSettings(backbone=SMALL.backbone, embedding_dim=16, projection_norm=True),
    ],
)
def test_weights_of_another_encoder_are_a_mismatch(tmp_path: Path, other: EncoderSettings) -> None:
    path = save_weights(build_encoder(SMALL), tmp_path / "weights.safetensors")
    with pytest.raises(Mismatch, match=r"does not fit .* tensors differ"):
        load_encoder(path, other)


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no weights file"):
        load_encoder(tmp_path / "absent", SMALL)
    path = save_weights(build_encoder(SMALL), tmp_path / "weights.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match="no safetensors file"):
        load_encoder(cut, SMALL)
    held = load_file(str(path))
    held["projection.bias"][0] = torch.nan
    save_file(held, str(path))
    with pytest.raises(BadInput, match="NaN"):
        load_weights(build_encoder(SMALL), path)


def test_an_embedding_does_not_depend_on_its_batch(planted: SignatureSet) -> None:
    encoder = used_encoder()
    whole = embed(encoder, planted.images, batch_size=64)
    assert whole.shape == (len(planted), 16) and whole.dtype == np.float32
    assert np.allclose(whole, embed(encoder, planted.images, batch_size=7), atol=1e-5)
    order = np.random.default_rng(0).permutation(len(planted))
    assert np.allclose(whole[order], embed(encoder, planted.images[order]), atol=1e-5)
    assert embed(encoder, planted.images[:0]).shape == (0, 16)


def test_embedding_gives_the_encoder_its_mode_back(planted: SignatureSet) -> None:
    encoder = used_encoder().train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embed(encoder, planted.images[:4])
    assert encoder.training and all(torch.equal(before[n], v) for n, v in encoder.state_dict().items())


def test_embed_takes_prepared_images_only() -> None:
    with pytest.raises(BadInput, match="uint8"):
        embed(build_encoder(SMALL), np.zeros((1, 32, 64), np.float32))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="prepared"):
        embed(build_encoder(SMALL), np.zeros((32, 64), np.uint8))


def test_tensors_and_record_travel_together(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(3), "a": torch.rand(2, 2).T}
    path = write_tensors(tmp_path / "new" / "t", tensors, {"step": 3, "why": "é"})
    held, record = read_tensors(path)
    assert record == {"step": 3, "why": "é"} and all(torch.equal(held[k], tensors[k]) for k in tensors)
    assert read_tensors(write_tensors(path, {"a": torch.zeros(1)}))[1] == {}


GRID = EncoderSettings(embedding_dim=32, grid_rows=6, grid_columns=12)


def test_a_grid_knows_where_a_stroke_is_and_an_average_does_not():
    """The same stroke in two places: without a grid the network's average is (up to its borders) the same."""
    here, there = np.zeros((1, 96, 192), np.uint8), np.zeros((1, 96, 192), np.uint8)
    here[0, 32:48, 32:64] = there[0, 32:48, 96:128] = 255
    distance = {}
    for name, settings in (("grid", GRID), ("average", EncoderSettings(embedding_dim=32))):
        encoder = build_encoder(settings, seed=1)
        distance[name] = 1 - float(embed(encoder, here)[0] @ embed(encoder, there)[0])
    assert distance["grid"] > 10 * max(distance["average"], 1e-7)


def test_a_grid_takes_any_canvas_and_is_part_of_what_the_weights_must_fit(tmp_path):
    encoder = build_encoder(GRID)
    for shape in ((96, 192), (128, 256)):
        assert embed(encoder, np.zeros((2, *shape), np.uint8)).shape == (2, 32)
    path = save_weights(encoder, tmp_path / "w.safetensors")
    load_encoder(path, GRID)
    with pytest.raises(Mismatch):
        load_encoder(path, replace(GRID, grid_columns=6))


def test_what_a_grid_cannot_be():
    with pytest.raises(BadSettings, match="no features of this stride"):
        build_encoder(replace(GRID, grid_stride=5))
    with pytest.raises(BadSettings, match="rows, columns and channels"):
        build_encoder(replace(GRID, grid_columns=0))
