"""The page as a reader and a browser get it: figures beside the record, controls in words, nothing loaded, no leaks."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from sigverify.config import OperatingPoint
from sigverify.errors import BadInput
from sigverify.evaluation.control import GATING, Control, did_not_run
from sigverify.evaluation.embedded import embed_signatures
from sigverify.evaluation.figures import measure
from sigverify.evaluation.metrics import eer
from sigverify.evaluation.parts import part_of
from sigverify.evaluation.result import BenchmarkResult
from sigverify.evaluation.scoring_trials import score_trials
from sigverify.evaluation.trials import draw_trials
from sigverify.measurement import looks
from sigverify.measurement.baselines import SKELETON, train_baseline
from sigverify.measurement.control_words import control_words
from sigverify.measurement.decisions_table import decision_rows, frozen_rows, headings
from sigverify.measurement.headline import headline_rows, spreads
from sigverify.measurement.page import write_page
from sigverify.measurement.per_writer import writer_errors
from sigverify.measurement.provenance import commit
from sigverify.records import Part, Pictures, TrialKind
from sigverify.storage.store import Store
from tests.markup import Tags
from tests.measurement.planted import planted_catalogue

CHROMIUM = next((p for p in ("chromium", "chromium-browser", "google-chrome") if shutil.which(p)), None)
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7777*7777}}"
CONTROLS = (
    Control("parts", "valid", (), {"writers_in_two_parts": 0}),
    Control(
        "nuisance_without_references_input", "invalid", ("a probe without references reaches EER 12.0%",),
        {"eer": 12.0, "interval": [8.0, 17.5], "single_number_eer": {"stroke_width_px": 13.5, "ink_mean": 44.0}},
    ),
    Control("wrong_reference", "valid", (), {"auc_wrong": 0.512, "auc_wrong_interval": [0.49, 0.53], "auc_right": 0.9}),
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return planted_catalogue(tmp_path_factory.mktemp("page"), writers=8, cue="pen")


@pytest.fixture(scope="module")
def result(store):
    """A real system's trials on planted signatures, measured with few resamples; controls as they might be."""
    baseline = train_baseline(store, "hog", sorted(store.signatures().writer_id.unique())[:3], SKELETON, workers=0)
    held = embed_signatures(store, baseline, store.signatures(), workers=0)
    ids = held.signatures["signature_id"]
    trials = {k: draw_trials(held.signatures, k, 3) for k in (1, 3, 5)}
    scored = {k: score_trials(baseline.scorer, t, held.embeddings, ids) for k, t in trials.items()}
    figures = {k: measure(s, OperatingPoint(), 30, 0) for k, s in scored.items()}
    about = {
        "protocol": "cedar-5fold", "title": "CEDAR, all 55 writers", "datasets": ["cedar"], "seed": 0, "fold": None,
        "classification": ["synthetic"], "catalogue_digest": "abc123", "verifier_version": baseline.version,
        "encoder_id": baseline.encoder_id, "lane": "clean",
    }  # fmt: skip
    counts = {"writers": 8, "signatures": len(held.signatures), "failures_to_acquire": {"blank": 2}}
    return BenchmarkResult(about, counts, figures, {"skilled_eer": {}}, CONTROLS, ("one note",), scored)


def page_of(results, tmp_path, *arguments, **more):
    return Tags(write_page(results, tmp_path, *arguments, **more).read_text(encoding="utf-8"))


def test_the_page_holds_figures_controls_record_and_provenance(result, tmp_path):
    page = page_of([result], tmp_path, [("HOG of somebody", result)], command="sigverify benchmark --data runs/x")
    for k, found in result.figures.items():
        assert f"{found['skilled']['eer']:.2f}" in page.text
        assert f"{found['skilled']['eer_interval'][0]:.1f} to {found['skilled']['eer_interval'][1]:.1f}" in page.text
        assert f"{k} reference" in page.text
    for words in (
        "Invalid.", "Do not quote", "a probe without references reaches EER 12.0%", "stroke width px 13.5 %",
        "0.512 (0.490 to 0.530)", "HOG of somebody", "DetailSemNet 2024", "0.58", "quoted as quoted", "five writers",
        "sigverify benchmark --data runs/x", "abc123", result.about["verifier_version"], "synthetic", "2 blank",
        "one note", "planted/007",
    ):  # fmt: skip
        assert words in page.text, words
    assert "Rates are counted on trials" in page.text and "counted on distinct query images" not in page.text
    table = replace(result, counts=result.counts | {"removed_duplicates": 0}).table()
    assert "mean over kinds of trials" in table and "all decided" not in table
    assert len(page.images("Detection")) == 1 and len(page.images("Scores")) == 3


