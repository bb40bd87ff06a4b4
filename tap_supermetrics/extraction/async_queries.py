"""Queries on their way one by one, asynchronously, each under a schedule id of our own.

Source: Supermetrics docs, "Async queries": `sync_timeout: 0` starts a query, its status is asked
for until it is final, its results are kept for an hour. A query may run up to four hours.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate, is_outage
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.polling import ONE_TRY, Polled, PollWait
from tap_supermetrics.model import BatchItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tap_supermetrics.extraction.channel import Decisions, Shared
    from tap_supermetrics.model import Query

logger = logging.getLogger(__name__)

MAX_MISSES: Final = 25
"""So many queries in a row that an earlier run did not leave behind: it left no more."""
OWN_FAILURES_S: Final = 60.0
"""A query whose status could not be read for so long is given up where those of others could be."""


@dataclass(slots=True, kw_only=True)
class _RunningQuery(Polled):
    query: Query
    schedule_id: str
    since: float


class AsyncChannel:
    """Asks queries one by one, some of them at the same time.

    Args:
        shared: what the channels of an extraction share.
        decisions: is told what became of queries.
        max_running: queries kept running at the same time.
        run_id: makes the schedule ids of this run its own.
        is_resumed: whether an earlier run of this id may have left queries behind.
    """

    def __init__(
        self,
        shared: Shared,
        decisions: Decisions,
        max_running: int,
        *,
        run_id: str,
        is_resumed: bool,
    ) -> None:
        self._shared = shared
        self._decisions = decisions
        self._max_running = max_running
        self._run_id = run_id
        self._chances = MAX_MISSES if is_resumed else 0
        self._pending: deque[Query] = deque()
        self._running: dict[Query, _RunningQuery] = {}
        self._tries: Counter[Query] = Counter()
        self._poller = replace(shared.client, retry=ONE_TRY)
        self._last_seen = 0.0
        self._failing: set[Query] = set()

    def add(self, queries: Sequence[Query]) -> None:
        """Ask these queries after all others, in this order."""
        self._pending.extend(queries)

    def add_again(self, query: Query) -> None:
        """Ask this query before all others."""
        self._pending.appendleft(query)

    def drain(self) -> list[Query]:
        """Give back every query that was not asked yet."""
        queries = list(self._pending)
        self._pending.clear()
        return queries

    @property
    def may_start(self) -> bool:
        """Whether something waits to be asked and fewer queries run than may."""
        return bool(self._pending) and len(self._running) < self._max_running

    @property
    def next_poll(self) -> float | None:
        """Monotonic time of the next look at a running query; None when none runs."""
        return min((each.next_poll for each in self._running.values()), default=None)

    # Starting

    def start_one(self) -> None:
        """Ask the next query, unless an earlier run did so already."""
        query = self._pending.popleft()
        parameters = self._parameters(query)
        schedule_id = schedule_id_of(self._asker(query), parameters, self._tries[query])
        self._tries[query] += 1
        try:
            meta = self._left_behind(schedule_id) or self._shared.client.start_query(
                wire.async_body(parameters, schedule_id)
            )
        except ApiError as error:
            self._decisions.not_taken([query], error)
            return
        now = time.monotonic()
        running = _RunningQuery(
            query=query,
            schedule_id=schedule_id,
            since=now,
            last_seen=now,
            next_poll=now + PollWait().wait_s,
        )
        self._running[query] = running
        self._shared.registry.asked_async(query)
        self._decisions.asked([query])
        self._settle(running, meta)

    def _asker(self, query: Query) -> str:
        """Who asks; each day another for days that may change: an older answer lacks the change."""
        report = self._shared.reports[query.report]
        last_complete = self._shared.scopes[query.report].last_complete
        asker = f"{self._run_id} {query.report}"
        is_settled = (
            last_complete is not None
            and query.dates is not None
            and (last_complete - query.dates.last).days >= report.lookback_days
        )
        return asker if is_settled else f"{asker} {last_complete}"

    def _parameters(self, query: Query) -> dict[str, Any]:
        item = BatchItem(
            report=query.report,
            accounts=query.accounts,
            dates=query.dates,
            is_fresh=query.is_fresh,
        )
        policy = self._shared.policy_of(query)
        return wire.query_parameters(item, self._shared.reports[query.report], policy)

    def _left_behind(self, schedule_id: str) -> wire.Meta | None:
        """What the API knows of a query of a run that was killed; None when nothing."""
        if self._chances <= 0:
            return None
        try:
            meta = self._shared.client.query_status(schedule_id)
        except ApiError as error:
            if error.fate is Fate.STOP:
                raise
            self._chances -= 1
            return None
        self._chances = MAX_MISSES
        return meta

    # Polling

    def poll_due(self) -> None:
        """Look at every running query whose time has come."""
        for running in list(self._running.values()):
            if running.next_poll <= time.monotonic():
                self._poll(running)

    def _poll(self, running: _RunningQuery) -> None:
        try:
            meta = self._poller.query_status(running.schedule_id)
        except ApiError as error:
            self._poll_failed(running, error)
            return
        self._last_seen = time.monotonic()
        running.seen(self._last_seen)
        self._settle(running, meta)

    def _poll_failed(self, running: _RunningQuery, error: ApiError) -> None:
        now = time.monotonic()
        running.not_seen(now, error)
        if self._last_seen > running.failing_since and not is_outage(error):
            self._failing.add(running.query)
        patience_s = OWN_FAILURES_S if running.query in self._failing else polling.POLL_FAILURES_S
        if error.fate is Fate.RETRY and now < running.last_seen + patience_s:
            if running.failures == 1:
                logger.warning("Status of %s not readable: %s", running.query, error)
            return
        self._running.pop(running.query)
        self._decisions.failed(running.query, error)

    def _settle(self, running: _RunningQuery, meta: wire.Meta) -> None:
        status = wire.QueryStatus.of(meta.status_code)
        now = time.monotonic()
        running.next_poll = now + running.wait.after(progressed=False)
        if status is wire.QueryStatus.SUCCESS:
            self._running.pop(running.query)
            self._decisions.succeeded(
                running.query, wire.finished_query(running.schedule_id, meta.result)
            )
        elif status.is_failure:
            self._running.pop(running.query)
            error = self._shared.client.query_error(wire.NO_REASON)
            self._decisions.failed(running.query, error)
        elif now > running.since + wire.MAX_QUERY_S + polling.GRACE_S:
            self._running.pop(running.query)
            error = ApiError("QUERY_STUCK", f"{running.schedule_id} does not stop")
            self._decisions.failed(running.query, error)


def schedule_id_of(asker: str, parameters: Mapping[str, Any], tries: int) -> str:
    """The schedule id of a query: the same for the same question of the same asker and try.

    The asker is a report of a run, and where days may still change the day of asking: asked under
    the id of another report, the API would run again what is still being read. Two different
    questions never share an id, and a failed or expired query that is asked again gets another,
    because nobody knows what the API answers to a used one. 36 characters of `[A-Za-z0-9_-]`; the
    API takes up to 50.
    """
    asked = json.dumps([asker, parameters, tries], sort_keys=True)
    return f"tap_{hashlib.sha256(asked.encode()).hexdigest()[:32]}"
