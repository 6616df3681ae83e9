"""Nothing outside a delivered folder is ever read, however its path is written; what is not a plain file is refused."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from sigverify.batch.folder import DeliveredFolder
from sigverify.errors import BadScan, NotFound
from sigverify.records import Reason

LIMIT = 1000


@pytest.fixture
def place(tmp_path):
    """A folder with a file in it and a secret beside it."""
    inside = tmp_path / "landing"
    (inside / "scans").mkdir(parents=True)
    (inside / "scans" / "a.png").write_bytes(b"inside")
    (tmp_path / "secret.png").write_bytes(b"outside")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(b"outside")
    return inside


def reason_for(place, path):
    with DeliveredFolder(place) as folder, pytest.raises(BadScan) as caught:
        folder.read(path, LIMIT)
    return caught.value.reason


def test_reads_what_is_inside(place):
    with DeliveredFolder(place) as folder:
        assert folder.read("scans/a.png", LIMIT) == b"inside"
        assert folder.read("./scans//a.png", LIMIT) == b"inside"


@pytest.mark.parametrize(
    "path", ["../secret.png", "scans/../../secret.png", "scans/../scans/a.png", "/etc/passwd", "//etc/passwd"]
)
def test_paths_that_lead_outside(place, path):
    assert reason_for(place, path) is Reason.PATH_ESCAPES


@pytest.mark.parametrize("target", ["../secret.png", "scans/a.png", "nowhere.png"])
def test_a_link_is_not_followed_wherever_it_points(place, target):
    (place / "link.png").symlink_to(target)
    assert reason_for(place, "link.png") is Reason.PATH_ESCAPES


@pytest.mark.parametrize("target", ["../elsewhere", "scans", "/"])
def test_a_linked_folder_on_the_way_is_not_followed(place, target):
    (place / "linked").symlink_to(target, target_is_directory=True)
    assert reason_for(place, "linked/a.png") is Reason.PATH_ESCAPES


def test_a_folder_swapped_for_a_link_after_opening_leads_nowhere(place):
    with DeliveredFolder(place) as folder:
        (place / "scans").rename(place / "moved")
        (place / "scans").symlink_to("../elsewhere", target_is_directory=True)
        with pytest.raises(BadScan) as caught:
            folder.read("scans/a.png", LIMIT)
    assert caught.value.reason is Reason.PATH_ESCAPES


def test_the_landing_folder_itself_swapped_after_opening_is_still_the_one_opened(place, tmp_path):
    with DeliveredFolder(place) as folder:
        place.rename(tmp_path / "moved")
        (tmp_path / "landing").symlink_to("elsewhere", target_is_directory=True)
        assert folder.read("scans/a.png", LIMIT) == b"inside"


@pytest.mark.parametrize(
    "path", ["gone.png", "gone/a.png", "scans/a.png/more", "", ".", "x" * 300, "nul\0.png", "\udcff.png"]
)
def test_files_that_are_not_there(place, path):
    assert reason_for(place, path) is Reason.FILE_MISSING


def test_folders_and_pipes_are_no_images_and_do_not_block(place):
    os.mkfifo(place / "pipe")
    assert reason_for(place, "pipe") is Reason.NOT_AN_IMAGE
    assert reason_for(place, "scans") is Reason.NOT_AN_IMAGE


def test_size_limits(place):
    (place / "full").write_bytes(b"x" * LIMIT)
    (place / "over").write_bytes(b"x" * (LIMIT + 1))
    (place / "none").write_bytes(b"")
    with DeliveredFolder(place) as folder:
        assert len(folder.read("full", LIMIT)) == LIMIT
    assert reason_for(place, "over") is Reason.FILE_TOO_LARGE
    assert reason_for(place, "none") is Reason.EMPTY_FILE


def test_no_descriptor_is_left_open(place):
    before = len(os.listdir("/proc/self/fd"))
    for path in ("scans/a.png", "../secret.png", "gone/a.png", "gone.png", "scans"):
        with DeliveredFolder(place) as folder, suppress(BadScan):
            folder.read(path, LIMIT)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="not a folder"):
        DeliveredFolder(tmp_path / "gone")


def test_a_file_that_is_longer_than_it_said_is_read_whole_or_refused():
    """The kernel's own files say 0 bytes and hold more, as one does that grows while it is read."""
    with DeliveredFolder(Path("/proc/self")) as folder:
        held = Path("/proc/self/cmdline").read_bytes()
        assert len(held) > 3 and folder.read("cmdline", 1 << 20) == held
        with pytest.raises(BadScan) as refused:
            folder.read("cmdline", 3)
    assert refused.value.reason is Reason.FILE_TOO_LARGE
