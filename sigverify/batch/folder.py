"""A delivered folder, read without ever leaving it: no link is followed, what was hashed is what was read.

Paths in a manifest are somebody else's words. Each is walked from the folder's own descriptor one component at a time
with O_NOFOLLOW, so that neither ``../``, an absolute path, a link, nor a folder swapped for a link while we read can
lead outside.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sigverify.errors import BadScan, NotFound
from sigverify.records import Reason

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # non-blocking: a pipe must not hold us


class DeliveredFolder:
    """An open folder; use as a context manager. `path` is only for messages and for the ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, _FOLDER)
        except OSError as error:
            raise NotFound(
                f"{path.name or path} is not a folder that can be read", got=error.strerror, next="check the path"
            ) from error

    def __enter__(self) -> DeliveredFolder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, relative: str, max_bytes: int) -> bytes:
        """The bytes of a regular file beneath the folder, read once.

        Raises BadScan with PATH_ESCAPES (``..``, absolute, a link anywhere on the way), FILE_MISSING (also: may not be
        read), NOT_AN_IMAGE (a folder, pipe or device), EMPTY_FILE, FILE_TOO_LARGE (over `max_bytes`).
        """
        *folders, name = _parts(relative)
        place = os.dup(self._descriptor)
        try:
            for folder in folders:
                inner = _open(folder, _FOLDER | os.O_NOFOLLOW, place)
                os.close(place)
                place = inner
            descriptor = _open(name, _FILE, place)
        finally:
            os.close(place)
        try:
            return _read_regular(descriptor, max_bytes)
        finally:
            os.close(descriptor)


def _parts(relative: str) -> tuple[str, ...]:
    """The components of a path that stays inside; BadScan for any other."""
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts:
        raise BadScan(Reason.PATH_ESCAPES, "path leads outside the landing folder", next="name files beneath it")
    if not path.parts or "\0" in relative:
        raise BadScan(Reason.FILE_MISSING, "no file is named")
    return path.parts


def _open(name: str, flags: int, place: int) -> int:
    try:
        return os.open(name, flags, dir_fd=place)
    except (OSError, UnicodeEncodeError) as error:
        if _is_link(name, place):
            raise BadScan(Reason.PATH_ESCAPES, "a link stands in the path", next="deliver the file itself") from error
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE):
            raise  # the machine's trouble, not the row's
        why = (error.strerror if isinstance(error, OSError) else None) or "no such name"
        raise BadScan(Reason.FILE_MISSING, "the file cannot be opened", got=why.lower()) from error


def _is_link(name: str, place: int) -> bool:
    with suppress(OSError, UnicodeEncodeError):
        return stat.S_ISLNK(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)
    return False


def _read_regular(descriptor: int, max_bytes: int) -> bytes:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise BadScan(Reason.NOT_AN_IMAGE, "not a regular file")
    if facts.st_size > max_bytes:
        raise BadScan(Reason.FILE_TOO_LARGE, "file too large", got=facts.st_size, expected=f"at most {max_bytes} bytes")
    data = os.read(descriptor, facts.st_size + 1)  # no larger: the room for what is read is made before it is read
    if len(data) != facts.st_size:  # interrupted, or it grew or shrank meanwhile
        data += _rest(descriptor, max_bytes - len(data))
    if not data:
        raise BadScan(Reason.EMPTY_FILE, "the file has no bytes")
    return data


def _rest(descriptor: int, at_most: int) -> bytes:
    chunks, held = [], 0
    while held <= at_most and (chunk := os.read(descriptor, 1 << 16)):
        chunks.append(chunk)
        held += len(chunk)
    if held > at_most:
        raise BadScan(Reason.FILE_TOO_LARGE, "file too large", got="it grew while it was read")
    return b"".join(chunks)
