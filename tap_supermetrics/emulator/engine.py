"""The emulated service behind the endpoints: queues, running queries, limits, lives of results.

A simulation of discrete events, moved forward to the emulated present whenever somebody looks.
No thread runs a query: it starts when there is room, and an event ends it.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.execution import Execution
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery, Status
from tap_supermetrics.emulator.register import Register

if TYPE_CHECKING:
    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.faults import Fault, Faults
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.world import World

_FAILED_SHARE = 0.3
"""How long a query that fails runs, compared to one that succeeds."""

Event = tuple[float, int, Callable[[float], None]]


class Engine:
    """All queries and batches of an emulator; every method may be called from any thread.

    Attributes:
        execution: What running a query gives.
        register: Every query and batch that was sent.
        clock: The emulated time.
        changed: Guards everything, and is notified whenever something may have moved.
        peak_running_batches: The most batches that ran at once.
    """

    def __init__(self, options: Options, world: World, clock: Clock, faults: Faults) -> None:
        self.execution = Execution(options, world)
        self.register = Register(clock, self.execution)
        self.changed = threading.Condition(threading.RLock())
        self.clock = clock
        self._faults = faults
        self._is_closed = False
        self.reset()
        clock.on_change(self._notify)

    @property
    def options(self) -> Options:
        """The options in force."""
        return self.execution.options

    @property
    def world(self) -> World:
        """The data, as they are now."""
        return self.execution.world

    @property
    def workload(self) -> tuple[int, int]:
        """Queries that wait in the license's queue, and those that run."""
        return len(self._queue), len(self._running)

    def reset(self) -> None:
        """Forget all queries and batches."""
        with self.changed:
            self.register.clear()
            self.execution.reset()
            self.peak_running_batches = 0
            self._events: list[Event] = []
            self._numbers = itertools.count()
            self._waiting: deque[EmulatedBatch] = deque()
            self._active: list[EmulatedBatch] = []
            self._queue: deque[EmulatedQuery] = deque()
            self._running: set[EmulatedQuery] = set()
            self.changed.notify_all()

    def close(self) -> None:
        """Let every waiting request go."""
        self._is_closed = True
        self._notify()

    def submit(self, query: EmulatedQuery) -> None:
        """Take a single query in."""
        with self.changed:
            now = self.advance()
            self.register.take(query, now)
            self._queue.append(query)
            self._dispatch(now)
            self.changed.notify_all()

    def submit_batch(self, batch: EmulatedBatch) -> None:
        """Take a batch in."""
        with self.changed:
            now = self.advance()
            self.register.take_batch(batch, now)
            batch.pending = deque(batch.queries)
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
            return self.register.query(schedule_id, key, self.advance())

    def batch(self, batch_id: str) -> EmulatedBatch | None:
        """A batch whose information is still kept."""
        with self.changed:
            return self.register.batch(batch_id, self.advance())

    def wait(self, query: EmulatedQuery, seconds: float) -> None:
        """Wait until a query is over, at most so many emulated seconds."""
        deadline = self.clock.seconds() + seconds
        with self.changed:
            query.waiting += 1
            try:
                while not query.is_over and not self._is_closed:
                    now = self.advance()
                    if now >= deadline or query.is_over:
                        break
                    until = min(self._events[0][0], deadline) if self._events else deadline
                    self.changed.wait(self.clock.real_seconds(until - now))
            finally:
                query.waiting -= 1

    def advance(self) -> float:
        """Let everything happen that should have by now; the emulated time."""
        now = self.clock.seconds()
        with self.changed:
            while self._events and self._events[0][0] <= now:
                time, _, happen = heapq.heappop(self._events)
                happen(time)
                self._dispatch(time)
        return now

    def _notify(self) -> None:
        with self.changed:
            self.changed.notify_all()

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
        seconds = self.execution.seconds(query)
        try:
            self.execution.begin(query, now)
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
            self.execution.read(query, query.question, fault)
        if query.batch:
            self._end_in_batch(query.batch, now)

    def _end_in_batch(self, batch: EmulatedBatch, now: float) -> None:
        batch.in_flight -= 1
        if not batch.pending and not batch.in_flight:
            self._stop(batch, now)


def _error(fault: Fault) -> RefusalError:
    return RefusalError(fault.code, fault.description, status=fault.status, message=fault.message)
