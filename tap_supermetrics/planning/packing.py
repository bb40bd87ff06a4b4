"""From queries to query batches: few items that the API splits into just these queries.

The API takes a list of items and splits each by account and by day (Supermetrics docs, "Batch
queries"). Queries that differ only in day or account become one item, so that a batch's body stays
small, and no batch has more queries after splitting than the API allows.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from tap_supermetrics.dates import DateRange, merge
from tap_supermetrics.model import BatchItem, BatchRequest, Query, SplitAccounts, SplitDates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_supermetrics.model import BatchPolicy


def pack(
    queries: Sequence[Query],
    policy_of: Callable[[Query], BatchPolicy],
    max_queries: int,
    side_by_side: int = 1,
) -> tuple[BatchRequest, ...]:
    """Every query in exactly one batch, in plan order, policies never mixed.

    As few batches as can be, all of one size, and as many as can run side by side at any time: a
    small last batch would leave the other places empty while the large ones before it still run.

    Args:
        queries: the plan.
        policy_of: the batch policy of a query.
        max_queries: most queries of one batch after splitting.
        side_by_side: how many batches run at the same time.

    Returns:
        Batches in the order of their first query.
    """
    places: dict[BatchPolicy, list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        places[policy_of(query)].append(place)
    policies = list(places)
    slices = sorted(
        (part, number)
        for number, policy in enumerate(policies)
        for part in _parts(places[policy], policy, max_queries, side_by_side)
    )
    return tuple(
        batch_of([queries[place] for place in part], policies[number]) for part, number in slices
    )


def _parts(
    places: Sequence[int], policy: BatchPolicy, max_queries: int, side_by_side: int
) -> Iterable[list[int]]:
    """Parts as equal as can be; a few queries that can all run at once stay together."""
    needed = -(-len(places) // max_queries)
    if len(places) > policy.query_concurrency:
        needed = -(-needed // side_by_side) * side_by_side
    ends = [len(places) * number // needed for number in range(needed + 1)]
    return (list(places[first:last]) for first, last in pairwise(ends))


def batch_of(queries: Sequence[Query], policy: BatchPolicy) -> BatchRequest:
    """One batch of queries that share a policy, with as few items as possible."""
    by_account: dict[tuple[str, bool, tuple[str, ...]], list[DateRange | None]] = defaultdict(list)
    for query in queries:
        by_account[query.report, query.is_fresh, query.accounts].append(query.dates)
    by_dates: dict[tuple[str, bool, DateRange | None], list[tuple[str, ...]]] = defaultdict(list)
    for (report, is_fresh, accounts), days in by_account.items():
        for dates in _joined(days, policy.split.dates):
            by_dates[report, is_fresh, dates].append(accounts)
    items = tuple(
        BatchItem(report=report, accounts=accounts, dates=dates, is_fresh=is_fresh)
        for (report, is_fresh, dates), groups in by_dates.items()
        for accounts in _gathered(groups, policy.split.accounts)
    )
    return BatchRequest(policy=policy, queries=tuple(queries), items=items)


def _joined(days: Sequence[DateRange | None], split: SplitDates) -> Iterable[DateRange | None]:
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
