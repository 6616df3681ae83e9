"""The report as a browser sees it: pictures load, nothing is fetched, nothing that came from outside is markup."""

from __future__ import annotations

import re
import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from sigverify.batch.decisions import open_for_verification, verify_batch
from sigverify.batch.landing import ingest_batch
from sigverify.batch.pictures import Album, thumbnail
from sigverify.batch.report import write_batch_report
from sigverify.config import PreprocessingSettings
from sigverify.errors import BadTable, Mismatch, NotFound
from sigverify.records import Classification, Decision, Outcome, Pictures, Reason
from sigverify.storage import ledger
from tests.markup import Tags

CHROMIUM = next((p for p in ("chromium", "chromium-browser", "google-chrome") if shutil.which(p)), None)


@pytest.fixture
def decided(enrolled, bank, verifier):
    batch_id = ingest_batch(enrolled, bank.landing_dir).batch_id
    verify_batch(enrolled, verifier, batch_id)
    return enrolled, batch_id


def test_the_page_shows_every_item_and_its_references(decided, verifier, bank, tmp_path):
    store, batch_id = decided
    path = write_batch_report(store, verifier, batch_id, tmp_path / "out", truth=bank.truth_csv)
    page = Tags(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "out" / "report.html"
    decisions = ledger.decisions_of(store, batch_id)
    assert page.count("article") == len(decisions)
    for word in [batch_id, verifier.version, verifier.policy_version, "Provisional", "Reconciled", *decisions.item_id]:
        assert word in page.text, word
    for word in ("far_random", "far_skilled", "synthetic", "empty file", "file missing", "copy of reference"):
        assert word in page.text, word
    expected = len(decisions) + sum(len(ids) for ids in decisions.reference_ids)
    shown = page.count("img")
    assert expected - 1 <= shown - 2 <= expected  # both copies show the other; the truncated scan cannot be shown


def test_nothing_is_loaded_from_anywhere(decided, verifier, tmp_path):
    store, batch_id = decided
    text = write_batch_report(store, verifier, batch_id, tmp_path).read_text(encoding="utf-8")
    page = Tags(text)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(a["src"].startswith("data:image/png;base64,") for t, a in page.tags if t == "img")
    assert not {"script", "link", "iframe", "object", "embed"} & {t for t, _ in page.tags}
    assert not re.search(r"url\(|@import|https?://", text)


def test_a_report_is_the_same_every_time(decided, verifier, tmp_path):
    store, batch_id = decided
    one = write_batch_report(store, verifier, batch_id, tmp_path / "one.html")
    two = write_batch_report(store, verifier, batch_id, tmp_path / "two.html")
    assert one.read_bytes() == two.read_bytes()


def test_refers_and_rejects_come_first_and_what_is_left_out_is_said(decided, verifier, tmp_path):
    store, batch_id = decided
    path = write_batch_report(store, verifier, batch_id, tmp_path, max_cards=8)
    page = Tags(path.read_text(encoding="utf-8"))
    outcomes = [a["class"] for t, a in page.tags if t == "article"]
    decisions = ledger.decisions_of(store, batch_id)
    order = ["refer", "reject", "failure_to_acquire", "accept"]
    assert outcomes == sorted(outcomes, key=order.index)
    assert len(outcomes) == 8
    assert set(outcomes) == set(decisions.outcome)  # some of every reason
    assert outcomes.count("refer") == list(decisions.outcome).count("refer")
    left = len(decisions) - 8
    said = re.search(r"Left out: (.*?);", page.text).group(1)
    assert sum(int(n) for n in re.findall(r"\d+", said)) == left


@pytest.mark.parametrize(
    ("classification", "setting", "shown"),
    [
        ("synthetic", "synthetic", True), ("synthetic", "none", False), ("biometric", "synthetic", False),
        ("biometric", "all", True), ("research", "synthetic", False),
    ],
)  # fmt: skip
def test_pictures_follow_setting_and_classification(
    enrolled, delivery, scans, verifier, tmp_path, classification, setting, shown
):
    delivery.add("a", scans[0])
    kind = Classification(classification)
    batch_id = ingest_batch(enrolled, delivery.write(), classification=kind).batch_id
    verify_batch(enrolled, verifier, batch_id)
    path = write_batch_report(enrolled, verifier, batch_id, tmp_path, pictures=Pictures(setting))
    page = Tags(path.read_text(encoding="utf-8"))
    queries = [a for t, a in page.tags if t == "img" and a["alt"].startswith("query")]
    assert len(queries) == shown
    assert (f"not shown: {classification} image, pictures = {setting}" in page.text) is not shown
    references = [a for t, a in page.tags if t == "img" and a["alt"].startswith("reference")]
    assert bool(references) is (setting != "none")  # the references are synthetic whatever the query is


HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7777*7777}}</title>"


