from __future__ import annotations

import hashlib
import os
import stat

import pytest

from sigverify.errors import BadInput, Mismatch, NotFound
from sigverify.storage.images import SYNC_EACH, Images


def test_what_is_written_is_read_and_named_by_its_content(tmp_path):
    images = Images(str(tmp_path / "images"))
    url = images.write(b"ink", ".TIF")
    assert url == f"{hashlib.sha256(b'ink').hexdigest()[:2]}/{hashlib.sha256(b'ink').hexdigest()}.tif"
    assert images.read(url) == b"ink"
    assert images.local_path(url) == tmp_path / "images" / url


def test_the_same_bytes_are_kept_once_and_no_part_remains(tmp_path):
    images = Images(str(tmp_path))
    assert images.write(b"ink") == images.write(b"ink")
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_a_file_cut_short_by_a_crash_is_written_again(tmp_path):
    images = Images(str(tmp_path))
    url = images.write(b"ink of a signature")
    (tmp_path / url).write_bytes(b"ink")
    with pytest.raises(Mismatch, match="changed"):
        images.read(url)
    assert images.write(b"ink of a signature") == url
    assert images.read(url) == b"ink of a signature"


def test_a_damaged_image_is_an_error(tmp_path):
    images = Images(str(tmp_path))
    url = images.write(b"ink")
    (tmp_path / url).write_bytes(b"inc")
    with pytest.raises(Mismatch, match="restore"):
        images.read(url)


def test_a_missing_image_is_an_error(tmp_path):
    images = Images(str(tmp_path))
    url = images.write(b"ink")
    (tmp_path / url).unlink()
    with pytest.raises(NotFound, match=url):
        images.read(url)


@pytest.mark.parametrize("url", ["../secret", "/etc/passwd", "ab/../../x", "", "ab/" + "0" * 63, "AB/" + "0" * 64])
def test_no_url_leads_out_of_the_image_root(tmp_path, url):
    with pytest.raises(BadInput, match="not an image"):
        Images(str(tmp_path)).read(url)


@pytest.mark.parametrize("suffix", ["png", "./x", ".p/../g", ".123456789", "."])
def test_a_suffix_is_a_file_ending(tmp_path, suffix):
    with pytest.raises(BadInput, match="file ending"):
        Images(str(tmp_path)).write(b"ink", suffix)


def test_other_file_systems_by_url():
    """The same through fsspec's in-memory file system, which stands for an object store."""
    images = Images("memory://bank/images")
    url = images.write(b"ink", ".png")
    assert Images("memory://bank/images").read(url) == b"ink"
    assert images.local_path(url) is None
    images.flush()


@pytest.mark.parametrize("n", [3, SYNC_EACH + 1])
def test_flush_forgets_what_is_on_the_disk(tmp_path, n):
    images = Images(str(tmp_path))
    for i in range(n):
        images.write(str(i).encode())
    images.flush()
    assert not images._pending
    images.flush()


@pytest.mark.parametrize("nameless", [True, False])
def test_a_disk_without_nameless_files_keeps_images_whole_too(tmp_path, monkeypatch, nameless):
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")
    images = Images(str(tmp_path))
    data = os.urandom(300_000)
    url = images.write(data, ".png")
    assert images.read(url) == data
    (tmp_path / url).write_bytes(data[:1000])  # cut short
    assert Images(str(tmp_path)).write(data, ".png") == url
    assert images.read(url) == data
    assert [p.name for p in (tmp_path / url[:2]).iterdir()] == [url[3:]]
    assert stat.S_IMODE((tmp_path / url).stat().st_mode) & 0o600 == 0o600
