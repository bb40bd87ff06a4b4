"""The tap's own note, on disk, of what it submitted, for the run after one that left no state.

A run has one file, which it holds locked while it lives: a line that says for whom it is, then one
for each query batch and report. What a dead run left is taken over into the file of the next one.
The file holds no key: only a salted fingerprint says which key the submissions belong to.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import pbkdf2_hmac
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tap_supermetrics.sync.journal_entries import (
    Entry,
    answer_line,
    entries_of,
    line,
    read_entries,
    with_ids,
)
from tap_supermetrics.sync.locked_file import LockedFile, locked
from tap_supermetrics.sync.notation import MALFORMED
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from tap_supermetrics.model import SubmittedBatch
    from tap_supermetrics.sync.state import AsyncRun

logger = logging.getLogger(__name__)

_FORMAT: Final = 1
_PREFIX: Final = "submitted-"
_MAX_FILES: Final = 200
_ROUNDS: Final = 10_000


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
        self._first_line = line(owner.signature(os.urandom(16).hex()))
        self._owner = owner
        self._max_age = max_age
        self._file: LockedFile | None = None
        self._found: tuple[Entry, ...] = ()
        self._entries: list[Entry] = []
        self._unanswered: dict[str, list[Entry]] = {}

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
            if (entry.report, entry.request_hash) == (report, request_hash) and not entry.token
        )

    @property
    def unanswered(self) -> tuple[Entry, ...]:
        """The batches that dead runs sent, and did not live to learn the ids of."""
        return tuple(entry for entry in self._found if entry.token)

    def submitted(
        self,
        submitted: SubmittedBatch | AsyncRun,
        request_hashes: Mapping[str, str],
        token: str = "",
    ) -> None:
        """Note what the API is given; it is on the disk before this returns.

        Args:
            submitted: a query batch, or the run of queries that are submitted by themselves.
            request_hashes: of the reports that have a part in it, by name.
            token: of a batch that is about to be sent, and has no id yet: `answered` follows.
        """
        entries = entries_of(submitted, request_hashes, token)
        if token:
            self._unanswered[token] = entries
        else:
            self._entries += entries
        self._write(b"".join(entry.line for entry in entries))

    def answered(self, token: str, batch_ids: Sequence[str]) -> None:
        """Note the ids of the batches that were made of what was sent under a token."""
        ids = {token: batch_ids}
        self._found = tuple(with_ids(self._found, ids))
        self._entries += with_ids(self._unanswered.pop(token, ()), ids)
        self._write(answer_line(token, batch_ids))

    def forget(self, reports: Collection[str]) -> None:
        """Forget what was submitted for reports, now that all of it came to its end."""
        self._found = tuple(each for each in self._found if each.report not in reports)
        self._keep(each for each in self._noted if each.report not in reports)
        self._rewrite()

    @property
    def _noted(self) -> Iterator[Entry]:
        """All that a file of this run has to hold."""
        yield from self._entries
        yield from chain.from_iterable(self._unanswered.values())

    def _keep(self, entries: Iterable[Entry]) -> None:
        kept = list(entries)
        self._entries = [entry for entry in kept if not entry.token]
        self._unanswered = {}
        for entry in kept:
            if entry.token:
                self._unanswered.setdefault(entry.token, []).append(entry)

    def close(self) -> None:
        """Leave the file to the next run; one that holds nothing is removed."""
        if self._file:
            if not any(self._noted):
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
            self._keep(self._found)  # Should this run die too before it uses them.
            self._begin()
            # Only now, as these are in a file of this run.
            for file in mine:
                file.remove()
        finally:
            for file in left:
                file.close()

    def _left(self, *, is_to_be_kept: bool = False) -> list[LockedFile]:
        """Return the files that no living run holds, locked unless they are to be kept."""
        paths = sorted(islice(self._directory.glob(f"{_PREFIX}*"), _MAX_FILES))
        files = [file for path in paths if (file := locked(path))]
        if is_to_be_kept:
            for file in files:
                file.unlock()
        return files

    def _usable_entries(self, files: Iterable[LockedFile], now: datetime) -> tuple[Entry, ...]:
        # A run that was killed while it took over left the same entries twice.
        entries = {entry.identity: entry for file in files for entry in _entries_in(file)}
        return tuple(each for each in entries.values() if now - each.at <= self._max_age)

    def _is_mine(self, file: LockedFile) -> bool:
        if file.is_empty:  # A run that made it just now has not written yet.
            return False
        signature: Any = next(file.lines(), None)
        try:
            return bool(signature == self._owner.signature(signature["salt"]))
        except MALFORMED:
            logger.warning("journal_dir: %s is no file of the tap, or damaged: left out", file.path)
            return False

    def _begin(self) -> None:
        content = self._first_line + b"".join(entry.line for entry in self._noted)
        path = self._directory / f"{_PREFIX}{uuid4().hex}.jsonl"
        self._file = LockedFile.make(path, content)

    def _write(self, lines: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.append(lines)
        except OSError as error:
            self._give_up(error)
            return
        if self._file.is_overgrown:
            newest = max(entry.at for entry in self._noted)
            self._keep(each for each in self._noted if newest - each.at <= self._max_age)
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


def _entries_in(file: LockedFile) -> list[Entry]:
    entries, damaged = read_entries([*file.lines()][1:])  # The first line says whose file it is.
    if damaged:
        text = "journal_dir: %s of %s cannot be read; what was noted there is submitted again"
        logger.warning(text, counted(damaged, "line", "lines"), file.path)
    return entries
