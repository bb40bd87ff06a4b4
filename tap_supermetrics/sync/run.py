"""A run: from settings and state to records, and to the state after them.

It joins planning, extraction, records and state, and knows no Singer: `streams.py` asks it for the
records of a report, and it says when the state is worth writing.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tap_supermetrics.errors import QueriesLostError
from tap_supermetrics.extraction.progress import Progress
from tap_supermetrics.sync.assembly import assembled
from tap_supermetrics.sync.bookkeeping import Bookkeeping
from tap_supermetrics.sync.calendar import ReportDays, days_of
from tap_supermetrics.sync.checkpoints import Bookmarks
from tap_supermetrics.sync.days_read import DaysRead
from tap_supermetrics.sync.emission import Emission
from tap_supermetrics.sync.preparation import Preparation
from tap_supermetrics.sync.summary import Summary
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from tap_supermetrics.extraction.engine import Engine
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the wall clock, in UTC."""
    return datetime.now(tz=timezone.utc)


def new_run_id() -> str:
    """Return what tells a run from all others: eight hex digits."""
    return token_hex(4)


class Run:
    """Everything between the settings and the records of one invocation.

    Args:
        settings: the configuration.
        lookups: what the API lists, and the API.
        bookmarks: Singer's bookmarks, by stream; kept up to date.
        write_state: writes a STATE message with these bookmarks.

    Attributes:
        run_id: tells it from all others.
        summary: what was done and what was lost.
        bookmarks: the state of the run, written when that is worth it.
        books: are told what became of each query.
    """

    def __init__(
        self,
        settings: Settings,
        lookups: Lookups,
        bookmarks: dict[str, Any],
        write_state: Callable[[], None],
    ) -> None:
        self.run_id = new_run_id()
        self.summary = Summary(days_read=DaysRead() if settings.report_dir else None)
        self._settings = settings
        self._client = lookups.client
        self._prepared = Preparation(settings, lookups, bookmarks, self.summary, utc_now)
        self.bookmarks = Bookmarks(self._prepared, bookmarks, write_state)
        self.books = Bookkeeping(self._prepared, self.summary, self.bookmarks)
        self._engine: Engine | None = None

    @property
    def has_started(self) -> bool:
        """Return whether the plan is on its way."""
        return self._engine is not None

    def start(
        self,
        selected: Sequence[str],
        full_table: Collection[str] = (),
        refused: Collection[str] = (),
        *,
        is_test: bool = False,
    ) -> None:
        """Plan the selected reports and begin to submit; see `Preparation.plan`."""
        self._prepared.plan(selected, full_table, refused, is_test=is_test)
        # Known here before it starts: whatever fails from now on, `close` ends its threads.
        self._engine = assembled(self._prepared)
        self._engine.start()

    @property
    def emission(self) -> Emission:
        """Return what makes the records of the planned reports; `start` comes first."""
        if self._engine is None:
            raise RuntimeError("start() comes first")
        return Emission(
            self._engine,
            self._prepared.planned,
            self.books,
            stops_at_failure=self._settings.on_failure == "stop",
        )

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken so far."""
        return self._engine.submitted if self._engine else 0

    def days(self) -> Iterator[ReportDays]:
        """Return the days of the selected reports, as the state has them now."""
        for name, known in self._prepared.known.items():
            if planned := self._prepared.planned.get(name):
                yield days_of(known, planned.plan.scope)

    def progress(self) -> Progress:
        """Return how far the run is; any thread may ask."""
        return self._engine.progress() if self._engine else Progress()

    # The end

    def finish(self) -> None:
        """Tell what was done.

        Raises:
            ApiError: the API refused everything.
            QueriesLostError: something was lost, and `on_failure` does not accept that.
        """
        if lost_starts := self._client.service.lost_starts:
            starts = counted(lost_starts, "start of a query batch", "starts of query batches")
            self.summary.notes.append(
                f"{starts} got no answer; each may have run unseen and cost quota"
            )
        for line in self.summary.counts():
            logger.info("%s", line)
        for line in self.summary.failures():
            logger.error("%s", line)
        # Before the journal is cleared: the API may still hold what it refuses now.
        if self.books.stopped_by:
            raise self.books.stopped_by
        # All was written or failed for good: the API holds nothing that the next run could use.
        if self._prepared.journal:
            self._prepared.journal.ended()
        if self.summary.has_lost and self._settings.on_failure != "continue":
            raise QueriesLostError(
                f"{self.summary.lost_in_words}, {self.summary.arrived_in_words}; what was lost is "
                "named above, with what to do. Set `on_failure: continue` to accept this"
            )

    def halt(self) -> None:
        """Submit nothing more; the state can then say for good what the API holds."""
        if self._engine:
            # A batch may have been taken within the last seconds: the last state has to name it.
            for note in self._engine.halt():
                self.books.learn(note)

    def close(self) -> None:
        """Cancel what still runs."""
        if self._engine:
            self._engine.close()
        # Last, as the engine may note a batch in the journal until it has ended.
        self._prepared.close()
