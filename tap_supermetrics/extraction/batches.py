"""Query batches on their way through the API: submitted, polled, settled."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.attribution import attribute
from tap_supermetrics.extraction.audit import BatchAudit
from tap_supermetrics.extraction.events import (
    BatchEnded,
    BatchEnding,
    BatchNotSubmitted,
    BatchSubmitted,
    QueryFailed,
    Succeeded,
)
from tap_supermetrics.extraction.polling import Polled, PollWait
from tap_supermetrics.model import SubmittedBatch
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from tap_supermetrics.api.client import BatchStatus, Client
    from tap_supermetrics.extraction.events import Event
    from tap_supermetrics.model import BatchRequest, Query, Report

logger = logging.getLogger(__name__)

QUEUE_S: Final = 4 * 3600.0
"""How long a batch may wait behind the batches of others before it counts as stuck, in seconds."""


@dataclass(slots=True, kw_only=True)
class RunningBatch(Polled):
    """A query batch that has not stopped yet, and what is still expected of it.

    Attributes:
        batch: what was sent.
        waiting: queries whose fate the status has not told yet.
        size: number of all its queries.
        concurrency: how many of them the API runs at the same time; 0 where that is not known.
        timeout_s: how long the API lets it run, in seconds.
        started: monotonic time at which it was first seen running; None before.
        is_ending: whether it was told that its last queries run.
        rows: of the results so far.
        done: number of queries that succeeded.
        failed: number of queries that did not.
    """

    batch: SubmittedBatch
    waiting: set[Query]
    size: int
    timeout_s: float = wire.MAX_TIMEOUT_S
    concurrency: int = 0
    started: float | None = None
    is_ending: bool = False
    rows: int = 0
    done: int = 0
    failed: int = 0

    def expected_s(self, now: float) -> float | None:
        """Return seconds until its end, should it go on as it went; None while nothing ended."""
        finished = self.size - len(self.waiting)
        if self.started is None or not finished:
            return None
        return (now - self.started) * len(self.waiting) / finished

    def is_stuck(self, now: float) -> bool:
        """Say that it outlived every limit that the API itself sets."""
        if self.started is not None:
            return now > self.started + self.timeout_s + polling.GRACE_S
        return now > self.since + QUEUE_S

    def entries(self, status: BatchStatus) -> dict[Query, wire.BatchQuery]:
        """Return the queries of this batch, each with its entry of the status."""
        batch = self.batch
        return attribute(batch.items, status.queries, batch.split, batch.size)


class Batches:
    """Submits query batches, and looks at them until they stop.

    Args:
        client: the API.
        reports: by name.
        now: the wall clock, with offset.
        running: batches of an earlier run to wait for.
        note: is told of each batch that the API has taken, before anything depends on it.
    """

    def __init__(
        self,
        client: Client,
        reports: Mapping[str, Report],
        now: Callable[[], datetime],
        running: Iterable[RunningBatch] = (),
        note: Callable[[SubmittedBatch], None] | None = None,
    ) -> None:
        self._client = client
        self._reports = reports
        self._now = now
        self._note = note
        self._running = {each.batch.batch_id: each for each in running}
        self._ids = set(self._running)
        self._adopted = frozenset(self._running)
        self._poller = replace(client, retry=polling.ONE_TRY)
        self._audit = BatchAudit(client)

    @property
    def next_poll(self) -> float | None:
        """Monotonic time of the next look at a running batch; None when none runs."""
        return min((each.next_poll for each in self._running.values()), default=None)

    @property
    def running_ids(self) -> tuple[str, ...]:
        """Ids of the batches that may still be running."""
        return tuple(self._running)

    @property
    def delay(self) -> str:
        """The batches that wait for their place at the API, counted; empty where none does."""
        count = sum(each.started is None for each in list(self._running.values()))
        waiting = counted(count, "query batch waits", "query batches wait")
        return f"{waiting} to be run" if count else ""

    def submit(self, request: BatchRequest) -> Iterator[Event]:
        """Submit a query batch; tell what came of it."""
        try:
            batch_id = self._client.start_batch(wire.batch_body(request, self._reports)).batch_id
            self._check_new(batch_id)
        except ApiError as error:
            yield BatchNotSubmitted(request=request, error=error)
            return
        batch = SubmittedBatch(
            batch_id=batch_id,
            submitted_at=self._now(),
            split=request.policy.split,
            items=dict(enumerate(request.items)),
            size=len(request.items),
        )
        if self._note:
            self._note(batch)
        now = time.monotonic()
        self._running[batch_id] = RunningBatch(
            batch=batch,
            waiting=set(request.queries),
            size=len(request),
            timeout_s=request.policy.timeout_minutes * 60.0,
            concurrency=request.policy.query_concurrency,
            since=now,
            last_seen=now,
            next_poll=now + PollWait().wait_s,
        )
        logger.info(
            "Query batch %s submitted: %s in %s",
            batch_id,
            counted(len(request), "query", "queries"),
            counted(len(request.items), "item", "items"),
        )
        yield BatchSubmitted(request=request, batch=batch)

    def _check_new(self, batch_id: str) -> None:
        if not batch_id or batch_id in self._ids:
            message = f"a query batch was started under the id {batch_id!r}, which is not its own"
            raise ApiError("ANSWER_INVALID", message)
        self._ids.add(batch_id)

    def poll_due(self) -> Iterator[Event]:
        """Look at every running batch whose time has come; tell what is new."""
        for batch in list(self._running.values()):
            if batch.next_poll <= time.monotonic():
                yield from self._poll(batch)

    def _poll(self, batch: RunningBatch) -> Iterator[Event]:
        try:
            status = self._poller.batch_status(batch.batch.batch_id)
        except ApiError as error:
            yield from self._poll_failed(batch, error)
            return
        now = time.monotonic()
        is_queued = status.is_queued or status.progress.queued >= batch.size
        if batch.started is None and not is_queued:
            batch.started = now
        yield from self._settle(batch, status)
        batch.seen(now)
        if status.is_stopped or not batch.waiting:
            yield from self._end(batch)
        elif batch.is_stuck(now):
            batch_id = batch.batch.batch_id
            yield from self._end(batch, ApiError("BATCH_STUCK", f"{batch_id} does not stop"))

    def _poll_failed(self, batch: RunningBatch, error: ApiError) -> Iterator[Event]:
        now = time.monotonic()
        batch.not_seen(now, error)
        is_ill = error.fate is Fate.RETRY and now < batch.last_seen + polling.POLL_FAILURES_S
        is_to_come = error.is_missing and self._status_may_come(batch, now)
        if not is_ill and not is_to_come:
            # Its status is gone, and with it every result: nothing is left to wait for.
            yield from self._end(batch, error)
        elif batch.failures == 1:
            text = "Status of query batch %s not readable: %s"
            logger.warning(text, batch.batch.batch_id, error)

    def _status_may_come(self, batch: RunningBatch, now: float) -> bool:
        """Say that a status which is not found is not there yet, rather than not any more."""
        if batch.is_young(now):
            return True
        information = self._audit.information(batch.batch.batch_id)
        if information is None or batch.is_stuck(now):
            return False
        if information.is_stopped:
            # It stopped a moment ago: what was never seen cannot have expired yet.
            return batch.last_seen <= batch.since and now < batch.since + polling.POLL_FAILURES_S
        if information.start_time and batch.started is None:
            batch.started = now
        return True

    def _end(self, batch: RunningBatch, error: ApiError | None = None) -> Iterator[Event]:
        batch_id = batch.batch.batch_id
        if self._running.pop(batch_id, None):
            unsettled, batch.waiting = tuple(batch.waiting), set()
            yield BatchEnded(batch_id=batch_id, unsettled=unsettled, error=error)
            self._audit.log_end(batch_id)

    # Settling

    def _settle(self, batch: RunningBatch, status: BatchStatus) -> Iterator[Event]:
        """Take what is new in a status."""
        before = len(batch.waiting)
        entries = batch.entries(status)
        new = [each for each in entries if each in batch.waiting]
        failed = [each for each in new if entries[each].status.is_failure]
        # What succeeded, and what is newest, may say that older failures need no more queries.
        for query in (*(each for each in new if each not in failed), *reversed(failed)):
            yield from self._settle_query(
                batch, query, entries[query], is_stopped=status.is_stopped
            )
        if status.is_stopped and _is_unreadable(batch, status, entries):
            yield from self._end(batch, self._unreadable(batch, status))
        elif status.is_stopped:
            yield from self._settle_unfinished(batch, entries)
        yield from _tell_ending(batch)
        progressed = len(batch.waiting) < before
        now = time.monotonic()
        expected_s = batch.expected_s(now)
        batch.next_poll = now + batch.wait.after(progressed=progressed, expected_s=expected_s)
        if progressed and not batch.waiting:
            _log_end(batch)

    def _settle_query(
        self, batch: RunningBatch, query: Query, entry: wire.BatchQuery, *, is_stopped: bool
    ) -> Iterator[Event]:
        if entry.status is wire.QueryStatus.SUCCESS:
            batch.done += 1
            batch.rows += (entry.result_info and entry.result_info.total_rows) or 0
            batch.waiting.discard(query)
            yield Succeeded(query=query, entry=entry, finished_at=self._now())
        elif entry.status.is_failure and (entry.error_info or not is_stopped):
            batch.failed += 1
            batch.waiting.discard(query)
            error = self._client.query_error(entry.error_info or wire.NO_REASON)
            yield QueryFailed(query=query, error=error)

    def _settle_unfinished(
        self, batch: RunningBatch, entries: Mapping[Query, wire.BatchQuery]
    ) -> Iterator[Event]:
        """Fail queries that a stopped batch never finished; they are not empty.

        Nobody knows whether the API leaves them as they were, or fails them without a reason.
        """
        cancelled = batch.waiting and self._cancelled(batch)
        for query in sorted(batch.waiting, key=str):
            batch.failed += 1
            entry = entries.get(query)
            if entry is None:
                code, what = "QUERY_MISSING", "does not list this query"
            elif cancelled:
                code, what = "QUERY_CANCELLED", f"was cancelled at {cancelled}"
            else:
                code, what = "QUERY_UNFINISHED", f"stopped while the query was {entry.status_code}"
            told = wire.Error(code=code, message=f"{batch.batch.batch_id} {what}")
            yield QueryFailed(query=query, error=self._client.query_error(told))
        batch.waiting = set()

    def _cancelled(self, batch: RunningBatch) -> str:
        """Return when somebody cancelled a batch; empty when nobody did.

        A batch of an earlier run was cancelled by that run itself, when it was stopped.
        """
        if batch.batch.batch_id in self._adopted:
            return ""
        information = self._audit.information(batch.batch.batch_id)
        return (information and information.cancel_time) or ""

    def _unreadable(self, batch: RunningBatch, status: BatchStatus) -> ApiError:
        first, batch_id = status.queries[0].schedule_id, batch.batch.batch_id
        listed = counted(batch.size, "query", "queries")
        message = f"{batch_id} lists {listed}, fitting none of ours: {first}"
        return self._client.query_error(wire.Error(code="STATUS_UNREADABLE", message=message))


def _is_unreadable(
    batch: RunningBatch, status: BatchStatus, entries: Mapping[Query, wire.BatchQuery]
) -> bool:
    """Say that a batch of this run lists what was asked, but in words that fit no query at all.

    Asking again would give the same. A single query may as well be of a day that has not come yet.
    """
    is_of_this_run = batch.concurrency > 0
    return is_of_this_run and not entries and len(status.queries) == batch.size > 1


def _tell_ending(batch: RunningBatch) -> Iterator[Event]:
    """Tell once that none of its queries waits for another any more."""
    runs_out = batch.started is not None and len(batch.waiting) <= batch.concurrency
    if runs_out and not batch.is_ending:
        batch.is_ending = True
        yield BatchEnding(batch_id=batch.batch.batch_id)


def _log_end(batch: RunningBatch) -> None:
    logger.info(
        "Query batch %s: %d of %s done, %d failed, %s",
        batch.batch.batch_id,
        batch.done,
        counted(batch.size, "query", "queries"),
        batch.failed,
        counted(batch.rows, "row", "rows"),
    )


def cancel_batches(client: Client, batch_ids: Iterable[str]) -> None:
    """Cancel batches as well as possible; what they collected stays readable."""
    for batch_id in batch_ids:
        try:
            information = client.cancel_batch(batch_id)
            logger.info("Query batch %s cancelled", batch_id)
            logger.info("Query batch %s", information.story)
        except ApiError as error:  # noqa: PERF203 - one batch must not keep the others running
            logger.warning("Query batch %s could not be cancelled: %s", batch_id, error)
