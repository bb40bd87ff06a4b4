"""The emulated service behind the endpoints: queues, running queries, limits, lives of results.

A simulation of discrete events, moved forward to the emulated present whenever somebody looks.
No thread runs a query: it starts when there is room, and an event ends it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import zlib
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.blocks import chance
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.parameters import Question, question
from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery, Status
from tap_supermetrics.emulator.tables import table
from tap_supermetrics.emulator.world import Ask, World

if TYPE_CHECKING:
    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.faults import Fault, Faults
    from tap_supermetrics.emulator.options import Options

_FAILED_SHARE = 0.3
"""How long a query that fails runs, compared to one that succeeds."""

Event = tuple[float, int, Callable[[float], None]]


class Engine:
    """All queries and batches of an emulator; every method may be called from any thread.

    Attributes:
        options: Limits and durations.
        world: What queries read.
        changed: Guards everything, and is notified whenever something may have moved.
        queries: Every query ever sent, in order.
        batches: Every batch ever sent, in order.
        peak_running_batches: The most batches that ran at once.
    """

    def __init__(self, options: Options, world: World, clock: Clock, faults: Faults) -> None:
        self.options = options
        self.world = world
        self.changed = threading.Condition(threading.RLock())
        self._clock = clock
        self._faults = faults
        self._is_closed = False
        self.reset()
        clock.on_change(self._notify)

    @property
    def workload(self) -> tuple[int, int]:
        """Queries that wait in the license's queue, and those that run."""
        return len(self._queue), len(self._running)

    def reset(self) -> None:
        """Forget all queries and batches."""
        with self.changed:
            self.queries: list[EmulatedQuery] = []
            self.batches: list[EmulatedBatch] = []
            self.peak_running_batches = 0
            self._by_id: dict[str, EmulatedQuery] = {}
            self._by_key: dict[tuple[str, str], EmulatedQuery] = {}
            self._batches_by_id: dict[str, EmulatedBatch] = {}
            self._events: list[Event] = []
            self._numbers = itertools.count()
            self._waiting: deque[EmulatedBatch] = deque()
            self._active: list[EmulatedBatch] = []
            self._queue: deque[EmulatedQuery] = deque()
            self._running: set[EmulatedQuery] = set()
            self._rows = 0
            self._per_day: Counter[tuple[str, int]] = Counter()
            self.changed.notify_all()

    def close(self) -> None:
        """Let every waiting request go."""
        self._is_closed = True
        self._notify()

    def submit(self, query: EmulatedQuery) -> None:
        """Take a single query in."""
        with self.changed:
            now = self.advance()
            self._take(query, now)
            self._queue.append(query)
            self._dispatch(now)
            self.changed.notify_all()

    def submit_batch(self, batch: EmulatedBatch) -> None:
        """Take a batch in."""
        with self.changed:
            now = self.advance()
            batch.arrived = now
            for query in batch.queries:
                self._take(query, now)
            batch.pending = deque(batch.queries)
            self.batches.append(batch)
            self._batches_by_id[batch.id] = batch
            self._waiting.append(batch)
            self._dispatch(now)
            self.changed.notify_all()

    def cancel(self, batch: EmulatedBatch) -> None:
        """Stop a batch, unless it stopped already."""
        with self.changed:
            now = self.advance()
            if not batch.status.is_final:
                batch.cancelled = now
                self._stop(batch, now)
                self._dispatch(now)
                self.changed.notify_all()

    def query(self, schedule_id: str, key: str) -> EmulatedQuery | None:
        """The latest query of an id and an API key, if its status and results are still kept."""
        with self.changed:
            now = self.advance()
            query = self._by_key.get((schedule_id, key))
            return query if query and self._is_kept(query, now) else None

    def latest(self, schedule_id: str) -> EmulatedQuery | None:
        """The latest query of an id, whosever and kept or not."""
        return self._by_id.get(schedule_id)

    def batch(self, batch_id: str) -> EmulatedBatch | None:
        """A batch whose information is still kept."""
        with self.changed:
            now = self.advance()
            batch = self._batches_by_id.get(batch_id)
            kept = self.options.batch_retention_days * 86_400
            return batch if batch and now - batch.arrived < kept else None

    def keeps_status(self, batch: EmulatedBatch) -> bool:
        """Return whether the status of a batch is still kept."""
        kept = self.options.batch_status_retention_seconds
        recent = batch.ended is None or self._clock.seconds() - batch.ended < kept
        return recent and not batch.is_gone

    def wait(self, query: EmulatedQuery, seconds: float) -> None:
        """Wait until a query is over, at most so many emulated seconds."""
        deadline = self._clock.seconds() + seconds
        with self.changed:
            query.waiting += 1
            try:
                while not query.is_over and not self._is_closed:
                    now = self.advance()
                    if now >= deadline or query.is_over:
                        break
                    until = min(self._events[0][0], deadline) if self._events else deadline
                    self.changed.wait(self._clock.real_seconds(until - now))
            finally:
                query.waiting -= 1

    def advance(self) -> float:
        """Let everything happen that should have by now; the emulated time."""
        now = self._clock.seconds()
        with self.changed:
            while self._events and self._events[0][0] <= now:
                time, _, happen = heapq.heappop(self._events)
                happen(time)
                self._dispatch(time)
        return now

    def _notify(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _is_kept(self, query: EmulatedQuery, now: float) -> bool:
        kept = self.options.results_retention_seconds
        stopped = query.ended or (query.batch.ended if query.batch else None)
        return not query.is_gone and (stopped is None or now - stopped < kept)

    def _take(self, query: EmulatedQuery, now: float) -> None:
        query.arrived = now
        self.queries.append(query)
        self._by_id[query.schedule_id] = query
        self._by_key[query.schedule_id, query.key] = query

    def _at(self, time: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), happen))

    def _dispatch(self, now: float) -> None:
        while self._waiting and len(self._active) < self.options.batches_running:
            batch = self._waiting.popleft()
            self._active.append(batch)
            start = now + self.options.batch_start_seconds
            self._at(start, lambda time, batch=batch: self._start_batch(batch, time))  # type: ignore[misc]  # binds it
        for batch in self._active:
            self._hand_over(batch)
        while self._queue and len(self._running) < self.options.license_concurrency:
            self._start(self._queue.popleft(), now)

    def _hand_over(self, batch: EmulatedBatch) -> None:
        if batch.status is Status.RUNNING:
            while batch.pending and batch.in_flight < batch.concurrency:
                batch.in_flight += 1
                self._queue.append(batch.pending.popleft())

    def _start_batch(self, batch: EmulatedBatch, now: float) -> None:
        if batch.status is not Status.QUEUED:
            return
        batch.status, batch.started = Status.RUNNING, now
        running = sum(one.status is Status.RUNNING for one in self._active)
        self.peak_running_batches = max(self.peak_running_batches, running)
        self._at(now + batch.timeout, lambda time: self._stop(batch, time))
        if not batch.queries:
            self._stop(batch, now)

    def _stop(self, batch: EmulatedBatch, now: float) -> None:
        if batch.status.is_final:
            return
        batch.status, batch.ended = Status.STOPPED, now
        batch.pending.clear()
        if batch in self._active:
            self._active.remove(batch)
        else:
            self._waiting.remove(batch)
        self._queue = deque(query for query in self._queue if query.batch is not batch)
        self._running = {query for query in self._running if query.batch is not batch}
        if self.options.unfinished_in_stopped_batch == "failed":
            for query in batch.queries:
                if not query.status.is_final:
                    query.status, query.ended = Status.FAILURE, now

    def _start(self, query: EmulatedQuery, now: float) -> None:
        query.status, query.started = Status.RUNNING, now
        self._running.add(query)
        fault = self._faults.of_query(query.target)
        seconds = self._seconds(query)
        try:
            query.question = self._question(query, now)
            query.accounts = self._readable(query.question)
            if fault and fault.effect == "fail_query":
                raise _error(fault)
        except RefusalError as raised:
            error = raised
            until = now + seconds * _FAILED_SHARE
            self._at(until, lambda time: self._end(query, time, error, None))
            return
        if fault and fault.effect == "slow_query":
            seconds = fault.seconds
        if not fault or fault.effect != "hang_query":
            self._at(now + seconds, lambda time: self._end(query, time, None, fault))
        limit = self.options.query_max_seconds
        late = RefusalError("QUERY_ERROR", f"The query ran for more than {limit:.0f} seconds.")
        self._at(now + limit, lambda time: self._end(query, time, late, None))

    def _question(self, query: EmulatedQuery, now: float) -> Question:
        instant = datetime.fromtimestamp(now, timezone.utc)
        asked = question(query.params, self.world, self.options, instant)
        self._check_quota(asked, now)
        limit = self.options.max_days_per_query
        if limit and asked.first and asked.last and (asked.last - asked.first).days >= limit:
            raise RefusalError("QUERY_ERROR", "The data source could not handle the query.")
        return asked

    def _check_quota(self, asked: Question, now: float) -> None:
        quota, daily = self.options.row_quota, self.options.daily_query_limit
        if quota and self._rows >= quota:
            raise RefusalError(
                "API_ROW_QUOTA_EXCEEDED", f"All {quota} rows of this period are used."
            )
        today = (asked.source.id, int(now // 86_400))
        self._per_day[today] += 1
        if daily and self._per_day[today] > daily:
            raise RefusalError(
                "LICENSE_DAILY_QUERY_LIMIT_EXCEEDED", f"The license allows {daily} queries a day."
            )

    def _readable(self, asked: Question) -> tuple[str, ...]:
        """The accounts to read: one bad account fails them all, unless settings exclude it."""
        drops_all, name = asked.is_set("exclude_invalid_accounts"), asked.source.name
        drops_gone = drops_all or asked.is_set("exclude_unavailable_accounts")
        gone = [a for a in asked.account_ids if self.world.is_gone(asked.source.id, a)]
        barred = [a for a in asked.account_ids if self.world.is_unlicensed(asked.source.id, a)]
        if gone and not drops_gone:
            raise RefusalError(
                "QUERY_ACCOUNT_UNAVAILABLE", f'{name} account "{gone[0]}" is no longer available.'
            )
        if barred and not drops_all:
            raise RefusalError(
                "QUERY_ERROR",
                f"This query is trying to pull data from {len(barred)} accounts that are not "
                "listed as prioritised accounts.",
            )
        return tuple(a for a in asked.account_ids if a not in {*gone, *barred})

    def _seconds(self, query: EmulatedQuery) -> float:
        text = json.dumps(query.params, sort_keys=True, default=str)
        span = self.options.max_seconds - self.options.min_seconds
        drawn = chance(self.options.seed, zlib.crc32(text.encode()))
        return self.options.min_seconds + span * drawn

    def _end(
        self, query: EmulatedQuery, now: float, error: RefusalError | None, fault: Fault | None
    ) -> None:
        if query not in self._running:
            return
        self._running.remove(query)
        query.ended, query.error = now, error
        query.status = Status.FAILURE if error else Status.SUCCESS
        if fault and fault.effect == "end_query":
            query.status, query.ended_as = Status.STOPPED, fault.code
        if query.status is Status.SUCCESS and query.question:
            self._read(query, query.question, fault)
        if query.batch:
            self._end_in_batch(query.batch, now)

    def _read(self, query: EmulatedQuery, asked: Question, fault: Fault | None) -> None:
        found = (asked.source.account(account) for account in query.accounts)
        ask = Ask(
            source=asked.source,
            accounts=tuple(account for account in found if account),
            first=asked.first,
            last=asked.last,
            fields=tuple(field for _, field in asked.fields),
            asked_on=asked.today,
            filter=asked.filter,
            order=asked.order,
        )
        limit = asked.max_rows
        if self.options.max_rows_counts_header and not asked.is_set("no_headers"):
            limit = max(0, limit - 1)
        huge = fault.size if fault and fault.effect == "oversize" else 0
        query.table = table(self.world, ask, limit, huge)
        query.is_gone = bool(fault and fault.effect == "expire_query")
        self._rows += query.table.total

    def _end_in_batch(self, batch: EmulatedBatch, now: float) -> None:
        batch.in_flight -= 1
        if not batch.pending and not batch.in_flight:
            self._stop(batch, now)


def _error(fault: Fault) -> RefusalError:
    return RefusalError(fault.code, fault.description, status=fault.status, message=fault.message)
