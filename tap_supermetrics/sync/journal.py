"""The tap's own note, on disk, of what it submitted, for the run after one that left no state.

A run has one file, which it holds locked while it lives: a line that says for whom it is, then one
for each query batch and report. What a dead run left is taken over into the file of the next one.
The file holds no key: only a salted fingerprint says which key the submissions belong to.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import pbkdf2_hmac
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tap_supermetrics.sync.notation import MALFORMED, batch_from_json, batch_to_json
from tap_supermetrics.sync.state import AsyncRun, async_run_of, async_run_to_json
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from tap_supermetrics.model import SubmittedBatch

logger = logging.getLogger(__name__)

_FORMAT: Final = 1
_PREFIX: Final = "submitted-"
_MAX_FILES: Final = 200
_MAX_BYTES: Final = 32 * 1024 * 1024
_ROOM: Final = 1024 * 1024
"""A file may grow by so much, and to twice of what is needed, before it is written anew."""
_ROUNDS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that was submitted for one report.

    Attributes:
        report: name of the report.
        request_hash: what it was submitted with.
        submitted: a query batch with the items of this report, or a run of queries one by one.
    """

    report: str
    request_hash: str
    submitted: SubmittedBatch | AsyncRun

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return report, request and id; by these, an entry in two files is counted once."""
        if isinstance(self.submitted, AsyncRun):
            return self.report, self.request_hash, self.submitted.run_id
        return self.report, self.request_hash, self.submitted.batch_id

    @property
    def at(self) -> datetime:
        """The time of the submission, with offset."""
        if isinstance(self.submitted, AsyncRun):
            return self.submitted.started_at
        return self.submitted.submitted_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """For whom something was submitted.

    Attributes:
        origin: of the API.
        api_key: never written, only a salted hash of it.
        shard: which of several runs; empty for one that nobody shares with.
    """

    origin: str
    api_key: str
    shard: str = ""

    def signature(self, salt: str) -> dict[str, Any]:
        """Return what the first line of a file says of its owner."""
        key = pbkdf2_hmac("sha256", self.api_key.encode(), bytes.fromhex(salt), _ROUNDS).hex()
        shard = {"shard": self.shard} if self.shard else {}
        return {"journal": _FORMAT, "origin": self.origin, "salt": salt, "key": key, **shard}


class Journal:
    """Submissions of this run, and those that dead runs of the same owner left. Used by one thread.

    Nothing here ends a run: where the folder or a file cannot be used, one warning says so, and the
    run goes on without.
    """

    def __init__(self, directory: Path, owner: Owner, max_age: timedelta) -> None:
        self._directory = directory
        self._first_line = _line(owner.signature(os.urandom(16).hex()))
        self._owner = owner
        self._max_age = max_age
        self._file: _LockedFile | None = None
        self._found: tuple[Entry, ...] = ()
        self._entries: list[Entry] = []

    @classmethod
    def open(cls, directory: Path, owner: Owner, now: datetime, max_age: timedelta) -> Journal:
        """Take over what dead runs left, and begin a file.

        Args:
            directory: where the files are; it is made where it is missing.
            owner: whose submissions these are.
            now: the wall clock, with offset.
            max_age: what was submitted longer ago is of no use: the API holds nothing of it.
        """
        journal = cls(directory, owner, max_age)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            journal._take_over(now)
        except OSError as error:
            journal._give_up(error)
        return journal

    @classmethod
    def look(cls, directory: Path, owner: Owner, now: datetime, max_age: timedelta) -> Journal:
        """Read what dead runs left, and leave it to the next run; for arguments see `open`."""
        journal = cls(directory, owner, max_age)
        left = []
        with suppress(OSError):
            left = journal._left(is_to_be_kept=True)  # A lock would hide them from a new run.
        try:
            mine = [file for file in left if journal._is_mine(file)]
            journal._found = journal._usable_entries(mine, now)
        finally:
            for file in left:
                file.close()
        return journal

    def held(self, report: str, request_hash: str) -> tuple[SubmittedBatch | AsyncRun, ...]:
        """Return what dead runs submitted for a report with the same request."""
        return tuple(
            entry.submitted
            for entry in self._found
            if (entry.report, entry.request_hash) == (report, request_hash)
        )

    def submitted(
        self, submitted: SubmittedBatch | AsyncRun, request_hashes: Mapping[str, str]
    ) -> None:
        """Note what the API has taken; it is on the disk before this returns.

        Args:
            submitted: a query batch, or the run of queries that are submitted by themselves.
            request_hashes: of the reports that have a part in it, by name.
        """
        entries = [
            Entry(report=name, request_hash=each, submitted=_part_of(submitted, name))
            for name, each in request_hashes.items()
        ]
        self._entries += entries
        self._write(b"".join(map(_line_of, entries)))

    def forget(self, reports: Collection[str]) -> None:
        """Forget what was submitted for reports, now that all of it came to its end."""
        self._found = tuple(each for each in self._found if each.report not in reports)
        self._entries = [each for each in self._entries if each.report not in reports]
        self._rewrite()

    def close(self) -> None:
        """Leave the file to the next run; one that holds nothing is removed."""
        if self._file:
            if not self._entries:
                self._file.remove()
            self._file.close()
            self._file = None

    def _take_over(self, now: datetime) -> None:
        """Move what dead runs left into a file of this run, then remove their files."""
        left = self._left()
        try:
            mine = [file for file in left if self._is_mine(file)]
            for file in left:
                # Others' files are only removed when they are of no use to anybody any more.
                if file not in mine and file.modified_s < (now - self._max_age).timestamp():
                    file.remove()
            self._found = self._usable_entries(mine, now)
            self._entries = list(self._found)  # Kept, should this run die too before it uses them.
            self._begin()
            # Only now, as these are in a file of this run.
            for file in mine:
                file.remove()
        finally:
            for file in left:
                file.close()

    def _left(self, *, is_to_be_kept: bool = False) -> list[_LockedFile]:
        """Return the files that no living run holds, locked unless they are to be kept."""
        paths = sorted(islice(self._directory.glob(f"{_PREFIX}*"), _MAX_FILES))
        files = [file for path in paths if (file := _locked(path))]
        if is_to_be_kept:
            for file in files:
                file.unlock()
        return files

    def _usable_entries(self, files: Iterable[_LockedFile], now: datetime) -> tuple[Entry, ...]:
        # A run that was killed while it took over left the same entries twice.
        entries = {entry.identity: entry for file in files for entry in _entries(file)}
        return tuple(each for each in entries.values() if now - each.at <= self._max_age)

    def _is_mine(self, file: _LockedFile) -> bool:
        if file.is_empty:  # A run that made it just now has not written yet.
            return False
        signature: Any = next(file.lines(), None)
        try:
            return bool(signature == self._owner.signature(signature["salt"]))
        except MALFORMED:
            logger.warning("journal_dir: %s is no file of the tap, or damaged: left out", file.path)
            return False

    def _begin(self) -> None:
        content = self._first_line + b"".join(map(_line_of, self._entries))
        path = self._directory / f"{_PREFIX}{uuid4().hex}.jsonl"
        self._file = _LockedFile.make(path, content)

    def _write(self, lines: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.append(lines)
        except OSError as error:
            self._give_up(error)
            return
        if self._file.is_overgrown:
            newest = max(entry.at for entry in self._entries)
            self._entries = [each for each in self._entries if newest - each.at <= self._max_age]
            self._rewrite()

    def _rewrite(self) -> None:
        """Write a new file and then remove the old one, so that one of them is whole always."""
        if (before := self._file) is None:
            return
        try:
            self._begin()
            before.remove()
        except OSError as error:
            self._give_up(error)
        before.close()

    def _give_up(self, error: OSError) -> None:
        if self._file:
            self._file.close()
        self._file = None
        logger.warning(
            "journal_dir: %s cannot be used (%s); a killed run may have to pay again for what it "
            "submitted. Set `journal_dir` to a folder that can be written",
            self._directory,
            error.strerror or error,
        )


class _LockedFile:
    """A file that this process has locked; the lock goes with the process, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._kept = self._size = os.fstat(descriptor).st_size

    @classmethod
    def make(cls, path: Path, content: bytes) -> _LockedFile:
        """Write a file, which has its name only when it is locked and on the disk.

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
        file._kept = len(content)
        return file

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was written yet."""
        return self._size == 0

    @property
    def modified_s(self) -> float:
        """When it was last written, in seconds since the epoch."""
        return os.fstat(self._descriptor).st_mtime

    @property
    def is_overgrown(self) -> bool:
        """Return whether most of it may be of no use any more."""
        return self._size > 2 * self._kept + _ROOM

    def append(self, lines: bytes) -> None:
        """Write lines; they are on the disk before this returns."""
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]  # It may take only a part.
        os.fsync(self._descriptor)
        self._size += len(lines)

    def lines(self) -> Iterator[Any]:
        """Make the values of the lines; None for what is no line of JSON."""
        text = os.pread(self._descriptor, min(self._size, _MAX_BYTES), 0)
        return map(_value, text.splitlines())

    def remove(self) -> None:
        """Remove the file, which stays locked."""
        with suppress(FileNotFoundError):
            self.path.unlink()

    def unlock(self) -> None:
        """Let others have it, and go on reading."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let others have it."""
        descriptor, self._descriptor = self._descriptor, -1  # Closed twice, it may be another's.
        if descriptor >= 0:
            os.close(descriptor)


