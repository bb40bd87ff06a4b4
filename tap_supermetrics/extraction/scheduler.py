"""Decides what to submit, fetch and deliver next: events in, actions out.

It has no clock, no thread and no network, so that a test plays any story of an extraction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.extraction.backlog import Backlog
from tap_supermetrics.extraction.breakers import Breakers
from tap_supermetrics.extraction.deliveries import Deliveries
from tap_supermetrics.extraction.drawing import Drawing
from tap_supermetrics.extraction.failures import Failures
from tap_supermetrics.extraction.in_flight import InFlight
from tap_supermetrics.extraction.reactions import Reactions
from tap_supermetrics.extraction.remedies import Remedies
from tap_supermetrics.extraction.results import ReportDone
from tap_supermetrics.extraction.submissions import Submissions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.extraction.in_flight import Limits
    from tap_supermetrics.extraction.progress import ReportProgress
    from tap_supermetrics.extraction.results import BatchTaken
    from tap_supermetrics.planning.plan import ReportPlan


class Scheduler:
    """Decides how a plan runs.

    Args:
        plans: what each report requests, by its name, in the order of emission.
        limits: how queries may be submitted.
        adopted: query batches of an earlier run that serve some of the queries.
    """

    def __init__(
        self,
        plans: Mapping[str, ReportPlan],
        limits: Limits,
        adopted: Sequence[BatchTaken] = (),
    ) -> None:
        # The API runs these already: they count as drawn, and this run waits for them.
        served = [query for each in adopted for query in each.queries]
        self._plans = plans
        self._deliveries = Deliveries(plans)
        self._in_flight = InFlight(limits)
        breakers = Breakers(plans)
        self._remedies = Remedies(plans, breakers, served, limits.max_queries)
        self._drawing = Drawing(plans, breakers, served)
        backlog = Backlog(self._drawing, plans, limits)
        self._failures = Failures(self._remedies, backlog, self._deliveries)
        self._submissions = Submissions(self._failures, self._deliveries, self._in_flight, limits)
        self._reactions = Reactions(
            self._submissions, self._failures, self._deliveries, self._in_flight
        )
        self._open_reports = dict.fromkeys(plans)
        if not limits.by_batch:
            backlog.leave_batches()
        # They are never drawn: only this reserves their places in the order of emission.
        for query in served:
            self._deliveries.sequence.expect(query)
        for each in adopted:
            # They take places of the API like new ones, and the new state has to name them again.
            self._in_flight.batches.add(each.batch.batch_id)
            self._deliveries.add(each)

    @property
    def is_done(self) -> bool:
        """Return whether every planned query has an outcome that was delivered."""
        return not self._open_reports

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken in this run."""
        return self._remedies.submitted

    @property
    def progress(self) -> tuple[ReportProgress, ...]:
        """Return the progress of each report."""
        sequence = self._deliveries.sequence
        return tuple(
            sequence.progress(name, self._drawing.left(name), self._in_flight.rows[name])
            for name in self._plans
        )

    @property
    def fetching(self) -> int:
        """Return how many results are being fetched."""
        return self._in_flight.fetching

    def handle(self, event: Event) -> list[Action]:
        """Handle an event; return the actions that follow at once, in order."""
        self._reactions.handle(event)
        return self._take_actions()

    def next_actions(self) -> list[Action]:
        """Return the actions possible now; call it until it returns none."""
        while True:
            # Fetching comes before submitting: it makes room for that.
            actions: list[Action] = [*self._in_flight.next_fetches()]
            actions += self._submissions.next()
            is_more_to_draw = self._drawing.is_sparing
            # No result can come any more that would decide about those that wait for their totals:
            # without this, the run would wait for ever.
            is_idle = not actions and self._in_flight.is_empty
            lacking = self._deliveries.release() if is_idle else ()
            if lacking:  # Such a query may be submitted again.
                self._reactions.refuse(lacking)
                continue
            # Last, because submitting draws queries, spares some and may stop the run.
            self._finish_reports()
            actions = self._take_actions() + actions
            # Where many were spared, the rest was not drawn, and nothing has reacted to them yet:
            # without another round, the run would wait for what was not submitted.
            if actions or not is_more_to_draw:
                return actions

    def _take_actions(self) -> list[Action]:
        """Return the actions that follow from the decisions, in order."""
        self._failures.place_drawn()
        return [*self._deliveries.take(), *self._failures.take_cancels()]

    def close(self) -> None:
        """Give back the results that were not delivered."""
        self._deliveries.close()

    def _finish_reports(self) -> None:
        left = self._drawing.left
        # A query that was just drawn has no place yet, and is counted as left no more:
        # without this, its report would count as finished.
        self._failures.place_drawn()
        for report in [*self._open_reports]:
            if not left(report) and not self._deliveries.sequence.expects(report):
                del self._open_reports[report]
                self._deliveries.add(ReportDone(report=report))