def test_hostile_ids_are_text(enrolled, scans, verifier, tmp_path):
    """Ids the contract would refuse, put into the ledger behind its back."""
    url = enrolled.write_image(scans[0], ".png")
    ledger.begin_batch(
        enrolled, HOSTILE, landing_url="", manifest_digest="0" * 64, business_date="2026-11-20",
        contract_version="1.0.0", received_count=2, classification=Classification.SYNTHETIC,
    )  # fmt: skip
    item = ledger.Item(HOSTILE, 1, HOSTILE, url, "0" * 64, 5, "EUR")
    refused = ledger.Quarantined(2, HOSTILE, ((Reason.CONTRACT, HOSTILE, HOSTILE),), None, None)
    ledger.admit_items(enrolled, HOSTILE, [item], [refused])
    frozen = open_for_verification(enrolled, HOSTILE, verifier)
    decision = Decision(Outcome.REFER, Reason.COPY_OF_ITEM, None, None, None, 0, detail=HOSTILE)
    ledger.record_decisions(
        enrolled, HOSTILE, [(ledger.undecided(enrolled, HOSTILE)[0], decision)],
        verifier_version=frozen.verifier_version, policy_version=frozen.policy_version, gallery_id=frozen.gallery_id,
        contract_version="1.0.0",
    )  # fmt: skip
    text = write_batch_report(enrolled, verifier, HOSTILE, tmp_path / "page.html").read_text(encoding="utf-8")
    page = Tags(text)
    assert "onerror" not in {name for _, attributes in page.tags for name in attributes}
    assert all(a["src"].startswith("data:") for t, a in page.tags if t == "img")
    assert page.count("title") == 1
    assert page.text.count(HOSTILE) >= 5
    assert str(7777 * 7777) not in page.text


def test_the_report_of_an_unopened_batch_says_so(enrolled, bank, verifier, tmp_path):
    batch_id = ingest_batch(enrolled, bank.landing_dir).batch_id
    text = write_batch_report(enrolled, verifier, batch_id, tmp_path).read_text(encoding="utf-8")
    assert "Nothing is decided yet" in text
    assert "Unreconciled" in text


def test_errors_of_the_caller(decided, verifier, other_verifier, tmp_path):
    store, batch_id = decided
    with pytest.raises(Mismatch, match=other_verifier.version):
        write_batch_report(store, other_verifier, batch_id, tmp_path)
    with pytest.raises(NotFound):
        write_batch_report(store, verifier, "no such batch", tmp_path)
    (tmp_path / "truth.csv").write_text("a,b\n")
    with pytest.raises(BadTable, match="item_id"):
        write_batch_report(store, verifier, batch_id, tmp_path, truth=tmp_path / "truth.csv")
    assert not (tmp_path / "report.html").exists()


def test_a_lost_image_is_a_sentence(enrolled, scans):
    album = Album(enrolled, Pictures.ALL, PreprocessingSettings())
    url = enrolled.write_image(scans[0], ".png")
    enrolled.images.local_path(url).unlink()
    assert album.show(url, Classification.BIOMETRIC).why_not == "cannot be shown: the image is lost"
    broken = album.show(enrolled.write_image(scans[1][:300], ".png"), Classification.BIOMETRIC)
    assert broken.source is None
    assert broken.why_not == "cannot be shown: truncated"


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3), (300, 700)])
def test_a_thumbnail_is_small_upright_and_true_in_grey(shape):
    import base64

    image = np.full(shape, 255, np.uint8)
    image[: (shape[0] + 1) // 2] = 0
    made = thumbnail(image)
    picture = Picture.open(BytesIO(base64.b64decode(made.source.split(",")[1])))
    assert picture.size == (made.width, made.height)
    assert made.width <= 460
    assert made.height <= 200
    grey = np.asarray(picture.convert("L"))
    assert grey[0].max() <= 128
    assert abs(float(grey.mean()) - float(image.mean())) < 70
    assert shape[0] == 1 or grey[-1].min() >= 0


@pytest.mark.slow
def test_a_browser_loads_every_picture_and_asks_nobody(decided, verifier, bank, tmp_path):
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    store, batch_id = decided
    path = write_batch_report(store, verifier, batch_id, tmp_path, truth=bank.truth_csv)
    probe = tmp_path / "probe.html"
    script = "<script>onload=()=>{const i=[...document.images];document.title='images '+i.length+' loaded '+"
    script += (
        "i.filter(x=>x.complete&&x.naturalWidth>0).length+' wide '+(document.body.scrollWidth>innerWidth)}</script>"
    )
    page = path.read_text(encoding="utf-8")
    allowed = page.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    probe.write_text(allowed.replace("</head>", script + "</head>"), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900",
         f"--user-data-dir={tmp_path / 'profile'}", "--disable-background-networking", "--no-first-run",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", probe.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout).group(1)
    total = page.count("<img ")
    assert title == f"images {total} loaded {total} wide false", done.stderr[-1000:]
    assert "Refused to" not in done.stderr
