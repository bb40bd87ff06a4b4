"""Dispatches each event to the parts that it concerns."""

from __future__ import annotations

from functools import singledispatchmethod
from typing import TYPE_CHECKING

from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction import events as happened
from tap_supermetrics.extraction.page_rows import incomplete
from tap_supermetrics.extraction.results import BatchTaken, QueryTaken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.events import Event
    from tap_supermetrics.extraction.failures import Failures
    from tap_supermetrics.extraction.in_flight import InFlight
    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.extraction.submissions import Submissions


class Reactions:
    """Handles events, one by one.

    Args:
        submissions: decides what is submitted next.
        failures: decides about queries that failed.
        deliveries: what goes to the emitting thread.
        in_flight: what the API runs.
    """

    def __init__(
        self,
        submissions: Submissions,
        failures: Failures,
        deliveries: Deliveries,
        in_flight: InFlight,
    ) -> None:
        self._submissions = submissions
        self._failures = failures
        self._breakers = failures.remedies.breakers
        self._deliveries = deliveries
        self._in_flight = in_flight
        self._results_refused: ApiError | None = None

    @singledispatchmethod
    def handle(self, event: Event) -> None:
        """Handle an event."""
        raise TypeError(f"no event: {event!r}")

    @handle.register
    def _batch_taken(self, event: BatchTaken) -> None:
        # Deliveries stay in order, so that the state names the batch before its first result.
        self._in_flight.is_submitting = False
        self._in_flight.batches.add(event.batch.batch_id)
        self._submissions.taken(event.queries)
        self._deliveries.add(event)

    @handle.register
    def _query_taken(self, event: QueryTaken) -> None:
        self._in_flight.is_submitting = False
        self._in_flight.singles.add(event.query)
        self._submissions.taken((event.query,))
        self._deliveries.add(event)

    @handle.register
    def _batch_not_submitted(self, event: happened.BatchNotSubmitted) -> None:
        self._in_flight.is_submitting = False
        self._submissions.not_taken.batch(event.request, event.error)

    @handle.register
    def _query_not_submitted(self, event: happened.QueryNotSubmitted) -> None:
        self._in_flight.is_submitting = False
        self._submissions.not_taken.query(event.query, event.error)

    @handle.register
    def _batch_ending(self, event: happened.BatchEnding) -> None:
        self._in_flight.ending.add(event.batch_id)

    @handle.register
    def _batch_ended(self, event: happened.BatchEnded) -> None:
        self._in_flight.batches.discard(event.batch_id)
        self._in_flight.ending.discard(event.batch_id)
        # An error of the endpoint is not the queries': where `mode` allows, they go singly.
        not_taken = self._submissions.not_taken
        if event.error and not not_taken.try_without_batches(event.unsettled, event.error):
            for query in event.unsettled:
                self._failures.decide(query, event.error)

    @handle.register
    def _succeeded(self, event: happened.Succeeded) -> None:
        self._in_flight.singles.discard(event.query)
        # The last fetch met a refusal of everything: another one would meet it too. The API
        # retains the result for the next run.
        if self._results_refused:
            self._failures.decide(event.query, self._results_refused)
            return
        self._in_flight.to_fetch.append(event)
        # Success releases the queries that waited for it, however long its rows take to come.
        changed = self._breakers.given(event.query)
        if changed:
            self._deliveries.note_first_day(event.query.report, self._breakers.first_days)
        self._failures.release(event.query, changed)
        self._failures.consequences.succeeded(event.query)

    @handle.register
    def _query_failed(self, event: happened.QueryFailed) -> None:
        self._in_flight.singles.discard(event.query)
        # Only then did it take a place for fetching.
        if event.was_fetched:
            self._in_flight.fetching -= 1
            self._refuse_results(event.error)
        # The error is the request's, not the query's, which is paid.
        has_results = event.was_fetched and event.error.fate is Fate.RETRY
        self._failures.decide(event.query, event.error, has_results=has_results)

    def _refuse_results(self, error: ApiError) -> None:
        """Fetch nothing more once the API refuses everything."""
        if error.fate is Fate.STOP and not self._results_refused:
            self._results_refused = error
            for query in self._in_flight.fetch_nothing():
                self._failures.decide(query, error)

    @handle.register
    def _fetched(self, event: happened.Fetched) -> None:
        self._in_flight.fetched(event.result)
        # Whatever is wrong with its rows, its account, report and source are alive.
        query = event.result.query
        self._failures.release(query, self._breakers.answered(query))
        # This judges other results too, which waited for this one.
        self.refuse(self._deliveries.judge(event.result))

    def refuse(self, results: Iterable[Result]) -> None:
        """Decide about results that lack a row."""
        for each in results:
            each.spool.close()
            error = incomplete(each.row_count + 1, each.row_count)
            self._failures.decide(each.query, error)

    @handle.register
    def _emitted(self, event: happened.Emitted) -> None:
        self._submissions.emitted(event.query)
        self._deliveries.sequence.emitted(event.size)
        # An emitted query is never submitted again: its count would only take memory.
        self._failures.remedies.forget(event.query)
        if event.error:
            changed = self._breakers.did_not_fit(event.query, event.error)
            self._failures.release(event.query, changed)
        elif event.rows:
            self._breakers.fitted(event.query)

    @handle.register
    def _awaited(self, event: happened.Awaited) -> None:
        self._submissions.awaited(event.taken)

    @handle.register
    def _stop_requested(self, event: happened.StopRequested) -> None:
        self._failures.stop(event.error)
