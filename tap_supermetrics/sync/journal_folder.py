"""What dead runs left in the journal's folder, and whose it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import pbkdf2_hmac
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tap_supermetrics.sync.journal_entries import Entry, read_entries
from tap_supermetrics.sync.locked_file import LockedFile, locked
from tap_supermetrics.sync.notation import MALFORMED
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

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


def new_path(directory: Path) -> Path:
    """Return the path of a file that no other run has."""
    return directory / f"{_PREFIX}{uuid4().hex}.jsonl"


class Leftovers:
    """The files that no living run holds, and none takes before `close`.

    Args:
        directory: where they are.
        owner: whose entries are of use.
        not_before: what was submitted or written earlier is of no use to anybody.
        is_to_be_kept: whether they are only read, and are a new run's at any time.

    Raises:
        OSError: the folder cannot be read.
    """

    def __init__(
        self, directory: Path, owner: Owner, not_before: datetime, *, is_to_be_kept: bool = False
    ) -> None:
        paths = sorted(islice(directory.glob(f"{_PREFIX}*"), _MAX_FILES))
        self._files = [file for path in paths if (file := locked(path))]
        if is_to_be_kept:
            for file in self._files:
                file.unlock()  # A lock would hide them from a new run.
        self._mine = [file for file in self._files if _is_of(file, owner)]
        self._not_before = not_before

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries that the API may still hold something of, each once."""
        # A run that was killed while it took over left the same entries twice.
        entries = {entry.identity: entry for file in self._mine for entry in _entries_in(file)}
        return tuple(each for each in entries.values() if each.at >= self._not_before)

    def remove(self) -> None:
        """Remove the owner's files, and those of others that are too old for anybody."""
        for file in self._files:
            if file in self._mine or file.modified_s < self._not_before.timestamp():
                file.remove()

    def close(self) -> None:
        """Let others have the files."""
        for file in self._files:
            file.close()


def _is_of(file: LockedFile, owner: Owner) -> bool:
    if file.is_empty:  # A run that made it just now has not written yet.
        return False
    signature: Any = next(file.lines(), None)
    try:
        return bool(signature == owner.signature(signature["salt"]))
    except MALFORMED:
        logger.warning("journal_dir: %s is no file of the tap, or damaged: left out", file.path)
        return False


def _entries_in(file: LockedFile) -> list[Entry]:
    entries, damaged = read_entries([*file.lines()][1:])  # The first line says whose file it is.
    if damaged:
        text = "journal_dir: %s of %s cannot be read; what was noted there is submitted again"
        logger.warning(text, counted(damaged, "line", "lines"), file.path)
    return entries
