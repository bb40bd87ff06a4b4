"""The emulated service behind the endpoints; whoever looks moves it to the present."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.execution import Execution
from tap_supermetrics.emulator.register import Register
from tap_supermetrics.emulator.simulation import Simulation

if TYPE_CHECKING:
    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.faults import Faults
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery
    from tap_supermetrics.emulator.world import World


class Engine:
    """All queries and batches of an emulator; every method may be called from any thread.

    Attributes:
        execution: What running a query gives.
        register: Every query and batch that was sent.
        clock: The emulated time.
        changed: Guards everything, and is notified whenever something may have moved.
    """

    def __init__(self, options: Options, world: World, clock: Clock, faults: Faults) -> None:
        self.execution = Execution(options, world)
        self.register = Register(clock, self.execution)
        # Reentrant, as `advance` takes it, and is called by those who hold it.
        self.changed = threading.Condition(threading.RLock())
        self.clock = clock
        self._simulation = Simulation(self.execution, faults)
        self._is_closed = False
        self.reset()
        clock.on_change(self._notify)

    @property
    def options(self) -> Options:
        """Return the options in force."""
        return self.execution.options

    @property
    def world(self) -> World:
        """Return the data, as they are now."""
        return self.execution.world

    @property
    def peak_running_batches(self) -> int:
        """Return the most batches that ran at once."""
        return self._simulation.peak_running_batches

    @property
    def workload(self) -> tuple[int, int]:
        """Return how many queries wait in the license's queue, and how many run."""
        return self._simulation.workload

    def reset(self) -> None:
        """Forget all queries and batches."""
        with self.changed:
            self.register.clear()
            self._simulation.clear()
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
            self._simulation.add(query, now)
            self.changed.notify_all()

    def submit_batch(self, batch: EmulatedBatch) -> None:
        """Take a batch in."""
        with self.changed:
            now = self.advance()
            self.register.take_batch(batch, now)
            self._simulation.add_batch(batch, now)
            self.changed.notify_all()

    def cancel(self, batch: EmulatedBatch) -> None:
        """Stop a batch, unless it stopped already."""
        with self.changed:
            now = self.advance()
            if not batch.status.is_final:
                self._simulation.cancel(batch, now)
                self.changed.notify_all()

    def query(self, schedule_id: str, key: str) -> EmulatedQuery | None:
        """Return the latest query of an id and an API key, if status and results are still kept."""
        with self.changed:
            return self.register.query(schedule_id, key, self.advance())

    def batch(self, batch_id: str) -> EmulatedBatch | None:
        """Return a batch whose information is still kept."""
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
                    until = min(self._simulation.next_event or deadline, deadline)
                    # None, while time stands still, waits until the clock is moved by hand.
                    self.changed.wait(self.clock.real_seconds(until - now))
            finally:
                query.waiting -= 1

    def advance(self) -> float:
        """Let everything happen that should have by now; the emulated time."""
        now = self.clock.seconds()
        with self.changed:
            self._simulation.advance(now)
        return now

    def _notify(self) -> None:
        with self.changed:
            self.changed.notify_all()
