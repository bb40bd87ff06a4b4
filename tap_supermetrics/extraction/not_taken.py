"""Decides about queries and batches that the API does not take."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Fate, Reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.failures import Failures
    from tap_supermetrics.extraction.in_flight import Limits
    from tap_supermetrics.model import BatchRequest, Query

logger = logging.getLogger(__name__)

MAX_HALVINGS: Final = 8
"""Refusals in a row, without a reason, that one item of a full query batch may cause."""
MAX_FAILED_STARTS: Final = 3
"""After so many submissions in a row that the service did not take, the run submits no more."""


class NotTaken:
    """Tries the halves of a batch, or query by query, or fails what was not taken.

    Args:
        failures: decides about queries that failed.
        limits: how queries may be submitted.
    """

    def __init__(self, failures: Failures, limits: Limits) -> None:
        self._failures = failures
        self._backlog = failures.backlog
        self._limits = limits
        self._failed_starts = 0
        self._refused_in_a_row = 0

    def forget(self) -> None:
        """Count from zero: the API has taken something."""
        self._failed_starts = 0
        self._refused_in_a_row = 0

    def batch(self, request: BatchRequest, error: ApiError) -> None:
        """Try the halves of a batch: a mistake in one item must not hold back the others."""
        # Before halving: a service without query batches refuses halves too.
        if self.try_without_batches(request.queries, error):
            return
        self._refused_in_a_row += 1
        # FAIL too: one item with a mistake has the whole batch refused, and halving finds it.
        is_of_item = error.fate in {Fate.SPLIT, Fate.FAIL} or self._may_be_of_item(error)
        if is_of_item and len(request) > 1 and not self._failures.stopped_by:
            text = "A query batch of %d queries was refused, trying its halves: %s"
            logger.warning(text, len(request), error)
            self._backlog.refused(request, is_too_large=error.fate is Fate.SPLIT)
        else:
            self._decide(request.queries, error)

    def _may_be_of_item(self, error: ApiError) -> bool:
        """Return whether one item of a batch may make the server fail.

        Halves of a full batch find it in fewer refusals in a row; after more, it is the service.
        """
        is_about_items = error.fate is Fate.RETRY and error.reach is Reach.QUERY
        return is_about_items and self._refused_in_a_row <= MAX_HALVINGS

    def query(self, query: Query, error: ApiError) -> None:
        """Decide about a query that was submitted by itself."""
        self._decide((query,), error)

    def _decide(self, queries: Sequence[Query], error: ApiError) -> None:
        """Decide about queries that the API did not take, after all retries."""
        # The request was understood and refused: it is a failure of the query as any other.
        if error.fate not in {Fate.RETRY, Fate.RESUBMIT}:
            for query in queries:
                self._failures.decide(query, error)
            return
        # The client has repeated the request already: only the next run tries again.
        self._failures.fail(queries, error, was_paid=False)
        # An error of one query or report is not the service's.
        self._failed_starts += error.reach is Reach.SERVICE
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._failures.stop(error)

    def try_without_batches(self, queries: Sequence[Query], error: ApiError) -> bool:
        """Leave query batches where the error says that there are none; return whether it does."""
        # `mode: batch` forbids the other way, and with `mode: async` there is none to leave.
        may_leave = (
            self._limits.by_batch and self._limits.one_by_one and not self._failures.stopped_by
        )
        if error.reach is not Reach.ENDPOINT or not may_leave:
            return False
        if self._backlog.is_by_batch:
            logger.warning("Query batches are not available, asking query by query: %s", error)
        self._backlog.leave_batches(queries)
        return True
