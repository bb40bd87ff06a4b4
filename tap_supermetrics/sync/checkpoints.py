"""When the state is worth writing: often enough for a restart, seldom enough for its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.extraction.results import BatchTaken, QueryTaken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.extraction.results import Note

BYTES_PER_QUERY: Final = 1_800
"""What the state may cost of stdout for each query that is submitted."""


class Checkpoints:
    """A budget of bytes, which each query adds to and each STATE message takes from.

    A STATE message holds all of the state, whose size grows with accounts and reports. What the API
    has taken is named at once where the budget allows it, so that a killed run pays for nothing
    twice; progress is written when so many queries were emitted as one message may cost.
    """

    def __init__(self) -> None:
        self._budget = 0
        self._cost = 0
        self._emitted = 0
        self._has_news = False

    def submitted(self, note: Note, *, is_news: bool) -> None:
        """Earn with what the API has taken.

        Args:
            note: what it has taken.
            is_news: whether the state has to name it.
        """
        if isinstance(note, BatchTaken):
            self._budget += BYTES_PER_QUERY * len(note.queries)
        elif isinstance(note, QueryTaken):
            self._budget += BYTES_PER_QUERY
        self._has_news = self._has_news or is_news

    def progressed(self) -> None:
        """Count a query that was emitted."""
        self._emitted += 1

    @property
    def is_affordable(self) -> bool:
        """Return whether the budget allows a STATE message."""
        return self._budget >= self._cost

    @property
    def is_due(self) -> bool:
        """Return whether a STATE message is worth what it costs now."""
        has_paid = self._emitted > 0 and self._emitted * BYTES_PER_QUERY >= self._cost
        return self.is_affordable and (self._has_news or has_paid)

    def written(self, bookmarks: Mapping[str, Any]) -> None:
        """Pay for a STATE message with these bookmarks; the next one will cost about the same."""
        self._cost = len(msgspec.json.encode(bookmarks))
        self._budget -= self._cost
        self._emitted = 0
        self._has_news = False