def test_nothing_is_loaded_from_anywhere_and_what_came_from_outside_is_text(result, tmp_path, store):
    hostile = replace(result, about=result.about | {"title": HOSTILE, "verifier_version": HOSTILE}, notes=(HOSTILE,))
    path = write_page([hostile], tmp_path / "p.html", [(HOSTILE, result)], store=store, command=HOSTILE)
    text = path.read_text(encoding="utf-8")
    page = Tags(text)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(a["src"].startswith("data:image/png;base64,") for t, a in page.tags if t == "img")
    assert not {"script", "link", "iframe", "object", "embed"} & {t for t, _ in page.tags}
    assert not re.search(r"url\(|@import|https?://", text)
    assert "onerror" not in {name for _, attributes in page.tags for name in attributes}
    assert page.text.count(HOSTILE) >= 5 and str(7777 * 7777) not in text


@pytest.mark.parametrize(
    ("classification", "setting", "shown"),
    [("synthetic", "synthetic", True), ("synthetic", "none", False), ("research", "synthetic", False),
     ("biometric", "synthetic", False), ("research", "all", True)],
)  # fmt: skip
def test_pictures_follow_setting_and_classification(result, store, tmp_path, classification, setting, shown):
    rows = store.signatures().assign(classification=classification)
    other = Store.open(tmp_path / "c", create=True, images_url=str(store.folder / "images"))
    other.add_signatures(rows)
    page = page_of([result], tmp_path, store=other, preprocessing=SKELETON, pictures=Pictures(setting))
    assert bool(page.images("query")) is bool(page.images("scan")) is bool(page.images("prepared")) is shown
    assert ("Signatures are not shown" in page.text) is not shown


def test_the_page_says_that_no_test_writer_was_looked_at_only_where_that_is_so(result, tmp_path, monkeypatch):
    said = "no test writer was looked at"
    page = page_of([replace(result, about=result.about | {"development": True})], tmp_path)
    assert "inner folds of training writers" in page.text
    some = {str(w) for trials in result.scored.values() for w in trials.writer_id}
    assert (said in page.text) is all(part_of(w, {}) is Part.TRAIN for w in some)
    monkeypatch.setattr(looks, "part_of", lambda writer, named: Part.TRAIN)
    assert said in page_of([replace(result, about=result.about | {"development": True})], tmp_path).text
    monkeypatch.setattr(looks, "part_of", lambda writer, named: Part.TEST)
    assert said not in page_of([replace(result, about=result.about | {"development": True})], tmp_path).text


def test_without_a_catalogue_the_page_says_that_pictures_were_not_asked_for(result, tmp_path):
    assert "pictures were not asked for" in page_of([result], tmp_path).text


def as_fold(result, fold, points=0.0, controls=CONTROLS[:1]):
    return replace(
        result, about=result.about | {"fold": fold}, controls=controls, figures=_shifted(result.figures, points)
    )


def test_folds_and_seeds_are_spread_apart(result):
    first = result.figures[1]["skilled"]["eer"]
    other = replace(result, about=result.about | {"seed": 1}, figures=_shifted(result.figures, 1.0))
    folds = [as_fold(result, 0), as_fold(result, 1, -5.0)]
    found = {(s.over, s.references): s for s in spreads([result, other, *folds])}
    over = found["folds", 1]
    assert over.mean == pytest.approx(first - 2.5) and over.deviation == pytest.approx(5 / 2**0.5)
    assert (over.low, over.high, over.results) == (pytest.approx(first - 5), first, 2)
    assert found["seeds", 1].high == pytest.approx(first + 1)


