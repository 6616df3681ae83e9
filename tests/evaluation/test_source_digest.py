"""What counts as the code behind a result: every file that decides, none that only shows."""

from __future__ import annotations

from sigverify.evaluation.source_digest import DECIDES, ROOT, digest_of, source_digest


def test_a_changed_decision_changes_the_digest_and_a_changed_page_does_not(tmp_path):
    for name in (
        "scans/clean.py",
        "evaluation/trials.py",
        "evaluation/protocols/open.json",
        "evaluation/audit_page.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    rooms = ("scans", "evaluation", "config.py")
    before = digest_of(tmp_path, rooms)
    (tmp_path / "evaluation" / "audit_page.py").write_text("two")
    assert digest_of(tmp_path, rooms) == before
    for name in ("scans/clean.py", "evaluation/protocols/open.json"):
        (tmp_path / name).write_text("two")
        assert digest_of(tmp_path, rooms) != before
        (tmp_path / name).write_text("one")
    (tmp_path / "config.py").write_text("new")
    assert digest_of(tmp_path, rooms) != before


def test_every_room_named_is_there_and_each_use_has_a_digest_of_its_own():
    assert all((ROOT / room).exists() for rooms in DECIDES.values() for room in rooms)
    assert len({source_digest(what) for what in DECIDES}) == len(DECIDES)
