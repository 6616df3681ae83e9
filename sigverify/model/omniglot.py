"""Omniglot as training data: characters by twenty hands each, alone or set into words that look a little like names.

Lake, Salakhutdinov and Tenenbaum, Human-level concept learning through probabilistic program induction, Science 350,
2015; MIT licence. `character`: a "writer" is a character, its "signatures" are the drawings by different people; it
teaches shape. `word`: a "writer" is one person's drawing of a row of characters; repetitions are random warps of the
same strokes, and the forgeries are the same row in other people's hands: imitations of shape by a different hand.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from sigverify.config import AugmentationSettings, PreprocessingSettings
from sigverify.errors import BadInput, BadSettings, NotFound
from sigverify.model.batches import SignatureSet
from sigverify.model.device_augmentation import affine_on_device
from sigverify.model.seeds import seed_at
from sigverify.records import Image
from sigverify.scans.prepare import prepare

SIDE = 105  # px, of a drawing
DRAWERS = 20  # people who drew each alphabet
_PAPER_PX = 20  # around a word
_WARP = AugmentationSettings(
    rotation_deg=5, scale_share=0.10, shear_deg=6, shift_share=0.03, elastic_alpha=2.0
)  # from one repetition to the next, in px of a drawing
Glyphs = npt.NDArray[np.uint8]  # (characters, 20, 105, 105), 0 paper, 255 ink


@dataclass(frozen=True)
class WordSettings:
    """How many words, and how many repetitions of each."""

    writers: int = 400
    genuine: int = 10
    forgeries: int = 6
    shortest: int = 2  # characters
    longest: int = 5
    seed: int = 0


def load_omniglot(
    zip_path: str | Path,
    settings: PreprocessingSettings,
    mode: Literal["character", "word"] = "word",
    words: WordSettings | None = None,
    alphabets: Sequence[str] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> SignatureSet:
    """Prepared drawings of images_background.zip or images_evaluation.zip; the whole file or the `alphabets` named.

    What preparation refuses (too little ink) is left out. `on_progress(images_done)` is called now and then. Raises
    NotFound for a missing file or alphabet, BadInput for a zip that is not laid out as Omniglot, BadSettings.
    """
    glyphs = read_glyphs(zip_path, alphabets)
    if mode == "character":
        drawn = _characters(glyphs)
    elif mode == "word":
        drawn = _words(glyphs, words or WordSettings())
    else:
        raise BadSettings("unknown mode", got=mode, expected="'character' or 'word'")
    return _prepared(drawn, settings, on_progress)


def read_glyphs(zip_path: str | Path, alphabets: Sequence[str] | None = None) -> dict[str, Glyphs]:
    """By alphabet, sorted: drawings (characters, 20, 105, 105) uint8, 255 ink; axis 1 is the person who drew."""
    path = Path(zip_path)
    if not path.is_file():
        raise NotFound(f"no file {path.name}", next="give the path of images_background.zip")
    try:
        with zipfile.ZipFile(path) as archive:
            held = _read(archive, alphabets)
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path.name} is no zip file", next="fetch images_background.zip again") from error
    missing = sorted(set(alphabets or ()) - set(held))
    if missing or not held:
        raise NotFound(
            f"{path.name} holds no such alphabet", got=missing or "no drawings", expected="Omniglot's layout"
        )
    return {alphabet: _stacked(characters) for alphabet, characters in sorted(held.items())}


def _read(archive: zipfile.ZipFile, alphabets: Sequence[str] | None) -> dict[str, dict[str, dict[int, Image]]]:
    """By alphabet, character and person, from names like images_background/Greek/character01/0394_01.png."""
    held: dict[str, dict[str, dict[int, Image]]] = {}
    for name in archive.namelist():
        parts = name.split("/")
        if len(parts) != 4 or not parts[3].endswith(".png") or (alphabets and parts[1] not in alphabets):
            continue
        person = int(parts[3].removesuffix(".png").split("_")[1])
        held.setdefault(parts[1], {}).setdefault(parts[2], {})[person] = _drawing(archive.read(name), name)
    return held


def _drawing(data: bytes, name: str) -> Image:
    from PIL import Image as Pillow

    image = np.asarray(Pillow.open(io.BytesIO(data)).convert("L"))
    if image.shape != (SIDE, SIDE):
        raise BadInput(f"{name} is no Omniglot drawing", got=image.shape, expected=(SIDE, SIDE))
    return np.where(image < 128, 255, 0).astype(np.uint8)


def _stacked(characters: dict[str, dict[int, Image]]) -> Glyphs:
    short = [name for name, by_person in characters.items() if sorted(by_person) != list(range(1, DRAWERS + 1))]
    if short:
        raise BadInput("a character was not drawn by all twenty people", got=short[0])
    ordered = (characters[name] for name in sorted(characters))
    return np.stack([np.stack([people[p] for p in sorted(people)]) for people in ordered])


Drawn = Iterator[tuple[int, bool, Image]]  # writer, forged, (h, w) uint8 255 ink


def _characters(glyphs: dict[str, Glyphs]) -> Drawn:
    every = np.concatenate(list(glyphs.values()))
    for writer, people in enumerate(every):
        for image in people:
            yield writer, False, image


def _words(glyphs: dict[str, Glyphs], settings: WordSettings) -> Drawn:
    """Each writer: an alphabet, a row of its characters, a person; the forgers are other people of that alphabet."""
    names = list(glyphs)
    for writer in range(settings.writers):
        rng = np.random.default_rng((settings.seed, writer))
        of_alphabet = glyphs[names[rng.integers(len(names))]]
        length = int(rng.integers(settings.shortest, settings.longest + 1))
        row = rng.integers(len(of_alphabet), size=length)
        people = rng.permutation(DRAWERS)
        hands = [int(people[0])] * settings.genuine
        hands += [int(people[1 + i % (DRAWERS - 1)]) for i in range(settings.forgeries)]
        drawings = np.stack([of_alphabet[row, hand] for hand in hands])  # (repetitions, length, 105, 105)
        warped = _warped(drawings.reshape(-1, SIDE, SIDE), seed_at(settings.seed, writer)).reshape(drawings.shape)
        habit = rng.uniform(0.6, 0.95)  # how far apart the characters stand, as a share of their box
        for number, letters in enumerate(warped):
            yield writer, number >= settings.genuine, _set_in_a_row(letters, habit, rng)


def _warped(drawings: Image, seed: int) -> Image:
    """Every drawing (n, 105, 105) turned, sheared, scaled and bent a little, each on its own."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.from_numpy(drawings).unsqueeze(1).float()
    bent: Image = affine_on_device(pixels, _WARP, generator).squeeze(1).round().to(torch.uint8).numpy()
    return bent


