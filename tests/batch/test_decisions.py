"""Every item is decided once, whatever its file holds, however often and by however many processes it is tried."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from sigverify.batch.decisions import Shard, decide_shard, finish_batch, open_for_verification, shards, verify_batch
from sigverify.batch.enrolment import enrol
from sigverify.batch.landing import ingest_batch
from sigverify.config import OperatingPoint, Policy, Thresholds
from sigverify.errors import Mismatch, NotFound
from sigverify.records import Outcome, Reason
from sigverify.storage import ledger
from sigverify.storage.gallery import load_templates
from sigverify.verifier import Verifier

ROOT = Path(__file__).resolve().parents[2]


def decisions(store, batch_id):
    """Item id -> (outcome, reason, detail)."""
    frame = ledger.decisions_of(store, batch_id)
    return {r.item_id: (r.outcome, r.reason, r.detail) for r in frame.itertuples()}


def decided_once(store, batch_id):
    frame = ledger.decisions_of(store, batch_id)
    counts = Counter(frame.item_id)
    return counts == Counter(ledger.items_of(store, batch_id).item_id) and set(counts.values()) == {1}


@pytest.fixture
def day(enrolled, bank):
    return enrolled, ingest_batch(enrolled, bank.landing_dir).batch_id


@pytest.mark.parametrize("shard_size", [1, 7, 1000])
def test_a_day_comes_out_as_it_was_planted_in_shards_of_any_size(day, bank, verifier, shard_size):
    store, batch_id = day
    seen = []
    totals = verify_batch(store, verifier, batch_id, shard_size, on_progress=lambda n, of: seen.append((n, of)))
    assert totals.balanced, totals.problems
    assert decided_once(store, batch_id)
    assert seen[-1] == (seen[-1][1], seen[-1][1])
    found = decisions(store, batch_id)
    with bank.truth_csv.open() as file:
        truth = {row["item_id"]: row for row in csv.DictReader(file)}
    planted = {row["kind"]: item for item, row in truth.items()}
    assert found[planted["blank"]][:2] == (Outcome.FAILURE_TO_ACQUIRE, Reason.BLANK)
    assert found[planted["truncated"]][:2] == (Outcome.FAILURE_TO_ACQUIRE, Reason.TRUNCATED)
    assert found[planted["unknown_writer"]][:2] == (Outcome.REFER, Reason.UNKNOWN_WRITER)
    assert found[planted["no_references"]][:2] == (Outcome.REFER, Reason.NO_REFERENCES)
    assert found[planted["copy_of_reference"]][:2] == (Outcome.REFER, Reason.COPY_OF_REFERENCE)
    copy = planted["copy_of_item"]
    original = truth[copy]["copied"]
    assert found[copy] == (Outcome.REFER, Reason.COPY_OF_ITEM, original)
    assert found[original] == (Outcome.REFER, Reason.COPY_OF_ITEM, copy)
    assert not {planted["empty_file"], planted["missing_file"]} & set(found)
    scored = [o for i, (o, r, _) in found.items() if r.startswith("score_")]
    assert len(scored) == len(found) - 7


def test_shard_size_and_order_do_not_change_a_decision(day, verifier, tmp_path):
    store, batch_id = day
    shutil.copytree(store.folder, tmp_path / "copy")
    verify_batch(store, verifier, batch_id, 1000)
    with type(store).open(tmp_path / "copy") as copy:
        frozen = open_for_verification(copy, batch_id, verifier)
        for shard in reversed(shards(copy, frozen, 3)):
            decide_shard(copy, verifier, frozen, shard)
        finish_batch(copy, batch_id)
        one, other = ledger.decisions_of(store, batch_id), ledger.decisions_of(copy, batch_id)
    same = [c for c in one.columns if c not in ("decided_at", "score", "reference_scores")]
    assert one[same].equals(other[same])
    np.testing.assert_allclose(one.score.astype(float), other.score.astype(float), atol=1e-5)


def test_a_writers_items_share_a_shard(day, verifier):
    store, batch_id = day
    frozen = open_for_verification(store, batch_id, verifier)
    writer_of = ledger.items_of(store, batch_id).set_index("item_id").writer_id
    cut = shards(store, frozen, 4)
    where = [(writer_of[i], shard.index) for shard in cut for i in shard.item_ids]
    assert len(set(where)) == len({writer for writer, _ in where})
    assert sorted(i for shard in cut for i in shard.item_ids) == sorted(writer_of.index)
    assert len({shard.digest for shard in cut}) == len(cut)


def test_doing_it_again_changes_nothing(day, verifier):
    store, batch_id = day
    frozen = open_for_verification(store, batch_id, verifier)
    cut = shards(store, frozen)
    first = [decide_shard(store, verifier, frozen, shard) for shard in cut]
    before = ledger.decisions_of(store, batch_id)
    again = [decide_shard(store, verifier, frozen, shard) for shard in cut]
    assert sum(s.n_decided for s in first) == len(before)
    assert [s.n_decided for s in again] == [0] * len(cut)
    assert ledger.decisions_of(store, batch_id).equals(before)
    assert shards(store, frozen) == []


def test_faults_of_single_items_never_stop_the_batch(enrolled, delivery, verifier, scans):
    pages = BytesIO()
    Picture.open(BytesIO(scans[0])).save(pages, "TIFF", save_all=True)
    text = pages.getvalue()
    for name, content, cells in [
        ("good", scans[1], {}),
        ("no-such-page", text, {"page": 3}),
        ("torn-page", text[: len(text) * 2 // 3], {}),
        ("lost", scans[2], {}),
        ("changed", scans[3], {}),
    ]:
        delivery.add(name, content, **cells)
    batch_id = ingest_batch(enrolled, delivery.write()).batch_id
    urls = ledger.items_of(enrolled, batch_id).set_index("item_id").image_url
    enrolled.images.local_path(urls["lost"]).unlink()
    enrolled.images.local_path(urls["changed"]).write_bytes(scans[4])
    totals = verify_batch(enrolled, verifier, batch_id)
    found = decisions(enrolled, batch_id)
    assert totals.balanced
    assert totals.failed_to_acquire.count == 4
    assert found["good"][1].startswith("score_")
    assert {found[i][1] for i in ("no-such-page", "lost", "changed")} == {"unreadable"}
    assert found["torn-page"][1] in ("unreadable", "truncated")


class Stumbling(Verifier):
    """The verifier itself, except that one scan makes its preparation raise."""

    poison = b""

    def prepare(self, source, page=0):
        if source == self.poison:
            raise ZeroDivisionError("an error nobody foresaw")
        return super().prepare(source, page)

    def prepare_many(self, sources, pages=None, workers=0, on_progress=None):
        return [self.prepare(source) for source in sources]


def test_an_unforeseen_error_costs_its_item_alone(enrolled, delivery, verifier, scans):
    for n in range(3):
        delivery.add(f"i{n}", scans[n])
    batch_id = ingest_batch(enrolled, delivery.write()).batch_id
    stumbling = Stumbling(verifier.settings, verifier.weights_path, verifier.cohort)
    stumbling.poison = scans[1]
    assert verify_batch(enrolled, stumbling, batch_id).balanced
    assert [r for _, r, _ in decisions(enrolled, batch_id).values()].count("unreadable") == 1


def test_a_batch_belongs_to_the_verifier_that_opened_it(day, verifier, other_verifier):
    store, batch_id = day
    open_for_verification(store, batch_id, verifier)
    enrol(store, other_verifier)
    cut = shards(store, batch_id)
    for attempt in (
        lambda: open_for_verification(store, batch_id, other_verifier),
        lambda: decide_shard(store, other_verifier, batch_id, cut[0]),
    ):
        with pytest.raises(Mismatch) as caught:
            attempt()
        assert verifier.version in str(caught.value)
        assert other_verifier.version in str(caught.value)
    assert len(ledger.decisions_of(store, batch_id)) == 0


def test_other_thresholds_are_another_policy_and_refused(day, verifier):
    store, batch_id = day
    open_for_verification(store, batch_id, verifier)
    lenient = OperatingPoint(Policy(name="lenient"), (Thresholds(1, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0),))
    with pytest.raises(Mismatch):
        open_for_verification(store, batch_id, verifier.with_settings(operating_point=lenient))


def test_a_gallery_of_another_encoder_is_refused_with_the_fix(day, verifier, other_verifier):
    """Nobody is enrolled for the other verifier; then templates of the wrong encoder stand in its gallery."""
    store, batch_id = day
    with pytest.raises(NotFound, match=f"enrol_writers for {other_verifier.version}"):
        open_for_verification(store, batch_id, other_verifier)
    wrong = open_for_verification(store, batch_id, verifier).gallery_id
    with pytest.raises(Mismatch, match=f"{verifier.encoder_id}.*{other_verifier.encoder_id}"):
        load_templates(store, wrong, ["W0001"], other_verifier.encoder_id, verifier_version=other_verifier.version)


def test_deciding_before_opening_and_unknown_batches(day, verifier):
    store, batch_id = day
    items = tuple(ledger.items_of(store, batch_id).item_id)
    with pytest.raises(Mismatch, match="open_for_verification"):
        decide_shard(store, verifier, batch_id, Shard(0, "", items))
    with pytest.raises(NotFound):
        open_for_verification(store, "no such batch", verifier)


def test_a_batch_of_quarantined_rows_only_is_decided(enrolled, delivery, verifier):
    batch_id = ingest_batch(enrolled, delivery.add("a", None).write()).batch_id
    totals = verify_batch(enrolled, verifier, batch_id)
    assert totals.balanced
    assert ledger.open_batches(enrolled) == []


def start_worker(store, verifier, batch_id, size):
    command = [
        sys.executable, "-m", "tests.batch.worker", str(store.folder), str(verifier.weights_path.parent), batch_id,
        str(size),
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def let_go(*workers):
    """All at once, when all have loaded the verifier."""
    for worker in workers:
        assert worker.stdout.readline() == "ready\n", worker.stderr.read()
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()


@pytest.mark.slow
def test_two_processes_at_once_decide_each_item_once(day, verifier):
    store, batch_id = day
    workers = [start_worker(store, verifier, batch_id, 3) for _ in range(2)]
    let_go(*workers)
    lines = [worker.communicate(timeout=200) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], lines
    assert decided_once(store, batch_id)
    assert ledger.reconcile(store, batch_id).balanced


@pytest.mark.slow
def test_killed_half_way_and_run_again_it_is_complete_and_once(day, verifier):
    store, batch_id = day
    worker = start_worker(store, verifier, batch_id, 1)
    let_go(worker)
    deadline = time.monotonic() + 100
    while not (kept := len(ledger.decisions_of(store, batch_id))) and time.monotonic() < deadline:
        time.sleep(0.005)
    worker.kill()
    worker.communicate()
    before = ledger.decisions_of(store, batch_id)
    assert kept
    totals = verify_batch(store, verifier, batch_id)
    after = ledger.decisions_of(store, batch_id)
    assert totals.balanced
    assert decided_once(store, batch_id)
    kept_rows = after[after.decision_id.isin(before.decision_id)].reset_index(drop=True)
    assert kept_rows.equals(before)
