"""A run: from settings and state to records, and to the state after them.

It joins planning, extraction, records and state, and knows no Singer: `streams.py` takes the
records of a report from it, and it decides when the state is worth writing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tap_supermetrics.errors import QueriesFailedError
from tap_supermetrics.extraction.progress import Progress
from tap_supermetrics.sync.assembly import engine_of
from tap_supermetrics.sync.bookkeeping import Bookkeeping
from tap_supermetrics.sync.calendar import ReportDays, report_days
from tap_supermetrics.sync.checkpoints import Bookmarks
from tap_supermetrics.sync.days_read import DaysRead
from tap_supermetrics.sync.emission import Emission
from tap_supermetrics.sync.preparation import Prepared, prepare
from tap_supermetrics.sync.query_log import QueryLog
from tap_supermetrics.sync.summary import Summary
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_supermetrics.extraction.engine import Engine
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.planner import Selection

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the wall clock, in UTC."""
    return datetime.now(tz=timezone.utc)


def new_run_id() -> str:
    """Return a random id of a run: eight hex digits."""
    return token_hex(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """The parts of a run that is on its way.

    Attributes:
        prepared: the reports and their plans.
        engine: carries the plans out.
        bookmarks: the state of the run.
        books: records the outcome of each query.
        emission: makes the records.
    """

    prepared: Prepared
    engine: Engine
    bookmarks: Bookmarks
    books: Bookkeeping
    emission: Emission


class Run:
    """Everything between the settings and the records of one invocation.

    Args:
        settings: the configuration.
        lookups: what the API lists, and the API.
        bookmarks: Singer's bookmarks, by stream; updated in place.
        write_state: writes a STATE message with these bookmarks.
        has_query_log: whether a record of each query that ended is wanted.

    Attributes:
        run_id: identifies it among all runs.
        summary: what was done and what failed.
        query_log: records of the queries that ended; None where none are wanted.
    """

    def __init__(
        self,
        settings: Settings,
        lookups: Lookups,
        bookmarks: dict[str, Any],
        write_state: Callable[[], None],
        *,
        has_query_log: bool = False,
    ) -> None:
        self.run_id = new_run_id()
        self.summary = Summary(days_read=DaysRead() if settings.report_dir else None)
        reports = {report.name: report for report in settings.reports}
        self.query_log = QueryLog(reports, self.run_id, utc_now) if has_query_log else None
        self._settings = settings
        self._lookups = lookups
        self._bookmarks = bookmarks
        self._write_state = write_state
        self._started: _Started | None = None

    @property
    def has_started(self) -> bool:
        """Return whether the plan is on its way."""
        return self._started is not None

    def start(self, selection: Selection) -> None:
        """Plan the selected reports and begin to submit; see `prepare`."""
        settings, summary = self._settings, self.summary
        prepared = prepare(
            settings, self._lookups, self._bookmarks, selection, summary=summary, now=utc_now
        )
        engine = engine_of(prepared)
        bookmarks = Bookmarks(prepared, self._bookmarks, self._write_state)
        books = Bookkeeping(prepared, summary, bookmarks, self.query_log)
        stops = settings.on_failure == "stop"
        emission = Emission(engine, prepared.planned, books, stops_at_failure=stops)
        # Set before the engine starts: `close` then ends its threads, whatever fails.
        self._started = _Started(
            prepared=prepared, engine=engine, bookmarks=bookmarks, books=books, emission=emission
        )
        engine.start()

    @property
    def bookmarks(self) -> Bookmarks:
        """The state of the run, written when that is worth it; `start` comes first."""
        return self._parts.bookmarks

    @property
    def emission(self) -> Emission:
        """Return what makes the records of the planned reports; `start` comes first."""
        return self._parts.emission

    @property
    def _parts(self) -> _Started:
        if self._started is None:
            raise RuntimeError("start() comes first")
        return self._started

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken so far."""
        return self._started.engine.submitted if self._started else 0

    def days(self) -> Iterator[ReportDays]:
        """Return the days of the selected reports, as the state has them now."""
        if self._started:
            for planned in self._started.prepared.planned.values():
                yield report_days(planned.known, planned.plan.scope)

    def progress(self) -> Progress:
        """Return how far the run is; any thread may call it."""
        return self._started.engine.progress() if self._started else Progress()

    # The end

    def finish(self) -> None:
        """Log what was done and what failed.

        Raises:
            ApiError: the API refused everything.
            QueriesFailedError: something failed, and `on_failure` does not accept that.
        """
        if unanswered_starts := self._lookups.client.service.unanswered_starts:
            starts = counted(unanswered_starts, "start of a query batch", "starts of query batches")
            self.summary.remarks.append(
                f"{starts} got no answer; each may have run unseen and cost quota"
            )
        for line in self.summary.counts():
            logger.info("%s", line)
        for line in self.summary.failures():
            logger.error("%s", line)
        # Before the journal is cleared: the API may still retain what it refuses now.
        if stopped_by := self._parts.books.stopped_by:
            raise stopped_by
        # All was written or failed, and the state names what the next run may still collect.
        if journal := self._parts.prepared.journal:
            journal.ended()
        if self.summary.has_failures and self._settings.on_failure != "continue":
            message = f"{self.summary.failures_in_words}; "
            message += "what failed is named above, with what to do"
            # Not where nothing arrives: that is never acceptable.
            is_acceptable = self.summary.has_arrived
            accept = ". Set `on_failure: continue` to accept this" if is_acceptable else ""
            raise QueriesFailedError(message + accept)

    def halt(self) -> None:
        """Submit nothing more, so that the state can name all that the API retains."""
        if self._started:
            # The API may have accepted a batch just now: the last state has to name it.
            for note in self._started.engine.halt():
                self._started.books.learn(note)

    def close(self) -> None:
        """Cancel what still runs."""
        if self._started:
            self._started.engine.close()
            # Last, as the engine may note a batch in the journal until it has ended.
            self._started.prepared.close()
