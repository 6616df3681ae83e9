"""What a writer signs with: words in one of several scripts, initials, paraphs and flourishes, as runs of targets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sigverify.synthesis.glyphs import Glyph, allograph, alphabet, invent_glyph
from sigverify.synthesis.kinematics import Doubles
from sigverify.synthesis.plans import Run


class Style(StrEnum):
    CURSIVE = "cursive"
    PRINT = "print"
    INITIALS = "initials"
    PARAPH = "paraph"
    DEVANAGARI = "devanagari"
    BENGALI = "bengali"
    INVENTED = "invented"


STYLE_SHARES: dict[Style, float] = {
    Style.CURSIVE: 0.26,
    Style.PRINT: 0.12,
    Style.INITIALS: 0.14,
    Style.PARAPH: 0.08,
    Style.DEVANAGARI: 0.17,
    Style.BENGALI: 0.17,
    Style.INVENTED: 0.06,
}

_VOWELS = "aaaeeeiiioouy"
_CONSONANTS = "bcddfghhjkkllllmmmnnnnnprrrrrssssttttvwxz"


@dataclass(frozen=True)
class Hand:
    """Habits that shape a writer's letters; lengths in x-heights."""

    freedom: float  # 1 sd by which this hand's letters depart from the copybook
    width: float  # of letters, 1 = copybook
    gap: float  # between letters
    word_gap: float
    join: float  # probability that a pair of small letters is joined
    capital: float  # size of capitals, 1 = copybook

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Hand:
        return cls(
            freedom=float(rng.uniform(0.04, 0.13)),
            width=float(np.exp(rng.normal(0.05, 0.18))),
            gap=float(rng.uniform(-0.05, 0.45)),
            word_gap=float(rng.uniform(0.7, 2.2)),
            join=float(rng.choice([0.98, 0.8, 0.4, 0.1])),
            capital=float(np.exp(rng.normal(0, 0.22))),
        )


class Composer:
    """Lays letters out from left to right and collects the runs."""

    def __init__(self, hand: Hand, rng: np.random.Generator) -> None:
        self.hand, self.rng = hand, rng
        self.runs: list[Run] = []
        self.x = 0.0
        self.letters = 0

    def put(self, glyph: Glyph, joined: bool = False, scale: float = 1.0, at: float | None = None) -> list[Run]:
        """Place a glyph at the pen's x (or `at`) and return its runs; the caller decides when they are written."""
        offset = self.x - glyph.left * scale if at is None else at
        runs = [
            Run(points * scale + [offset, 0.0], corners, self.letters, joined and i == 0)
            for i, (points, corners) in enumerate(glyph.parts)
        ]
        self.letters += 1
        if at is None:
            self.x = offset + glyph.right * scale + self.hand.gap * (0.0 if joined else 1.0)
        return runs

    def own(self, glyph: Glyph) -> Glyph:
        return allograph(glyph, self.rng, self.hand.freedom, self.hand.width)

    def pick(self, name: str) -> Glyph:
        glyphs = alphabet(name)
        return self.own(glyphs[int(self.rng.integers(len(glyphs)))])

    def add(self, points: Doubles, joined: bool = False, sharp: bool = False) -> None:
        """A free run (flourish, headline) as a letter of its own."""
        self.runs.append(Run(points, np.full(len(points), sharp), self.letters, joined))
        self.letters += 1

    def space(self) -> None:
        self.x += self.hand.word_gap


def compose(style: Style, hand: Hand, rng: np.random.Generator) -> list[Run]:
    """The runs of one signature in the given style."""
    composer = Composer(hand, rng)
    if style in (Style.CURSIVE, Style.PRINT):
        _latin(composer, style)
    elif style is Style.INITIALS:
        _initials(composer)
    elif style is Style.PARAPH:
        _paraph(composer)
    elif style is Style.INVENTED:
        _invented(composer)
    else:
        _indic(composer, style)
    if style in (Style.CURSIVE, Style.INITIALS, Style.PARAPH) and rng.random() < 0.45:
        _flourish(composer)
    return composer.runs


