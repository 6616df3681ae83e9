"""Ingest: every fault of a delivery has its reason, the rest goes on, and doing it again changes nothing."""

from __future__ import annotations

import shutil
from io import BytesIO

import pytest
from PIL import Image as Picture

from sigverify.batch.landing import find_landings, ingest_batch
from sigverify.config import PreprocessingSettings
from sigverify.errors import BadInput, BadTable, Conflict, NotFound
from sigverify.records import BatchState, Reason
from sigverify.storage import ledger
from tests.batch.deliveries import COLUMNS, bomb


def quarantined(store, batch_id):
    """Row number -> [(reason, column), ...]."""
    rows = ledger.quarantined_of(store, batch_id)
    return {
        int(n): [(r["reason"], r["column"]) for r in reasons]
        for n, reasons in zip(rows.row_number, rows.reasons, strict=True)
    }


def test_a_synthetic_day_is_taken_in_and_adds_up(store, bank):
    seen = []
    summary = ingest_batch(store, bank.landing_dir, on_progress=lambda n, of: seen.append((n, of)))
    assert summary.received == bank.n_rows == summary.admitted + summary.quarantined + summary.redelivered
    assert summary.reasons == {"empty_file": 1, "file_missing": 1}
    assert (summary.redelivered, summary.problems) == (1, ())
    assert seen == [(n, bank.n_rows) for n in range(1, bank.n_rows + 1)]
    assert ledger.open_batches(store) == [summary.batch_id]
    for item in ledger.items_of(store, summary.batch_id).itertuples():
        original = next((bank.landing_dir / "scans").glob(f"{item.item_id}.*"))
        assert store.read_image(item.image_url) == original.read_bytes()


def test_the_same_delivery_again_is_a_no_op_that_says_so(store, bank):
    first = ingest_batch(store, bank.landing_dir)
    again = ingest_batch(store, bank.landing_dir)
    assert again.already_ingested
    assert not first.already_ingested
    assert "nothing to do" in again.text()
    assert (again.batch_id, again.admitted) == (first.batch_id, first.admitted)
    assert len(ledger.list_batches(store)) == 1


BAD_FILES = {
    "escape": (None, {"path": "../secret.png"}, Reason.PATH_ESCAPES),
    "absolute": (None, {"path": "/etc/passwd"}, Reason.PATH_ESCAPES),
    "link": (None, {"path": "link.png"}, Reason.PATH_ESCAPES),
    "linked-folder": (None, {"path": "linked/secret.png"}, Reason.PATH_ESCAPES),
    "missing": (None, {}, Reason.FILE_MISSING),
    "zero": (b"", {}, Reason.EMPTY_FILE),
    "text": (b"this is no image", {}, Reason.NOT_AN_IMAGE),
    "script": (b"%!PS-Adobe-3.0 EPSF-3.0\n", {}, Reason.NOT_AN_IMAGE),
    "bomb": (bomb(), {}, Reason.TOO_MANY_PIXELS),
    "large": (b"\x89PNG\r\n\x1a\n" + b"x" * 500_000, {}, Reason.FILE_TOO_LARGE),
}


def test_every_bad_file_has_its_reason_and_the_rest_goes_on(store, delivery, scans, tmp_path):
    (delivery.folder.parent / "secret.png").write_bytes(scans[1])
    (delivery.folder / "link.png").symlink_to("../secret.png")
    (delivery.folder / "linked").symlink_to("..", target_is_directory=True)
    delivery.add("good", scans[0])
    for name, (content, cells, _) in BAD_FILES.items():
        delivery.add(name, content, **cells)
    limits = PreprocessingSettings(max_file_bytes=400_000)
    summary = ingest_batch(store, delivery.write(), settings=limits)
    assert summary.admitted == 1
    expected = {n: [(bad[2].value, "path")] for n, bad in enumerate(BAD_FILES.values(), 2)}
    assert quarantined(store, summary.batch_id) == expected
    assert summary.problems == ()  # quarantined rows keep their amounts: nothing is lost