def _locked(path: Path) -> _LockedFile | None:
    """Lock a file that nobody uses; return None for one that a living run holds."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # A link may lead to another's file.
    except OSError:
        return None
    file = _LockedFile(path, descriptor)
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


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _part_of(submitted: SubmittedBatch | AsyncRun, report: str) -> SubmittedBatch | AsyncRun:
    if isinstance(submitted, AsyncRun):
        return submitted
    items = {place: each for place, each in submitted.items.items() if each.report == report}
    return replace(submitted, items=items)


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _line_of(entry: Entry) -> bytes:
    what = {"report": entry.report, "request_hash": entry.request_hash}
    if isinstance(entry.submitted, AsyncRun):
        return _line(what | {"async_run": async_run_to_json(entry.submitted)})
    return _line(what | {"batch": batch_to_json(entry.submitted)})


def _value(line: bytes) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _entries(file: _LockedFile) -> Iterable[Entry]:
    """Return the entries that can be read; a run that was killed may have torn the last one."""
    values = [*file.lines()][1:]  # The first line says whose file it is.
    entries = [entry for value in values if (entry := _entry(value))]
    if damaged := len(values) - len(entries):
        text = "journal_dir: %s of %s cannot be read; what was noted there is submitted again"
        logger.warning(text, counted(damaged, "line", "lines"), file.path)
    return entries


def _entry(raw: Any) -> Entry | None:  # noqa: ANN401 - whatever the file holds
    try:
        report, request_hash = str(raw["report"]), str(raw["request_hash"])
        submitted: SubmittedBatch | AsyncRun = (
            async_run_of(raw["async_run"])
            if "async_run" in raw
            else batch_from_json(raw["batch"], report)
        )
    except MALFORMED:
        return None
    return Entry(report=report, request_hash=request_hash, submitted=submitted)
