"""Draws the queries of the plans in order, and probes ahead of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction.probing import Probing
from tap_supermetrics.planning.plan import Cursor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.breakers import Breakers
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

MAX_SPARED: Final = 300
"""Most queries spared in one go, so that those who wait for them do not wait longer."""


class Drawing:
    """Draws the queries of the plans in order: each once, and none that a breaker refuses.

    Args:
        plans: what each report requests, by its name, in the order of emission.
        breakers: what is known to be refused.
        served: queries that need not be submitted, because the API retains their results.
    """

    def __init__(
        self, plans: Mapping[str, ReportPlan], breakers: Breakers, served: Collection[Query]
    ) -> None:
        self._breakers = breakers
        self._ds_ids = {name: plan.report.ds_id for name, plan in plans.items()}
        self._probing = Probing(plans, breakers)
        self._cursors = {name: Cursor(plan) for name, plan in plans.items()}
        self._ahead = set(served)  # Drawn before their turn: their cursor passes over them.
        self._probes: deque[Query] = deque()
        self._left = {name: len(plan) for name, plan in plans.items()}
        self._new: list[Query] = []
        self._spared: list[tuple[Query, ApiError]] = []
        for query in served:
            self._left[query.report] -= 1
        on_trial = {report for report, _ in breakers.trials.by_account}
        for name, plan in plans.items():
            if plan.is_tried_first or name in on_trial:
                self._take_up(name)

    def left(self, report: str) -> int:
        """Return how many queries of a report were not drawn."""
        return self._left[report]

    def give_up(self) -> dict[str, dict[str, int]]:
        """Draw no more queries; return the days that were not drawn, by report and account."""
        left = {report: cursor.days_left() for report, cursor in self._cursors.items()}
        for query in self._ahead:
            # Drawn, though the cursor has not come by.
            left[query.report][query.account_id] -= query.days
        self._cursors.clear()  # Neither drawn from nor probed any more.
        self._left = dict.fromkeys(self._left, 0)
        # `+` leaves out counts that are not positive.
        return {report: dict(+days) for report, days in left.items() if +days}

    def spare_if_refused(self, query: Query) -> bool:
        """Do not submit a query that would meet a refusal; return whether it would."""
        error = self._breakers.error_for(query)
        if error:
            self._spared.append((query, error))
        return error is not None

    @property
    def is_sparing(self) -> bool:
        """Return whether spared queries were not taken yet."""
        return bool(self._spared)

    @property
    def has_news(self) -> bool:
        """Return whether drawn or spared queries were not taken yet."""
        return bool(self._new or self._spared)

    def take_new(self) -> list[Query]:
        """Return the queries drawn since the last call, in order."""
        new, self._new = self._new, []
        return new

    def take_spared(self) -> list[tuple[Query, ApiError]]:
        """Return the queries spared since the last call, each with the refusal."""
        spared, self._spared = self._spared, []
        return spared

    def take_probes(self) -> list[Query]:
        """Return the probes; they are submitted first."""
        probes = list(self._probes)
        self._probes.clear()
        return probes

    def draw(self) -> Query | None:
        """Return the next query; None when there is none now."""
        for cursor in self._cursors.values():
            while len(self._spared) < MAX_SPARED and (query := cursor.draw(self._must_wait)):
                if query in self._ahead:
                    self._ahead.remove(query)
                    continue
                self._note(query)  # A spared one too: its failure is delivered in its place.
                if not self.spare_if_refused(query):
                    return query
        return None  # Or too many were spared: `is_sparing` distinguishes the two.

    def settled(self, query: Query) -> None:
        """Note that a query has an outcome, of whatever kind."""
        reach = self._breakers.first_days[query.report].settled(query)
        if reach:
            self._take_up(query.report, query.account_id if reach is Reach.ACCOUNT else None)

    def take_up(self, query: Query, reach: Reach) -> None:
        """Take up what was held back, after a breaker changed; draw new probes.

        Args:
            query: the one that changed it; its report comes first.
            reach: how far the change reaches. An account is taken up alone, as each of thousands
                may be gone; a breaker of a data source holds back all reports of it.
        """
        if reach is Reach.ACCOUNT:
            self._take_up(query.report, query.account_id)
            return
        ds_id = self._ds_ids[query.report]
        others = (name for name, each in self._ds_ids.items() if each == ds_id)
        names = [name for name in dict.fromkeys((query.report, *others)) if name in self._cursors]
        heads = [self._cursors[name].heads() for name in names]
        self._draw_ahead(self._probing.of_reports(heads, Reach.SOURCE, self._ahead))
        for name in names:
            self._take_up(name)

    def _take_up(self, report: str, account_id: str | None = None) -> None:
        """Take up what was held back of a report, or of one account of it."""
        cursor = self._cursors.get(report)
        if cursor is None:
            return
        heads = cursor.heads(account_id)
        if account_id is None:
            self._draw_ahead(self._probing.of_reports([heads], Reach.REPORT, self._ahead))
        self._draw_ahead(self._probing.of_accounts(heads, self._ahead))
        cursor.wake(account_id)  # Only now: the probes decide which are held back again.

    def _draw_ahead(self, probes: Iterable[Query]) -> None:
        for probe in probes:
            self._ahead.add(probe)
            self._note(probe)
            self._probes.append(probe)

    def _must_wait(self, query: Query) -> bool:
        return self._breakers.must_wait(query) and not self._breakers.error_for(query)

    def _note(self, query: Query) -> None:
        self._left[query.report] -= 1
        self._new.append(query)
