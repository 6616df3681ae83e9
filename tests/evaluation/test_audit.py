"""An audit on planted data: the cue that was planted is found and named, data without one come out clean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Picture

from sigverify.config import PreprocessingSettings
from sigverify.datasets import import_dataset
from sigverify.errors import BadInput, BadTable, NotFound, TooFewWriters
from sigverify.evaluation import kinds_of_scan, nuisance, nuisance_references
from sigverify.evaluation.audit import Audit, audit_data
from sigverify.evaluation.data_probes import CLEAN, QUESTIONS, RAW, Answer
from sigverify.evaluation.findings import Severity, find
from sigverify.evaluation.intervals import Interval
from sigverify.evaluation.original_sizes import read_sizes, restore_sizes
from sigverify.evaluation.raw_measures import COUNTS, GREY, LENGTHS, LINES, SHAPE, measure_lines, measure_scan
from sigverify.evaluation.repeats_by_label import Repeats, count_repeats
from sigverify.evaluation.scan_description import describe, describe_scans
from sigverify.storage.store import Store

WRITERS, GENUINE, FORGED = 10, 10, 5  # signatures a writer


def pen(rng: np.random.Generator, width: int = 3) -> np.ndarray:
    """A wavy line with a random shape, dark on middling paper, the same maker for genuine and forged."""
    image = np.full((90, 200), 225.0)
    x = np.linspace(0, 1, 900)
    y = 45 + sum(rng.uniform(4, 11) * np.sin(2 * np.pi * rng.uniform(1, 7) * x + rng.uniform(0, 6)) for _ in range(3))
    left, right = rng.integers(12, 30), rng.integers(170, 188)
    rows, columns = np.clip(y, 8, 80).astype(int), (left + (right - left) * x).astype(int)
    for down in range(width):
        image[rows + down, columns] = 60
    return image + rng.normal(0, 4, image.shape)


def scans(cue: str = "", seed: int = 0) -> list[tuple[str, str, np.ndarray]]:
    """(writer, label, image); `cue` is what forgeries alone show: paper, pen, canvas, or nothing."""
    rng = np.random.default_rng(seed)
    made = []
    for writer in range(WRITERS):
        for label in ["genuine"] * GENUINE + ["forged"] * FORGED:
            forged = label == "forged"
            image = pen(rng, 3 + 3 * (cue == "pen" and forged))
            if cue == "paper" and forged:
                image += 20
            if cue == "canvas" and forged:
                image = np.pad(image, ((6, 6), (0, 0)), mode="edge")
            made.append((f"w{writer:02d}", label, np.clip(image, 0, 255).astype(np.uint8)))
    return made


def catalogue(folder, made) -> Store:
    source = folder / "source"
    source.mkdir(parents=True)
    lines = ["path,writer_id,label"]
    for i, (writer, label, image) in enumerate(made):
        Picture.fromarray(image).save(source / f"{i:04d}.png")
        lines.append(f"{i:04d}.png,{writer},{label}")
    (source / "manifest.csv").write_text("\n".join(lines) + "\n")
    store = Store.open(folder / "catalogue", create=True)
    import_dataset("manifest", source, store, name="planted")
    return store


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(nuisance, "RESAMPLES", 40)
        patched.setattr(nuisance_references, "RESAMPLES", 40)
        patched.setattr(nuisance_references, "DRAWS", 1)
        yield


ASKED = {
    "": "paper canvas stroke_with_references",
    "paper": "paper",
    "pen": "canvas stroke_with_references",
}


@pytest.fixture(scope="module")
def audits(tmp_path_factory) -> dict[str, Audit]:
    return {
        cue: audit_data(
            catalogue(tmp_path_factory.mktemp(cue or "sound"), scans(cue)), workers=1, questions=asked(names)
        )
        for cue, names in ASKED.items()
    }


def asked(names: str):
    return [q for q in QUESTIONS if q.name in names.split()]


def named(audit: Audit, about: str):
    return next((f for f in audit.findings if f.about == about), None)


def eer_of(audit: Audit, name: str, side: str = RAW) -> float:
    return next(a.eer for a in audit.answers if a.question.name == name and a.side == side)


def test_whiter_paper_under_the_forgeries_is_found_first_and_removed_by_cleaning(audits):
    found = audits["paper"].findings[0]
    assert (found.severity, found.about) == (Severity.SEVERE, "paper")
    assert found.text.startswith("The paper alone tells genuine from forged (EER 0.0 %)")
    assert "scanned separately" in found.text and "Remove the paper" in found.todo
    assert "Cleaning removes it altogether" in found.text


def test_another_pen_is_found_beside_references_and_survives_cleaning(audits):
    found = named(audits["pen"], "stroke_with_references")
    assert found.severity is Severity.SEVERE and "Beside 8 references the stroke width" in found.text
    assert "still there after cleaning" in found.text
    assert named(audits["pen"], "canvas") is None
    assert eer_of(audits["pen"], "canvas") == 0.5


def test_data_without_a_cue_come_out_clean(audits):
    sound = audits[""]
    assert not [f for f in sound.findings if f.severity in (Severity.SEVERE, Severity.SERIOUS)], sound.findings
    assert sound.findings[-1].severity is Severity.NONE and "No probe tells" in sound.findings[-1].text
    assert min(a.eer for a in sound.answers) > 0.25
    constant = {(a.question.name, a.side) for a in sound.answers if a.constant}
    assert {("canvas", RAW), ("canvas", CLEAN), ("paper", CLEAN)} <= constant


def test_every_question_is_answered_on_its_sides(audits):
    expected = {(q.name, side) for q in asked(ASKED[""]) for side in q.sides}
    assert {(a.question.name, a.side) for a in audits[""].answers} == expected
    assert {a.question.name: a.n_references for a in audits[""].answers if a.n_references} == {
        "stroke_with_references": 8
    }


def test_the_page_holds_everything_and_loads_nothing(audits, tmp_path):
    folder = audits["paper"].save(tmp_path / "out")
    page = (folder / "audit.html").read_text()
    assert "The paper alone tells genuine from forged" in page and page.count("<svg") == 2
    assert "data:image" not in page and "<img" not in page and "src=" not in page and "default-src 'none'" in page
    assert (folder / "audit.txt").read_text().splitlines()[2] == "What a network could cheat with"
    assert max(map(len, audits["paper"].text().splitlines())) < 130


def test_what_cannot_be_audited_says_why(tmp_path):
    made = scans()
    with pytest.raises(BadInput, match="no skilled forgeries"):
        audit_data(catalogue(tmp_path / "a", [row for row in made[:20] if row[1] == "genuine"]), workers=1)
    with pytest.raises(TooFewWriters, match="too few writers to audit"):
        audit_data(catalogue(tmp_path / "b", [row for row in made if row[0] < "w04"]), workers=1)
    empty = Store.open(tmp_path / "empty", create=True)
    with pytest.raises(BadInput, match="no signatures to audit"):
        audit_data(empty)


def test_unlabelled_signatures_are_refused(tmp_path):
    store = catalogue(tmp_path, scans()[:2])
    row = store.signatures().iloc[0].to_dict() | {"signature_id": "x/unknown/1", "label": "unknown"}
    store.add_signatures([row])
    with pytest.raises(BadInput, match="without a known label; got unknown"):
        audit_data(store)


def rows(*items: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(items, columns=["signature_id", "writer_id", "label", "pixel_digest"])


def near(*pairs: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame([(a, b, 0.9) for a, b in pairs], columns=["signature_a", "signature_b", "similarity"])


def test_repeats_are_told_apart_by_label_and_writer():
    table = rows(
        ("a/g/1", "a", "genuine", "p"), ("a/g/2", "a", "genuine", "p"), ("a/f/1", "a", "skilled_forgery", "q"),
        ("b/g/1", "b", "genuine", "q"), ("b/f/1", "b", "skilled_forgery", "r"), ("b/g/2", "b", "genuine", "s"),
    )  # fmt: skip
    found = count_repeats(table, near(("a/g/1", "a/f/1"), ("b/g/1", "b/g/2"), ("b/g/1", "elsewhere")))
    assert (found.images, found.exact, found.exact_genuine, found.exact_forged) == (6, 2, 2, 0)
    assert (found.exact_across_label, found.exact_across_writer) == (1, 1)
    assert found.contradicting == (("b/g/1", "a/f/1"),)
    assert (found.near, found.near_across_label, found.near_across_writer) == (2, 1, 0)
    assert found.genuine_left == {1: 2} and found.short == 2 and found.emptied == 0


def test_writers_who_fall_short_through_duplicates_are_counted():
    table = rows(*((f"a/{i:02d}", "a", "genuine", str(i // 2)) for i in range(12)))
    found = count_repeats(table, near())
    assert (found.genuine_left, found.short, found.emptied) == ({6: 1}, 1, 1)


def test_contradictory_labels_come_before_everything():
    repeats = Repeats(10, 2, 1, 1, 1, 0, 1, 0, 0, 1, contradicting=(("a/2", "a/1"),))
    found = find([], repeats, {"tells": {"format": 1.0}, "format": {"PNG": [5, 0], "TIFF": [0, 5]}}, {"blank": 1})
    assert [f.about for f in found] == ["contradictions", "kind_format", "duplicates", "near_duplicates", "failures"]
    assert "a/2 and a/1" in found[0].text and "PNG: 5 genuine, 0 forged" in found[1].text


def answer(name: str, eer: float, side: str = RAW, spread: float = 0.02) -> Answer:
    question = next(q for q in QUESTIONS if q.name == name)
    return Answer(question, side, eer, Interval(eer - spread, eer + spread), {}, 8 * question.with_references)


@pytest.mark.parametrize(
    ("name", "eer", "severity"),
    [
        ("grey", 0.05, "severe"),
        ("grey", 0.2, "serious"),
        ("grey", 0.3, "slight"),
        ("geometry_with_references", 0.32, ""),
    ],
)
def test_severity_follows_the_eer(name, eer, severity):
    none = {"tells": {}}
    found = [f for f in find([answer(name, eer)], Repeats(1, *[0] * 9), none, {}) if f.about == name]
    assert [f.severity.value for f in found] == ([severity] if severity else [])


def test_a_cue_that_only_cleaning_makes_is_named():
    answers = [answer("lines", 0.45), answer("lines", 0.2, CLEAN)]
    found = find(answers, Repeats(1, *[0] * 9), {"tells": {}}, {})
    assert found[0].severity is Severity.SERIOUS and found[0].text.startswith("Only after cleaning: ")


def test_kind_of_scan_and_label():
    described = pd.DataFrame(
        {
            "file.format": ["PNG", "PNG", "TIFF", "TIFF"], "file.mode": ["L"] * 4,
            "file.dpi": [300.0, None, 300.0, None],
            "file.grey_levels": [2, 2, 200, 200], "file.soft_share": [0.0, 0.0, 0.9, 0.001],
            "file.width_px": [10, 20, 30, 40], "file.height_px": [10, 20, 30, 40],
        }
    )  # fmt: skip
    described = pd.concat([described] * 3, ignore_index=True)
    labels = pd.DataFrame({"label": ["genuine", "genuine", "skilled_forgery", "skilled_forgery"] * 3})
    labels["writer_id"] = [f"w{i // 4}" for i in range(12)]
    found = kinds_of_scan.kinds_by_label(labels, described)
    assert found["format"] == {"PNG": [6, 0], "TIFF": [0, 6]}
    assert found["tone"] == {"grey": [0, 3], "nearly two levels": [0, 3], "two levels": [6, 0]}
    assert found["dpi"] == {"300": [3, 3], "not stated": [3, 3]}
    assert found["tells"] == {"format": 1.0, "mode": 0.5, "tone": 1.0, "dpi": 0.5}
    assert found["sizes"]["genuine"]["width_px"] == pytest.approx([10, 15, 20])


def test_noise_over_many_values_tells_nothing_and_a_real_difference_is_still_told():
    rng = np.random.default_rng(0)
    n = 400
    labels = pd.DataFrame({"label": ["genuine", "skilled_forgery"] * (n // 2)})
    labels["writer_id"] = [f"w{i // 20}" for i in range(n)]
    noise = rng.integers(100, 300, n).astype(float)  # nearly every scan a resolution of its own
    forged = (labels.label == "skilled_forgery").to_numpy()
    described = pd.DataFrame(
        {
            "file.format": "PNG", "file.mode": np.where(forged & (rng.random(n) < 0.9), "L", "RGB"), "file.dpi": noise,
            "file.grey_levels": 200, "file.soft_share": 0.9, "file.width_px": 10, "file.height_px": 10,
        }
    )  # fmt: skip
    found = kinds_of_scan.kinds_by_label(labels, described)["tells"]
    assert found["dpi"] < 0.6 and 0.9 < found["mode"] < 0.99 and found["format"] == 0.5


def test_the_text_says_that_agreement_with_the_known_figures_is_no_check(audits):
    assert "no independent check" in " ".join(audits[""].text().split())


def test_measures_of_a_bar_are_what_they_say():
    image = np.full((60, 100), 240, np.uint8)
    image[20:26, 10:90] = 40
    found = measure_scan(image)
    assert {*GREY, *COUNTS, *SHAPE, *LENGTHS, "ink_area_px", "paper_level"} == set(found)
    assert (found["paper_level"], found["canvas_height_px"], found["canvas_width_px"]) == (240, 60, 100)
    assert (found["ink_mean"], found["ink_spread"], found["ink_levels"]) == (40, 0, 1)
    assert (found["ink_area_px"], found["crop_height_px"], found["crop_width_px"]) == (480, 6, 80)
    assert (found["parts"], found["holes"], found["slant"], found["aspect"]) == (1, 0, 0, 80 / 6)
    for name in ("stroke_by_outline_px", "stroke_by_depth_px", "stroke_by_line_px"):
        assert found[name] == pytest.approx(6, rel=0.25)
    assert set(measure_scan(np.full((30, 30), 9, np.uint8))) == {"paper_level", "canvas_height_px", "canvas_width_px"}


def test_measures_of_lines_do_not_know_the_scale():
    small = np.zeros((60, 120), np.uint8)
    small[28:31, 20:100] = 255
    large = np.kron(small, np.ones((2, 2), np.uint8))
    one, other = measure_lines(small), measure_lines(large)
    assert set(one) == set(LINES) and one["line_parts"] * one["line_length"] == pytest.approx(1, rel=0.1)
    for name in LINES:
        assert one[name] == pytest.approx(other[name], rel=0.1)
    assert set(measure_lines(np.zeros((9, 9), np.uint8)).values()) == {0.0}


def test_original_sizes_bring_lengths_back(tmp_path):
    path = tmp_path / "sizes.csv"
    path.write_text("path,orig_width,orig_height,else\na.png,200,100,x\nb.png,50,50,y\n")
    sizes = read_sizes(path)
    described = pd.DataFrame([{f"raw.{n}": 1.0 for n in (*LENGTHS, "ink_area_px")}] * 2)
    described["raw.canvas_width_px"], described["raw.canvas_height_px"] = 50.0, [25.0, 50.0]
    grown = restore_sizes(described, pd.Series(["a.png", "b.png"]), sizes)
    assert grown["raw.canvas_width_px"].tolist() == [200, 50] and grown["raw.canvas_height_px"].tolist() == [100, 50]
    assert grown["raw.outline_px"].tolist() == [4, 1] and grown["raw.ink_area_px"].tolist() == [16, 1]
    assert described["raw.outline_px"].tolist() == [1, 1]
    with pytest.raises(BadTable, match="files without an original size; got 1 of 2"):
        restore_sizes(described, pd.Series(["a.png", "c.png"]), sizes)
    path.write_text("path,orig_width\na,1\n")
    with pytest.raises(BadTable, match="lacks columns; got orig_height"):
        read_sizes(path)
    with pytest.raises(NotFound):
        read_sizes(tmp_path / "nowhere.csv")


def test_a_scan_that_gives_nothing_keeps_its_row_with_the_reason(tmp_path):
    store = catalogue(tmp_path, [*scans()[:2], ("w00", "genuine", np.full((90, 200), 250, np.uint8))])
    found = describe_scans(store, store.signatures(), PreprocessingSettings(), workers=1)
    assert sorted(found["failure"]) == ["", "", "blank"]
    assert found.loc[found["failure"] == "blank", "file.grey_levels"].tolist() == [1]
    assert describe(PreprocessingSettings(), b"not an image") == {"failure": "not_an_image"}
