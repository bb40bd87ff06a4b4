"""Decides what to submit, fetch and deliver next: events in, actions out.

It has no clock, no thread and no network, so that a test plays any story of an extraction.
"""

from __future__ import annotations

from functools import singledispatchmethod
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import Fate
from tap_supermetrics.extraction import events as happened
from tap_supermetrics.extraction.deliveries import Deliveries
from tap_supermetrics.extraction.events import Fetch
from tap_supermetrics.extraction.in_flight import InFlight
from tap_supermetrics.extraction.outcomes import Outcomes
from tap_supermetrics.extraction.results import BatchTaken, QueryTaken, ReportDone
from tap_supermetrics.extraction.submissions import Submissions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.extraction.in_flight import Adopted, Limits
    from tap_supermetrics.extraction.progress import ReportProgress
    from tap_supermetrics.planning.plan import ReportPlan


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
        # The API runs these already: they count as drawn, and are only waited for.
        served = [query for each in adopted for query in each.queries]
        self._plans = plans
        self._deliveries = Deliveries(plans)
        self._outcomes = Outcomes(plans, limits, served, self._deliveries)
        self._in_flight = InFlight(limits)
        self._failures = self._outcomes.failures
        self._submissions = Submissions(self._outcomes, self._deliveries, self._in_flight, limits)
        self._results_refused: ApiError | None = None
        self._open_reports = dict.fromkeys(plans)
        if not limits.by_batch:
            self._outcomes.backlog.leave_batches()
        for each in adopted:
            # They take places of the API like new ones, and the new state has to name them again.
            self._in_flight.batches.add(each.batch.batch_id)
            self._deliveries.add(BatchTaken(batch=each.batch, queries=each.queries))

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
        sequence, left, rows = (
            self._deliveries.sequence,
            self._outcomes.drawing.left,
            self._in_flight.rows,
        )
        return tuple(sequence.progress(name, left(name), rows[name]) for name in self._plans)

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
        # Fetching comes before submitting: what is fetched makes room for what is submitted.
        actions: list[Action] = [*self._in_flight.next_fetches()]
        actions += self._submissions.next()
        # No result can come any more that would tell about those held back for their totals:
        # without this, the run would wait for them for ever.
        if not actions and self._in_flight.is_empty:
            self._deliveries.release()
        # Last, because submitting draws queries, spares some and may stop the run.
        self._finish_reports()
        return self._outcomes.take_actions() + actions

    def close(self) -> None:
        """Give back the results that were not delivered."""
        self._deliveries.close()

    def _finish_reports(self) -> None:
        left = self._outcomes.drawing.left
        # A query that was drawn a moment ago has no place yet, and is counted as left no more:
        # without this, its report would look finished.
        self._failures.see_drawn()
        for report in [*self._open_reports]:
            if not left(report) and not self._deliveries.sequence.expects(report):
                del self._open_reports[report]
                self._deliveries.add(ReportDone(report=report))

    # What happened

    @singledispatchmethod
    def _handle(self, event: Event) -> None:
        raise TypeError(f"no event: {event!r}")

    @_handle.register
    def _batch_submitted(self, event: happened.BatchSubmitted) -> None:
        # Deliveries keep their order, so that the state names the batch before its first result.
        queries = event.request.queries
        self._in_flight.batches.add(event.batch.batch_id)
        self._submissions.taken(queries)
        self._deliveries.add(BatchTaken(batch=event.batch, queries=queries))

    @_handle.register
    def _query_submitted(self, event: happened.QuerySubmitted) -> None:
        self._in_flight.singles.add(event.query)
        self._submissions.taken((event.query,))
        taken = QueryTaken(query=event.query, submitted_at=event.submitted_at)
        self._deliveries.add(taken)

    @_handle.register
    def _batch_not_submitted(self, event: happened.BatchNotSubmitted) -> None:
        self._submissions.batch_refused(event.request, event.error)

    @_handle.register
    def _query_not_submitted(self, event: happened.QueryNotSubmitted) -> None:
        self._submissions.query_refused(event.query, event.error)

    @_handle.register
    def _batch_ending(self, event: happened.BatchEnding) -> None:
        self._in_flight.ending.add(event.batch_id)

    @_handle.register
    def _batch_ended(self, event: happened.BatchEnded) -> None:
        self._in_flight.batches.discard(event.batch_id)
        self._in_flight.ending.discard(event.batch_id)
        # An error of the endpoint says nothing of queries: where `mode` allows, they go singly.
        if event.error and not self._submissions.without_batches(event.unsettled, event.error):
            for query in event.unsettled:
                self._failures.decide(query, event.error)

    @_handle.register
    def _succeeded(self, event: happened.Succeeded) -> None:
        self._in_flight.singles.discard(event.query)
        # The last fetch met a refusal of everything: another one would meet it too. The API holds
        # the result for the next run.
        if self._results_refused:
            self._failures.decide(event.query, self._results_refused)
            return
        fetch = Fetch(query=event.query, entry=event.entry, finished_at=event.finished_at)
        self._in_flight.to_fetch.append(fetch)
        # That the API ran it releases what waited for it, however long its rows take to come.
        self._outcomes.succeeded(event.query)

    @_handle.register
    def _query_failed(self, event: happened.QueryFailed) -> None:
        self._in_flight.singles.discard(event.query)
        # Only then did it hold a place for fetching.
        if event.was_fetched:
            self._in_flight.fetching -= 1
            self._refuse_results(event.error)
        self._failures.decide(event.query, event.error)

    def _refuse_results(self, error: ApiError) -> None:
        """Fetch nothing more once the API refuses everything."""
        if error.fate is Fate.STOP and not self._results_refused:
            self._results_refused = error
            for query in self._in_flight.fetch_nothing():
                self._failures.decide(query, error)

    @_handle.register
    def _fetched(self, event: happened.Fetched) -> None:
        self._in_flight.fetched(event.result)
        self._outcomes.fetched(event.result)

    @_handle.register
    def _emitted(self, event: happened.Emitted) -> None:
        self._submissions.emitted(event.query)
        self._outcomes.emitted(event.query, event.rows, event.size, event.error)

    @_handle.register
    def _awaited(self, event: happened.Awaited) -> None:
        self._submissions.awaited(event.taken)

    @_handle.register
    def _stop_requested(self, event: happened.StopRequested) -> None:
        self._failures.stop(event.error)