def _latin(c: Composer, style: Style) -> None:
    cursive = style is Style.CURSIVE
    for word in range(int(c.rng.choice([1, 2, 3], p=[0.35, 0.5, 0.15]))):
        if word:
            c.space()
        if word and c.rng.random() < 0.25:  # a middle initial
            c.runs += c.put(c.pick("capitals"), scale=c.hand.capital)
            continue
        _latin_word(c, int(c.rng.integers(2, 8)), c.hand.join if cursive else 0.08)


def _latin_word(c: Composer, length: int, join: float) -> None:
    """A capital and small letters; dots and bars are written after the word's connected body."""
    later: list[Run] = []
    if c.rng.random() < 0.9:
        c.runs += c.put(c.pick("capitals"), scale=c.hand.capital)
    previous: Run | None = None
    for name in _spelling(length, c.rng):
        joined = previous is not None and c.rng.random() < join
        if joined and previous is not None:
            c.x = float(previous.points[-1, 0]) - 0.05
        body, *rest = c.put(c.own(alphabet("small")[name]), joined)
        c.runs.append(body)
        previous, later = body, later + rest
    c.runs += later
    c.x = max(c.x, *(float(run.points[:, 0].max()) for run in c.runs))


def _spelling(length: int, rng: np.random.Generator) -> list[int]:
    """A name-like run of letters: vowels and consonants mostly alternate, common letters come more often."""
    letters, vowel = [], bool(rng.random() < 0.5)
    for _ in range(length):
        pool = _VOWELS if vowel else _CONSONANTS
        letters.append(ord(pool[int(rng.integers(len(pool)))]) - ord("a"))
        vowel = vowel ^ bool(rng.random() < 0.75)
    return letters


def _initials(c: Composer) -> None:
    """One to three large capitals, often overlapping and written in one go, sometimes with a trailing wave."""
    joined = c.rng.random() < 0.5
    for i in range(int(c.rng.integers(1, 4))):
        c.runs += c.put(
            c.pick("capitals"), joined=joined and i > 0, scale=c.hand.capital * float(c.rng.uniform(0.9, 1.4))
        )
        c.x -= float(c.rng.uniform(0.0, 0.9))
    if c.rng.random() < 0.75:
        _wave(c, joined=bool(c.rng.random() < 0.8))


def _wave(c: Composer, joined: bool) -> None:
    """A name worn down to a wave: humps of falling height running out into a line."""
    n = int(c.rng.integers(3, 10))
    fall = np.linspace(1, c.rng.uniform(0.1, 0.8), n)
    y = np.where(np.arange(n) % 2, c.rng.uniform(0.5, 1.1), 0.0) * fall + c.rng.normal(0, 0.18, n)
    x = c.x + 0.2 + np.cumsum(c.rng.uniform(0.15, 0.75) * np.exp(c.rng.normal(0, 0.35, n)))
    points = np.stack([x, y], axis=1)
    if c.rng.random() < 0.5:
        points = np.vstack([points, points[-1] + [c.rng.uniform(1, 4), c.rng.normal(0.2, 0.5)]])
    c.add(points, joined)
    c.x = float(points[:, 0].max())


def _paraph(c: Composer) -> None:
    """Loops and strokes that spell nothing."""
    n = int(c.rng.integers(6, 18))
    phase = c.rng.uniform(0, 2 * np.pi) + np.cumsum(
        np.pi * np.exp(c.rng.normal(0, 0.15, n)) * c.rng.choice([0.5, 0.67])
    )
    radius = np.exp(c.rng.normal(0.1, 0.45, n))
    drift = np.cumsum(np.abs(c.rng.normal(c.rng.uniform(0.1, 0.6), 0.25, n)))
    lean = c.rng.uniform(0.4, 1.4)
    points = np.stack([drift + lean * radius * np.cos(phase), 0.7 + radius * np.sin(phase)], axis=1)
    corners = c.rng.random(n) < 0.2
    lifts = np.flatnonzero(c.rng.random(n) < 0.08)
    for piece in np.split(np.arange(n), lifts[(lifts > 2) & (lifts < n - 2)]):
        if len(piece) > 1:
            c.runs.append(Run(points[piece], corners[piece], c.letters))
            c.letters += 1
    c.x = float(points[:, 0].max())
    if c.rng.random() < 0.4:
        _wave(c, joined=True)