def test_a_damaged_image_is_admitted_and_left_to_the_decision(store, delivery, scans):
    buffer = BytesIO()
    Picture.new("1", (300, 100), 1).save(buffer, "TIFF", compression="group4")
    delivery.add("torn", scans[0][: len(scans[0]) // 2]).add("page", buffer.getvalue(), page=7)
    assert ingest_batch(store, delivery.write()).admitted == 2


def test_every_reason_of_a_row_is_kept(store, delivery, scans):
    delivery.add("ok", scans[0])
    delivery.add("-bad id", None, writer_id="", currency="euro", page="first", path="../x.png")
    summary = ingest_batch(store, delivery.write())
    found = quarantined(store, summary.batch_id)[2]
    assert {column for reason, column in found if reason == Reason.CONTRACT} == {
        "item_id", "writer_id", "currency", "page",
    }  # fmt: skip
    assert (Reason.PATH_ESCAPES.value, "path") in found
    assert summary.admitted == 1


def test_confidential_values_stay_out_of_the_reasons(store, delivery, scans):
    delivery.add("ok", scans[0]).add("bad", scans[1], writer_id="Jane Doe <jane>")
    summary = ingest_batch(store, delivery.write())
    assert "Jane" not in str(ledger.quarantined_of(store, summary.batch_id).reasons.tolist())
    assert "Jane" not in summary.text()


@pytest.mark.parametrize("amount", ["", "12.50", "1e3", "twelve", "1,000", "nan"])
def test_an_unreadable_amount_is_a_shown_residual(store, delivery, scans, amount):
    delivery.add("ok", scans[0]).add("unreadable", scans[1], amount_minor=amount)
    summary = ingest_batch(store, delivery.write())
    items = ledger.items_of(store, summary.batch_id).set_index("item_id")
    assert summary.admitted == 2
    assert items.amount_minor.isna().to_dict() == {"ok": False, "unreadable": True}
    assert any("without a readable amount" in p for p in summary.problems)
    assert not ledger.reconcile(store, summary.batch_id).balanced


def test_a_readable_amount_that_breaks_the_contract_is_quarantined(store, delivery, scans):
    delivery.add("ok", scans[0]).add("negative", scans[1], amount_minor=-5)
    summary = ingest_batch(store, delivery.write())
    assert quarantined(store, summary.batch_id) == {2: [("contract_violation", "amount_minor")]}


@pytest.mark.parametrize("column", ["item_id", "writer_id", "path", "amount_minor", "currency", "record_type"])
def test_a_missing_column_is_named_and_leaves_no_trace(store, delivery, scans, column):
    delivery.add("ok", scans[0])
    folder = delivery.write(columns=tuple(c for c in COLUMNS if c != column))
    with pytest.raises(BadTable, match=column):
        ingest_batch(store, folder)
    assert ledger.list_batches(store) == []


@pytest.mark.parametrize("totals", [{"count": 3}, {"amount_minor": 2001}, {"count": "two"}, {"amount_minor": "x"}])
def test_a_trailer_that_does_not_add_up_is_a_problem_of_the_batch(store, delivery, scans, totals):
    delivery.add("a", scans[0]).add("b", scans[1])
    summary = ingest_batch(store, delivery.write(**totals))
    assert summary.admitted == 2
    assert len(summary.problems) >= 1
    assert "unreconciled" in summary.text()
    assert not ledger.reconcile(store, summary.batch_id).balanced


def test_a_manifest_without_a_trailer_is_refused_unless_asked_for(store, delivery, scans):
    folder = delivery.add("a", scans[0]).write(trailer=False)
    with pytest.raises(BadTable, match=r"no trailer.*wait for the rest"):
        ingest_batch(store, folder)
    assert ledger.list_batches(store) == []
    summary = ingest_batch(store, folder, require_trailer=False)
    assert summary.admitted == 1
    assert summary.problems


@pytest.mark.parametrize("last", ["count", "amount_minor"])
def test_a_manifest_cut_off_anywhere_is_refused(store, delivery, scans, last):
    """Every prefix of a manifest: none passes for a whole one."""
    for name in ("a", "b", "c"):
        delivery.add(name, scans[0])
    folder = delivery.write(columns=(*(c for c in COLUMNS if c != last), last), count="03")
    manifest = folder / "manifest.csv"
    whole = manifest.read_bytes()
    complete = whole.rstrip(b"\n")
    for length in range(len(whole)):
        manifest.write_bytes(whole[:length])
        if whole[:length] == complete:
            continue  # only its last line break is missing: nothing is lost
        with pytest.raises(BadTable):
            ingest_batch(store, folder)
    assert ledger.list_batches(store) == []
    manifest.write_bytes(complete)
    assert ingest_batch(store, folder).received == 3


def test_a_trailer_in_the_middle_is_a_bad_row(store, delivery, scans):
    delivery.add("a", scans[0])
    delivery.rows.append({"record_type": "T", "amount_minor": 1000, "currency": "EUR", "count": 1})
    delivery.add("b", scans[1])
    summary = ingest_batch(store, delivery.write())
    assert summary.admitted == 2
    assert ("contract_violation", "record_type") in quarantined(store, summary.batch_id)[2]


def test_rows_with_too_many_or_too_few_cells(store, delivery, scans):
    folder = delivery.add("a", scans[0]).add("b", scans[1]).add("c", scans[2]).write()
    lines = (folder / "manifest.csv").read_text().splitlines()
    lines[2] += ",surplus"
    lines[3] = lines[3].rsplit(",", 3)[0]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    summary = ingest_batch(store, folder)
    assert summary.admitted == 1
    assert sorted(quarantined(store, summary.batch_id)) == [2, 3]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b'record_type,"', b"\0\0\0\0", b"a;b;c\n1;2;3\n"])
