"""Records the outcome of each query in state, summary and query log."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction.results import Failed, FirstDay, Suspect
from tap_supermetrics.extraction.totals import SURE_AFTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.extraction.results import Note, NotReached, Result
    from tap_supermetrics.model import Query
    from tap_supermetrics.sync.checkpoints import Bookmarks
    from tap_supermetrics.sync.preparation import Prepared
    from tap_supermetrics.sync.query_log import QueryLog
    from tap_supermetrics.sync.report_sync import PlannedReport
    from tap_supermetrics.sync.summary import Summary

logger = logging.getLogger(__name__)


class Bookkeeping:
    """Records the outcome of each query in state, summary and query log.

    Args:
        prepared: the reports, with their states.
        summary: what was done and what failed.
        bookmarks: writes the state when it is worth it.
        query_log: records every query; None where it is not wanted.

    Attributes:
        stopped_by: the first error with which the API refused everything; None without one.
    """

    def __init__(
        self,
        prepared: Prepared,
        summary: Summary,
        bookmarks: Bookmarks,
        query_log: QueryLog | None,
    ) -> None:
        self._prepared = prepared
        self._summary = summary
        self._bookmarks = bookmarks
        self._contradicted: set[Query] = set()
        # Later results may still contradict these; by report, only the first ones.
        self._provisional: defaultdict[str, dict[Query, Result]] = defaultdict(dict)
        self._query_log = query_log
        self.stopped_by: ApiError | None = None

    def committed(self, planned: PlannedReport, result: Result, rows_by_day: Sequence[int]) -> None:
        """Count the days of a result as done: the target has all of its records."""
        whole = planned.commit(result)
        self._summary.done(result, rows_by_day)
        # `commit` has just covered its days; its failure has them read again.
        if result.query in self._contradicted:
            self._fail_contradicted(planned, result.query, result)
        else:
            self._log_success(result, whole, rows_by_day)
        # In this order: the state that may be written next names the batch no more.
        self._bookmarks.emitted(result.query)
        self._bookmarks.progressed()

    def _log_success(
        self, result: Result, whole: DateRange | None, rows_by_day: Sequence[int]
    ) -> None:
        # Before the state: the record of a day must not come after the STATE that covers it.
        if self._query_log:
            self._query_log.succeeded(result, whole, rows_by_day)
        provisional = self._provisional[result.query.report]
        if result.missing and len(provisional) < SURE_AFTER:
            provisional[result.query] = result

    def failed(self, planned: PlannedReport, failed: Failed) -> None:
        """Have the days of a query read again by the next run, and say why."""
        planned.fail(failed, self._prepared.now())
        if self._query_log:
            self._query_log.failed(failed)
        error = failed.error
        if self._summary.failed(failed):
            logger.error("%s failed: %s", failed.query, error)
        if error.fate is Fate.STOP:
            self.stopped_by = self.stopped_by or error

    def ended(self, failed: Failed) -> None:
        """Count a query that failed as emitted."""
        # With STOP the API may still retain the results, but refuses them until a person acts. A
        # run of queries one by one has one id: under it, the next would find all old results.
        is_left = failed.may_be_collected and self._bookmarks.is_in_batch(failed.query)
        if failed.error.fate is not Fate.STOP and not is_left:
            self._bookmarks.emitted(failed.query)
        self._bookmarks.progressed()

    def left(self, left: NotReached) -> None:
        """Note the queries of a report that a stopped run did not reach."""
        self._summary.left(left)
        if left.error.fate is Fate.STOP:
            self.stopped_by = self.stopped_by or left.error

    def report_ended(self, name: str) -> None:
        """Note that the last record of a report was written."""
        if planned := self._prepared.planned.get(name):
            self._summary.remarks += planned.remarks()
        self._bookmarks.report_ended(name)

    def noted(self, note: Note) -> None:
        """Record what the API did, and write the state when it is worth it."""
        self.learn(note)
        self._bookmarks.save_when_due()

    def learn(self, note: Note) -> None:
        """Record what the API did."""
        if self._query_log:
            self._query_log.note(note)
        if isinstance(note, FirstDay):
            self._prepared.known[note.report].state.learn_first_day(note.day, note.own)
            self._summary.first_days[note.report] = note.day
        elif isinstance(note, Suspect):
            self._contradict(note.query)
        else:
            self._bookmarks.submitted(note)

    def _contradict(self, query: Query) -> None:
        """Have the days of a result read again, whether it was emitted already or not yet."""
        if self._bookmarks.waits_for(query):
            # Counted once its records are written: until then none of its days is covered.
            self._contradicted.add(query)
            return
        result = self._provisional[query.report].pop(query, None)
        self._fail_contradicted(self._prepared.planned[query.report], query, result)

    def _fail_contradicted(
        self, planned: PlannedReport, query: Query, result: Result | None
    ) -> None:
        text = "the result lacks a row, if its total is right as later ones are: it is read again"
        failed = Failed(query=query, error=ApiError("RESULT_INCOMPLETE", text))
        planned.fail(failed, self._prepared.now())
        if result:
            self._summary.retracted(result)
        if self._query_log:
            self._query_log.contradicted(failed, result.schedule_id if result else "")
        self._summary.failed(failed)
        logger.error("%s: %s", query, failed.error)
