"""What a reviewer sees: the evidence of a verification, and its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from sigverify.config import EncoderSettings, OperatingPoint, Policy, ScoringSettings, Thresholds, VerifierSettings
from sigverify.errors import BadInput
from sigverify.explanation import AGAINST, FOR, explain, save_picture, told_apart
from sigverify.model.encoder import build_encoder, save_weights
from sigverify.records import TrialKind
from sigverify.synthesis.sets import draw_signatures
from sigverify.verification import verify_one
from sigverify.verifier import Verifier

CELLS = EncoderSettings(
    backbone="mobilenetv3_small_050",
    grid_rows=6,
    grid_columns=12,
    grid_stride=8,
    cell_channels=4,
    similarity="overlap",
    pose_stretch=0.4,
    directions=9,
)
POINT = OperatingPoint(Policy(), (Thresholds(3, 0.1, -0.1, 0, 0, 0, 0, random_below=-0.05),), "nothing", 0)


@pytest.fixture(
    scope="module",
    params=[{}, {"reference_turns_deg": (-5.0, 5.0), "reference_shifts_px": (-6, 6), "direction_split": 2}],
    ids=["upright", "turned"],
)
def verifier(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Verifier:
    encoder = replace(CELLS, **request.param)
    weights = save_weights(build_encoder(encoder), tmp_path_factory.mktemp("v") / "weights.safetensors")
    scoring = ScoringSettings(normalisation="own", own_share=1.0)
    return Verifier(VerifierSettings(name="cells", encoder=encoder, scoring=scoring, operating_point=POINT), weights)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four genuine signatures of a writer and one of another, then a sheet without ink."""
    folder = tmp_path_factory.mktemp("scans")
    drawn = draw_signatures(2, 4, 0, seed=8).images
    paths = []
    for i, image in enumerate([*drawn[:5], np.full((200, 400), 255, np.uint8)]):
        paths.append(folder / f"{i}.png")
        Picture.fromarray(image).save(paths[-1])
    return paths


def test_the_evidence_is_the_score_and_a_stranger_has_more_against_him(verifier: Verifier, scans: list[Path]) -> None:
    own, stranger = (verify_one(verifier, query, scans[1:4]) for query in (scans[0], scans[4]))
    for answer in (own, stranger):
        found = explain(verifier, answer)
        assert found is not None and answer.decision.score is not None
        assert found.total == pytest.approx(answer.decision.score, abs=5e-5)
        assert found.nearest == int(np.argmax(answer.decision.reference_scores))
        expected = TrialKind.RANDOM_FORGERY if answer.decision.score < -0.05 else TrialKind.SKILLED_FORGERY
        assert answer.if_forged is expected
    evidence = [explain(verifier, answer) for answer in (own, stranger)]
    against = [float(np.minimum(e.query, 0).sum()) for e in evidence if e is not None]
    assert against[1] < against[0] - 0.05


def test_the_picture_holds_both_colours_and_the_score_in_words(
    verifier: Verifier, scans: list[Path], tmp_path: Path
) -> None:
    answer = verify_one(verifier, scans[4], scans[1:4])
    pixels = np.asarray(Picture.open(save_picture(verifier, answer, tmp_path / "why" / "a.png")).convert("RGB"))
    lean = pixels[..., 0].astype(int) - pixels[..., 2]
    assert (lean > 40).mean() > 0.01 and (lean < -40).mean() > 0.002  # orange and blue
    drawn = save_picture(verifier, answer, tmp_path / "b.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml") and FOR != AGAINST


def test_without_ink_or_cells_there_is_nothing_to_explain(
    verifier: Verifier, scans: list[Path], tmp_path: Path
) -> None:
    blank = verify_one(verifier, scans[5], scans[1:4])
    assert explain(verifier, blank) is None
    with pytest.raises(BadInput, match="no signature to show"):
        save_picture(verifier, blank, tmp_path / "c.png")
    answer = verify_one(verifier, scans[0], scans[1:4])
    with pytest.raises(BadInput, match="no such kind of picture"):
        save_picture(verifier, answer, tmp_path / "c.docx")
    plain = EncoderSettings(backbone="mobilenetv3_small_050", embedding_dim=16)
    weights = save_weights(build_encoder(plain), tmp_path / "weights.safetensors")
    cosine = Verifier(replace(verifier.settings, encoder=plain), weights)
    other = verify_one(cosine, scans[0], scans[1:4])
    assert explain(cosine, other) is None
    assert save_picture(cosine, other, tmp_path / "d.png").stat().st_size > 1000


def test_a_query_put_crooked_resembles_references_that_are_held_turned(
    verifier: Verifier, scans: list[Path], tmp_path: Path
) -> None:
    crooked = tmp_path / "crooked.png"
    Picture.open(scans[0]).rotate(5, Picture.Resampling.BICUBIC, expand=True, fillcolor=255).save(crooked)
    alike = [verify_one(verifier, query, [scans[0]]).decision.reference_scores[0] for query in (scans[0], crooked)]
    assert alike[0] == pytest.approx(1.0, abs=1e-3)
    template = verifier.enrol("w", ["1"], [verifier.prepare(scans[0])])
    assert template.embeddings.shape == (1, verifier.settings.encoder.parts * verifier.settings.encoder.size)
    query = verifier.embed([p.image for p in [verifier.prepare(crooked)] if p.image is not None])
    upright = float(np.minimum(template.embeddings[:, : verifier.settings.encoder.size], query).sum())
    assert (
        alike[1] == pytest.approx(upright, abs=1e-5)
        if verifier.settings.encoder.parts == 1
        else alike[1] > upright + 0.02
    )


def test_a_score_just_below_a_threshold_is_not_shown_as_if_it_were_on_it() -> None:
    assert told_apart(0.25, 0.24, 0.1) == ["0.250", "0.240", "0.100"]
    assert told_apart(0.24052, 0.24061, 0.1) == ["0.2405", "0.2406", "0.1000"]
    assert told_apart(0.2, 0.2, 0.1) == ["0.200", "0.200", "0.100"]
    assert told_apart(0.2000000001, 0.2, None) == ["0.200000", "0.200000", "-"]