def _invented(c: Composer) -> None:
    hanging = bool(c.rng.random() < 0.5)
    letters = [invent_glyph(c.rng, hanging) for _ in range(int(c.rng.integers(4, 8)))]
    for word in range(int(c.rng.integers(1, 4))):
        if word:
            c.space()
        start = c.x
        for _ in range(int(c.rng.integers(2, 6))):
            c.runs += c.put(
                c.own(letters[int(c.rng.integers(len(letters)))]), joined=bool(c.rng.random() < c.hand.join / 2)
            )
        if hanging and c.rng.random() < 0.7:
            _headline(c, start, c.x)


def _indic(c: Composer, style: Style) -> None:
    per_letter = c.rng.random() < 0.3
    headline = c.rng.random() < (0.85 if style is Style.DEVANAGARI else 0.75)
    for word in range(int(c.rng.choice([1, 2, 3], p=[0.12, 0.74, 0.14]))):
        if word:
            c.space()
        start = c.x
        for _ in range(int(c.rng.integers(3, 7))):
            letter_start = c.x
            c.runs += c.put(c.pick(style.value), joined=bool(c.rng.random() < c.hand.join * 0.25))
            _mark(c, style)
            if headline and per_letter:
                _headline(c, letter_start, c.x)
        if headline and not per_letter:
            _headline(c, start, c.x)


def _mark(c: Composer, style: Style) -> None:
    """Often a vowel mark: before, above, below or after its letter."""
    if c.rng.random() > 0.55:
        return
    mark = c.pick(f"{style.value}_marks")
    c.runs += c.put(mark, at=c.x - c.hand.gap * 0.5)
    c.x = max(c.x, c.x - c.hand.gap * 0.5 + min(mark.right, 0.5) + c.hand.gap * 0.5)


def _headline(c: Composer, start: float, end: float) -> None:
    y = 1.0 + c.rng.normal(0, 0.05, 2)
    c.add(np.array([[start - c.rng.uniform(-0.1, 0.4), y[0]], [end + c.rng.uniform(-0.3, 0.6), y[1]]]))


def _flourish(c: Composer) -> None:
    """An underline, a zigzag, a loop round the name or a long tail, as written last."""
    right, kind = c.x, c.rng.integers(4)
    low, length = -float(c.rng.uniform(0.5, 1.6)), max(c.x, 3.0)
    sharp = kind == 1 and c.rng.random() < 0.7
    if kind == 0:
        points = np.array([[right * 0.1, low], [right * 0.9, low + c.rng.normal(0.1, 0.3)]])
        points = points if c.rng.random() < 0.5 else points[::-1]
    elif kind == 1:
        x = right * np.array([1.0, 0.1, 0.8, 0.35, 1.05])[: int(c.rng.integers(3, 6))]
        points = np.stack([x, low - 0.25 * np.arange(len(x)) + c.rng.normal(0, 0.12, len(x))], axis=1)
    elif kind == 2:
        turn = np.linspace(0, -2 * np.pi * c.rng.uniform(0.7, 1.15), 6) + c.rng.uniform(0, 1)
        points = np.stack(
            [right / 2 + length * 0.55 * np.cos(turn), 0.6 + c.rng.uniform(1.2, 2.2) * np.sin(turn)], axis=1
        )
    else:
        points = np.array([[right + 0.3, 0.0], [right + c.rng.uniform(1, 4), c.rng.normal(0, 1.2)]])
    c.add(points, joined=bool(c.rng.random() < 0.5), sharp=bool(sharp))