def test_the_verdict_is_of_the_result_over_all_folds_or_the_worst_of_single_ones(result, tmp_path):
    pooled = replace(result, about=result.about | {"pooled_folds": [0, 1]}, controls=CONTROLS[:1])
    folds = [as_fold(result, 0), as_fold(result, 1, controls=CONTROLS)]
    whole = page_of([pooled, *folds], tmp_path).text
    assert "Valid." in whole and "Spread over folds and seeds" in whole and "all 2 folds" in whole and "fold 1" in whole
    assert whole.count("planted/007") == 1  # a writer once, not again for its fold
    assert "Invalid." in page_of(folds, tmp_path).text
    assert "Spread over folds" not in page_of([result], tmp_path).text


def test_figures_of_controls_over_folds_are_a_range():
    numbers = {"folds": {"0": {"auc_wrong": 0.49, "auc_right": 0.8}, "1": {"auc_wrong": 0.52, "auc_right": 0.8}}}
    found = dict(control_words(Control("wrong_reference", "valid", (), numbers)).found)
    assert found == {
        "AUC with wrong references, 2 folds": "0.490 to 0.520",
        "AUC with the right ones, 2 folds": "0.800",
    }


def test_re_drawn_strokes_are_figures_by_number_of_references():
    numbers = {"by_references": {"1": {"eer": 21.51, "eer_redrawn": 21.55}, "5": {"eer": None, "eer_redrawn": 10.7}}}
    found = control_words(Control("stroke_redrawn", "reported", (), numbers)).found
    assert found == (("EER re-drawn (as it is), 1 reference", "21.6 % (21.5 %)"),)


def test_what_thresholds_do_is_a_table(result, tmp_path):
    own = {"genuine_accepted": 41.5, "genuine_accepted_interval": [30.0, 52.0], "accept": 0.3}
    figures = {k: found | {"at_own_thresholds": own} for k, found in result.figures.items()}
    rows = decision_rows(replace(result, figures=figures))
    assert [row.references for row in rows] == [1, 3, 5]
    assert rows[0].cells["genuine accepted, own thresholds"] == ("41.50", "30.0 to 52.0")
    partly = decision_rows(replace(result, figures=figures | {5: result.figures[5]}))
    assert all("genuine accepted, own thresholds" not in row.cells for row in partly)


def test_the_legacy_lane_carries_no_verdict(result, tmp_path):
    legacy = replace(result, about=result.about | {"lane": "legacy"})
    text = page_of([legacy], tmp_path).text
    assert "Comparison only." in text and "Do not quote" not in text
    with pytest.raises(BadInput, match="legacy"):
        write_page([result, legacy], tmp_path)
    with pytest.raises(BadInput, match="at least one"):
        write_page([], tmp_path)


def test_rows_of_the_record_fit_data_and_training(result):
    crossed = replace(result, about=result.about | {"protocol": "hindi-to-cedar"})
    named = [row.name for row in headline_rows([crossed]) if row.group == "published"]
    assert any("DetailSemNet 2024 (Hindi → CEDAR)" in name for name in named)
    assert not any("MS-SigNet" in name or "Bengali" in name for name in named)
    assert headline_rows([result], published=())[-1].group == "ours"
    own = replace(result, about=result.about | {"datasets": ["a bank's own"]})
    assert {row.group for row in headline_rows([own])} == {"ours"}


def test_writers_are_sorted_by_their_own_error(result):
    found = writer_errors([result], 3)
    assert [one.eer for one in found] == sorted((one.eer for one in found), reverse=True)
    scored = result.scored[3]
    own = scored.where(scored.writer_id == found[0].writer_id)
    sides = [own.of(kind).score for kind in (TrialKind.GENUINE, TrialKind.SKILLED_FORGERY)]
    assert found[0].eer == pytest.approx(100 * eer(*sides).rate)
    assert {one.writer_id for one in found} == set(scored.writer_id.tolist())
    shares = [(one.frr, one.far_skilled) for one in found]
    assert all(0 <= rate <= 100 for pair in shares for rate in pair)


def test_a_control_nobody_knows_keeps_its_name_and_reasons():
    found = control_words(Control("phase_of_moon", "warning", ("full",), {"x": 1}))
    assert (found.title, found.status, found.reasons) == ("Phase of moon", "warning", ("full",))


def test_the_commit_is_named_in_a_checkout_only(tmp_path):
    assert commit(tmp_path) == ""


