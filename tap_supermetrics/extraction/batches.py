"""Query batches on their way through the API: submitted, polled until they stop."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.audit import BatchAudit
from tap_supermetrics.extraction.batch_starts import BatchStarter
from tap_supermetrics.extraction.batch_status import StatusReader
from tap_supermetrics.extraction.events import BatchEnded, BatchNotSubmitted
from tap_supermetrics.extraction.polling import PollWait
from tap_supermetrics.extraction.results import BatchTaken
from tap_supermetrics.extraction.running import RunningBatch
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.batch_starts import SubmissionNotes
    from tap_supermetrics.extraction.events import Event
    from tap_supermetrics.model import BatchRequest, Report

logger = logging.getLogger(__name__)


class Batches:
    """Submits query batches, and polls them until they stop.

    Args:
        client: the API.
        reports: by name.
        now: the wall clock, with offset.
        running: batches of an earlier run to wait for.
        notes: record each batch before it is sent, and its id as soon as it is known.
    """

    def __init__(
        self,
        client: Client,
        reports: Mapping[str, Report],
        now: Callable[[], datetime],
        running: Iterable[RunningBatch],
        notes: SubmissionNotes,
    ) -> None:
        self._running = {each.batch.batch_id: each for each in running}
        self._starter = BatchStarter(client, reports, now, notes, known=self._running)
        self._poller = replace(client, retry=polling.ONE_TRY)
        self._audit = BatchAudit(client)
        self._statuses = StatusReader(client, self._audit, now, adopted=frozenset(self._running))

    @property
    def next_poll(self) -> float | None:
        """Return the monotonic time of the next poll of a running batch; None when none runs."""
        return min((each.next_poll for each in self._running.values()), default=None)

    @property
    def running_ids(self) -> tuple[str, ...]:
        """Return the ids of the batches that may still be running."""
        return tuple(self._running)

    @property
    def delay(self) -> str:
        """Return in words how many batches wait for a place at the API; empty where none does."""
        # A copy: the deciding thread reads while the submitting thread adds and removes batches.
        count = sum(each.started is None for each in list(self._running.values()))
        waiting = counted(count, "query batch waits", "query batches wait")
        return f"{waiting} to be run" if count else ""

    def submit(self, request: BatchRequest) -> Iterator[Event]:
        """Submit a query batch; yield the outcome."""
        try:
            batch = self._starter.start(request)
        except ApiError as error:
            yield BatchNotSubmitted(request=request, error=error)
            return
        now = time.monotonic()
        self._running[batch.batch_id] = RunningBatch(
            batch=batch,
            waiting=set(request.queries),
            query_count=len(request),
            timeout_s=request.policy.timeout_minutes * 60.0,
            concurrency=request.policy.query_concurrency,
            since=now,
            last_seen=now,
            next_poll=now + PollWait().wait_s,
        )
        logger.info(
            "Query batch %s submitted: %s in %s",
            batch.batch_id,
            counted(len(request), "query", "queries"),
            counted(len(request.items), "item", "items"),
        )
        yield BatchTaken(batch=batch, queries=request.queries)

    def poll_due(self) -> Iterator[Event]:
        """Poll every running batch that is due; yield new outcomes."""
        for batch in list(self._running.values()):  # A copy, as a batch that ends is removed.
            if batch.next_poll <= time.monotonic():
                yield from self._poll(batch)

    def _poll(self, batch: RunningBatch) -> Iterator[Event]:
        try:
            status = self._poller.batch_status(batch.batch.batch_id)
        except ApiError as error:
            yield from self._poll_failed(batch, error)
            return
        now = time.monotonic()
        # Its status may say that it runs while every query of it still waits.
        is_queued = status.is_queued or status.progress.queued >= batch.query_count
        if batch.started is None and not is_queued:
            batch.started = now
        yield from self._statuses.read(batch, status)
        batch.note_answer(now)
        unreadable = self._statuses.unreadable(batch, status)
        if unreadable or not batch.waiting:
            yield from self._end(batch, unreadable)
        elif batch.is_stuck(now):
            batch_id = batch.batch.batch_id
            yield from self._end(batch, ApiError("BATCH_STUCK", f"{batch_id} does not stop"))

    def _poll_failed(self, batch: RunningBatch, error: ApiError) -> Iterator[Event]:
        now = time.monotonic()
        batch.note_failure(now, error)
        is_ill = error.fate is Fate.RETRY and now < batch.last_seen + polling.POLL_FAILURES_S
        if not is_ill and not self._may_poll_again(batch, now, error):
            # Its status is gone, and with it every result: nothing is left to wait for.
            yield from self._end(batch, error)
        elif batch.failures == 1:
            text = "Status of query batch %s not readable: %s"
            logger.warning(text, batch.batch.batch_id, error)

    def _may_poll_again(self, batch: RunningBatch, now: float, error: ApiError) -> bool:
        """Return whether a batch may run on although a poll of it was refused."""
        if error.is_not_there:
            return self._status_may_come(batch, now)
        return batch.is_young(now) and not error.refuses_everything

    def _status_may_come(self, batch: RunningBatch, now: float) -> bool:
        """Return whether a status that is not found may still come, rather than have expired."""
        if batch.is_young(now):
            return True
        information = self._audit.information(batch.batch.batch_id)
        # Nothing shows that the batch exists: its queries are submitted again.
        if information is None or batch.is_stuck(now):
            return False
        if information.is_stopped:
            # It stopped a moment ago: a status that was never seen cannot have expired yet.
            return batch.last_seen <= batch.since and now < batch.since + polling.POLL_FAILURES_S
        if information.start_time and batch.started is None:
            batch.started = now
        return True

    def _end(self, batch: RunningBatch, error: ApiError | None = None) -> Iterator[Event]:
        batch_id = batch.batch.batch_id
        del self._running[batch_id]
        unsettled, batch.waiting = tuple(batch.waiting), set()
        yield BatchEnded(batch_id=batch_id, unsettled=unsettled, error=error)
        # After the event: it takes a request, for which nothing should wait.
        self._audit.log_end(batch_id)


def cancel_batches(client: Client, batch_ids: Iterable[str]) -> None:
    """Cancel batches as well as possible; their results stay readable."""
    for batch_id in batch_ids:
        try:
            information = client.cancel_batch(batch_id)
            logger.info("Query batch %s cancelled", batch_id)
            logger.info("Query batch %s", information.story)
        except ApiError as error:  # noqa: PERF203 - one batch must not leave the others running
            logger.warning("Query batch %s could not be cancelled: %s", batch_id, error)
