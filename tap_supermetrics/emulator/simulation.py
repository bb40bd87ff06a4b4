"""Queues, running queries and limits of a license: a simulation of discrete events.

No thread runs a query: it starts when there is room, and an event ends it.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery, Status

if TYPE_CHECKING:
    from tap_supermetrics.emulator.execution import Execution
    from tap_supermetrics.emulator.faults import Fault, Faults

_FAILED_SHARE = 0.3
"""How long a query that fails runs, compared to one that succeeds."""

_MAX_QUERY_S = 4 * 3600
"""Longest run of a query (Supermetrics docs, "Async queries")."""

# The number keeps events of one time in order; functions could not be compared.
Event = tuple[float, int, Callable[[float], None]]


class Simulation:
    """All that waits and runs. Times are emulated seconds; the engine guards it.

    Args:
        execution: What running a query gives.
        faults: Those in force.

    Attributes:
        peak_running_batches: The most batches that ran at once.
    """

    def __init__(self, execution: Execution, faults: Faults) -> None:
        self._execution = execution
        self._faults = faults
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.peak_running_batches = 0
        self._events: list[Event] = []
        self._numbers = itertools.count()
        self._waiting: deque[EmulatedBatch] = deque()
        self._active: list[EmulatedBatch] = []
        self._queue: deque[EmulatedQuery] = deque()
        self._running: set[EmulatedQuery] = set()

    @property
    def workload(self) -> tuple[int, int]:
        """Return how many queries wait in the license's queue, and how many run."""
        return len(self._queue), len(self._running)

    @property
    def next_event(self) -> float | None:
        """Return when something happens next; None when nothing will."""
        return self._events[0][0] if self._events else None

    def advance(self, now: float) -> None:
        """Let everything happen that should have by now."""
        while self._events and self._events[0][0] <= now:
            time, _, happen = heapq.heappop(self._events)
            happen(time)
            self._dispatch(time)

    def add(self, query: EmulatedQuery, now: float) -> None:
        """Queue a single query."""
        self._queue.append(query)
        self._dispatch(now)

    def add_batch(self, batch: EmulatedBatch, now: float) -> None:
        """Let a batch wait for its place."""
        batch.pending = deque(batch.queries)
        self._waiting.append(batch)
        self._dispatch(now)

    def cancel(self, batch: EmulatedBatch, now: float) -> None:
        """Stop a batch by hand."""
        batch.cancelled = now
        self._stop(batch, now)
        self._dispatch(now)

    def _at(self, time: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), happen))

    def _dispatch(self, now: float) -> None:
        while self._waiting and len(self._active) < self._execution.options.batches_running:
            batch = self._waiting.popleft()
            self._active.append(batch)
            start = now + self._execution.options.batch_start_seconds
            self._at(start, lambda time, batch=batch: self._start_batch(batch, time))  # type: ignore[misc]  # binds it
        for batch in self._active:
            self._hand_over(batch)
        while self._queue and len(self._running) < self._execution.options.license_concurrency:
            self._start(self._queue.popleft(), now)

    def _hand_over(self, batch: EmulatedBatch) -> None:
        if batch.status is Status.RUNNING:
            while batch.pending and batch.in_flight < batch.concurrency:
                batch.in_flight += 1
                self._queue.append(batch.pending.popleft())

    def _start_batch(self, batch: EmulatedBatch, now: float) -> None:
        # It was cancelled while it waited for its start.
        if batch.status is not Status.QUEUED:
            return
        batch.status, batch.started = Status.RUNNING, now
        running = sum(one.status is Status.RUNNING for one in self._active)
        self.peak_running_batches = max(self.peak_running_batches, running)
        # Never taken back: a batch that has stopped by then is not stopped again.
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
        if self._execution.options.unfinished_in_stopped_batch == "failed":
            for query in batch.queries:
                if not query.status.is_final:
                    query.status, query.ended = Status.FAILURE, now

    def _start(self, query: EmulatedQuery, now: float) -> None:
        query.status, query.started = Status.RUNNING, now
        self._running.add(query)
        fault = self._faults.of_query(query.target)
        seconds = self._execution.seconds(query)
        try:
            self._execution.begin(query, now)
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
        late = RefusalError("QUERY_ERROR", f"The query ran for more than {_MAX_QUERY_S} seconds.")
        self._at(now + _MAX_QUERY_S, lambda time: self._end(query, time, late, None))

    def _end(
        self, query: EmulatedQuery, now: float, error: RefusalError | None, fault: Fault | None
    ) -> None:
        # Another event was faster, such as the end of its batch.
        if query not in self._running:
            return
        self._running.remove(query)
        query.ended, query.error = now, error
        query.status = Status.FAILURE if error else Status.SUCCESS
        if fault and fault.effect == "end_query":
            query.status, query.ended_as = Status.STOPPED, fault.code
        if query.status is Status.SUCCESS and query.question:
            self._execution.read(query, query.question, fault)
        if query.batch:
            self._end_in_batch(query.batch, now)

    def _end_in_batch(self, batch: EmulatedBatch, now: float) -> None:
        batch.in_flight -= 1
        if not batch.pending and not batch.in_flight:
            self._stop(batch, now)


def _error(fault: Fault) -> RefusalError:
    return RefusalError(fault.code, fault.description, status=fault.status, message=fault.message)
