"""The tap's own note, on disk, of what it submitted, for the run after one that left no state.

A run has one file, locked while the run lives: a line that names its owner, then one for each query
batch and report. The next run takes over what a dead run left into its own file. The file contains
no key: a salted fingerprint identifies the key of the submissions.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing, suppress
from threading import Lock
from typing import TYPE_CHECKING

from tap_supermetrics.sync.journal_entries import (
    Entry,
    JournalContent,
    answer_line,
    entries_of,
    line,
    with_ids,
)
from tap_supermetrics.sync.journal_folder import Leftovers, Owner, new_path
from tap_supermetrics.sync.locked_file import LockedFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from tap_supermetrics.model import AsyncRun, SubmittedBatch

logger = logging.getLogger(__name__)


class Journal:
    """Submissions of this run, and those that dead runs of the same owner left.

    Any thread may note something. Nothing here ends a run: where the folder or a file cannot be
    used, the run warns once and goes on without.
    """

    def __init__(self, directory: Path, owner: Owner, max_age: timedelta) -> None:
        self._file = _File(directory, line(owner.signature(os.urandom(16).hex())))
        self._max_age = max_age
        self._lock = Lock()
        self._found: tuple[Entry, ...] = ()
        self._noted = JournalContent()
        self._left: set[str] = set()

    @classmethod
    def open(cls, directory: Path, owner: Owner, now: datetime, max_age: timedelta) -> Journal:
        """Take over what dead runs left, and begin a file.

        Args:
            directory: where the files are; it is made where it is missing.
            owner: whose submissions these are.
            now: the wall clock, with offset.
            max_age: the API retains nothing of what was submitted longer ago.
        """
        journal = cls(directory, owner, max_age)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(Leftovers(directory, owner, now - max_age)) as left:
                journal._found = left.entries
                # Noted again, in case this run dies too before it uses them.
                journal._noted = JournalContent(journal._found)
                journal._file.begin(journal._lines)
                left.remove()  # Only now, as these are in a file of this run.
        except OSError as error:
            journal._file.give_up(error)
        return journal

    @classmethod
    def peek(cls, directory: Path, owner: Owner, now: datetime, max_age: timedelta) -> Journal:
        """Read what dead runs left, and leave it to the next run; for arguments see `open`."""
        journal = cls(directory, owner, max_age)
        with (
            suppress(OSError),
            closing(Leftovers(directory, owner, now - max_age, is_read_only=True)) as left,
        ):
            journal._found = left.entries
        return journal

    def left_for(self, report: str, request_hash: str) -> tuple[SubmittedBatch | AsyncRun, ...]:
        """Return what dead runs submitted for a report with the same request."""
        return tuple(
            entry.submitted
            for entry in self._found
            if (entry.report, entry.request_hash) == (report, request_hash) and not entry.token
        )

    @property
    def unanswered(self) -> tuple[Entry, ...]:
        """The batches that dead runs sent, and whose ids they did not live to learn."""
        return tuple(entry for entry in self._found if entry.token)

    def leave(self, report: str) -> None:
        """Leave what dead runs submitted for a report to the next run."""
        self._left |= {each.id for each in self._found if each.report == report and each.id}

    @property
    def ids(self) -> frozenset[str]:
        """The known ids of what dead runs submitted."""
        return frozenset(each.id for each in self._found if not each.token)

    def submitted(
        self,
        submitted: SubmittedBatch | AsyncRun,
        request_hashes: Mapping[str, str],
        token: str = "",
    ) -> None:
        """Note what is about to be submitted; it is on the disk before this returns.

        Args:
            submitted: a query batch, or the run of queries that are submitted by themselves.
            request_hashes: of the reports that have a part in it, by name.
            token: of a batch that is about to be sent, and has no id yet: `answered` follows.
        """
        entries = entries_of(submitted, request_hashes, token)
        with self._lock:
            self._noted.add(entries)
            self._append(b"".join(entry.line for entry in entries))

    def answered(self, token: str, batch_ids: Sequence[str]) -> None:
        """Note the ids of the batches that were started under a token."""
        with self._lock:
            self._found = tuple(with_ids(self._found, {token: batch_ids}))
            self._noted.answered(token, batch_ids)
            self._append(answer_line(token, batch_ids))

    def forget(self, reports: Collection[str]) -> None:
        """Forget what was submitted for reports, as all of it has ended."""
        with self._lock:
            self._found = tuple(each for each in self._found if self._is_retained(each, reports))
            self._noted = JournalContent(
                each for each in self._noted if self._is_retained(each, reports)
            )
            self._file.rewrite(self._lines)

    def _is_retained(self, entry: Entry, reports: Collection[str]) -> bool:
        return entry.report not in reports or entry.id in self._left

    def close(self) -> None:
        """Leave the file to the next run; an empty one is removed."""
        with self._lock:
            self._file.close(is_of_use=any(self._noted))

    @property
    def _lines(self) -> bytes:
        return b"".join(entry.line for entry in self._noted)

    def _append(self, lines: bytes) -> None:
        self._file.append(lines)
        if self._file.is_overgrown:
            self._noted = JournalContent(self._noted.since(self._max_age))
            self._file.rewrite(self._lines)


class _File:
    """The file of this run; there is none before `begin`, and where it cannot be used."""

    def __init__(self, directory: Path, first_line: bytes) -> None:
        self._directory = directory
        self._first_line = first_line
        self._file: LockedFile | None = None

    def begin(self, lines: bytes) -> None:
        """Make a file of these lines.

        Raises:
            OSError: it cannot be written.
        """
        self._file = LockedFile.make(new_path(self._directory), self._first_line + lines)

    @property
    def is_overgrown(self) -> bool:
        return self._file is not None and self._file.is_overgrown

    def append(self, lines: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.append(lines)
        except OSError as error:
            self.give_up(error)

    def rewrite(self, lines: bytes) -> None:
        """Write a new file and then remove the old one, so that one of them is always whole."""
        if (before := self._file) is None:
            return
        try:
            self.begin(lines)
            before.remove()
        except OSError as error:
            self.give_up(error)
        before.close()

    def give_up(self, error: OSError) -> None:
        """Go on without a file, and warn of it."""
        if self._file:
            self._file.close()
        self._file = None
        logger.warning(
            "journal_dir: %s cannot be used (%s); a killed run may have to pay again for what it "
            "submitted. Set `journal_dir` to a folder that can be written",
            self._directory,
            error.strerror or error,
        )

    def close(self, *, is_of_use: bool) -> None:
        """Leave the file to the next run, or remove it."""
        if self._file:
            if not is_of_use:
                self._file.remove()
            self._file.close()
            self._file = None
