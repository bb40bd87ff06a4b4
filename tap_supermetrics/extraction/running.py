"""A query batch that runs, and the queries that it still has to settle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.attribution import attribute, names_another
from tap_supermetrics.extraction.polling import Polled

if TYPE_CHECKING:
    from tap_supermetrics.api.client import BatchStatus
    from tap_supermetrics.model import Query, SubmittedBatch

QUEUE_S: Final = 4 * 3600.0
"""How long a batch may wait behind the batches of others before it counts as stuck, in seconds."""
RETAINED_S: Final = QUEUE_S + wire.MAX_TIMEOUT_S + wire.RETENTION_S
"""Longest wait, longest run and the hour of retention: the API retains nothing older."""


@dataclass(slots=True, kw_only=True)
class RunningBatch(Polled):
    """A query batch that has not stopped yet, and the queries that it still has to settle.

    Attributes:
        batch: what was sent.
        waiting: queries whose fate the status has not shown yet.
        query_count: number of all its queries.
        concurrency: how many of them the API runs at the same time; 0 where that is not known.
        timeout_s: how long the API lets it run, in seconds.
        started: monotonic time at which it was first seen running; None before.
        stopped: monotonic time at which it was first seen stopped; None before.
        is_ending: whether it was reported that its last queries run.
        has_warned: whether the user was warned that its status lists queries of another batch.
        rows: of the results so far.
        done: number of queries that succeeded.
        failed: number of queries that did not.
    """

    batch: SubmittedBatch
    waiting: set[Query]
    query_count: int
    timeout_s: float = wire.MAX_TIMEOUT_S
    concurrency: int = 0
    started: float | None = None
    stopped: float | None = None
    is_ending: bool = False
    has_warned: bool = False
    rows: int = 0
    done: int = 0
    failed: int = 0

    def expected_s(self, now: float) -> float | None:
        """Return seconds until its end, at the pace so far; None while nothing ended."""
        finished = self.query_count - len(self.waiting)
        if self.started is None or not finished:
            return None
        return (now - self.started) * len(self.waiting) / finished

    def shows_no_more(self, now: float) -> bool:
        """Return whether it stopped so long ago that its status will not change."""
        return self.stopped is not None and now >= self.stopped + polling.UNSETTLED_S

    def is_stuck(self, now: float) -> bool:
        """Return whether it outlived every limit that the API itself sets."""
        # Its time limit counts from when it ran, not from when it was submitted.
        if self.started is not None:
            return now > self.started + self.timeout_s + polling.GRACE_S
        return now > self.since + QUEUE_S

    def entries(self, status: BatchStatus) -> dict[Query, wire.BatchQuery]:
        """Return the queries of this batch, each with its entry of the status."""
        batch = self.batch
        own = [each for each in status.queries if not names_another(batch.batch_id, each)]
        return attribute(batch.items, own, batch.split, batch.item_count)

    def foreign(self, status: BatchStatus) -> list[wire.BatchQuery]:
        """Return the entries of a status that belong to another batch."""
        return [each for each in status.queries if names_another(self.batch.batch_id, each)]
