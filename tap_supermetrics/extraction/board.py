"""Where the threads of an extraction meet: outcomes are put here in any order, and taken in order.

It also knows how much waits to be emitted, so that a slow target holds back new query batches
instead of filling memory and disk.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from tap_supermetrics.extraction.results import Result, Split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_supermetrics.extraction.results import Outcome
    from tap_supermetrics.model import Query

logger = logging.getLogger(__name__)

MAX_WAITING_RESULTS: Final = 300
"""With so many results not yet emitted, no new query batch is started."""
MAX_WAITING_BYTES: Final = 512 * 1024 * 1024
"""With so many bytes not yet emitted, no new query batch is started."""
TELL_EVERY_S: Final = 30.0
"""How often a long run tells how far it is, in seconds."""


class Board:
    """Outcomes of the planned queries.

    Attributes:
        on_room: called (in the emitting thread) when results were taken, or are waited for.
    """

    def __init__(self, queries: Sequence[Query]) -> None:
        self._changed = threading.Condition()
        self._open = set(queries)
        self._size = len(self._open)
        self._outcomes: dict[Query, Outcome | Split] = {}
        self._waiting_bytes = 0
        self._rows = 0
        self._is_waited_for = False
        self._has_news = False
        self._crash: BaseException | None = None
        self._is_closed = False
        self._next_telling = time.monotonic() + TELL_EVERY_S
        self.on_room: Callable[[], None] = lambda: None

    @property
    def rows(self) -> int:
        """Rows of all results so far."""
        with self._changed:
            return self._rows

    @property
    def is_complete(self) -> bool:
        """Whether every query has an outcome."""
        with self._changed:
            return not self._open

    def has_room(self, *, runs: bool = False) -> bool:
        """Whether more may be asked: little waits, or emission waits for what nobody asked yet.

        Args:
            runs: whether anything was asked of which no outcome came yet.
        """
        with self._changed:
            return (self._is_waited_for and not runs) or (
                len(self._outcomes) < MAX_WAITING_RESULTS
                and self._waiting_bytes < MAX_WAITING_BYTES
            )

    def put(self, outcome: Outcome | Split) -> None:
        """The outcome of a query; a second one for the same query is dropped."""
        with self._changed:
            if outcome.query not in self._open or self._is_closed:
                _close(outcome)
                return
            self._open.remove(outcome.query)
            self._outcomes[outcome.query] = outcome
            if isinstance(outcome, Split):
                self._open.update(outcome.parts)
                self._size += len(outcome.parts) - 1
            self._waiting_bytes += _size(outcome)
            self._rows += outcome.row_count if isinstance(outcome, Result) else 0
            self._changed.notify_all()

    def tell(self) -> None:
        """Log how far it is, when that was not told for a while."""
        now = time.monotonic()
        if now < self._next_telling:
            return
        self._next_telling = now + TELL_EVERY_S
        with self._changed:
            ended, size, rows = self._size - len(self._open), self._size, self._rows
        logger.info("Progress: %d of %d queries ended, %d rows", ended, size, rows)

    def news(self) -> None:
        """Wake the emitting thread although no outcome came: a query batch was started."""
        with self._changed:
            self._has_news = True
            self._changed.notify_all()

    def take_news(self) -> bool:
        """Whether there was any `news` since it was last asked for, or was waited."""
        if not self._has_news:  # Asked for often: the lock is for the rare case.
            return False
        with self._changed:
            has_news, self._has_news = self._has_news, False
            return has_news

    def crash(self, error: BaseException) -> None:
        """A thread of the extraction died of a bug; the emitting thread raises its error."""
        with self._changed:
            self._crash = error
            self._changed.notify_all()

    def take(self, query: Query, on_news: Callable[[], None]) -> Outcome | Split:
        """Wait for the outcome of a query, and forget it.

        Args:
            query: the query, or a part of one that was split.
            on_news: called in this thread, while waiting, after each `news`.
        """
        while True:
            with self._changed:
                self._wait_for(query)
                if self._crash:
                    raise self._crash
                has_news, self._has_news = self._has_news, False
                outcome = None if has_news else self._outcomes.pop(query)
                self._waiting_bytes -= _size(outcome)
            self.on_room()
            if outcome is not None:
                return outcome
            on_news()

    def _wait_for(self, query: Query) -> None:
        self._is_waited_for = query not in self._outcomes
        if self._is_waited_for:
            self.on_room()
        try:
            self._changed.wait_for(
                lambda: query in self._outcomes or self._has_news or self._crash is not None
            )
        finally:
            self._is_waited_for = False

    def close(self) -> None:
        """Give back what was never taken, now and later."""
        with self._changed:
            self._is_closed = True
            for outcome in self._outcomes.values():
                _close(outcome)
            self._outcomes.clear()


def _size(outcome: Outcome | Split | None) -> int:
    return len(outcome.spool) if isinstance(outcome, Result) else 0


def _close(outcome: Outcome | Split) -> None:
    if isinstance(outcome, Result):
        outcome.spool.close()
