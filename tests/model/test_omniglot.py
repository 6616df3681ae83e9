"""Omniglot read from a zip in its layout, as characters and as words; the zip here is drawn by the test."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput, BadSettings, NotFound
from sigverify.model.batches import SignatureSet
from sigverify.model.omniglot import WordSettings, load_omniglot, read_glyphs

SETTINGS = PreprocessingSettings()
WORDS = WordSettings(writers=6, genuine=4, forgeries=3, seed=1)


def drawing(character: int, person: int) -> bytes:
    """A figure that tells the character, drawn at a place and size that tell the person; 1 bit, ink 0."""
    image = np.full((105, 105), 255, np.uint8)
    reach = 25 + person
    image[20 + person : 24 + person, 15 : 15 + reach] = 0
    image[20 + person : 70, 15 + 8 * character : 19 + 8 * character] = 0
    file = io.BytesIO()
    Image.fromarray(image).convert("1").save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zipped(tmp_path_factory.mktemp("omniglot") / "images_background.zip")


def zipped(path: Path) -> Path:
    """Two alphabets of three characters by twenty people, laid out as Omniglot is."""
    with zipfile.ZipFile(path, "w") as file:
        for alphabet in ("Greek", "Latin"):
            for character in range(3):
                for person in range(1, 21):
                    name = f"images_background/{alphabet}/character{character + 1:02d}/{character:04d}_{person:02d}.png"
                    file.writestr(name, drawing(character, person))
    return path


def test_drawings_are_read_in_order_as_ink(archive: Path) -> None:
    glyphs = read_glyphs(archive)
    assert list(glyphs) == ["Greek", "Latin"] and glyphs["Greek"].shape == (3, 20, 105, 105)
    expected = 255 - np.asarray(Image.open(io.BytesIO(drawing(2, 7))).convert("L"))
    assert np.array_equal(glyphs["Latin"][2, 6], expected)
    assert list(read_glyphs(archive, ["Latin"])) == ["Latin"]


def test_characters_are_writers_without_forgeries(archive: Path) -> None:
    seen: list[int] = []
    data = load_omniglot(archive, SETTINGS, "character", alphabets=["Latin"], on_progress=seen.append)
    assert data.n_writers == 3 and len(data) == 60 and not data.forged.any()
    assert data.images.shape[1:] == (96, 192) and data.images.max() > 200
    assert not seen  # fewer than a hundred


@pytest.fixture(scope="module")
def words(archive: Path) -> SignatureSet:
    return load_omniglot(archive, SETTINGS, "word", WORDS)


def test_words_have_repetitions_and_forgeries(words: SignatureSet) -> None:
    assert words.n_writers == 6
    for writer in range(6):
        own = words.writer == writer
        assert (own & ~words.forged).sum() == 4 and (own & words.forged).sum() == 3
        assert len({image.tobytes() for image in words.images[own]}) == 7, "two signatures are the same pixels"


def test_words_follow_their_seed_and_each_writer_its_own(archive: Path, words: SignatureSet) -> None:
    again = load_omniglot(archive, SETTINGS, "word", WORDS)
    assert np.array_equal(words.images, again.images)
    fewer = load_omniglot(archive, SETTINGS, "word", WordSettings(writers=2, genuine=4, forgeries=3, seed=1))
    assert np.array_equal(fewer.images, words.images[:14]), "a writer changed with the number of writers"
    other = load_omniglot(archive, SETTINGS, "word", WordSettings(writers=2, genuine=4, forgeries=3, seed=2))
    assert not np.array_equal(fewer.images, other.images)


def test_what_cannot_be_read_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file"):
        read_glyphs(tmp_path / "absent.zip")
    with pytest.raises(NotFound, match="Klingon"):
        read_glyphs(archive, ["Klingon"])
    with pytest.raises(BadSettings, match="mode"):
        load_omniglot(archive, SETTINGS, "sentence")  # type: ignore[arg-type]
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BadInput, match="no zip"):
        read_glyphs(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "short.zip", "w") as file:
        file.writestr("x/Latin/character01/0001_01.png", drawing(0, 1))
    with pytest.raises(BadInput, match="twenty"):
        read_glyphs(tmp_path / "short.zip")
