"""Decides what becomes of a query: delivered, submitted again, split, or failed for this run.

Whatever is decided about a failure is decided here, by the fate and the reach of the error.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import Fate
from tap_supermetrics.extraction.backlog import Backlog, Drawing
from tap_supermetrics.extraction.breakers import Breakers
from tap_supermetrics.extraction.events import CancelBatches
from tap_supermetrics.extraction.pages import incomplete
from tap_supermetrics.extraction.remedies import Remedies, Remedy
from tap_supermetrics.extraction.resubmissions import Resubmissions
from tap_supermetrics.extraction.results import FirstDay, Left

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.events import Action
    from tap_supermetrics.extraction.in_flight import Limits
    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)


class Outcomes:
    """Gives every planned query exactly one outcome.

    Args:
        plans: what each report asks for, by its name, in the order of emission.
        limits: how queries may be submitted.
        served: queries that query batches of an earlier run serve.
        deliveries: where outcomes go.

    Attributes:
        drawing: draws the queries of the plans.
        backlog: what waits to be submitted.
        breakers: what is known to be refused.
        submitted: how many queries the API has taken in this run.
    """

    def __init__(
        self,
        plans: Mapping[str, ReportPlan],
        limits: Limits,
        served: Sequence[Query],
        deliveries: Deliveries,
    ) -> None:
        self._plans = plans
        self._limits = limits
        self._deliveries = deliveries
        self._parked: dict[Query, ApiError] = {}
        self._cancels: list[Action] = []
        self.breakers = Breakers(plans)
        self._remedies = Remedies(plans, self.breakers, served)
        self.drawing = Drawing(plans, self.breakers, served)
        self.backlog = Backlog(self.drawing, plans, limits)
        self._resubmissions = Resubmissions(self._remedies, deliveries, self.drawing, self.backlog)
        self.submitted = 0
        # They are never drawn, so nothing else would keep their places in the order of emission.
        for query in served:
            deliveries.sequence.expect(query)

    @property
    def stopped_by(self) -> ApiError | None:
        """Return why nothing more is submitted; None while it is."""
        return self._resubmissions.stopped_by

    def take_actions(self) -> list[Action]:
        """Return what follows from all that was decided, in order."""
        self.see_drawn()
        cancels, self._cancels = self._cancels, []
        return [*self._deliveries.take(), *cancels]

    def see_drawn(self) -> None:
        """Give every query that was drawn its place, and those that were spared their failure."""
        # Round after round: to fail a query may end a search or a doubt, which draws new probes.
        while self.drawing.has_news:
            for query in self.drawing.take_new():
                self._deliveries.sequence.expect(query)
            # Its like was paid for in vain: a spared query failed, it was not left out.
            for query, error in self.drawing.take_spared():
                self._resubmissions.fail(query, error, was_submitted=True)
                # Was it the last probe of others, these would wait for its answer for ever.
                if self.breakers.given_up(query):
                    self._look_again(query)

    # What becomes of queries

    def taken(self, queries: Sequence[Query]) -> None:
        """Count queries that the API has taken."""
        self._remedies.taken(queries)
        self.submitted += len(queries)

    def succeeded(self, query: Query) -> None:
        """Learn that the API ran a query; submit what waited for that."""
        if self.breakers.given(query):
            self._tell_first_day(query.report)
            self._look_again(query)
        self._resubmissions.succeeded(query)

    def fetched(self, result: Result) -> None:
        """Deliver a result in its turn, unless it lacks a row."""
        # Whatever is wrong with its rows, what it belongs to is alive.
        if self.breakers.answered(result.query):
            self._look_again(result.query)
        # The judgement may be of other results too, which waited for this one.
        for each in self._deliveries.judge(result):
            each.spool.close()
            self.failed(each.query, incomplete(each.row_count + each.missing, each.row_count))

    def emitted(self, query: Query, rows: int, size: int, error: ApiError | None) -> None:
        """Learn that an outcome was emitted, and whether its rows fit the report's records."""
        self._deliveries.sequence.emitted(size)
        # An emitted query is never submitted again: its count would only take memory.
        self._remedies.forget(query)
        if error and self.breakers.did_not_fit(query, error):
            self._look_again(query)
        elif rows:
            self.breakers.fitted(query)

    def failed(self, query: Query, error: ApiError) -> None:
        """Decide what becomes of a query that failed."""
        if not self._deliveries.sequence.is_open(query):
            return  # Its batch was given up, and its own end was told after all.
        if self.stopped_by:
            # What another try would have mended says less than why there is none.
            is_own = error.fate in {Fate.LOSE, Fate.STOP, Fate.SPLIT}
            self.fail([query], error if is_own else self.stopped_by, was_submitted=is_own)
        # First stopped, then failed: what its failure releases must fail too, and not be submitted.
        elif error.fate is Fate.STOP:
            self.stop(error)
            self.fail([query], error)
        elif self.submitted >= self._limits.max_queries:
            # Any remedy would cost a query more than may be paid for.
            self.fail([query], error)
        else:
            # Counted before it is remedied: this very failure may be the one that begins the doubt.
            has_doubt_begun = self.breakers.paid_for_nothing(query, error)
            self._try_again(query, error)
            if has_doubt_begun or self.breakers.wants_probe(query):
                self._look_again(query)

    def _try_again(self, query: Query, error: ApiError) -> None:
        """Carry out the remedy for a query that failed."""
        remedy = self._remedies.choose(query, error)
        # It keeps its place in the order, and has no outcome until the probes have one.
        if remedy is Remedy.WAIT:
            self._parked[query] = error
        elif remedy is Remedy.SPLIT:
            self._resubmissions.split(query, error)
        elif remedy is Remedy.RESUBMIT:
            self._resubmissions.resubmit(query, error)
        else:
            self.fail([query], error)

    def fail(
        self,
        queries: Iterable[Query],
        error: ApiError,
        *,
        was_submitted: bool = True,
        was_paid: bool = True,
    ) -> None:
        """Give queries up for this run, with those that waited for them.

        Args:
            queries: the queries.
            error: why.
            was_submitted: whether the API was asked to run them.
            was_paid: whether it took them.
        """
        for query in queries:
            settled = self._resubmissions.fail(query, error, was_submitted=was_submitted)
            news = [
                self.breakers.failed(each, error, was_paid=was_paid)
                # What was never submitted teaches nothing of its account.
                for each in (settled if was_submitted else ())
            ]
            if any(news):
                self._tell_first_day(query.report)
                self._look_again(query)

    def stop(self, error: ApiError, *, cancel: bool = True) -> None:
        """Submit nothing more. What running batches collected is still fetched.

        Args:
            error: why; queries that were not submitted fail with it.
            cancel: whether running batches are of no use any more.
        """
        # The first reason counts: what fails after it mostly follows from it.
        if self.stopped_by:
            return
        # Before anything fails below: a failure may release parts, which must not be submitted.
        self._resubmissions.stopped_by = error
        self.see_drawn()  # What has no place yet could not fail.
        # Days, not queries: of a long history, there may be millions.
        # Before anything fails: a failure may end a search, which would draw new probes from here.
        left = {report: self.drawing.give_up(report) for report in self._plans}
        self._fail_parked()
        self.fail(self.backlog.drain(), error, was_submitted=False)
        for report, days in left.items():
            if days:
                self._deliveries.add(Left(report=report, days=days, error=error))
        # A budget that is used up lets running batches end, as they are paid for.
        if cancel:
            self._cancels.append(CancelBatches())

    def _look_again(self, query: Query) -> None:
        """Take up what was held back, after a breaker changed; find what to probe."""
        # Drawing has ended: nothing is left to take up.
        if self.stopped_by:
            return
        # A breaker of a data source holds back all reports of it, not only this one.
        for report in self._neighbours(query):
            self.drawing.look_again(report)
        self._unpark()

    def _neighbours(self, query: Query) -> list[str]:
        """Return the reports of the data source of a query, its own first."""
        ds_id = self._plans[query.report].report.ds_id
        others = (name for name, plan in self._plans.items() if plan.report.ds_id == ds_id)
        return [*dict.fromkeys((query.report, *others))]

    def _unpark(self) -> None:
        """Decide about the failed queries that waited for probes, newest first."""
        # Taken out first: a query that still has to wait is parked anew by what follows.
        parked, self._parked = self._parked, {}
        # The newest has the best chance of an answer, as history is what fails most.
        for query in sorted(parked, key=_newest_first):
            error = parked[query]
            if self.breakers.error_for(query):
                self.fail([query], error)
                continue
            if self.breakers.wants_probe(query):
                # All others of its account or report were submitted.
                self.breakers.probing(query)
            self._try_again(query, error)

    def _fail_parked(self) -> None:
        parked, self._parked = self._parked, {}
        for query, error in parked.items():
            self.fail([query], error)

    def _tell_first_day(self, report: str) -> None:
        day = self.breakers.history[report].first_day
        if day is not None:
            self._deliveries.add(FirstDay(report=report, day=day))


def _newest_first(query: Query) -> int:
    return -query.dates.last.toordinal() if query.dates else 0
