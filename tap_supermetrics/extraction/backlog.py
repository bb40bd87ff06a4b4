"""The queries that wait to be submitted: those that failed first, then the plans in order."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from tap_supermetrics.planning.packing import Packer, batch_of, halved, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.extraction.drawing import Drawing
    from tap_supermetrics.extraction.in_flight import Limits
    from tap_supermetrics.model import BatchPolicy, BatchRequest, Query
    from tap_supermetrics.planning.plan import ReportPlan


class Backlog:
    """The queries that wait to be submitted, by query batches or one by one.

    Args:
        drawing: draws the plans.
        plans: what each report requests, by its name.
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
        # The packer fills batches by how many queries of each policy are to come.
        counts: Counter[BatchPolicy] = Counter()
        for plan in plans.values():
            counts += plan.counts()
        self._max_queries = limits.max_queries_per_batch
        self._packer = Packer(counts, self._max_queries, self._side_by_side)
        self._requests: deque[BatchRequest] = deque()
        self._first: list[Query] = []
        self._singles: deque[Query] = deque()
        self.is_by_batch = True

    def add_first(self, queries: Sequence[Query], *, by_batch: bool = True) -> None:
        """Put queries before all others; several together where they come together."""
        # A query that should go by itself goes by batch where `mode` allows nothing else.
        if self.is_by_batch and (by_batch or not self._one_by_one):
            self._first += queries
        else:
            # `extendleft` turns the order around: reversed, they stay in the order of their days.
            self._singles.extendleft(reversed(queries))

    def refused(self, request: BatchRequest, *, is_too_large: bool) -> None:
        """Submit the halves of a batch of several queries that was refused."""
        halves = halved(request)
        # Batches may have been left while this one was on its way.
        if not self.is_by_batch or halves is None:
            self.add_first(request.queries)
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
        # Before all else: other queries wait for the probes.
        self._take_probes()
        while self._singles:
            query = self._singles.popleft()
            if not self.drawing.spare_if_refused(query):
                return query
        return None if self.is_by_batch else self.drawing.draw()

    def next_batch(self) -> BatchRequest | None:
        """Return the query batch to submit now, of queries that no breaker refuses."""
        if not self.is_by_batch:
            return None
        self._take_probes()
        # As few batches as possible: queries that failed one by one are submitted together.
        if self._first:
            packed = pack(self._first, self._policy, self._max_queries, self._side_by_side)
            self._requests.extendleft(reversed(packed))
            self._first = []
        while request := self._requests.popleft() if self._requests else self._packed():
            # Checked as late as possible: a refusal may have become known since it was packed.
            left = [query for query in request.queries if not self.drawing.spare_if_refused(query)]
            if left:
                return request if len(left) == len(request) else batch_of(left, request.policy)
        return None

    def drain(self) -> list[Query]:
        """Give back every query that was drawn and not submitted."""
        left = [*self._drained(), *self._singles]
        self._singles.clear()
        return left

    def _drained(self) -> list[Query]:
        queries = [*self.drawing.take_probes(), *self._first]
        queries += [query for request in self._requests for query in request.queries]
        queries += self._packer.drain()
        self._first = []
        self._requests.clear()
        return queries

    def _take_probes(self) -> None:
        self.add_first(self.drawing.take_probes())

    def _packed(self) -> BatchRequest | None:
        while (request := self._packer.take()) is None:
            query = self.drawing.draw()
            if query is None:
                # The spared ones are failed before the rest is drawn.
                return self._packer.take(is_last=not self.drawing.is_sparing)
            self._packer.add(query, self._policy(query))
        return request

    def _policy(self, query: Query) -> BatchPolicy:
        return self._plans[query.report].scope.policy_of(query)
