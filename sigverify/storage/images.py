"""Image files by fsspec URL, named by the SHA-256 of their bytes: ``ab/abcd....png``.

The same bytes are kept once. A file appears under its name whole or not at all, and what is read is checked against
the name, so a damaged file is an error and never a worse score.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sigverify.errors import BadInput, Mismatch, NotFound

NAME = re.compile(r"[0-9a-f]{2}/(?P<digest>[0-9a-f]{64})(?P<suffix>\.[a-z0-9]{1,8})?")
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}  # a put is whole or not at all

SYNC_EACH = 100  # files; more are written out by one sync of the machine


class Images:
    """The image root of a catalogue; URLs are relative to it."""

    def __init__(self, root_url: str) -> None:
        from fsspec.core import url_to_fs

        self._fs: Any
        self._fs, self._root = url_to_fs(root_url)
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        self._renames = not protocols & OBJECT_STORES
        self._local = "file" in protocols
        self._folders: set[str] = set()
        self._pending: set[str] = set()  # local files not yet known to be on the disk

    def write(self, data: bytes, suffix: str = "") -> str:
        """Keep `data` under its digest and return the relative URL; already there: nothing happens.

        `suffix` is a file ending such as ``.tif``. Raises BadInput for anything else, or when the disk is full.
        """
        ending = suffix.lower()
        if ending and not SUFFIX.fullmatch(ending):
            raise BadInput("not a file ending", got=repr(suffix), expected="a dot and up to 8 letters or digits")
        name = hashlib.sha256(data).hexdigest()
        url = f"{name[:2]}/{name}{ending}"
        if not self._holds(url, len(data)):
            self._put(url, data)
        return url

    def read(self, url: str) -> bytes:
        """The bytes of an image. Raises NotFound, BadInput (no such kind of URL), Mismatch (bytes changed on disk)."""
        match = _parsed(url)
        try:
            data: bytes = self._fs.cat_file(self._path(url))
        except FileNotFoundError as error:
            raise NotFound("an image of the catalogue is missing", got=url, next="restore the image folder") from error
        got = hashlib.sha256(data).hexdigest()
        if got != match["digest"]:
            raise Mismatch(
                "an image's bytes changed after it was taken in", got=got[:12], expected=match["digest"][:12],
                next="restore the image folder",
            )  # fmt: skip
        return data

    def remove(self, url: str) -> bool:
        """Delete an image's file; False where there was none. Nothing may name it any more."""
        _parsed(url)
        try:
            self._fs.rm_file(self._path(url))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise BadInput(
                "an image could not be removed", got=error.strerror or type(error).__name__,
                next="make the image folder writable and repeat the step",
            ) from error  # fmt: skip
        return True

    def local_path(self, url: str) -> Path | None:
        """Where the image lies when the root is a local folder, for workers that read files; None elsewhere."""
        _parsed(url)
        return Path(self._path(url)) if self._local else None

    def flush(self) -> None:
        """Return when every image this object wrote would survive a power cut. Called before a row names them."""
        pending, self._pending = self._pending, set()
        if len(pending) > SYNC_EACH:
            os.sync()  # one wait for all: thousands of single ones take many seconds
            return
        for path in sorted(pending | {str(Path(p).parent) for p in pending}):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _path(self, url: str) -> str:
        return f"{self._root}/{url}"

    def _holds(self, url: str, size: int) -> bool:
        try:
            if self._local:
                return os.stat(self._path(url)).st_size == size
            return bool(self._fs.size(self._path(url)) == size)
        except FileNotFoundError:
            return False

    def _put(self, url: str, data: bytes) -> None:
        folder = self._path(url[:2])
        if folder not in self._folders:
            self._fs.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        try:
            if self._local:
                _put_whole(folder, self._path(url), data)
                self._pending.add(self._path(url))
            elif self._renames:
                self._put_and_rename(folder, self._path(url), data)
            else:
                self._fs.pipe_file(self._path(url), data)
        except OSError as error:
            raise BadInput(
                "an image could not be written", got=error.strerror or type(error).__name__,
                next="free space in the image folder and repeat the step",
            ) from error  # fmt: skip

    def _put_and_rename(self, folder: str, path: str, data: bytes) -> None:
        working = f"{folder}/.{uuid.uuid4().hex}.part"
        try:
            self._fs.pipe_file(working, data)
            self._fs.mv(working, path)
        except OSError:
            if self._fs.exists(working):
                self._fs.rm_file(working)
            raise


def _put_whole(folder: str, path: str, data: bytes) -> None:
    """`data` under `path`, whole or not at all: written without a name, where the disk can do that, then named.

    A file without a name leaves nothing behind in a crash, and its folder is changed once, not twice. A file that
    stands under the name already (another size, so damaged) is replaced.
    """
    working = f"{folder}/.{uuid.uuid4().hex}.part"
    handle, named = _new_file(folder, working)
    try:
        with open(handle, "wb", buffering=0) as file:
            _write_all(file, data)
            if not named:
                if _link(handle, path):
                    return
                _link(handle, working)
        os.replace(working, path)
    except OSError:
        with suppress(OSError):
            os.unlink(working)
        raise


def _new_file(folder: str, working: str) -> tuple[int, bool]:
    """An open new file in `folder`, and whether it has the name `working` (where the disk knows no nameless files)."""
    with suppress(OSError, AttributeError):
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o644), False
    return os.open(working, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), True


def _write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _link(handle: int, path: str) -> bool:
    """Give an open file without a name one; False where the name is taken."""
    try:
        os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle)  # with a descriptor it follows /proc's link
    except FileExistsError:
        return False
    return True


def digest_in(url: str) -> str:
    """The SHA-256 of the bytes an image's URL names, hex. Raises BadInput for another kind of URL."""
    return _parsed(url)["digest"]


def _parsed(url: str) -> re.Match[str]:
    match = NAME.fullmatch(url)
    if match is None:
        raise BadInput("not an image of a catalogue", got=url[:80], expected="ab/<64 hex digits>.<ending>")
    return match
