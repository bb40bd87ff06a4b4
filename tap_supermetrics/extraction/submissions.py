"""Decides what is submitted next, and what follows when it is not taken."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate, Reach
from tap_supermetrics.extraction.events import SubmitBatch, SubmitQuery
from tap_supermetrics.planning.packing import batch_of
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.events import Action
    from tap_supermetrics.extraction.in_flight import InFlight, Limits
    from tap_supermetrics.extraction.outcomes import Outcomes
    from tap_supermetrics.model import BatchRequest, Query

MAX_HALVINGS: Final = 8
"""So many refusals in a row, without a reason, may be of one item of a full query batch."""

logger = logging.getLogger(__name__)

MAX_FAILED_STARTS: Final = 3
"""After so many submissions in a row that the service did not take, the run submits no more."""


class Submissions:
    """Submits what waits, within the limits, the budgets and the room there is.

    Args:
        outcomes: hears what the API has taken; holds what waits to be submitted.
        deliveries: what waits to be emitted.
        in_flight: what the API runs.
        limits: how queries may be submitted.
    """

    def __init__(
        self, outcomes: Outcomes, deliveries: Deliveries, in_flight: InFlight, limits: Limits
    ) -> None:
        self._outcomes = outcomes
        self._failures = outcomes.failures
        self._deliveries = deliveries
        self._in_flight = in_flight
        self._limits = limits
        # Part of the schedule id: what is submitted again must not meet the id of its first try.
        self._attempts: Counter[Query] = Counter()
        self._failed_starts = 0
        self._refused_in_a_row = 0
        # No number of deliveries: nobody has waited yet.
        self._awaited_after = -1

    def next(self) -> list[Action]:
        """Return what to submit now: one thing at a time, as it may change what is next."""
        # One at a time: what a submission meets may say that the next one is in vain.
        if self._in_flight.is_submitting or self._failures.stopped_by:
            return []
        if self._in_flight.rows.total() >= self._limits.max_rows:
            fetched = counted(self._limits.max_rows, "row was", "rows were")
            allowed = f"{fetched} fetched, as `max_rows_per_run` allows"
            self._failures.stop(ApiError("RUN_BUDGET_USED", allowed), cancel=False)
        elif self._has_room:
            # Single queries first: they were drawn before what is still to be packed.
            action = self._submit_query() or self._submit_batch()
            self._in_flight.is_submitting = action is not None
            return [action] if action else []
        return []

    @property
    def _has_room(self) -> bool:
        """Return whether little enough waits to be fetched and emitted.

        What is waited for may not have been submitted yet, so that with nothing in flight there is
        always room; else a slow query would let all others pile up behind it.
        """
        # An older wait has ended: what was delivered since is being written.
        is_awaited = self._awaited_after == self._deliveries.count
        is_stalled = is_awaited and self._in_flight.is_empty
        return self._deliveries.sequence.has_room(self._in_flight.results) or is_stalled

    def _submit_query(self) -> SubmitQuery | None:
        if not self._in_flight.may_submit_query:
            return None
        query = self._outcomes.backlog.next_query()
        if query is None or not self._within_budget([query]):
            return None
        attempt = self._attempts[query]
        self._attempts[query] += 1
        return SubmitQuery(query=query, attempt=attempt)

    def _submit_batch(self) -> SubmitBatch | None:
        # Asked again: the budget may just have stopped the run, in `_submit_query`.
        if not self._in_flight.may_submit_batch or self._failures.stopped_by:
            return None
        request = self._outcomes.backlog.next_batch()
        queries = self._within_budget(request.queries) if request else ()
        if request is None or not queries:
            return None
        is_cut = len(queries) < len(request)
        return SubmitBatch(request=batch_of(queries, request.policy) if is_cut else request)

    def _within_budget(self, queries: Sequence[Query]) -> Sequence[Query]:
        """Return the queries that may be paid for; leave the others to the next run."""
        limit = self._limits.max_queries
        left = limit - self._outcomes.submitted
        # Stopped before the rest fails: its failure must not release anything to submit.
        if len(queries) > left:
            submitted = counted(limit, "query was", "queries were")
            allowed = f"{submitted} submitted, as `max_queries_per_run` allows"
            error = ApiError("RUN_BUDGET_USED", allowed)
            self._failures.stop(error, cancel=False)
            self._failures.fail(queries[left:], error, was_submitted=False)
        return queries[:left]

    def awaited(self, taken: int) -> None:
        """Learn that the emitting thread waits, having taken so many deliveries."""
        self._awaited_after = taken

    def emitted(self, query: Query) -> None:
        """Forget how often a query was submitted."""
        # A Counter does not mind that a key is missing.
        del self._attempts[query]

    # Taken, or not

    def taken(self, queries: Sequence[Query]) -> None:
        """Learn that the API has taken what was submitted."""
        self._in_flight.is_submitting = False
        self._failed_starts = 0
        self._refused_in_a_row = 0
        self._outcomes.taken(queries)

    def batch_refused(self, request: BatchRequest, error: ApiError) -> None:
        """Try the halves of a batch: a mistake in one item must not hold back the others."""
        self._in_flight.is_submitting = False
        # Before halving: a service without query batches refuses halves too.
        if self.without_batches(request.queries, error):
            return
        self._refused_in_a_row += 1
        # LOSE too: one item with a mistake has the whole batch refused, and halving finds it.
        is_of_item = error.fate in {Fate.SPLIT, Fate.LOSE} or self._may_be_of_item(error)
        if is_of_item and len(request) > 1 and not self._failures.stopped_by:
            text = "A query batch of %d queries was refused, trying its halves: %s"
            logger.warning(text, len(request), error)
            self._outcomes.backlog.refused(request, is_too_large=error.fate is Fate.SPLIT)
        else:
            self._not_taken(request.queries, error)

    def _may_be_of_item(self, error: ApiError) -> bool:
        """Say that a server that is ill may be so about one item only, whoever's that is.

        Halves of a full batch find it in fewer refusals in a row; more are of the service.
        """
        is_about_items = error.fate is Fate.RETRY and error.reach is Reach.QUERY
        return is_about_items and self._refused_in_a_row <= MAX_HALVINGS

    def query_refused(self, query: Query, error: ApiError) -> None:
        """Decide about a query that was submitted by itself."""
        self._in_flight.is_submitting = False
        self._not_taken((query,), error)

    def _not_taken(self, queries: Sequence[Query], error: ApiError) -> None:
        """Decide about queries that the API did not take, however often it was asked to."""
        # The request was understood and refused: it is a failure of the query as any other.
        if error.fate not in {Fate.RETRY, Fate.RESUBMIT}:
            for query in queries:
                self._failures.decide(query, error)
            return
        # The client has repeated the request already: only the next run tries again.
        self._failures.fail(queries, error, was_paid=False)
        # What one query or report meets says nothing of the service.
        self._failed_starts += error.reach is Reach.SERVICE
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._failures.stop(error)

    def without_batches(self, queries: Sequence[Query], error: ApiError) -> bool:
        """Leave query batches where the error says that there are none; return whether it does."""
        # `mode: batch` forbids the other way, and with `mode: async` there is none to leave.
        may_leave = (
            self._limits.by_batch and self._limits.one_by_one and not self._failures.stopped_by
        )
        if error.reach is not Reach.ENDPOINT or not may_leave:
            return False
        if self._outcomes.backlog.is_by_batch:
            logger.warning("Query batches are not available, asking query by query: %s", error)
        self._outcomes.backlog.leave_batches(queries)
        return True
