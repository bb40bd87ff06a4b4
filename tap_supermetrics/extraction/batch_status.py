"""Reads from a query batch's status how its queries ended: done, failed, never finished."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.extraction.events import BatchEnding, QueryFailed, Succeeded
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from tap_supermetrics.api.client import BatchStatus, Client
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.audit import BatchAudit
    from tap_supermetrics.extraction.events import Event
    from tap_supermetrics.extraction.running import RunningBatch
    from tap_supermetrics.model import Query

logger = logging.getLogger(__name__)


class StatusReader:
    """Yields the outcomes of the queries of a batch, each once.

    Args:
        client: the API, which classifies its errors.
        audit: shows whether somebody cancelled a batch.
        now: the wall clock, with offset.
        adopted: ids of the batches of an earlier run.
    """

    def __init__(
        self,
        client: Client,
        audit: BatchAudit,
        now: Callable[[], datetime],
        adopted: Collection[str],
    ) -> None:
        self._client = client
        self._audit = audit
        self._now = now
        self._adopted = adopted

    def read(self, batch: RunningBatch, status: BatchStatus) -> Iterator[Event]:
        """Yield the events that are new in a status, and set the time of the next poll."""
        before = len(batch.waiting)
        entries = batch.entries(status)
        _warn_of_foreign(batch, status)
        new = [each for each in entries if each in batch.waiting]
        failed = [each for each in new if entries[each].status.is_failure]
        # Successes and the newest failures first: older failures may then need no more queries.
        for query in (*(each for each in new if each not in failed), *reversed(failed)):
            yield from self._settle(batch, query, entries[query], is_stopped=status.is_stopped)
        now = time.monotonic()
        if status.is_stopped and batch.stopped is None:
            batch.stopped = now
        if batch.shows_no_more(now) and not self._is_unreadable(batch, status):
            yield from self._fail_unfinished(batch, entries)
        yield from _ending_event(batch)
        progressed = len(batch.waiting) < before
        expected_s = batch.expected_s(now)
        batch.next_poll = now + batch.wait.after(progressed=progressed, expected_s=expected_s)
        if progressed and not batch.waiting:
            _log_end(batch)

    def unreadable(self, batch: RunningBatch, status: BatchStatus) -> ApiError | None:
        """Return why no query of a stopped batch can be matched; None where some can."""
        if not batch.shows_no_more(time.monotonic()) or not self._is_unreadable(batch, status):
            return None
        first, batch_id = status.queries[0].schedule_id, batch.batch.batch_id
        listed = counted(batch.query_count, "query", "queries")
        message = f"{batch_id} lists {listed}, fitting none of ours: {first}"
        return self._client.query_error(wire.Error(code="STATUS_UNREADABLE", message=message))

    def _settle(
        self, batch: RunningBatch, query: Query, entry: wire.BatchQuery, *, is_stopped: bool
    ) -> Iterator[Event]:
        cause = entry.error_info
        has_rows = bool(entry.result_info and entry.result_info.total_rows)
        if entry.status is wire.QueryStatus.SUCCESS and cause and cause.code and not has_rows:
            # An error without rows is no empty day, whatever its status says.
            batch.failed += 1
            batch.waiting.discard(query)
            yield QueryFailed(query=query, error=self._client.query_error(cause))
        elif entry.status is wire.QueryStatus.SUCCESS:
            batch.done += 1
            batch.rows += (entry.result_info and entry.result_info.total_rows) or 0
            batch.waiting.discard(query)
            yield Succeeded(query=query, entry=entry, finished_at=self._now())
        # Without a reason in a stopped batch, it was cut off: `_fail_unfinished` names why.
        elif entry.status.is_failure and (entry.error_info or not is_stopped):
            batch.failed += 1
            batch.waiting.discard(query)
            error = self._client.query_error(entry.error_info or wire.NO_REASON)
            yield QueryFailed(query=query, error=error)

    def _fail_unfinished(
        self, batch: RunningBatch, entries: Mapping[Query, wire.BatchQuery]
    ) -> Iterator[Event]:
        """Yield the failures of queries that a stopped batch never finished; they are not empty.

        The API may leave them as they were, or fail them without a reason.
        """
        # Read only where something is unfinished: it costs a request.
        cancelled = batch.waiting and self._cancelled(batch)
        # Sorted, as a set has no order: runs and their logs can then be compared.
        for query in sorted(batch.waiting, key=str):
            batch.failed += 1
            entry = entries.get(query)
            if entry is None:
                code, what = "QUERY_MISSING", "does not list this query"
            elif cancelled:
                code, what = "QUERY_CANCELLED", f"was cancelled at {cancelled}"
            else:
                code, what = "QUERY_UNFINISHED", f"stopped while the query was {entry.status_code}"
            reason = wire.Error(code=code, message=f"{batch.batch.batch_id} {what}")
            yield QueryFailed(query=query, error=self._client.query_error(reason))
        batch.waiting = set()  # No outcome of them comes any more.

    def _cancelled(self, batch: RunningBatch) -> str:
        """Return when a batch was cancelled; empty when it was not.

        A batch of an earlier run was cancelled by that run itself, when it was stopped.
        """
        if batch.batch.batch_id in self._adopted:
            return ""
        information = self._audit.information(batch.batch.batch_id)
        return (information and information.cancel_time) or ""

    def _is_unreadable(self, batch: RunningBatch, status: BatchStatus) -> bool:
        """Return whether a batch of this run lists as many queries as submitted, none fitting.

        To submit them again would give the same. A single query of this batch may as well be for a
        day that has not come yet.
        """
        is_of_this_run = batch.batch.batch_id not in self._adopted
        is_whole = len(status.queries) == batch.query_count
        is_no_day = batch.query_count == 1 and not batch.foreign(status)
        return is_of_this_run and is_whole and not is_no_day and not batch.entries(status)


def _warn_of_foreign(batch: RunningBatch, status: BatchStatus) -> None:
    """Warn once that a status lists queries of another batch: they are left out."""
    if batch.has_warned or not (foreign := batch.foreign(status)):
        return
    batch.has_warned = True
    text = (
        "The status of query batch %s lists %s of another batch, such as %s: left out. If it lasts,"
        " ask the vendor's support, or set `mode: async`"
    )
    queries = counted(len(foreign), "query", "queries")
    logger.warning(text, batch.batch.batch_id, queries, wire.batch_id_of(foreign[0].schedule_id))


def _ending_event(batch: RunningBatch) -> Iterator[Event]:
    """Yield once that all its remaining queries run."""
    runs_out = batch.started is not None and len(batch.waiting) <= batch.concurrency
    if runs_out and not batch.is_ending:
        batch.is_ending = True
        yield BatchEnding(batch_id=batch.batch.batch_id)


def _log_end(batch: RunningBatch) -> None:
    logger.info(
        "Query batch %s: %d of %s done, %d failed, %s",
        batch.batch.batch_id,
        batch.done,
        counted(batch.query_count, "query", "queries"),
        batch.failed,
        counted(batch.rows, "row", "rows"),
    )
