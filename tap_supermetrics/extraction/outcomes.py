"""Leads every planned query to one outcome: a result, a failure, or queries in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.extraction.backlog import Backlog
from tap_supermetrics.extraction.breakers import Breakers
from tap_supermetrics.extraction.drawing import Drawing
from tap_supermetrics.extraction.failures import Failures
from tap_supermetrics.extraction.page_rows import incomplete
from tap_supermetrics.extraction.remedies import Remedies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.events import Action
    from tap_supermetrics.extraction.in_flight import Limits
    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan


class Outcomes:
    """Hears what became of queries, and tells whom it concerns.

    Args:
        plans: what each report asks for, by its name, in the order of emission.
        limits: how queries may be submitted.
        served: queries that query batches of an earlier run serve.
        deliveries: where outcomes go.

    Attributes:
        drawing: draws the queries of the plans.
        backlog: what waits to be submitted.
        failures: decides what becomes of queries that failed.
    """

    def __init__(
        self,
        plans: Mapping[str, ReportPlan],
        limits: Limits,
        served: Sequence[Query],
        deliveries: Deliveries,
    ) -> None:
        self._deliveries = deliveries
        self._breakers = Breakers(plans)
        self._remedies = Remedies(plans, self._breakers, served, limits.max_queries)
        self.drawing = Drawing(plans, self._breakers, served)
        self.backlog = Backlog(self.drawing, plans, limits)
        self.failures = Failures(self._breakers, self._remedies, self.backlog, deliveries)
        # They are never drawn, so nothing else would keep their places in the order of emission.
        for query in served:
            deliveries.sequence.expect(query)

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken in this run."""
        return self._remedies.submitted

    def take_actions(self) -> list[Action]:
        """Return what follows from all that was decided, in order."""
        self.failures.see_drawn()
        return [*self._deliveries.take(), *self.failures.take_cancels()]

    def taken(self, queries: Sequence[Query]) -> None:
        """Count queries that the API has taken."""
        self._remedies.taken(queries)

    def succeeded(self, query: Query) -> None:
        """Learn that the API ran a query; submit what waited for that."""
        changed = self._breakers.given(query)
        if changed:
            self._deliveries.tell_first_day(query.report, self._breakers.history)
        self.failures.look_again(query, changed)
        self.failures.succeeded(query)

    def fetched(self, result: Result) -> None:
        """Deliver a result in its turn, unless it lacks a row."""
        # Whatever is wrong with its rows, what it belongs to is alive.
        self.failures.look_again(result.query, self._breakers.answered(result.query))
        # The judgement may be of other results too, which waited for this one.
        for each in self._deliveries.judge(result):
            each.spool.close()
            error = incomplete(each.row_count + each.missing, each.row_count)
            self.failures.decide(each.query, error)

    def emitted(self, query: Query, rows: int, size: int, error: ApiError | None) -> None:
        """Learn that an outcome was emitted, and whether its rows fit the report's records."""
        self._deliveries.sequence.emitted(size)
        # An emitted query is never submitted again: its count would only take memory.
        self._remedies.forget(query)
        if error:
            self.failures.look_again(query, self._breakers.did_not_fit(query, error))
        elif rows:
            self._breakers.fitted(query)
