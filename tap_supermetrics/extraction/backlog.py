"""The queries that wait to be submitted: those that failed first, then the plans in order."""

from __future__ import annotations

from collections import Counter, deque
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.planning.packing import Packer, batch_of, halved, pack
from tap_supermetrics.planning.plan import Cursor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.breakers import Breakers
    from tap_supermetrics.extraction.in_flight import Limits
    from tap_supermetrics.model import BatchPolicy, BatchRequest, Query
    from tap_supermetrics.planning.account import AccountPlan
    from tap_supermetrics.planning.plan import ReportPlan

MAX_SPARED: Final = 300
"""So many queries are spared in one go, so that those who wait for them are not kept waiting."""


class Drawing:
    """Draws the queries of the plans in order: each once, and none that a breaker refuses.

    Args:
        plans: what each report asks for, by its name, in the order of emission.
        breakers: what is known to be refused.
        served: queries that need not be submitted, because the API holds them.
    """

    def __init__(
        self, plans: Mapping[str, ReportPlan], breakers: Breakers, served: Collection[Query]
    ) -> None:
        self._breakers = breakers
        self._plans = plans
        self._cursors = {name: Cursor(plan) for name, plan in plans.items()}
        self._ahead = set(served)  # Drawn before their turn: their cursor passes over them.
        self._probes: deque[Query] = deque()
        self._left = {name: len(plan) for name, plan in plans.items()}
        self._new: list[Query] = []
        self._spared: list[tuple[Query, ApiError]] = []
        for query in served:
            self._left[query.report] -= 1

    def left(self, report: str) -> int:
        """Return how many queries of a report were not drawn."""
        return self._left[report]

    def give_up(self, report: str) -> dict[str, int]:
        """Draw no more queries of a report; return the days that were not drawn, by account."""
        cursor = self._cursors.pop(report, None)  # Neither drawn from nor probed any more.
        self._left[report] = 0
        days = cursor.days_left() if cursor else Counter()
        for query in self._ahead:
            if query.report == report:
                days[query.account_id] -= query.days  # Drawn, though the cursor has not come by.
        return {account_id: count for account_id, count in days.items() if count > 0}

    def spare(self, query: Query) -> bool:
        """Do not submit a query that would meet a refusal; return whether it would."""
        error = self._breakers.error_for(query)
        if error:
            self._spared.append((query, error))
        return error is not None

    @property
    def is_sparing(self) -> bool:
        """Return whether queries were spared of which nobody was told yet."""
        return bool(self._spared)

    @property
    def has_news(self) -> bool:
        """Return whether queries were drawn or spared of which nobody was told yet."""
        return bool(self._new or self._spared)

    def take_new(self) -> list[Query]:
        """Return the queries drawn since the last time, in order."""
        new, self._new = self._new, []
        return new

    def take_spared(self) -> list[tuple[Query, ApiError]]:
        """Return the queries spared since the last time, each with the refusal."""
        spared, self._spared = self._spared, []
        return spared

    def take_probes(self) -> list[Query]:
        """Return the queries that find out for others; they are submitted first."""
        probes = list(self._probes)
        self._probes.clear()
        return probes

    def draw(self) -> Query | None:
        """Return the next query; None when there is none now."""
        for cursor in self._cursors.values():
            while len(self._spared) < MAX_SPARED and (query := cursor.draw(self._is_held)):
                if query in self._ahead:
                    self._ahead.remove(query)
                    continue
                self._note(query)  # A spared one too: its failure is delivered in its place.
                if not self.spare(query):
                    return query
        return None  # Or too many were spared: `is_sparing` tells the two apart.

    def settled(self, query: Query) -> None:
        """Learn that a query has an outcome, of whatever kind."""
        if self._breakers.history[query.report].settled(query):
            self.look_again(query.report)

    def look_again(self, report: str) -> None:
        """Take up what was held back, after a breaker changed, and find what to probe."""
        cursor = self._cursors.get(report)
        if cursor is None:
            return
        heads = [*cursor.heads()]
        self._probe(heads)
        self._search(heads, report)
        self._end_searches(heads, report)
        cursor.wake()  # Only now: the probes decide which of these are held back again.

    def _is_held(self, query: Query) -> bool:
        return self._breakers.is_held(query) and not self._breakers.error_for(query)

    def _note(self, query: Query) -> None:
        self._left[query.report] -= 1
        self._new.append(query)

    def _probe(self, heads: Sequence[tuple[AccountPlan, Query]]) -> None:
        """Draw the newest queries of accounts, reports and data sources that are in doubt."""
        open_heads = [each for each in heads if not self._breakers.error_for(each[1])]
        for reach in (Reach.SOURCE, Reach.REPORT):  # A wide probe finds out for narrow ones too.
            wanted = self._breakers.probes_wanted(open_heads[0][1], reach) if open_heads else 0
            # Spread over all accounts, as those that are next to each other may share a fault.
            for each in open_heads[:: max(len(open_heads) // wanted, 1)][:wanted] if wanted else ():
                self._probe_with(self._nearest(*each, date.max))
        for each in open_heads:
            if self._breakers.probes_wanted(each[1], Reach.ACCOUNT):
                self._probe_with(self._newest(*each))

    def _probe_with(self, query: Query) -> None:
        if query not in self._ahead:  # Else it is on its way already.
            self._breakers.probing(query)
            self._draw_ahead(query)

    def _newest(self, account: AccountPlan, head: Query) -> Query:
        """Return the newest query that was not drawn ahead of its turn, if there is one."""
        seen: set[Query] = set()
        query = self._nearest(account, head, date.max)
        while query in self._ahead and query not in seen and query.dates:
            seen.add(query)
            query = self._nearest(account, head, query.dates.first - timedelta(days=1))
        return query

    def _nearest(self, account: AccountPlan, head: Query, day: date) -> Query:
        is_in_order = not self._plans[head.report].is_by_rank  # Else parts have another order.
        return account.nearest(head, day) if is_in_order else head

    def _draw_ahead(self, query: Query) -> None:
        self._ahead.add(query)
        self._note(query)
        self._probes.append(query)

    def _search(self, heads: Iterable[tuple[AccountPlan, Query]], report: str) -> None:
        """Find the first day that the API gives by halves, one query at a time."""
        last_wanted = self._plans[report].scope.last_wanted
        for account, head in heads:
            limit = self._breakers.history[report].limit_of(head)
            day = limit.middle(last_wanted)
            if day is None or limit.probe:  # One probe at a time: each halves what is left.
                continue
            query = self._nearest(account, head, day)
            if query.day and query not in self._ahead and limit.is_doubtful(query):
                limit.probe = query
                self._draw_ahead(query)

    def _end_searches(self, heads: Iterable[tuple[AccountPlan, Query]], report: str) -> None:
        """Leave it at what is known where no query finds out more; hold nothing back for it."""
        for _, head in heads:
            limit = self._breakers.history[report].limit_of(head)
            limit.is_named = limit.is_named or limit.probe is None  # Else days are held for ever.


class Backlog:
    """The queries that wait to be submitted, by query batches or one by one.

    Args:
        drawing: see below.
        plans: what each report asks for, by its name.
        limits: how queries may be submitted.

    Attributes:
        drawing: draws the plans.
        is_by_batch: whether queries go by query batches.
    """

    def __init__(
        self,
        drawing: Drawing,
        plans: Mapping[str, ReportPlan],
        limits: Limits,
    ) -> None:
        self.drawing = drawing
        self._plans = plans
        self._side_by_side = limits.max_running_batches
        self._one_by_one = limits.one_by_one
        # How many queries of each policy are to come tells the packer how full batches can be.
        counts: Counter[BatchPolicy] = Counter()
        for plan in plans.values():
            counts += plan.counts()
        self._max_queries = limits.max_queries_per_batch
        self._packer = Packer(counts, self._max_queries, self._side_by_side)
        self._requests: deque[BatchRequest] = deque()
        self._again: list[Query] = []
        self._singles: deque[Query] = deque()
        self.is_by_batch = True

    def again(self, queries: Sequence[Query], *, by_batch: bool = True) -> None:
        """Submit queries before all others; several together where they come together."""
        # What should go by itself goes by batch all the same, where `mode` allows nothing else.
        if self.is_by_batch and (by_batch or not self._one_by_one):
            self._again += queries
        else:
            # `extendleft` turns the order around: reversed, they stay in the order of their days.
            self._singles.extendleft(reversed(queries))

    def refused(self, request: BatchRequest, *, is_too_large: bool) -> None:
        """Submit the halves of a batch of several queries that was refused."""
        halves = halved(request)
        # Batches may have been left while this one was on its way.
        if not self.is_by_batch or halves is None:
            self.again(request.queries)
            return
        # The API refused this length: no batch is made so long again in this run.
        if is_too_large:
            self._max_queries = max(len(each) for each in halves)
            self._packer.limit(self._max_queries)
        self._requests.extendleft(reversed(halves))

    def leave_batches(self, queries: Sequence[Query] = ()) -> None:
        """Submit one by one from now on, these queries first."""
        self.is_by_batch = False
        self._singles.extend([*queries, *self._drained()])

    def next_query(self) -> Query | None:
        """Return what to submit by itself now."""
        # Before all else: other queries wait for what they find out.
        self._take_probes()
        while self._singles:
            query = self._singles.popleft()
            if not self.drawing.spare(query):
                return query
        return None if self.is_by_batch else self.drawing.draw()

    def next_batch(self) -> BatchRequest | None:
        """Return the query batch to submit now, of what no breaker refuses."""
        if not self.is_by_batch:
            return None
        self._take_probes()
        # As few batches as can be: what failed one by one is submitted together.
        if self._again:
            packed = pack(self._again, self._policy, self._max_queries, self._side_by_side)
            self._requests.extendleft(reversed(packed))
            self._again = []
        while request := self._requests.popleft() if self._requests else self._packed():
            # Looked at as late as possible: a refusal may have become known since it was packed.
            left = [query for query in request.queries if not self.drawing.spare(query)]
            if left:
                return request if len(left) == len(request) else batch_of(left, request.policy)
        return None

    def drain(self) -> list[Query]:
        """Give back every query that was drawn and not submitted."""
        left = [*self._drained(), *self._singles]
        self._singles.clear()
        return left

    def _drained(self) -> list[Query]:
        queries = [*self.drawing.take_probes(), *self._again]
        queries += [query for request in self._requests for query in request.queries]
        queries += self._packer.drain()
        self._again = []
        self._requests.clear()
        return queries

    def _take_probes(self) -> None:
        self.again(self.drawing.take_probes())

    def _packed(self) -> BatchRequest | None:
        while (request := self._packer.take()) is None:
            query = self.drawing.draw()
            if query is None:
                # Those that were spared are told of before the rest is drawn.
                return self._packer.take(is_last=not self.drawing.is_sparing)
            self._packer.add(query, self._policy(query))
        return request

    def _policy(self, query: Query) -> BatchPolicy:
        return self._plans[query.report].scope.policy_of(query)
