"""A verification a reviewer can look at: query and references side by side, with what speaks for and against in place.

The colours are the comparison itself, cell by cell (scoring.evidence): no second model explains the first. What the
score adds to their sum stands in the legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.errors import BadInput
from sigverify.records import Floats, Image, Verification
from sigverify.scoring.evidence import Evidence, evidence
from sigverify.verifier import Verifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOR, AGAINST, INK = "#0072B2", "#D55E00", "#222222"  # Okabe and Ito: told apart by every common kind of colour vision
STRONGEST = 0.43  # of the whole overlap, if every cell had as much: a cell with it is shown in full colour
ENDINGS = (".png", ".svg", ".pdf")
SHOWN = 6  # references in the picture, the nearest first


def explain(verifier: Verifier, answer: Verification) -> Evidence | None:
    """What each cell says for and against; None where the query yields no signature or cells are not compared."""
    encoder = verifier.settings.encoder
    if answer.query.image is None or encoder.similarity != "overlap":
        return None
    seen = encoder.described
    query = verifier.embed([answer.query.image])[0, :seen]
    usable = [p for p in answer.references if p.image is not None]
    template = verifier.enrol("references", [str(i) for i in range(len(usable))], usable)
    held = template.embeddings.reshape(-1, encoder.parts, encoder.size)[..., :seen]
    return evidence(query, held, encoder.grids, verifier.settings.scoring)


def save_picture(verifier: Verifier, answer: Verification, path: Path) -> Path:
    """Write the picture of a verification (PNG, or what the ending says) and return its path.

    Raises BadInput where the query yields no signature (there is nothing to look at), and for an unknown file ending.
    """
    if path.suffix.lower() not in ENDINGS:
        raise BadInput("no such kind of picture", got=path.suffix or path.name, expected=", ".join(ENDINGS))
    if answer.query.image is None:
        raise BadInput("the query yields no signature to show", got=str(answer.query.failure), next="scan it again")
    figure = _figure(verifier, answer, explain(verifier, answer))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def _figure(verifier: Verifier, answer: Verification, found: Evidence | None) -> Figure:
    from matplotlib.figure import Figure

    images = _as_compared(verifier, [answer.query.image, *_usable(answer)])
    scores = answer.decision.reference_scores
    ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
    order = ranked[:SHOWN]
    columns = 2 + max(1, -(-(len(order) - 1) // 2)) if len(order) > 1 else 2
    figure = Figure(figsize=(max(9.9, 3.3 * columns), 4.1), layout="constrained")
    grid = figure.add_gridspec(2, columns, width_ratios=[1.6, 1.6, *[1.0] * (columns - 2)])
    names = answer.decision.reference_ids
    _panel(figure.add_subplot(grid[:, 0]), images[0], found.query if found else None, "query")
    nearest = order[0]
    title = f"nearest reference ({names[nearest]}), {scores[nearest]:.3f}"
    _panel(figure.add_subplot(grid[:, 1]), images[1 + nearest], found.reference if found else None, title)
    for place, index in enumerate(order[1:]):
        axes = figure.add_subplot(grid[place % 2, 2 + place // 2])
        _panel(axes, images[1 + index], None, f"reference {names[index]}, {scores[index]:.3f}")
    figure.suptitle(_headline(answer), x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    if found is not None:
        figure.supxlabel(
            _legend(verifier, answer, found, [names[i] for i in ranked[SHOWN:]]),
            fontsize=9,
            color=INK,
            x=0.01,
            ha="left",
        )
    return figure


def _panel(axes: Any, image: Image, cells: Floats | None, title: str) -> None:
    """One signature, dark ink on white, cells above and below 0 tinted."""
    height, width = image.shape
    if cells is not None:
        axes.imshow(_tint(cells), extent=(0, width, height, 0), interpolation="bicubic")
    ink = np.zeros((height, width, 4))
    ink[..., 3] = image / 255.0
    axes.imshow(ink, extent=(0, width, height, 0))
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    axes.set_title(title, fontsize=9, loc="left", color=INK)
    for side in axes.spines.values():
        side.set_color("#bbbbbb")


def _tint(cells: Floats) -> Floats:
    """(rows, columns) evidence to RGBA: blue for, vermilion against, the stronger the less transparent."""
    from matplotlib.colors import to_rgb

    colour = np.where((cells >= 0)[..., None], to_rgb(FOR), to_rgb(AGAINST))
    strength = np.clip(np.abs(cells) * cells.size / STRONGEST, 0, 1)[..., None] * 0.75
    return np.concatenate([colour, strength], axis=2)


def _headline(answer: Verification) -> str:
    decision = answer.decision
    words = f"{decision.outcome.value.replace('_', ' ')}: {decision.reason.value.replace('_', ' ')}"
    words += f" ({decision.detail})" if decision.detail else ""
    if decision.score is None:
        return words
    score, accept, reject = told_apart(decision.score, decision.accept_threshold, decision.reject_threshold)
    chance = "" if answer.probability is None else f"   P(genuine) {answer.probability:.2f} at even odds"
    return f"{words}\nscore {score} (accept at {accept}, reject below {reject}){chance}{_size(answer)}"


def told_apart(*numbers: float | None) -> list[str]:
    """With three digits, or as many as numbers that differ need to look different (six at most); none is a dash."""
    for digits in range(3, 7):
        shown = ["-" if number is None else f"{number:.{digits}f}" for number in numbers]
        if len(set(shown)) == len(set(numbers)):
            break
    return shown


def _size(answer: Verification) -> str:
    """What physical size counted, which no cell can show."""
    if answer.size_ratio is None or not answer.size_share:
        return ""
    return "   on paper {:.2f} times as wide, {:.2f} times as high".format(*answer.size_ratio)


def _legend(verifier: Verifier, answer: Verification, found: Evidence, left: Sequence[str]) -> str:
    """What the colours mean, how they add up to the score, what is not shown (`left`: farther ones), who says so."""
    more = "more" if found.total >= 0 else "less"
    several = answer.decision.n_references > 1
    among = "than they have with one another" if several else "than two signatures of one hand usually have"
    what = f"the query has {abs(found.total):.3f} {more} in common with the reference{'s' if several else ''} {among}"
    lines = [f"blue speaks for, orange against; together: {what}"]
    score = answer.decision.score
    if score is not None and not answer.size_share:
        lines.append(
            f"score {score:.3f} = {found.total:+.3f} {score - found.total:+.3f} "
            "that every query is allowed beside these references"
        )
    hidden = [str(i + 1) for i, p in enumerate(answer.references) if p.image is None] + list(left)
    drawn = "as compared: turned to one pose, every stroke redrawn at one width"
    lines.append(drawn + (f"; references not shown: {', '.join(hidden)}" if hidden else ""))
    mark = ", operating point provisional" if answer.provisional else ""
    lines.append(f"verifier {answer.verifier_version}{mark}; {verifier.settings.terms}")
    return "\n".join(lines)


def _usable(answer: Verification) -> list[Image]:
    return [p.image for p in answer.references if p.image is not None]


def _as_compared(verifier: Verifier, images: Sequence[Image | None]) -> Image:
    """The images as the cells see them: in the pose that the encoder gives them."""
    stacked = np.stack([image for image in images if image is not None])
    stretch = verifier.settings.encoder.pose_stretch
    if stretch < 0:
        return stacked
    from sigverify.model.pose import posed_images

    return posed_images(stacked, stretch)