def test_a_manifest_that_is_no_table(store, delivery, data):
    (delivery.folder / "manifest.csv").write_bytes(data)
    with pytest.raises(BadTable, match=r"manifest\.csv"):
        ingest_batch(store, delivery.folder)


def test_a_manifest_that_is_a_link_or_missing(store, delivery, scans, tmp_path):
    with pytest.raises(BadTable, match="missing"):
        ingest_batch(store, delivery.folder)
    delivery.add("a", scans[0]).write()
    (delivery.folder / "manifest.csv").rename(tmp_path / "manifest.csv")
    (delivery.folder / "manifest.csv").symlink_to(tmp_path / "manifest.csv")
    with pytest.raises(BadTable, match="link"):
        ingest_batch(store, delivery.folder)
    with pytest.raises(NotFound):
        ingest_batch(store, tmp_path / "nowhere")


def test_a_late_file_makes_a_supplementary_batch_in_which_known_rows_are_redeliveries(store, delivery, scans):
    first = ingest_batch(store, delivery.add("a", scans[0]).write())
    second = ingest_batch(store, delivery.add("b", scans[1]).write())
    assert second.batch_id != first.batch_id
    assert second.supplement_of == first.batch_id
    assert (second.admitted, second.redelivered, second.problems) == (1, 1, ())
    assert ingest_batch(store, delivery.folder).already_ingested


def test_a_batch_id_means_one_manifest_and_a_manifest_one_batch(store, delivery, scans):
    ingest_batch(store, delivery.add("a", scans[0]).write(), batch_id="mine")
    assert ingest_batch(store, delivery.folder).batch_id == "mine"
    with pytest.raises(Conflict, match="mine"):
        ingest_batch(store, delivery.folder, batch_id="yours")
    with pytest.raises(Conflict, match="another manifest"):
        ingest_batch(store, delivery.add("b", scans[1]).write(), batch_id="mine")


def test_redeliveries_and_conflicts_within_and_across_batches(store, delivery, scans, tmp_path):
    delivery.add("a", scans[0]).add("b", scans[1])
    delivery.rows += [dict(delivery.rows[0]), dict(delivery.rows[1], amount_minor=7)]
    first = ingest_batch(store, delivery.write())
    assert (first.admitted, first.redelivered, first.reasons) == (2, 1, {"item_id_with_other_content": 1})
    other = type(delivery)(tmp_path / "landing" / "day-2")
    other.add("a", scans[0]).add("b", scans[2]).add("c", scans[3])
    second = ingest_batch(store, other.write())
    assert (second.admitted, second.redelivered, second.quarantined, second.problems) == (1, 1, 1, ())


def test_an_ingest_that_dies_half_way_is_finished_by_the_next(store, delivery, scans):
    for n in range(4):
        delivery.add(f"i{n}", scans[n])
    folder = delivery.write()

    def die(done, _of):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_batch(store, folder, on_progress=die)
    assert ledger.open_batches(store) == []
    assert [b.state for b in ledger.list_batches(store)] == [BatchState.RECEIVING]
    assert find_landings(folder.parent, store) == [folder]
    summary = ingest_batch(store, folder)
    assert (summary.admitted, summary.already_ingested) == (4, False)


def test_find_landings_lists_complete_deliveries_that_are_new(store, delivery, scans, tmp_path):
    root = tmp_path / "landing"
    done = delivery.add("a", scans[0]).write()
    writing = type(delivery)(root / "day-2").add("b", scans[1]).write(trailer=False)
    broken = root / "day-3"
    broken.mkdir()
    (broken / "manifest.csv").write_bytes(b"\0")
    (root / "empty").mkdir()
    (root / "linked").symlink_to("day-1", target_is_directory=True)
    assert find_landings(root) == [done, broken]
    assert find_landings(done) == [done]
    assert find_landings(writing) == []
    ingest_batch(store, done)
    assert find_landings(root, store) == [broken]
    assert find_landings(root / "nowhere") == []


def test_the_batch_id_is_fit_for_ids_whatever_the_folder_is_called(store, delivery, scans):
    folder = delivery.add("a", scans[0]).write()
    odd = folder.parent / "Tag 1 – Zürich; rm -rf"
    shutil.move(folder, odd)
    assert ingest_batch(store, odd).batch_id.startswith("Tag-1-Z-rich-rm--rf-")


def test_a_business_date_that_is_none(store, delivery, scans):
    with pytest.raises(BadInput, match="YYYY-MM-DD"):
        ingest_batch(store, delivery.add("a", scans[0]).write(), business_date="20.11.2026")
