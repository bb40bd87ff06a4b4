"""Deliveries to the thread that emits records: outcomes in plan order, notes for the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.extraction.events import Deliver
from tap_supermetrics.extraction.results import FirstDay, Suspect
from tap_supermetrics.extraction.sequence import Sequencer
from tap_supermetrics.extraction.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_supermetrics.extraction.history import FirstDays
    from tap_supermetrics.extraction.results import Delivery, Failed, Result
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan


class Deliveries:
    """Takes outcomes in any order.

    Args:
        plans: what each report requests, by its name.

    Attributes:
        sequence: what waits to be delivered and emitted.
        count: how much was delivered so far.
    """

    def __init__(self, plans: Mapping[str, ReportPlan]) -> None:
        self.sequence = Sequencer(plans)
        self.count = 0
        self._plans = plans
        self._totals = Totals(_remembered(plans.values()))
        self._new: list[Deliver] = []

    def add(self, *deliveries: Delivery) -> None:
        """Deliver something next."""
        self._new += [Deliver(delivery=each) for each in deliveries]
        # Compared with how many were taken, it shows whether something is still on its way.
        self.count += len(deliveries)

    def note_first_day(self, report: str, first_days: Mapping[str, FirstDays]) -> None:
        """Deliver the first day that the API gives of a report, where that is known."""
        day = first_days[report].first_day
        if day is not None:
            self.add(FirstDay(report=report, day=day, own=first_days[report].own_days))

    def settle(self, outcome: Result | Failed) -> None:
        """Deliver an outcome in its turn."""
        self.add(*self.sequence.settle(outcome))

    def replace(self, query: Query, parts: Sequence[Query]) -> None:
        """Put parts in the place of a query."""
        self.add(*self.sequence.replace(query, parts))

    def judge(self, result: Result) -> Sequence[Result]:
        """Deliver a result in its turn, and those that waited for it.

        Returns:
            Those that lack a row; they are not delivered.
        """
        # By data source, as a source counts its header rows in all of its reports or in none.
        judgement = self._totals.judge(self._plans[result.query.report].report.ds_id, result)
        for each in judgement.accepted:
            self.settle(each)
        self.add(*(Suspect(query=query) for query in judgement.suspect))
        return judgement.refused

    def release(self) -> Sequence[Result]:
        """Deliver the results that wait for others, as none will come.

        Returns:
            Those that lack a row, as earlier runs showed; they are not delivered.
        """
        judgement = self._totals.release()
        for each in judgement.accepted:
            self.settle(each)
        return judgement.refused

    def take(self) -> list[Deliver]:
        """Return the deliveries since the last call, in order."""
        new, self._new = self._new, []
        return new

    def close(self) -> None:
        """Give back the results that were not delivered."""
        self._totals.close()
        self.sequence.close()


def _remembered(plans: Iterable[ReportPlan]) -> dict[str, bool]:
    """Return whether totals count a header, by data source, where its reports agree."""
    known = {
        (each.report.ds_id, each.header_in_totals)
        for each in plans
        if each.header_in_totals is not None
    }
    return {ds_id: counted for ds_id, counted in known if (ds_id, not counted) not in known}
