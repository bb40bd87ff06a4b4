"""Every query and batch that was sent, and whether it is still kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.execution import Execution
    from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery

BATCH_RETENTION_S = 90 * 86_400
"""Life of a batch's information after its creation (Supermetrics docs, "Batch queries")."""


class Register:
    """Finds queries and batches by their ids. The engine guards it.

    Args:
        clock: The emulated time.
        execution: Has the options in force.

    Attributes:
        queries: Every query ever sent, in order.
        batches: Every batch ever sent, in order.
    """

    def __init__(self, clock: Clock, execution: Execution) -> None:
        self._clock = clock
        self._execution = execution
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.queries: list[EmulatedQuery] = []
        self.batches: list[EmulatedBatch] = []
        self._by_id: dict[str, EmulatedQuery] = {}
        self._by_key: dict[tuple[str, str], EmulatedQuery] = {}
        self._batches_by_id: dict[str, EmulatedBatch] = {}

    def take(self, query: EmulatedQuery, now: float) -> None:
        """Take a query in."""
        query.arrived = now
        self.queries.append(query)
        self._by_id[query.schedule_id] = query
        self._by_key[query.schedule_id, query.key] = query

    def take_batch(self, batch: EmulatedBatch, now: float) -> None:
        """Take a batch and its queries in."""
        batch.arrived = now
        for query in batch.queries:
            self.take(query, now)
        self.batches.append(batch)
        self._batches_by_id[batch.id] = batch

    def latest(self, schedule_id: str) -> EmulatedQuery | None:
        """Return the latest query of an id, whosever and kept or not."""
        return self._by_id.get(schedule_id)

    def query(self, schedule_id: str, key: str, now: float) -> EmulatedQuery | None:
        """Return the latest query of an id and an API key, if status and results are still kept."""
        query = self._by_key.get((schedule_id, key))
        if query is None or query.is_gone:
            return None
        stopped = query.ended or (query.batch.ended if query.batch else None)
        is_kept = (
            stopped is None or now - stopped < self._execution.options.results_retention_seconds
        )
        return query if is_kept else None

    def batch(self, batch_id: str, now: float) -> EmulatedBatch | None:
        """Return a batch whose information is still kept."""
        batch = self._batches_by_id.get(batch_id)
        return batch if batch and now - batch.arrived < BATCH_RETENTION_S else None

    def keeps_status(self, batch: EmulatedBatch) -> bool:
        """Return whether the status of a batch is still kept."""
        kept = self._execution.options.batch_status_retention_seconds
        recent = batch.ended is None or self._clock.seconds() - batch.ended < kept
        return recent and not batch.is_gone

    def has_status(self, one: EmulatedBatch | EmulatedQuery) -> bool:
        """Return whether the status of a batch or a query is told already."""
        return (
            self._clock.seconds()
            >= one.arrived + self._execution.options.status_ready_after_seconds
        )

    def has_results(self, query: EmulatedQuery) -> bool:
        """Return whether the results of a query are told already."""
        ready_after = self._execution.options.results_ready_after_seconds
        return self._clock.seconds() >= (query.ended or 0.0) + ready_after
