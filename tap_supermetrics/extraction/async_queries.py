"""Queries on their way one by one, asynchronously, each under a schedule id of our own.

Source: Supermetrics docs, "Async queries": `sync_timeout: 0` starts a query, its status is polled
until it is final, its results are retained for an hour. A query may run up to four hours.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.events import QueryFailed, QueryNotSubmitted, Succeeded
from tap_supermetrics.extraction.polling import ONE_TRY, Polled, PollWait
from tap_supermetrics.extraction.results import QueryTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.batch_starts import SubmissionNotes
    from tap_supermetrics.extraction.events import Event
    from tap_supermetrics.model import AsyncRun, Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

_ROW_AND_HEADER: Final = 2
MAX_MISSES: Final = 25
"""After so many queries in a row that an earlier run did not submit, it submitted no more."""


@dataclass(slots=True, kw_only=True)
class _RunningQuery(Polled):
    query: Query
    schedule_id: str


class AsyncQueries:
    """Submits queries one by one, and polls them until they stop.

    Args:
        client: the API.
        plans: what each report requests, by its name.
        now: the wall clock, with offset.
        run: its id makes the schedule ids of this run its own.
        notes: record the report of each query before it is submitted.
        is_resumed: whether an earlier run of this id may have submitted queries.
    """

    def __init__(  # noqa: PLR0913 - each is needed, by its word
        self,
        client: Client,
        plans: Mapping[str, ReportPlan],
        now: Callable[[], datetime],
        run: AsyncRun,
        notes: SubmissionNotes,
        *,
        is_resumed: bool,
    ) -> None:
        self._client = client
        self._plans = plans
        self._now = now
        self._run = run
        self._notes = notes
        # A search for these costs a request a query: it ends where nothing is found for long.
        self._chances = MAX_MISSES if is_resumed else 0
        self._running: dict[Query, _RunningQuery] = {}
        self._poller = replace(client, retry=ONE_TRY)
        self._failed_polls = polling.FailedPolls()
        self._workflow: wire.Workflow | None = None

    @property
    def next_poll(self) -> float | None:
        """Return the monotonic time of the next poll of a running query; None when none runs."""
        return min((each.next_poll for each in self._running.values()), default=None)

    @property
    def delay(self) -> str:
        """Return the last state of the license's queue in words; empty where nothing waits."""
        # Read once: the submitting thread may replace it meanwhile, as another thread reads it.
        queue = self._workflow
        if not self._running or queue is None or not queue.tasks_scheduled:
            return ""
        return f"the license's queue holds {queue.tasks_scheduled} tasks, {queue.tasks_running} run"

    def submit(self, query: Query, attempt: int) -> Iterator[Event]:
        """Submit a query, unless an earlier run did so already; yield the outcome.

        Args:
            query: the query.
            attempt: how often it was submitted before.
        """
        # Before the request: a run that is killed within it must find the query again.
        self._notes.queries_begin(query.report, self._run)
        plan = self._plans[query.report]
        parameters = wire.query_parameters(query, plan.report, plan.scope.policy_of(query))
        schedule_id = schedule_id_of(_requester(query, plan, self._run.id), parameters, attempt)
        try:
            # The same query, run and attempt give the same id, by which it is found.
            meta = self._left_behind(schedule_id) or self._client.start_query(
                wire.async_body(parameters, schedule_id)
            )
        except ApiError as error:
            yield QueryNotSubmitted(query=query, error=error)
            return
        now = time.monotonic()
        running = _RunningQuery(
            query=query,
            # The API may use an id of its own, of 64 hex digits (observed).
            schedule_id=meta.schedule_id or schedule_id,
            since=now,
            last_seen=now,
            next_poll=now + PollWait().wait_s,
        )
        self._running[query] = running
        yield QueryTaken(query=query, submitted_at=self._now())
        # The answer to the start has a status already, which may be the last one.
        yield from self._read(running, meta)

    def _left_behind(self, schedule_id: str) -> wire.Meta | None:
        """Return the status of a query that a killed run submitted; None if there is none."""
        if self._chances <= 0:
            return None
        try:
            meta = self._client.query_status(schedule_id)
        except ApiError as error:
            # An error that refuses everything would refuse the submission that follows too.
            if error.fate is Fate.STOP:
                raise
            self._chances -= 1
            return None
        # Found one: more may follow, as queries were submitted in this order.
        self._chances = MAX_MISSES
        return meta

    def poll_due(self) -> Iterator[Event]:
        """Poll every running query that is due; yield new outcomes."""
        for running in list(self._running.values()):
            if running.next_poll <= time.monotonic():
                yield from self._poll(running)

    def _poll(self, running: _RunningQuery) -> Iterator[Event]:
        try:
            meta = self._poller.query_status(running.schedule_id)
        except ApiError as error:
            yield from self._poll_failed(running, error)
            return
        now = time.monotonic()
        running.note_answer(now)
        self._failed_polls.answered(now)
        yield from self._read(running, meta)

    def _poll_failed(self, running: _RunningQuery, error: ApiError) -> Iterator[Event]:
        """Poll again later, or give the query up, after a poll that failed."""
        now = time.monotonic()
        running.note_failure(now, error)
        is_given_up = self._failed_polls.count_failure(running, error, now)
        is_ill = error.fate is Fate.RETRY and not is_given_up
        if not is_ill and not (error.is_not_there and running.is_young(now)):
            yield from self._fail(running, error)
        elif running.failures == 1:
            logger.warning("Status of %s not readable: %s", running.query, error)

    def _read(self, running: _RunningQuery, meta: wire.Meta) -> Iterator[Event]:
        """Yield the outcome that a status shows, if any, and set the time of the next poll."""
        status = wire.QueryStatus.of(meta.status_code)
        self._workflow = meta.workflow or self._workflow
        now = time.monotonic()
        # A single query has no progress: it has ended or not.
        running.next_poll = now + running.wait.after(progressed=False)
        if status is wire.QueryStatus.SUCCESS:
            self._running.pop(running.query)
            entry = _entry_of(running.schedule_id, meta.result)
            yield Succeeded(query=running.query, entry=entry, finished_at=self._now())
        elif status.is_failure:
            yield from self._fail(running, self._client.query_error(wire.NO_REASON))
        # An unknown word counts as running: this limit ends it.
        elif now > running.since + wire.MAX_QUERY_S + polling.GRACE_S:
            error = ApiError("QUERY_STUCK", f"{running.schedule_id} does not stop")
            yield from self._fail(running, error)

    def _fail(self, running: _RunningQuery, error: ApiError) -> Iterator[Event]:
        self._running.pop(running.query)
        yield QueryFailed(query=running.query, error=error)


