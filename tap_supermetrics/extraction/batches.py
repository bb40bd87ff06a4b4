"""Queries on their way as query batches: packed, started, polled, settled."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.attribution import attribute
from tap_supermetrics.extraction.polling import Polled, PollWait
from tap_supermetrics.planning.packing import halved, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.client import BatchStatus, Client
    from tap_supermetrics.extraction.channel import Decisions, Shared
    from tap_supermetrics.model import BatchItem, BatchRequest, Query, SplitPolicy, SubmittedBatch


logger = logging.getLogger(__name__)

QUEUE_S: Final = 4 * 3600.0
"""How long a batch may wait behind the batches of others before it counts as stuck, in seconds."""


@dataclass(slots=True, kw_only=True)
class RunningBatch(Polled):
    """A query batch that has not stopped yet, and what is still expected of it.

    Attributes:
        batch_id: the API's id.
        items: what was sent, by their place in the batch (from 0).
        split: how the items are split.
        items_sent: how many items it has; not all may be known.
        waiting: queries whose fate the status has not told yet.
        size: number of all its queries.
        concurrency: how many of them the API runs at the same time; 0 where that is not known.
        timeout_s: how long the API lets it run, in seconds.
        since: monotonic time of its start, or of its adoption.
        started: monotonic time at which it was first seen running; None before.
        rows: of the results so far.
        done: number of queries that succeeded.
        failed: number of queries that did not.
    """

    batch_id: str
    items: Mapping[int, BatchItem]
    split: SplitPolicy
    items_sent: int
    timeout_s: float
    waiting: set[Query]
    size: int
    concurrency: int = 0
    since: float
    started: float | None = None
    rows: int = 0
    done: int = 0
    failed: int = 0

    @property
    def is_ending(self) -> bool:
        """Whether none of its queries waits for another any more."""
        return self.started is not None and len(self.waiting) <= self.concurrency

    def expected_s(self, now: float) -> float | None:
        """Seconds until its end, should it go on as it went; None while nothing has finished."""
        finished = self.size - len(self.waiting)
        if self.started is None or not finished:
            return None
        return (now - self.started) * len(self.waiting) / finished

    def is_stuck(self, now: float) -> bool:
        """Whether it outlived every limit that the API itself sets."""
        if self.started is not None:
            return now > self.started + self.timeout_s + polling.GRACE_S
        return now > self.since + QUEUE_S

    def entries(self, status: BatchStatus) -> dict[Query, wire.BatchQuery]:
        """The queries of this batch, each with its entry of the status."""
        return attribute(self.items, status.queries, self.split, self.items_sent)


class BatchChannel:
    """Asks queries as query batches, at most two of them running at a time.

    Args:
        shared: what the channels of an extraction share.
        decisions: is told what became of queries.
        max_running: query batches kept running at the same time.
    """

    def __init__(self, shared: Shared, decisions: Decisions, max_running: int) -> None:
        self._shared = shared
        self._decisions = decisions
        self._max_running = max_running
        self._pending: deque[BatchRequest] = deque()
        self._again: list[Query] = []
        self._running: dict[str, RunningBatch] = {}
        self._ids: set[str] = set()
        self._poller = replace(shared.client, retry=polling.ONE_TRY)

    def adopt(self, batches: Sequence[RunningBatch]) -> None:
        """Wait for batches of an earlier run too."""
        self._running |= {batch.batch_id: batch for batch in batches}
        self._ids.update(self._running)

    def add(self, queries: Sequence[Query]) -> None:
        """Ask these queries after all others, in this order."""
        self._pending.extend(self._packed(queries))

    def add_again(self, query: Query) -> None:
        """Ask this query before all others; several together where they come together."""
        self._again.append(query)

    def drain(self) -> list[Query]:
        """Give back every query that was not asked yet."""
        queries = [*self._again, *(each for request in self._pending for each in request.queries)]
        self._again.clear()
        self._pending.clear()
        return queries

    @property
    def may_start(self) -> bool:
        """Whether something waits to be asked and the API has a place for it, or soon will.

        The API keeps what is too much in a queue (Supermetrics docs, "Batch queries (Preview)",
        "Restrictions"). So the next batch is sent while the last queries of one still run, and no
        time is lost between them.
        """
        running = len(self._running)
        if self._max_running >= wire.MAX_RUNNING_BATCHES and running == self._max_running:
            running -= any(batch.is_ending for batch in self._running.values())
        return bool(self._pending or self._again) and running < self._max_running

    @property
    def next_poll(self) -> float | None:
        """Monotonic time of the next look at a running batch; None when none runs."""
        return min((batch.next_poll for batch in self._running.values()), default=None)

    @property
    def running_ids(self) -> tuple[str, ...]:
        """Ids of the batches that may still be running."""
        return tuple(self._running)

    def _packed(self, queries: Sequence[Query]) -> tuple[BatchRequest, ...]:
        return pack(queries, self._shared.policy_of, wire.MAX_QUERIES_PER_BATCH, self._max_running)

    # Starting

    def start_one(self) -> None:
        """Start the next query batch."""
        if self._again:
            again, self._again = self._again, []
            self._pending.extendleft(reversed(self._packed(again)))
        request = self._pending.popleft()
        try:
            body = wire.batch_body(request, self._shared.reports)
            batch_id = self._shared.client.start_batch(body).batch_id
            self._check_new(batch_id)
        except ApiError as error:
            self._refused(request, error)
        else:
            self._started(request, batch_id)

    def _check_new(self, batch_id: str) -> None:
        if not batch_id or batch_id in self._ids:
            message = f"a query batch was started under the id {batch_id!r}, which is not its own"
            raise ApiError("ANSWER_INVALID", message)
        self._ids.add(batch_id)

    def _started(self, request: BatchRequest, batch_id: str) -> None:
        now = time.monotonic()
        self._running[batch_id] = RunningBatch(
            batch_id=batch_id,
            items=dict(enumerate(request.items)),
            split=request.policy.split,
            items_sent=len(request.items),
            timeout_s=request.policy.timeout_minutes * 60.0,
            waiting=set(request.queries),
            size=len(request),
            concurrency=request.policy.query_concurrency,
            since=now,
            last_seen=now,
            next_poll=now + PollWait().wait_s,
        )
        self._shared.registry.started(batch_id, self._shared.now(), request)
        self._decisions.asked(request.queries)
        logger.info(
            "Query batch %s started: %d queries in %d items, %d batches to follow",
            batch_id,
            len(request),
            len(request.items),
            len(self._pending),
        )

    def _refused(self, request: BatchRequest, error: ApiError) -> None:
        """A batch was not made. A mistake in one item must not hold back the others."""
        halves = halved(request) if error.fate in {Fate.SPLIT, Fate.LOSE} else None
        if halves:
            logger.warning(
                "A query batch of %d queries was refused, trying its halves: %s",
                len(request),
                error,
            )
            self._pending.extendleft(reversed(halves))
        elif not self._decisions.without_batches(request.queries, error):
            self._decisions.not_taken(request.queries, error)

    # Polling

    def poll_due(self) -> None:
        """Look at every running batch whose time has come."""
        for batch in list(self._running.values()):
            if batch.next_poll <= time.monotonic():
                self._poll(batch)

    def _poll(self, batch: RunningBatch) -> None:
        try:
            status = self._poller.batch_status(batch.batch_id)
        except ApiError as error:
            self._poll_failed(batch, error)
            return
        self._settle(batch, status)
        now = time.monotonic()
        batch.seen(now)
        is_queued = status.is_queued or status.progress.queued >= batch.size
        if batch.started is None and not is_queued:
            batch.started = now
        if status.is_stopped or not batch.waiting:
            self._running.pop(batch.batch_id, None)
        elif batch.is_stuck(now):
            self._give_up(batch, ApiError("BATCH_STUCK", f"{batch.batch_id} does not stop"))

    def _poll_failed(self, batch: RunningBatch, error: ApiError) -> None:
        now = time.monotonic()
        batch.not_seen(now, error)
        is_hopeful = error.fate is Fate.RETRY and now < batch.last_seen + polling.POLL_FAILURES_S
        if not is_hopeful:
            # Its status is gone, and with it every result: nothing is left to wait for.
            self._give_up(batch, error)
        elif batch.failures == 1:
            logger.warning("Status of query batch %s not readable: %s", batch.batch_id, error)

    def _give_up(self, batch: RunningBatch, error: ApiError) -> None:
        self._running.pop(batch.batch_id, None)
        waiting, batch.waiting = tuple(batch.waiting), set()
        if not self._decisions.without_batches(waiting, error):
            for query in waiting:
                self._decisions.failed(query, error)

    # Settling

    def _settle(self, batch: RunningBatch, status: BatchStatus) -> None:
        """Take what is new in a status."""
        before = len(batch.waiting)
        entries = batch.entries(status)
        new = [each for each in entries if each in batch.waiting]
        failed = [each for each in new if entries[each].status.is_failure]
        # What succeeded, and what is newest, may say that older failures need no more queries.
        for query in (*(each for each in new if each not in failed), *reversed(failed)):
            self._settle_query(batch, query, entries[query], is_stopped=status.is_stopped)
        if status.is_stopped and _is_unreadable(batch, status, entries):
            first = status.queries[0].schedule_id
            message = f"{batch.batch_id} lists {batch.size} queries that fit none of ours: {first}"
            error = wire.Error(code="STATUS_UNREADABLE", message=message)
            self._give_up(batch, self._shared.client.query_error(error))
        elif status.is_stopped:
            self._settle_unfinished(batch, entries)
        progressed = len(batch.waiting) < before
        now = time.monotonic()
        expected_s = batch.expected_s(now)
        batch.next_poll = now + batch.wait.after(progressed=progressed, expected_s=expected_s)
        if progressed and not batch.waiting:
            _log_end(batch)

    def _settle_query(
        self, batch: RunningBatch, query: Query, entry: wire.BatchQuery, *, is_stopped: bool
    ) -> None:
        if entry.status is wire.QueryStatus.SUCCESS:
            batch.done += 1
            batch.rows += (entry.result_info and entry.result_info.total_rows) or 0
            batch.waiting.discard(query)
            self._decisions.succeeded(query, entry)
        elif entry.status.is_failure and (entry.error_info or not is_stopped):
            batch.failed += 1
            batch.waiting.discard(query)
            error = entry.error_info or wire.NO_REASON
            self._decisions.failed(query, self._shared.client.query_error(error))

    def _settle_unfinished(
        self, batch: RunningBatch, entries: Mapping[Query, wire.BatchQuery]
    ) -> None:
        """Queries that a stopped batch never finished have failed; they are not empty.

        Nobody knows whether the API leaves them as they were, or fails them without a reason.
        """
        for query in batch.waiting:
            batch.failed += 1
            entry = entries.get(query)
            if entry is None:
                code, what = "QUERY_MISSING", "does not list this query"
            else:
                code, what = "QUERY_UNFINISHED", f"stopped while the query was {entry.status_code}"
            told = wire.Error(code=code, message=f"{batch.batch_id} {what}")
            self._decisions.failed(query, self._shared.client.query_error(told))
        batch.waiting = set()


def _is_unreadable(
    batch: RunningBatch, status: BatchStatus, entries: Mapping[Query, wire.BatchQuery]
) -> bool:
    """Whether a batch of this run lists what was asked, but in words that fit no query at all.

    Asking again would give the same. A single query may as well be of a day that has not come yet.
    """
    is_of_this_run = batch.concurrency > 0
    return is_of_this_run and not entries and len(status.queries) == batch.size > 1


def cancel_batches(client: Client, batch_ids: Sequence[str]) -> None:
    """Cancel batches as well as possible; what they collected stays readable."""
    for batch_id in batch_ids:
        try:
            client.cancel_batch(batch_id)
            logger.info("Query batch %s cancelled", batch_id)
        except ApiError as error:  # noqa: PERF203 - one batch must not keep the others running
            logger.warning("Query batch %s could not be cancelled: %s", batch_id, error)


def adopt(held: SubmittedBatch, status: BatchStatus | None = None) -> RunningBatch:
    """A batch of an earlier run as a running one; its `waiting` are the queries it can serve.

    Where its status could not be read just now, these are all.
    """
    now = time.monotonic()
    asked = held.queries()
    batch = RunningBatch(
        batch_id=held.batch_id,
        items=held.items,
        split=held.split,
        items_sent=held.size,
        timeout_s=wire.MAX_TIMEOUT_S,
        waiting=asked,
        size=max(len(status.queries), len(asked)) if status else len(asked),
        since=now,
        last_seen=now,
        next_poll=now,
    )
    if status:
        entries = batch.entries(status)
        # A batch that has just been started may not list all its queries yet.
        is_filling = not status.is_stopped and len(status.queries) < len(asked)
        batch.waiting = {
            query
            for query in asked
            if (_may_serve(entries[query], status) if query in entries else is_filling)
        }
    return batch


def _may_serve(entry: wire.BatchQuery, status: BatchStatus) -> bool:
    is_hopeful = not status.is_stopped and not entry.status.is_failure
    return is_hopeful or entry.status is wire.QueryStatus.SUCCESS


def _log_end(batch: RunningBatch) -> None:
    logger.info(
        "Query batch %s: %d of %d queries done, %d failed, %s rows",
        batch.batch_id,
        batch.done,
        batch.size,
        batch.failed,
        f"{batch.rows:,}",
    )
