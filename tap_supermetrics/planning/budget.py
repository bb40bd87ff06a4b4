"""Chooses the queries that a run may still pay for, where it has a budget."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from tap_supermetrics.planning.plan import Cursor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_supermetrics.model import Query, ReportAccount
    from tap_supermetrics.planning.account import AccountPlan
    from tap_supermetrics.planning.plan import Order, ReportPlan


def within_budget(
    plans: Sequence[ReportPlan], limit: int, free: Collection[Query]
) -> tuple[ReportPlan, ...]:
    """Return the plans with the queries that come first, over all reports.

    Work grows with the limit, not with the plans.

    Args:
        plans: what each report requests.
        limit: the most queries that may be paid for.
        free: queries whose results the API retains; all of them stay.
    """
    chosen: dict[ReportAccount, list[Query]] = defaultdict(list)
    for query in _retained(plans, free):
        chosen[query.report_account].append(query)
    costly = (
        query
        for _, query in heapq.merge(*map(_by_rank, plans), key=itemgetter(0))
        if query not in free
    )
    # Every plan is in order already, so that no more is drawn than the budget pays for.
    for query in islice(costly, limit):
        chosen[query.report_account].append(query)
    return tuple(_only(plan, chosen) for plan in plans)


def _retained(plans: Sequence[ReportPlan], free: Collection[Query]) -> Iterator[Query]:
    """Return what costs nothing: single queries of the plans."""
    return (query for plan in plans for query in plan.singled_out() if query in free)


def _by_rank(plan: ReportPlan) -> Iterator[tuple[Order, Query]]:
    return iter(Cursor(replace(plan, is_by_rank=True)).draw_ordered, None)


def _only(plan: ReportPlan, chosen: Mapping[ReportAccount, list[Query]]) -> ReportPlan:
    accounts = (
        replace(account, parts=_sorted(plan, account, chosen[account.whole.report_account]))
        for account in plan.accounts
        if account.whole.report_account in chosen
    )
    return replace(plan, accounts=tuple(accounts))


def _sorted(plan: ReportPlan, account: AccountPlan, queries: list[Query]) -> tuple[Query, ...]:
    def order(query: Query) -> Order:
        return plan.order(query, account)

    return tuple(sorted(queries, key=order))
