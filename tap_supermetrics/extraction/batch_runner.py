"""Runs a plan as query batches: starts them, polls them, hands finished queries to downloads.

One thread decides everything; it sleeps on its inbox, into which other threads put what happened.
So there is no lock around decisions, and no wait that news cannot shorten.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.extraction.attribution import attribute
from tap_supermetrics.extraction.outcomes import Lost, Split
from tap_supermetrics.extraction.polling import PollWait
from tap_supermetrics.planning.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.api.client import BatchStatus, Client
    from tap_supermetrics.extraction.board import Board
    from tap_supermetrics.extraction.downloads import Downloader
    from tap_supermetrics.extraction.registry import Registry
    from tap_supermetrics.planning.packing import BatchItem, BatchRequest
    from tap_supermetrics.planning.plan import Query, Scope
    from tap_supermetrics.settings import BatchPolicy, Report
    from tap_supermetrics.state import HeldBatch

logger = logging.getLogger(__name__)

MAX_SUBMISSIONS: Final = 3
"""How often one query is sent before it is lost."""
DOWNLOAD_THREADS: Final = 4
POLL_FAILURES_S: Final = 900.0
"""A batch whose status could not be read for so long is given up, in seconds."""
GRACE_S: Final = 600.0
"""How long a batch may outlive its own timeout before it counts as stuck, in seconds."""
QUEUE_S: Final = 4 * 3600.0
"""How long a batch may wait behind the batches of others before it counts as stuck, in seconds."""


@dataclass(slots=True, kw_only=True)
class RunningBatch:
    """A query batch that has not stopped yet, and what is still expected of it.

    Attributes:
        waiting: queries whose fate the status has not told yet.
        found: which entry of the status belongs to which query, by the entry's place.
        last_seen: monotonic time of the last good status.
        started: monotonic time at which it was first seen running.
    """

    batch_id: str
    items: Mapping[int, BatchItem]
    split_dates: bool
    split_accounts: bool
    timeout_s: float
    waiting: set[Query]
    size: int
    since: float
    last_seen: float
    next_poll: float
    wait: PollWait = field(default_factory=PollWait)
    started: float | None = None
    rows: int = 0
    done: int = 0
    failed: int = 0

    def is_stuck(self, now: float) -> bool:
        """Whether it outlived every limit that the API itself sets."""
        if self.started is not None:
            return now > self.started + self.timeout_s + GRACE_S
        return now > self.since + QUEUE_S

    def entries(self, status: BatchStatus) -> dict[Query, wire.BatchQuery]:
        """The queries of this batch, each with its entry of the status."""
        return attribute(
            self.items,
            status.queries,
            split_dates=self.split_dates,
            split_accounts=self.split_accounts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """A query whose results could not be fetched."""

    query: Query
    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """The run is to end; queries not finished are lost with this error."""

    error: ApiError


class _Wake:
    """Something changed that may allow a new query batch."""


class BatchRunner:
    """Gives every planned query an outcome, by query batches.

    Args:
        client: the API.
        downloader: fetches results.
        board: gets the outcomes.
        registry: keeps which batches the API holds.
        reports: by name.
        scopes: what each report wants, by its name.
        max_running: query batches kept running at the same time.
        now: the wall clock, with offset.
    """

    def __init__(  # noqa: PLR0913 - it is where everything meets
        self,
        *,
        client: Client,
        downloader: Downloader,
        board: Board,
        registry: Registry,
        reports: Mapping[str, Report],
        scopes: Mapping[str, Scope],
        max_running: int,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._downloader = downloader
        self._board = board
        self._registry = registry
        self._reports = reports
        self._scopes = scopes
        self._max_running = max_running
        self._now = now
        self._inbox: queue.SimpleQueue[_Failed | _Stop | _Wake] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[tuple[Query, wire.BatchQuery]] = queue.SimpleQueue()
        self._pending: deque[BatchRequest] = deque()
        self._again: list[Query] = []
        self._submissions: Counter[Query] = Counter()
        self._running: dict[str, RunningBatch] = {}
        self._stopped_by: ApiError | None = None
        self.batches_started = 0

    def start(self, queries: Sequence[Query], adopted: Sequence[RunningBatch] = ()) -> None:
        """Begin, in threads of its own.

        Args:
            queries: the plan.
            adopted: batches of an earlier run that serve some of these queries.
        """
        self._running = {batch.batch_id: batch for batch in adopted}
        served = {query for batch in adopted for query in batch.waiting}
        self._submissions.update(served)
        new = [query for query in queries if query not in served]
        self._pending.extend(pack(new, self._policy_of, wire.MAX_QUERIES_PER_BATCH))
        self._board.on_room = self.wake
        threading.Thread(target=self._guarded, args=(self._run,), daemon=True).start()
        for _ in range(DOWNLOAD_THREADS):
            threading.Thread(target=self._guarded, args=(self._download,), daemon=True).start()

    def wake(self) -> None:
        """Look again whether a new query batch may be started."""
        if self._pending or self._again:
            self._inbox.put(_Wake())

    def stop(self, error: ApiError) -> None:
        """Start nothing more; queries without results are lost with this error."""
        self._inbox.put(_Stop(error=error))

    @property
    def running_ids(self) -> tuple[str, ...]:
        """Ids of the batches that may still be running."""
        return tuple(self._running)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a thread must not die in silence
            self._board.crash(error)

    def _run(self) -> None:
        while not self._board.is_complete:
            self._start_batches()
            self._poll_batches()
            self._read_inbox()

    def _read_inbox(self) -> None:
        """Sleep until the next poll is due or something happens, then take all that happened."""
        due = min((batch.next_poll for batch in self._running.values()), default=None)
        timeout = None if due is None else max(due - time.monotonic(), 0.0)
        if timeout is None and (self._board.is_complete or self._may_start()):
            return
        try:
            news = self._inbox.get(timeout=timeout)
            while True:
                self._handle(news)
                news = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _handle(self, news: _Failed | _Stop | _Wake) -> None:
        if isinstance(news, _Failed):
            self._decide(news.query, news.error)
        elif isinstance(news, _Stop):
            self._stop_all(news.error)

    def _policy_of(self, query: Query) -> BatchPolicy:
        return self._scopes[query.report].policy

    # Starting

    def _may_start(self) -> bool:
        return (
            bool(self._pending or self._again)
            and len(self._running) < self._max_running
            and self._board.has_room()
        )

    def _start_batches(self) -> None:
        while self._may_start():
            if self._again:
                again, self._again = self._again, []
                requests = pack(again, self._policy_of, wire.MAX_QUERIES_PER_BATCH)
                self._pending.extendleft(reversed(requests))
            self._start_batch(self._pending.popleft())

    def _start_batch(self, request: BatchRequest) -> None:
        body = wire.batch_body(request, self._reports)
        try:
            batch = self._client.start_batch(body)
        except ApiError as error:
            self._refused(request, error)
            return
        submitted_at, now = self._now(), time.monotonic()
        self._submissions.update(request.queries)
        self._running[batch.batch_id] = RunningBatch(
            batch_id=batch.batch_id,
            items=dict(enumerate(request.items)),
            split_dates=request.policy.split_dates,
            split_accounts=request.policy.split_accounts,
            timeout_s=request.policy.timeout_minutes * 60.0,
            waiting=set(request.queries),
            size=len(request),
            since=now,
            last_seen=now,
            next_poll=now + PollWait().wait_s,
        )
        self._registry.started(batch.batch_id, submitted_at, request)
        self.batches_started += 1
        self._board.news()
        logger.info(
            "Query batch %s started: %d queries in %d items, %d batches to follow",
            batch.batch_id,
            len(request),
            len(request.items),
            len(self._pending),
        )

    def _refused(self, request: BatchRequest, error: ApiError) -> None:
        """A batch was not made. A mistake in one item must not hold back the others."""
        halves = request.halves() if error.fate in {Fate.SPLIT, Fate.LOSE} else None
        if error.fate is Fate.STOP:
            self._stop_all(error)
            self._lose_all(request.queries, error)
        elif halves:
            logger.warning(
                "A query batch of %d queries was refused, trying its halves: %s",
                len(request),
                error,
            )
            self._pending.extendleft(reversed(halves))
        else:
            self._lose_all(request.queries, error)

    # Polling

    def _poll_batches(self) -> None:
        for batch in list(self._running.values()):
            if batch.next_poll <= time.monotonic():
                self._poll(batch)

    def _poll(self, batch: RunningBatch) -> None:
        try:
            status = self._client.batch_status(batch.batch_id)
        except ApiError as error:
            self._poll_failed(batch, error)
            return
        self._settle(batch, status)
        now = time.monotonic()
        batch.last_seen = now
        if batch.started is None and status.progress.queued < batch.size:
            batch.started = now
        if status.is_stopped:
            self._close(batch)
        elif batch.is_stuck(now):
            self._give_up(batch, ApiError("BATCH_STUCK", f"{batch.batch_id} does not stop"))

    def _poll_failed(self, batch: RunningBatch, error: ApiError) -> None:
        now = time.monotonic()
        batch.next_poll = now + batch.wait.after(progressed=False)
        if error.fate is Fate.STOP:
            self._stop_all(error)
            self._give_up(batch, error)
        elif error.fate is not Fate.RETRY:
            # Its status is gone, and with it every result: nothing is left to wait for.
            self._give_up(batch, error)
        elif now > batch.last_seen + POLL_FAILURES_S:
            self._give_up(batch, error)
        else:
            logger.warning("Status of query batch %s not readable: %s", batch.batch_id, error)

    def _settle(self, batch: RunningBatch, status: BatchStatus) -> None:
        """Take what is new in a status."""
        before = len(batch.waiting)
        entries = batch.entries(status)
        for query in [each for each in batch.waiting if each in entries]:
            self._settle_query(batch, query, entries[query])
        if status.is_stopped:
            self._settle_unfinished(batch, entries)
        progressed = len(batch.waiting) < before
        batch.next_poll = time.monotonic() + batch.wait.after(progressed=progressed)
        if progressed:
            _log_progress(batch)

    def _settle_query(self, batch: RunningBatch, query: Query, entry: wire.BatchQuery) -> None:
        if entry.status is wire.QueryStatus.SUCCESS:
            batch.done += 1
            batch.rows += (entry.result_info and entry.result_info.total_rows) or 0
            batch.waiting.discard(query)
            self._finished.put((query, entry))
        elif entry.status.is_failure:
            batch.failed += 1
            batch.waiting.discard(query)
            unexplained = wire.Error(code="QUERY_ERROR", message="the API gives no reason")
            self._decide(query, self._client.query_error(entry.error_info or unexplained))

    def _settle_unfinished(
        self, batch: RunningBatch, entries: Mapping[Query, wire.BatchQuery]
    ) -> None:
        """Queries that a stopped batch never finished have failed; they are not empty."""
        for query in batch.waiting:
            batch.failed += 1
            entry = entries.get(query)
            if entry is None:
                error = ApiError("QUERY_MISSING", f"{batch.batch_id} does not list this query")
            else:
                error = ApiError(
                    "QUERY_UNFINISHED",
                    f"{batch.batch_id} stopped while the query was {entry.status_code}",
                )
            self._decide(query, error)
        batch.waiting = set()

    def _close(self, batch: RunningBatch) -> None:
        self._running.pop(batch.batch_id, None)

    def _give_up(self, batch: RunningBatch, error: ApiError) -> None:
        self._close(batch)
        for query in batch.waiting:
            self._decide(query, error)
        batch.waiting = set()

    # Deciding

    def _decide(self, query: Query, error: ApiError) -> None:
        """The fate of a query that failed."""
        if self._stopped_by:
            is_own = error.fate in {Fate.LOSE, Fate.STOP}
            self._lose_all([query], error if is_own else self._stopped_by, asked=is_own)
        elif error.fate is Fate.STOP:
            self._stop_all(error)
            self._lose_all([query], error)
        elif error.fate is Fate.SPLIT and (parts := self._parts(query)):
            logger.warning("%s is split into halves: %s", query, error)
            self._board.put(Split(query=query, parts=parts))
            self._again.extend(parts)
        elif (
            error.fate in {Fate.RETRY, Fate.RESUBMIT} and self._submissions[query] < MAX_SUBMISSIONS
        ):
            logger.warning("%s is asked again: %s", query, error)
            self._again.append(query)
        else:
            self._lose_all([query], error)

    def _parts(self, query: Query) -> tuple[Query, ...]:
        """The query as smaller ones; none where it cannot or must not be split."""
        is_divisible = self._scopes[query.report].is_incremental
        return (query.split() or ()) if is_divisible else ()

    def _lose_all(self, queries: Sequence[Query], error: ApiError, *, asked: bool = True) -> None:
        for query in queries:
            self._board.put(Lost(query=query, error=error, was_asked=asked))

    def _stop_all(self, error: ApiError) -> None:
        """Ask nothing more. What running batches collected is still fetched."""
        if self._stopped_by:
            return
        self._stopped_by = error
        for request in self._pending:
            self._lose_all(request.queries, error, asked=False)
        self._lose_all(self._again, error, asked=False)
        self._pending.clear()
        self._again.clear()
        cancel_batches(self._client, self.running_ids)

    # Downloads

    def _download(self) -> None:
        while True:
            query, entry = self._finished.get()
            try:
                self._board.put(self._downloader.fetch(query, self._reports[query.report], entry))
            except ApiError as error:
                self._inbox.put(_Failed(query=query, error=error))
            if self._board.is_complete:
                self._inbox.put(_Wake())


def cancel_batches(client: Client, batch_ids: Sequence[str]) -> None:
    """Cancel batches as well as possible; what they collected stays readable."""
    for batch_id in batch_ids:
        try:
            client.cancel_batch(batch_id)
            logger.info("Query batch %s cancelled", batch_id)
        except ApiError as error:  # noqa: PERF203 - one batch must not keep the others running
            logger.warning("Query batch %s could not be cancelled: %s", batch_id, error)


def adopt(held: HeldBatch, status: BatchStatus) -> RunningBatch:
    """A batch of an earlier run as a running one; its `waiting` are the queries it can serve."""
    now = time.monotonic()
    batch = RunningBatch(
        batch_id=held.batch_id,
        items=held.items,
        split_dates=held.split_dates,
        split_accounts=held.split_accounts,
        timeout_s=wire.MAX_TIMEOUT_S,
        waiting=set(),
        size=len(status.queries),
        since=now,
        last_seen=now,
        next_poll=now,
    )
    batch.waiting = {
        query
        for query, entry in batch.entries(status).items()
        if entry.status is wire.QueryStatus.SUCCESS
        or (not status.is_stopped and not entry.status.is_failure)
    }
    return batch


def _log_progress(batch: RunningBatch) -> None:
    logger.info(
        "Query batch %s: %d of %d queries done, %d failed, %s rows",
        batch.batch_id,
        batch.done,
        batch.size,
        batch.failed,
        f"{batch.rows:,}",
    )
