"""Hands deliveries to the thread that emits records: first in, first out."""

from __future__ import annotations

import queue
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from tap_supermetrics.extraction.results import Failed, NotReached, ReportDone, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_supermetrics.extraction.results import Delivery, Note, Outcome


class Outbox:
    """Takes deliveries from any thread, and gives them to one, report by report.

    Args:
        on_empty: receives the count of deliveries taken, when more are waited for.
    """

    def __init__(self, on_empty: Callable[[int], None]) -> None:
        self._on_empty = on_empty
        self._queue: queue.SimpleQueue[Delivery | BaseException] = queue.SimpleQueue()
        # Reports run at the same time but are emitted one after another: later ones wait here.
        self._aside: dict[str, deque[Outcome | ReportDone]] = defaultdict(deque)
        self._taken = 0

    def put(self, delivery: Delivery | BaseException) -> None:
        """Add a delivery, or a crash, which is raised where it is taken."""
        self._queue.put(delivery)

    def of_report(self, report: str) -> Iterator[Outcome | Note]:
        """Return the outcomes of the queries of a report, in plan order, as they come.

        Notes for the state come between, of any report, each before what depends on it.
        """
        while True:
            aside = self._aside[report]
            while aside:
                delivery = aside.popleft()
                if isinstance(delivery, ReportDone):
                    return
                yield delivery
            # Called before the wait: the query waited for may not have been submitted.
            if self._queue.empty():
                self._on_empty(self._taken)
            yield from self._notes(self._queue.get())

    def notes(self) -> Iterator[Note]:
        """Return the notes for the state that have come meanwhile; do not wait."""
        while not self._queue.empty():
            yield from self._notes(self._queue.get())

    def last_notes(self) -> Iterator[Note]:
        """Return the notes not yet taken; a crash that comes with them is not the first."""
        while not self._queue.empty():
            delivery = self._queue.get()
            if not isinstance(delivery, BaseException):
                yield from self._notes(delivery)

    def _notes(self, delivery: Delivery | BaseException) -> Iterator[Note]:
        """Put outcomes aside until their report is emitted."""
        self._taken += 1
        # Raised here, in the thread that emits, which is the one that can end the run.
        if isinstance(delivery, BaseException):
            raise delivery
        if isinstance(delivery, (Result, Failed)):
            self._aside[delivery.query.report].append(delivery)
        elif isinstance(delivery, (NotReached, ReportDone)):
            self._aside[delivery.report].append(delivery)
        else:
            yield delivery

    def close(self) -> None:
        """Give back the results not yet taken."""
        for aside in self._aside.values():
            for each in aside:
                if isinstance(each, Result):
                    each.spool.close()