def _set_in_a_row(letters: Image, habit: float, rng: np.random.Generator) -> Image:
    """Letters (m, 105, 105) side by side, uneven in distance and height; overlapping ink stays ink."""
    steps = SIDE * habit * rng.uniform(0.9, 1.1, len(letters))
    left = np.concatenate([[0], np.cumsum(steps[:-1])]).round().astype(int) + _PAPER_PX
    top = rng.integers(0, 9, len(letters)) + _PAPER_PX
    word = np.zeros((SIDE + 8 + 2 * _PAPER_PX, int(left[-1]) + SIDE + _PAPER_PX), np.uint8)
    for letter, x, y in zip(letters, left, top, strict=True):
        place = word[y : y + SIDE, x : x + SIDE]
        np.maximum(place, letter, out=place)
    return word


def _prepared(drawn: Drawn, settings: PreprocessingSettings, on_progress: Callable[[int], None] | None) -> SignatureSet:
    """Drawings as scans through the preparation that signatures get."""
    images: list[Image] = []
    writers: list[int] = []
    forged: list[bool] = []
    for done, (writer, is_forged, image) in enumerate(drawn, 1):
        paper = np.pad(255 - image, _PAPER_PX, constant_values=255)
        canvas = prepare(paper, settings).image
        if canvas is not None:
            images.append(canvas)
            writers.append(writer)
            forged.append(is_forged)
        if on_progress is not None and done % 100 == 0:
            on_progress(done)
    return SignatureSet(np.stack(images), np.array(writers, np.int64), np.array(forged, bool))
