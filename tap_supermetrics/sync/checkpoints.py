"""Decides when to write the state: often enough for a restart, seldom enough for its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.extraction.results import BatchTaken, QueryTaken
from tap_supermetrics.sync.submitted import Submitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_supermetrics.extraction.results import Note
    from tap_supermetrics.model import Query
    from tap_supermetrics.sync.preparation import Prepared

BYTES_PER_QUERY: Final = 1_800
"""How many bytes of STATE messages each submitted query allows."""


class Checkpoints:
    """Decides when to write a STATE message, by a budget of bytes.

    Each query adds to the budget, and each STATE message takes from it.

    A STATE message contains all of the state, whose size grows with accounts and reports. What the
    API has accepted is named at once where the budget allows it, so that a killed run pays for
    nothing twice; progress is written when the emitted queries pay for one message.
    """

    def __init__(self) -> None:
        self._budget = 0
        self._cost = 0
        self._emitted = 0
        self._has_unsaved = False

    def submitted(self, note: Note, *, is_unsaved: bool) -> None:
        """Add what the API has accepted to the budget.

        Args:
            note: what it has accepted.
            is_unsaved: whether the state has to name it.
        """
        if isinstance(note, BatchTaken):
            self._budget += BYTES_PER_QUERY * len(note.queries)
        elif isinstance(note, QueryTaken):
            self._budget += BYTES_PER_QUERY
        self._has_unsaved = self._has_unsaved or is_unsaved

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
        # Before the first message its cost is unknown, and counts as nothing.
        has_paid = self._emitted > 0 and self._emitted * BYTES_PER_QUERY >= self._cost
        return self.is_affordable and (self._has_unsaved or has_paid)

    def written(self, bookmarks: Mapping[str, Any]) -> None:
        """Pay for a STATE message with these bookmarks; the next one will cost about the same."""
        self._cost = len(msgspec.json.encode(bookmarks))
        self._budget -= self._cost
        self._emitted = 0
        self._has_unsaved = False


class Bookmarks:
    """Singer's bookmarks of one run: updated, and written when that is worth it.

    Args:
        prepared: the reports, with their states.
        bookmarks: by stream; updated in place.
        write_state: writes a STATE message with these bookmarks.

    Attributes:
        writes_state: whether the run writes STATE messages; False where the SDK does.
    """

    def __init__(
        self,
        prepared: Prepared,
        bookmarks: dict[str, Any],
        write_state: Callable[[], None],
    ) -> None:
        self._prepared = prepared
        self._bookmarks = bookmarks
        self._write_state = write_state
        self._submitted = Submitted()
        self._checkpoints = Checkpoints()
        self._ended: set[str] = set()
        self.writes_state = True

    def submitted(self, note: Note) -> None:
        """Record what the API has accepted."""
        self._checkpoints.submitted(note, is_unsaved=self._submitted.note(note))

    def waits_for(self, query: Query) -> bool:
        """Return whether a query was submitted and not emitted yet."""
        return self._submitted.is_pending(query)

    def is_in_batch(self, query: Query) -> bool:
        """Return whether the API has a query in a query batch, which was not emitted yet."""
        return self._submitted.is_in_batch(query)

    def emitted(self, query: Query) -> None:
        """Forget what the API retains for a query: it is not needed any more."""
        self._submitted.emitted(query)

    def progressed(self) -> None:
        """Count a query that was emitted, and write the state when it is worth it."""
        self._checkpoints.progressed()
        self.save_when_due()

    def report_ended(self, name: str) -> None:
        """Write the state at the end of a report, where the budget allows it, and of the last."""
        self._ended.add(name)
        # The last state is written whatever it costs: it is what the next run begins with.
        is_last = self._ended >= self._prepared.known.keys()
        if self._checkpoints.is_affordable or is_last:
            self.checkpoint()

    def save_when_due(self) -> None:
        """Write the state when it is worth it."""
        # The SDK writes them without notice.
        if self._checkpoints.is_due or not self.writes_state:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Update the bookmarks, and write them unless the SDK does."""
        for name, known in self._prepared.known.items():
            # The state of a report that could not be planned still names its batches.
            if name in self._prepared.planned:
                known.state.batches = self._submitted.batches_of(name)
                has_queries = self._submitted.has_one_by_one(name)
                known.state.async_run = self._prepared.async_run if has_queries else None
            self._bookmarks[name] = known.state.to_json()
        self._checkpoints.written(self._bookmarks)
        if self.writes_state:
            self._write_state()