def _requester(query: Query, plan: ReportPlan, run_id: str) -> str:
    """Return who requests, for a schedule id; another one each day where days may still change."""
    last_complete = plan.scope.last_complete
    requester = f"{run_id} {query.report}"
    is_settled = (
        last_complete is not None
        and query.dates is not None
        # Beyond the lookback, days are not restated: their old answer is as good as a new one.
        and (last_complete - query.dates.last).days >= plan.report.lookback_days
    )
    return requester if is_settled else f"{requester} {last_complete}"


def schedule_id_of(requester: str, parameters: Mapping[str, Any], attempt: int) -> str:
    """Return the schedule id of a query: one for its parameters, a requester and an attempt.

    The requester is a report of a run, and where days may still change the day of the request:
    under the id of another report, the API would run again what is still being read. Different
    queries never share an id, and a failed or expired query that is submitted again gets another,
    as the API's answer to a used one is not documented. 36 characters of `[A-Za-z0-9_-]`; the API
    takes up to 50.
    """
    # Sorted, so that the next run makes the same id of it, in whatever order the parameters come.
    facts = json.dumps([requester, parameters, attempt], sort_keys=True)
    return f"tap_{hashlib.sha256(facts.encode()).hexdigest()[:32]}"


def _entry_of(schedule_id: str, facts: wire.ResultFacts | None) -> wire.BatchQuery:
    """Return a query that was submitted by itself and succeeded, as a batch would list it.

    The number of rows may be that of the one row of `wire.status_parameters` and a header.
    """
    count = (facts and facts.total_rows) or 0
    return wire.BatchQuery(
        schedule_id=schedule_id,
        status_code=wire.QueryStatus.SUCCESS.value,
        result_info=wire.ResultFacts(total_rows=count if count > _ROW_AND_HEADER else None),
    )
