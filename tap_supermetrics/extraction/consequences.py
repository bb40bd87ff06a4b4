"""Carries out decisions about queries: the same again, parts of it, or its failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction.results import Failed, NotReached

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.backlog import Backlog
    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.remedies import Remedies
    from tap_supermetrics.model import Query

logger = logging.getLogger(__name__)


class Consequences:
    """Changes plans, splits, backlog and deliveries together; decides nothing.

    A decision about a query changes several of them at once: here, none is forgotten.

    Args:
        remedies: knows the parts of a query.
        deliveries: where outcomes go.
        backlog: what waits to be submitted.

    Attributes:
        stopped_by: why nothing more is submitted; None while it is.
    """

    def __init__(self, remedies: Remedies, deliveries: Deliveries, backlog: Backlog) -> None:
        self.stopped_by: ApiError | None = None
        self._remedies = remedies
        self._splits = remedies.splits
        self._deliveries = deliveries
        self._drawing = backlog.drawing
        self._backlog = backlog

    def succeeded(self, query: Query) -> None:
        """Submit the parts that waited for a query to succeed."""
        # A search for the first day may have waited for just this one.
        self._drawing.settled(query)
        self._submit_first(self._splits.succeeded(query))

    def fail(
        self, query: Query, error: ApiError, *, was_submitted: bool, is_retained: bool = False
    ) -> Sequence[Query]:
        """Deliver the failure of a query, and of those that waited for it; return all of them."""
        self._drawing.settled(query)
        waited, next_one = self._splits.failed(query)
        settled = (query, *waited)
        # Those that waited were not submitted: they fail for the reason of the one that was.
        for each in settled:
            failed = Failed(
                query=each,
                error=error,
                was_submitted=was_submitted,
                is_retained=is_retained and each is query,
            )
            self._deliveries.settle(failed)
        # In a stopped run, this comes back here and fails the next one too.
        self._submit_first(next_one)
        return settled

    def split(self, query: Query, error: ApiError) -> None:
        """Put its parts in the place of a query, and submit the first of them."""
        logger.warning("%s is split into halves: %s", query, error)
        parts = self._remedies.parts_of(query)
        # The whole gets no outcome of its own: a search that waits for it has to go on.
        self._drawing.settled(query)
        self._remedies.forget(query)
        self._deliveries.replace(query, parts)
        self._submit_first(self._splits.split(query, parts, error))

    def resubmit(self, query: Query, error: ApiError) -> None:
        """Submit a query once more."""
        logger.warning("%s is asked again: %s", query, error)
        # Another batch would likely repeat a fault of batches: too slow, or not distinguished.
        self._submit_first([query], by_batch=error.reach is not Reach.ENDPOINT)

    def leave(self, left: Mapping[str, Mapping[str, int]], error: ApiError) -> None:
        """Leave queries that were not submitted to the next run.

        Args:
            left: the days that were not drawn, by report and account. Days, not queries: of a long
                history, there may be millions.
            error: why.
        """
        for query in self._backlog.drain():
            self.fail(query, error, was_submitted=False)
        for report, days in left.items():
            self._deliveries.add(NotReached(report=report, days=days, error=error))

    def _submit_first(self, queries: Sequence[Query], *, by_batch: bool = True) -> None:
        # A run that is stopped gives every released part an outcome, instead of a submission.
        if self.stopped_by is None:
            self._backlog.add_first(queries, by_batch=by_batch)
            return
        for query in queries:
            self.fail(query, self.stopped_by, was_submitted=False)
