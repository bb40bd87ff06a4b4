"""Decides what to submit, fetch and deliver next: events in, actions out.

It has no clock, no thread and no network, so that a test plays any story of an extraction.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import ApiError, Fate, Reach
from tap_supermetrics.extraction import events as happened
from tap_supermetrics.extraction.events import Fetch, SubmitBatch, SubmitQuery
from tap_supermetrics.extraction.in_flight import InFlight
from tap_supermetrics.extraction.outcomes import Outcomes
from tap_supermetrics.extraction.progress import ReportProgress
from tap_supermetrics.extraction.results import BatchTaken, QueryTaken, ReportDone
from tap_supermetrics.planning.packing import batch_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.extraction.in_flight import Adopted, Limits
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

MAX_FAILED_STARTS: Final = 3
"""After so many submissions in a row that the service did not take, the run submits no more."""


class Scheduler:
    """Runs a plan, as far as deciding goes.

    Args:
        plans: what each report asks for, by its name, in the order of emission.
        limits: how queries may be submitted.
        adopted: query batches of an earlier run that serve some of the queries.
    """

    def __init__(
        self,
        plans: Mapping[str, ReportPlan],
        limits: Limits,
        adopted: Sequence[Adopted] = (),
    ) -> None:
        served = [query for each in adopted for query in each.queries]
        self._plans = plans
        self._limits = limits
        self._outcomes = Outcomes(plans, limits, served)
        self._in_flight = InFlight(limits)
        self._attempts: Counter[Query] = Counter()
        self._rows: Counter[str] = Counter()
        self._failed_starts = 0
        self._results_refused: ApiError | None = None
        self._awaited_after = -1
        self._open_reports = dict.fromkeys(plans)
        if not limits.by_batch:
            self._outcomes.backlog.leave_batches()
        for each in adopted:
            self._in_flight.batches.add(each.batch.batch_id)
            self._outcomes.deliver(BatchTaken(batch=each.batch, queries=each.queries))

    @property
    def is_done(self) -> bool:
        """Return whether every planned query has an outcome that was delivered."""
        return not self._open_reports

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken in this run."""
        return self._outcomes.submitted

    @property
    def progress(self) -> tuple[ReportProgress, ...]:
        """Return how far each report is."""
        sequence, left = self._outcomes.sequence, self._outcomes.drawing.left
        return tuple(
            ReportProgress(
                name=name,
                ended=sequence.ended[name],
                failed=sequence.failed[name],
                planned=sequence.expected[name] + left(name),
                rows=self._rows[name],
            )
            for name in self._plans
        )

    @property
    def fetching(self) -> int:
        """Return how many results are being fetched."""
        return self._in_flight.fetching

    def handle(self, event: Event) -> list[Action]:
        """Take in what happened; return what follows from it at once, in order."""
        self._handle(event)
        return self._outcomes.take_actions()

    def next_actions(self) -> list[Action]:
        """Return what can be done now; call it until it returns nothing."""
        actions: list[Action] = [*self._in_flight.next_fetches()]
        if not self._in_flight.is_submitting and not self._outcomes.stopped_by:
            actions += self._submissions()
        if not actions and self._in_flight.is_empty:
            self._outcomes.release()
        self._finish_reports()
        return self._outcomes.take_actions() + actions

    def close(self) -> None:
        """Give back the results that were not delivered."""
        self._outcomes.close()

    def _finish_reports(self) -> None:
        outcomes = self._outcomes
        outcomes.see_drawn()
        for report in [*self._open_reports]:
            if not outcomes.drawing.left(report) and not outcomes.sequence.expects(report):
                del self._open_reports[report]
                outcomes.deliver(ReportDone(report=report))

    # Submitting

    def _submissions(self) -> list[Action]:
        """Return what to submit now: one thing at a time, as it may change what is next."""
        if self._rows.total() >= self._limits.max_rows:
            rows = f"{self._limits.max_rows:,} rows were fetched, as `max_rows_per_run` allows"
            self._outcomes.stop(ApiError("RUN_BUDGET_USED", rows), cancel=False)
        elif self._has_room:
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
        is_awaited = self._awaited_after == self._outcomes.delivered
        is_stalled = is_awaited and self._in_flight.is_empty
        return self._outcomes.sequence.has_room(self._in_flight.results) or is_stalled

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
        if not self._in_flight.may_submit_batch or self._outcomes.stopped_by:
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
        if len(queries) > left:
            allowed = f"{limit:,} queries were submitted, as `max_queries_per_run` allows"
            error = ApiError("RUN_BUDGET_USED", allowed)
            self._outcomes.stop(error, cancel=False)
            self._outcomes.fail(queries[left:], error, was_submitted=False)
        return queries[:left]

    # What happened

    @singledispatchmethod
    def _handle(self, event: Event) -> None:
        raise TypeError(f"no event: {event!r}")

    @_handle.register
    def _batch_submitted(self, event: happened.BatchSubmitted) -> None:
        queries = event.request.queries
        self._in_flight.batches.add(event.batch.batch_id)
        self._taken(queries)
        self._outcomes.deliver(BatchTaken(batch=event.batch, queries=queries))

    @_handle.register
    def _query_submitted(self, event: happened.QuerySubmitted) -> None:
        self._in_flight.singles.add(event.query)
        self._taken((event.query,))
        taken = QueryTaken(query=event.query, submitted_at=event.submitted_at)
        self._outcomes.deliver(taken)

    def _taken(self, queries: Sequence[Query]) -> None:
        self._in_flight.is_submitting = False
        self._failed_starts = 0
        self._outcomes.taken(queries)

    @_handle.register
    def _batch_not_submitted(self, event: happened.BatchNotSubmitted) -> None:
        """Try the halves of a batch: a mistake in one item must not hold back the others."""
        self._in_flight.is_submitting = False
        request, error = event.request, event.error
        if self._outcomes.without_batches(request.queries, error):
            return
        may_be_halved = error.fate in {Fate.SPLIT, Fate.LOSE} and not self._outcomes.stopped_by
        if may_be_halved and len(request) > 1:
            text = "A query batch of %d queries was refused, trying its halves: %s"
            logger.warning(text, len(request), error)
            self._outcomes.backlog.refused(request, is_too_large=error.fate is Fate.SPLIT)
        else:
            self._not_taken(request.queries, error)

    @_handle.register
    def _query_not_submitted(self, event: happened.QueryNotSubmitted) -> None:
        self._in_flight.is_submitting = False
        self._not_taken((event.query,), event.error)

    def _not_taken(self, queries: Sequence[Query], error: ApiError) -> None:
        """Decide about queries that the API did not take, however often it was asked to."""
        if error.fate not in {Fate.RETRY, Fate.RESUBMIT}:
            for query in queries:
                self._outcomes.failed(query, error)
            return
        self._outcomes.fail(queries, error, was_paid=False)
        self._failed_starts += error.reach is Reach.SERVICE
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._outcomes.stop(error)

    @_handle.register
    def _batch_ending(self, event: happened.BatchEnding) -> None:
        self._in_flight.ending.add(event.batch_id)

    @_handle.register
    def _batch_ended(self, event: happened.BatchEnded) -> None:
        self._in_flight.batches.discard(event.batch_id)
        self._in_flight.ending.discard(event.batch_id)
        if event.error and not self._outcomes.without_batches(event.unsettled, event.error):
            for query in event.unsettled:
                self._outcomes.failed(query, event.error)

    @_handle.register
    def _succeeded(self, event: happened.Succeeded) -> None:
        self._in_flight.singles.discard(event.query)
        if self._results_refused:
            self._outcomes.failed(event.query, self._results_refused)
            return
        fetch = Fetch(query=event.query, entry=event.entry, finished_at=event.finished_at)
        self._in_flight.to_fetch.append(fetch)
        self._outcomes.succeeded(event.query)

    @_handle.register
    def _query_failed(self, event: happened.QueryFailed) -> None:
        self._in_flight.singles.discard(event.query)
        if event.was_fetched:
            self._in_flight.fetching -= 1
            self._refuse_results(event.error)
        self._outcomes.failed(event.query, event.error)

    def _refuse_results(self, error: ApiError) -> None:
        """Fetch nothing more once the API refuses everything."""
        if error.fate is Fate.STOP and not self._results_refused:
            self._results_refused = error
            for query in self._in_flight.fetch_nothing():
                self._outcomes.failed(query, error)

    @_handle.register
    def _fetched(self, event: happened.Fetched) -> None:
        self._in_flight.fetched(event.result)
        self._rows[event.result.query.report] += event.result.row_count
        self._outcomes.fetched(event.result)

    @_handle.register
    def _emitted(self, event: happened.Emitted) -> None:
        del self._attempts[event.query]
        self._outcomes.emitted(event.query, event.rows, event.size, event.error)

    @_handle.register
    def _awaited(self, event: happened.Awaited) -> None:
        self._awaited_after = event.taken

    @_handle.register
    def _stop_requested(self, event: happened.StopRequested) -> None:
        self._outcomes.stop(event.error)
