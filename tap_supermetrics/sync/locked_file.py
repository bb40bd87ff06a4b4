"""A file of lines of JSON that one process locks; the lock ends with the process."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_LINE: Final = 4096
_MAX_BYTES: Final = 32 * 1024 * 1024
_ROOM: Final = 1024 * 1024
"""How far a file may grow beyond twice its needed size before it is written anew."""


class LockedFile:
    """A file that this process has locked; the lock ends with the process, however that ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._needed = self._size = os.fstat(descriptor).st_size

    @classmethod
    def make(cls, path: Path, content: bytes) -> LockedFile:
        """Write a file; it gets its name only when it is locked and on the disk.

        Raises:
            OSError: it cannot be written.
        """
        hidden = path.with_suffix(".part")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        file = cls(path, os.open(hidden, flags, 0o600))
        try:
            fcntl.flock(file._descriptor, fcntl.LOCK_EX)  # Others take what is not locked.
            file.append(content)
            hidden.rename(path)
            _sync_directory(path.parent)  # A rename is on the disk only with its folder.
        except OSError:
            file.close()
            hidden.unlink(missing_ok=True)
            raise
        file._needed = len(content)
        return file

    @property
    def is_overgrown(self) -> bool:
        """Return whether most of it may be of no use any more."""
        return self._size > 2 * self._needed + _ROOM

    def append(self, lines: bytes) -> None:
        """Write lines; they are on the disk before this returns."""
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]  # It may write only a part.
        os.fsync(self._descriptor)
        self._size += len(lines)

    def lines(self) -> Iterator[Any]:
        """Return the values of the lines; None for a line that is no JSON."""
        text = os.pread(self._descriptor, min(self._size, _MAX_BYTES), 0)
        return map(_value, text.splitlines())

    def remove(self) -> None:
        """Remove the file, which stays locked."""
        with suppress(FileNotFoundError):
            self.path.unlink()

    def unlock(self) -> None:
        """Unlock it for others, and go on reading."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close and unlock it."""
        descriptor, self._descriptor = self._descriptor, -1  # Closed twice, it may be another's.
        if descriptor >= 0:
            os.close(descriptor)


def locked(path: Path) -> LockedFile | None:
    """Lock a file; return None for one that a living run has locked."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # A link may lead to another's file.
    except OSError:
        return None
    file = LockedFile(path, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another run may have taken it over, and removed it, before it was locked here.
        found = os.fstat(descriptor)
        if found.st_nlink and stat.S_ISREG(found.st_mode):
            return file
    except OSError:
        pass
    file.close()
    return None


def first_line(path: Path) -> Any:  # noqa: ANN401 - whatever the file contains
    """Return the value of the first line, even of a locked file; None where that is no JSON.

    Raises:
        OSError: it cannot be opened for writing.
    """
    # A link may lead to another's file, and a pipe has no end.
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        start = os.pread(descriptor, _MAX_LINE, 0)
    finally:
        os.close(descriptor)
    return _value(start.partition(b"\n")[0])


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _value(line: bytes) -> Any:  # noqa: ANN401 - whatever the file contains
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
