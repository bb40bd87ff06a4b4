"""Entries of the lists that the API stores: an unreadable one affects no other.

A list of thousands of accounts or fields has many that nobody requests: one may be broken.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from tap_supermetrics.redaction import LONGEST_SEARCHED, readable
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
logger = logging.getLogger(__name__)

FOR_PEOPLE: Final = msgspec.Meta(extra={"is_for_people": True})
"""Marks members of an entry that are only shown, and left out where they cannot be read."""
MAX_UNREADABLE: Final = 1_000
"""A list with more unreadable entries is refused."""
_SHOWN: Final = 100
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Entry(msgspec.Struct, kw_only=True):
    """An entry of a list that the API stores."""


def read_each(rows: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], T]) -> list[T]:
    """Return the entries that can be read; warn of the others, if they are few.

    Raises:
        msgspec.DecodeError: none can be read, or many cannot; what `read` raises of one.
    """
    good: list[T] = []
    bad: list[msgspec.Raw] = []
    for row in rows:
        try:
            good.append(read(row))
        except _UNREADABLE:  # noqa: PERF203 - few lists come here
            bad.append(row)
            # A list with nothing else is no list of entries, however long it is.
            if len(bad) > MAX_UNREADABLE:
                raise
    if bad and not good:
        read(bad[0])
    if bad:
        count = counted(len(bad), "entry", "entries")
        # Cut after the key was removed: half a key is still a secret.
        text = bytes(bad[0])[:LONGEST_SEARCHED].decode(errors="replace")
        shown = readable(text)[:_SHOWN]
        logger.warning("Of a list of the API, %s cannot be read and left out: %s", count, shown)
    return good