@pytest.mark.slow
def test_a_browser_shows_every_picture_asks_nobody_and_complains_of_nothing(result, store, tmp_path):
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    path = write_page([result], tmp_path, [("HOG", result)], store=store, preprocessing=SKELETON)
    script = "<script>onload=()=>{const i=[...document.images];document.title='images '+i.length+' loaded '+"
    script += (
        "i.filter(x=>x.complete&&x.naturalWidth>0).length+' wide '+(document.body.scrollWidth>innerWidth)}</script>"
    )
    page = path.read_text(encoding="utf-8")
    allowed = page.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    probe = tmp_path / "probe.html"
    probe.write_text(allowed.replace("</head>", script + "</head>"), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--enable-logging=stderr",
         f"--user-data-dir={tmp_path / 'profile'}", "--disable-background-networking", "--no-first-run",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", probe.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout).group(1)
    assert title == f"images {page.count('<img ')} loaded {page.count('<img ')} wide false", done.stderr[-1000:]
    assert "CONSOLE" not in done.stderr and "Refused to" not in done.stderr


def _shifted(figures, points):
    return {k: f | {"skilled": f["skilled"] | {"eer": f["skilled"]["eer"] + points}} for k, f in figures.items()}


def test_only_where_every_gating_control_ran_the_page_says_the_hand_was_measured(result, tmp_path):
    ran = tuple(Control(name, "valid") for name in GATING)
    whole, partly = (
        page_of([replace(result, controls=c)], tmp_path).text for c in (ran, (*ran[:-1], Control("order", "valid")))
    )
    assert "what was measured is the hand" in whole and "what was measured is the hand" not in partly
    assert "not all ran" in partly
    absent = page_of([replace(result, controls=(*ran[:-1], did_not_run(GATING[-1], "too few writers")))], tmp_path).text
    assert "Warning." in absent and "control reference_free did not run: too few writers" in absent


def test_refused_stands_above_comparison_only(result, tmp_path):
    legacy = replace(result, about=result.about | {"lane": "legacy"}, controls=(Control("parts", "refused", ("x",)),))
    assert "Refused." in page_of([legacy], tmp_path).text and headline_rows([legacy])[0].status == "refused"


def test_every_policy_keeps_its_columns_and_what_its_targets_say(result, tmp_path):
    shared = {"frr": 4.0, "frr_interval": [3.0, 5.0], "far_random": 0.31, "far_random_interval": [0.1, 0.6]}
    shared |= {"far_skilled": 2.0, "far_skilled_interval": [1.0, 3.0], "frr_cost_interval": [1.0, None]}
    first = {"far_skilled_to_nominal": 2.22, "far_skilled_to_nominal_interval": [1.0, 3.0], "ratio_kept": True}
    second = {"far_random_to_nominal": 3.33, "far_random_to_nominal_interval": [2.5, 6.0], "ratio_kept": False}
    first |= shared | {"frr_cost": 1.2, "cost_kept": True}
    second |= shared | {"frr_cost": None, "cost_kept": False}
    counts = result.counts | {"removed_duplicates": 0}
    found = replace(result, counts=counts, deployment={5: {"standard": first, "strict": second}})
    heads = headings(frozen_rows(found))
    assert {"far skilled to nominal", "far random to nominal", "far random", "frr cost"} <= set(heads)
    page, table = page_of([found], tmp_path).text, found.table()
    for words in ("2.22", "3.33", "0.31", "no bound", "far random to nominal", "lower bound at most 2"):
        assert words in page, words
    for words in ("far_random 0.31 [0.10, 0.60] %", "random 3.33 [2.50, 6.00] x nominal, at most 2: no", "FRR inf x"):
        assert words in table, words
    assert max(len(line) for line in table.splitlines()) <= 140


def test_the_page_shows_the_calibration_error_above_its_floor(result):
    evidence = {"skilled": {"cllr_bits": 0.2, "min_cllr_bits": 0.1, "ece": 0.09, "ece_above_floor": 0.02}}
    rows = decision_rows(replace(result, figures={k: f | {"evidence": evidence} for k, f in result.figures.items()}))
    assert rows[0].cells["calibration error above its floor"] == ("0.020", "") and "0.09" not in str(rows)
