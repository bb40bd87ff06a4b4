"""Decides what is submitted next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.events import SubmitBatch, SubmitQuery
from tap_supermetrics.extraction.not_taken import NotTaken
from tap_supermetrics.planning.packing import batch_of
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.events import Action
    from tap_supermetrics.extraction.failures import Failures
    from tap_supermetrics.extraction.in_flight import InFlight, Limits
    from tap_supermetrics.model import Query


class Submissions:
    """Submits waiting queries, within the limits, the budgets and the room.

    Args:
        failures: decides about queries that failed.
        deliveries: what waits to be emitted.
        in_flight: what the API runs.
        limits: how queries may be submitted.

    Attributes:
        not_taken: decides about what the API has not taken.
    """

    def __init__(
        self, failures: Failures, deliveries: Deliveries, in_flight: InFlight, limits: Limits
    ) -> None:
        self._failures = failures
        self._backlog = failures.backlog
        self._remedies = failures.remedies
        self._deliveries = deliveries
        self._in_flight = in_flight
        self._limits = limits
        # Part of the schedule id: a second submission must not get the id of the first.
        self._attempts: Counter[Query] = Counter()
        self.not_taken = NotTaken(failures, limits)
        # No number of deliveries: the emitting thread has not waited yet.
        self._awaited_after = -1

    def next(self) -> list[Action]:
        """Return what to submit now: one thing at a time, as it may change what is next."""
        # One at a time: the answer to it may show that the next one is in vain.
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

        The awaited query may not have been submitted yet: with nothing in flight, there is
        always room. Else a slow query would let all others pile up behind it.
        """
        # An older wait has ended: later deliveries are being written.
        is_awaited = self._awaited_after == self._deliveries.count
        is_stalled = is_awaited and self._in_flight.is_empty
        return self._deliveries.sequence.has_room(self._in_flight.results) or is_stalled

    def _submit_query(self) -> SubmitQuery | None:
        if not self._in_flight.may_submit_query:
            return None
        query = self._backlog.next_query()
        if query is None:
            return None
        if not self._left_to_pay:
            self._stop_at_budget([query])
            return None
        attempt = self._attempts[query]
        self._attempts[query] += 1
        return SubmitQuery(query=query, attempt=attempt)

    def _submit_batch(self) -> SubmitBatch | None:
        # Checked again: the budget may just have stopped the run, in `_submit_query`.
        if not self._in_flight.may_submit_batch or self._failures.stopped_by:
            return None
        request = self._backlog.next_batch()
        left = self._left_to_pay
        if request is not None and len(request) > left:
            self._stop_at_budget(request.queries[left:])
            request = batch_of(request.queries[:left], request.policy) if left else None
        return SubmitBatch(request=request) if request else None

    @property
    def _left_to_pay(self) -> int:
        """Return how many queries this run may still pay for."""
        return self._limits.max_queries - self._remedies.submitted

    def _stop_at_budget(self, rest: Sequence[Query]) -> None:
        """Submit nothing more, and leave the rest to the next run."""
        submitted = counted(self._limits.max_queries, "query was", "queries were")
        allowed = f"{submitted} submitted, as `max_queries_per_run` allows"
        error = ApiError("RUN_BUDGET_USED", allowed)
        # Stopped before the rest fails: its failure must not release anything to submit.
        self._failures.stop(error, cancel=False)
        self._failures.fail(rest, error, was_submitted=False)

    def awaited(self, taken: int) -> None:
        """Note that the emitting thread waits, having taken so many deliveries."""
        self._awaited_after = taken

    def emitted(self, query: Query) -> None:
        """Forget how often a query was submitted."""
        # A Counter does not mind that a key is missing.
        del self._attempts[query]

    def taken(self, queries: Sequence[Query]) -> None:
        """Note that the API has taken the submission."""
        self.not_taken.forget()
        self._remedies.taken(queries)
