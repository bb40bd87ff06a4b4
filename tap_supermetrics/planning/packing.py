"""From queries to query batches: few items that the API splits into just these queries.

The API takes a list of items and splits each by account and by day (Supermetrics docs, "Batch
queries"). Queries that differ only in day or account become one item, so that a batch's body stays
small, and no batch has more queries after splitting than the API allows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import count
from typing import TYPE_CHECKING, Final

from tap_supermetrics.dates import DateRange, merge
from tap_supermetrics.model import BatchItem, BatchRequest, Query, SplitAccounts, SplitDates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_supermetrics.model import BatchPolicy

LOOK_AHEAD: Final = 20
"""At most so many batches of one policy are passed over to fill one of another."""


class Packer:
    """Packs queries that come one at a time, in plan order; policies are never mixed.

    As few batches as can be, all of one size, and as many as can run side by side at any time: a
    small last batch would leave the other places empty while the large ones before it still run.

    Args:
        counts: how many queries of each policy are to come; more or fewer may.
        max_queries: most queries of one batch after splitting.
        side_by_side: how many batches run at the same time.
    """

    def __init__(
        self, counts: Mapping[BatchPolicy, int], max_queries: int, side_by_side: int
    ) -> None:
        self._max_queries = max_queries
        self._to_come: Counter[BatchPolicy] = Counter(counts)
        self._batches = {
            policy: _batches(number, policy, max_queries, side_by_side)
            for policy, number in counts.items()
        }
        self._open: dict[BatchPolicy, list[tuple[int, Query]]] = {}
        self._places = count()

    def __len__(self) -> int:
        """Return the number of queries that are in no batch yet."""
        return sum(map(len, self._open.values()))

    def add(self, query: Query, policy: BatchPolicy) -> None:
        """Put a query into the batch of its policy that is being filled."""
        self._open.setdefault(policy, []).append((next(self._places), query))

    def take(self, *, is_last: bool = False) -> BatchRequest | None:
        """Return the batch whose first query came first, once it is full.

        Args:
            is_last: whether no query comes after those that are here.
        """
        policy = min(self._open, key=self._place, default=None)
        if policy is None:
            return None
        size = self._size(policy)
        # A batch that fills slowly must not hold back those of other policies behind it.
        is_full = len(self._open[policy]) >= size or len(self) >= LOOK_AHEAD * self._max_queries
        return self._close(policy, size) if is_full or is_last else None

    def limit(self, max_queries: int) -> None:
        """Fill batches with fewer queries from now on."""
        self._max_queries = max_queries

    def drain(self) -> list[Query]:
        """Give back the queries that are in no batch yet."""
        left = sorted(each for queries in self._open.values() for each in queries)
        self._open.clear()
        return [query for _, query in left]

    def _place(self, policy: BatchPolicy) -> int:
        return self._open[policy][0][0]

    def _size(self, policy: BatchPolicy) -> int:
        to_come, batches = self._to_come[policy], max(self._batches.get(policy, 1), 1)
        # Rounded up, and not of what is there but of what is to come: all batches alike.
        return min(max(-(-to_come // batches), 1), self._max_queries)

    def _close(self, policy: BatchPolicy, size: int) -> BatchRequest:
        """Take a batch from the queries of a policy, and count those still to come."""
        queries = self._open.pop(policy)
        batch, rest = [query for _, query in queries[:size]], queries[size:]
        if rest:
            self._open[policy] = rest
        # The counts are a forecast: spared queries never come, and parts come on top.
        self._to_come[policy] = max(self._to_come[policy] - len(batch), len(rest))
        left = -(-self._to_come[policy] // self._max_queries)
        self._batches[policy] = max(self._batches.get(policy, 1) - 1, left)
        return batch_of(batch, policy)


def _batches(queries: int, policy: BatchPolicy, max_queries: int, side_by_side: int) -> int:
    """Return how many batches are needed; queries that can all run at once stay together."""
    # Rounded up: minus before and after turns the floor into the ceiling.
    needed = -(-queries // max_queries)
    if queries > policy.query_concurrency:
        needed = -(-needed // side_by_side) * side_by_side
    return needed


def pack(
    queries: Sequence[Query],
    policy_of: Callable[[Query], BatchPolicy],
    max_queries: int,
    side_by_side: int = 1,
) -> tuple[BatchRequest, ...]:
    """Pack every query into exactly one batch, as `Packer` does.

    Args:
        queries: in plan order.
        policy_of: the batch policy of a query.
        max_queries: most queries of one batch after splitting.
        side_by_side: how many batches run at the same time.

    Returns:
        Batches in the order of their first query.
    """
    packer = Packer(Counter(map(policy_of, queries)), max_queries, side_by_side)
    for query in queries:
        packer.add(query, policy_of(query))
    return tuple(iter(lambda: packer.take(is_last=True), None))


def batch_of(queries: Sequence[Query], policy: BatchPolicy) -> BatchRequest:
    """Return one batch of queries that share a policy, with as few items as possible."""
    by_account: dict[tuple[str, bool, tuple[str, ...]], list[DateRange | None]] = defaultdict(list)
    for query in queries:
        by_account[query.report, query.is_fresh, query.accounts].append(query.dates)
    by_dates: dict[tuple[str, bool, DateRange | None], list[tuple[str, ...]]] = defaultdict(list)
    # Days are merged first: then accounts with the same days can share an item.
    for (report, is_fresh, accounts), days in by_account.items():
        for dates in _merged(days, policy.split.dates):
            by_dates[report, is_fresh, dates].append(accounts)
    items = tuple(
        BatchItem(report=report, accounts=accounts, dates=dates, is_fresh=is_fresh)
        for (report, is_fresh, dates), groups in by_dates.items()
        for accounts in _gathered(groups, policy.split.accounts)
    )
    return BatchRequest(policy=policy, queries=tuple(queries), items=items)


def _merged(days: Sequence[DateRange | None], split: SplitDates) -> Iterable[DateRange | None]:
    # The API would not cut a merged range again: each stays an item of its own.
    if split is SplitDates.NONE or not days[0]:
        return days
    return merge(tuple(each for each in days if each))


def _gathered(groups: Sequence[tuple[str, ...]], split: SplitAccounts) -> Iterable[tuple[str, ...]]:
    if split is SplitAccounts.NONE or not groups[0]:
        return groups
    return (tuple(account for group in groups for account in group),)


def halved(request: BatchRequest) -> tuple[BatchRequest, BatchRequest] | None:
    """Return two batches with half the queries each; None when there is only one query."""
    middle = len(request.queries) // 2
    if not middle:
        return None
    return (
        batch_of(request.queries[:middle], request.policy),
        batch_of(request.queries[middle:], request.policy),
    )
