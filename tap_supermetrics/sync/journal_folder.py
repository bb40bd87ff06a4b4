"""Finds what dead runs left in the journal's folder, and whose it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import pbkdf2_hmac
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tap_supermetrics.sync.journal_entries import Entry, read_entries
from tap_supermetrics.sync.locked_file import LockedFile, first_line, locked
from tap_supermetrics.sync.notation import MALFORMED
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

logger = logging.getLogger(__name__)

_FORMAT: Final = 1
_PREFIX: Final = "submitted-"
_SUFFIX: Final = ".jsonl"
_MAX_FILES: Final = 10_000
_ROUNDS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """For whom something was submitted.

    Attributes:
        origin: of the API.
        api_key: never written, only a salted hash of it.
        shard: which of several runs; empty for a run without shards.
    """

    origin: str
    api_key: str
    shard: str = ""

    def signature(self, salt: str) -> dict[str, Any]:
        """Return the first line of a file, which identifies its owner."""
        key = pbkdf2_hmac("sha256", self.api_key.encode(), bytes.fromhex(salt), _ROUNDS).hex()
        shard = {"shard": self.shard} if self.shard else {}
        return {"journal": _FORMAT, "origin": self.origin, "salt": salt, "key": key, **shard}


def new_path(directory: Path) -> Path:
    """Return the path of a file that no other run has."""
    return directory / f"{_PREFIX}{uuid4().hex}{_SUFFIX}"


class Leftovers:
    """The owner's files that no living run has locked, locked here until `close`.

    Files of others are read and never locked: to their runs, they would look as if in use.

    Args:
        directory: where they are.
        owner: whose entries are of use.
        not_before: what was submitted or written earlier is of no use.
        is_read_only: whether they are only read; a new run can then take them at any time.

    Raises:
        OSError: the folder cannot be read.
    """

    def __init__(
        self, directory: Path, owner: Owner, not_before: datetime, *, is_read_only: bool = False
    ) -> None:
        self._not_before = not_before
        paths = sorted(islice(directory.glob(f"{_PREFIX}*"), _MAX_FILES + 1))
        if len(paths) > _MAX_FILES:
            text = "journal_dir: %s has more than %d files; what some hold may be paid for again"
            logger.warning(text, directory, _MAX_FILES)
        are_mine = {path: _is_of(path, owner) for path in paths[:_MAX_FILES]}
        files = (locked(path) for path, is_mine in are_mine.items() if is_mine)
        self._files = [file for file in files if file]
        self._others = [path for path, is_mine in are_mine.items() if not is_mine]
        if is_read_only:
            for file in self._files:
                file.unlock()  # A lock would hide them from a new run.

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries whose results the API may still retain, each once."""
        # A run that was killed while it took over left the same entries twice.
        entries = {entry.identity: entry for file in self._files for entry in _entries_in(file)}
        return tuple(each for each in entries.values() if each.at >= self._not_before)

    def remove(self) -> None:
        """Remove the owner's files, and those of others that are too old to be of use."""
        for file in self._files:
            file.remove()
        for path in self._others:
            is_old = _written_s(path) < self._not_before.timestamp()
            if is_old and (other := locked(path)):
                other.remove()
                other.close()

    def close(self) -> None:
        """Unlock the files."""
        for file in self._files:
            file.close()


def _is_of(path: Path, owner: Owner) -> bool:
    """Return whether a file is the owner's; warn of one that cannot be read."""
    try:
        signature = first_line(path)
    except FileNotFoundError:  # Its run has just ended.
        return False
    except OSError as error:
        text = "journal_dir: %s cannot be opened (%s); what it holds may be paid for again. Have "
        text += "the same user run the tap each time, or remove the file"
        logger.warning(text, path, error.strerror)
        return False
    try:
        # The hash last, as it takes long: others' files may be many.
        return bool(
            signature["origin"] == owner.origin
            and signature.get("shard", "") == owner.shard
            and signature == owner.signature(signature["salt"])
        )
    except MALFORMED:
        # A run that makes a file gives it its name when all is written.
        if path.suffix == _SUFFIX:
            logger.warning("journal_dir: %s is no file of the tap, or damaged: left out", path)
        return False


def _written_s(path: Path) -> float:
    """Return when a file was last written, in seconds since the epoch; never where it is gone."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return inf


def _entries_in(file: LockedFile) -> list[Entry]:
    entries, damaged = read_entries([*file.lines()][1:])  # The first line says whose file it is.
    if damaged:
        text = "journal_dir: %s of %s cannot be read; what was noted there is submitted again"
        logger.warning(text, counted(damaged, "line", "lines"), file.path)
    return entries
