"""From reports, accounts and coverage to the queries of a run: ranges first, queries one at a time.

A report's plan has a few date ranges per account. Its queries are made in the order of their
emission as they are needed, so that memory and time before the first one grow with accounts, not
with days; how many there are is arithmetic.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from tap_supermetrics.dates import DateRange, intersect, merge, subtract, with_range
from tap_supermetrics.model import Query, SplitDates, account_id_of
from tap_supermetrics.planning.account import AccountPlan, Rank, Stretch, first_day
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.scope import Scope, recent_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_supermetrics.model import BatchPolicy, Report

TEST_ACCOUNTS = 3
"""A connection test queries the newest day of so many accounts."""

LAST_FOR_DAYS = 3
"""An account that gave nothing comes last for so many days; then it has a turn like all others:
else a budget that is too small for all would never reach it."""

GAPS_REMEMBERED = 16_384
"""Gaps of a report that are covered once, whatever accounts have them."""

Order = tuple[int, bool, int]
"""The sort key of a report's queries: rank, whether they are history, day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlan:
    """The plan of one report.

    Attributes:
        report: the report.
        scope: what it wants.
        accounts: what is queried of each account.
        is_by_rank: whether days never loaded come before days to be read again.
        is_tried_first: whether one query is answered before others are submitted, as the API may
            refuse all of them alike.
        header_in_totals: whether totals of its results count a header; None where no run showed it.
    """

    report: Report
    scope: Scope
    accounts: tuple[AccountPlan, ...] = ()
    is_by_rank: bool = False
    is_tried_first: bool = False
    header_in_totals: bool | None = None

    def __len__(self) -> int:
        """Return the number of queries."""
        return sum(map(len, self.accounts))

    def queries(self) -> Iterator[Query]:
        """Make the queries in the order of their emission, from the start each time."""
        cursor = Cursor(self)
        return iter(cursor.draw, None)

    def order(self, query: Query, account: AccountPlan) -> Order:
        """Return the sort key of a query; accounts of one day stay in their order."""
        # Not by rank, all have the same: then only their days sort them.
        rank = account.rank(query) if self.is_by_rank else Rank.NEW
        if rank is Rank.WHOLE:
            # By age, so that each has its turn; reports never read come first.
            turn = account.last_attempt_at
            return rank, False, int(turn.timestamp() * 1000) if turn else 0
        day = query.dates.first.toordinal() if query.dates else 0
        if rank is Rank.ANYWAY:
            return rank, False, -day
        if not self.report.newest_first or self.scope.wanted is None or query.dates is None:
            return rank, False, day
        is_history = query.dates.last < recent_days(self.report, self.scope.wanted).first
        return rank, is_history, -day if is_history else day

    def singled_out(self) -> Iterator[Query]:
        """Return the queries that were planned as they are, such as those of retained results."""
        parts = (part for account in self.accounts for part in account.parts)
        return (part for part in parts if isinstance(part, Query))

    def counts(self) -> Counter[BatchPolicy]:
        """Return how many queries each batch policy has, as they are packed."""
        sizes: Counter[tuple[int, int]] = Counter()
        counts: Counter[BatchPolicy] = Counter()
        for part in chain.from_iterable(account.parts for account in self.accounts):
            if isinstance(part, Query):
                counts[self.scope.policy_of(part)] += 1
            else:
                sizes[part.dates.days, part.step] += 1
        for (days, step), count in sizes.items():
            # The full pieces, and the rest, which may be of one day.
            full, rest = divmod(days, step)
            counts[self.scope.policy_of_days(step)] += full * count
            counts[self.scope.policy_of_days(rest)] += bool(rest) * count
        return +counts


class Cursor:
    """Goes through the queries of a report once, in order.

    Accounts whose next query is not wanted yet are passed over, and come back with `wake`.

    Args:
        plan: the report's plan.
    """

    def __init__(self, plan: ReportPlan) -> None:
        self._plan = plan
        self._numbers = {each.whole.account_id: n for n, each in enumerate(plan.accounts)}
        # By the number of each account that is not done: its next query, and those after it.
        self._heads: dict[int, tuple[Query, Iterator[Query]]] = {}
        self._order: list[tuple[Order, int]] = []  # A heap, of the accounts to draw from.
        self._parked: dict[int, Order] = {}
        for number, account in enumerate(plan.accounts):
            self._push(number, account.queries(by_rank=plan.is_by_rank))

    def draw(self, must_wait: Callable[[Query], bool] | None = None) -> Query | None:
        """Return the next query; None when there is none, or all are held back."""
        found = self.draw_ordered(must_wait)
        return found and found[1]

    def draw_ordered(
        self, must_wait: Callable[[Query], bool] | None = None
    ) -> tuple[Order, Query] | None:
        """Return the next query with its sort key."""
        while self._order:
            order, number = heapq.heappop(self._order)
            query, queries = self._heads[number]
            # Its account is set aside as a whole: a later query must not come before this one.
            if must_wait and must_wait(query):
                self._parked[number] = order
                continue
            del self._heads[number]
            self._push(number, queries)
            return order, query
        return None

    def wake(self, account_id: str | None = None) -> None:
        """Take up again accounts that were passed over: all, or one."""
        for number in self._numbers_of(account_id):
            order = self._parked.pop(number, None)
            if order is not None:
                heapq.heappush(self._order, (order, number))

    def heads(self, account_id: str | None = None) -> list[tuple[AccountPlan, Query]]:
        """Return the accounts that are not done, or one of them, each with its next query."""
        numbers = self._numbers_of(account_id)
        return [(self._plan.accounts[number], self._heads[number][0]) for number in numbers]

    def days_left(self) -> Counter[str]:
        """Return how many days were not drawn, by account id; queries where these have no days."""
        days: Counter[str] = Counter()
        for number, (head, queries) in self._heads.items():
            account = self._plan.accounts[number]
            if self._plan.is_by_rank:
                # By rank, only a walk through the rest counts them: the cursor is used up.
                days[head.account_id] += sum(query.days for query in chain((head,), queries))
            else:
                days[head.account_id] += sum(map(_days_of, account.left(head)))
        return days

    def _numbers_of(self, account_id: str | None) -> list[int]:
        """Return the numbers of the accounts that are not done, or of one of them."""
        if account_id is None:
            return [*self._heads]
        number = self._numbers.get(account_id)
        return [number] if number in self._heads else []

    def _push(self, number: int, queries: Iterator[Query]) -> None:
        query = next(queries, None)
        if query is not None:
            self._heads[number] = query, queries
            order = self._plan.order(query, self._plan.accounts[number])
            heapq.heappush(self._order, (order, number))


def plan_report(
    report: Report,
    scope: Scope,
    coverage: Mapping[str, Coverage],
    retained: Sequence[Query] = (),
    *,
    ignores_coverage: bool = False,
) -> ReportPlan:
    """Plan one report: every day that is wanted and needed, each exactly once.

    Args:
        report: the report.
        scope: what it wants.
        coverage: days in the target, and the first day that the API gives, by account id.
        retained: queries whose results the API still retains; those that are needed are planned as
            they are, so that their results can be used.
        ignores_coverage: whether covered days are read again.

    Returns:
        Queries in order of first day, then of accounts.
    """
    gaps = _Gaps(report, scope, retained)
    accounts = [
        _plan_accounts(
            report,
            scope,
            each,
            coverage.get(account_id_of(each), Coverage()),
            gaps,
            ignores_coverage=ignores_coverage,
        )
        for each in scope.groups
    ]
    planned = tuple(account for account in accounts if account.parts)
    return ReportPlan(report=report, scope=scope, accounts=planned)


def plan_test(report: Report, scope: Scope) -> ReportPlan:
    """Plan the few queries of a connection test: the newest day of a few accounts."""
    narrow = replace(scope, accounts=scope.accounts[:TEST_ACCOUNTS])
    if scope.wanted is not None:
        narrow = replace(narrow, wanted=replace(scope.wanted, first=scope.wanted.last))
    return plan_report(report, narrow, {})


class _Gaps:
    """Fills gaps of a report: with queries of retained results, and stretches of new ones.

    Gaps are alike from account to account, and a history full of them has a million: each is
    covered once.
    """

    def __init__(self, report: Report, scope: Scope, retained: Iterable[Query]) -> None:
        self._retained: dict[tuple[str, ...], list[Query]] = defaultdict(list)
        for query in retained:
            self._retained[query.accounts].append(query)

        @lru_cache(maxsize=GAPS_REMEMBERED)
        def cover(gap: DateRange) -> tuple[Stretch, ...]:
            return (*_stretches(gap, report, scope, scope.wanted or gap),)

        self._cover = cover

    def filled(self, accounts: tuple[str, ...], gap: DateRange) -> Iterator[Stretch | Query]:
        """Give the parts that cover a gap of some accounts."""
        retained = self._retained.get(accounts)
        if not retained:
            yield from self._cover(gap)
            return
        usable = _disjoint(query for query in retained if query.dates and gap.contains(query.dates))
        yield from usable
        for left in subtract(gap, sorted(query.dates for query in usable if query.dates)):
            yield from self._cover(left)


def _plan_accounts(  # noqa: PLR0913 - all that decides what is queried
    report: Report,
    scope: Scope,
    accounts: tuple[str, ...],
    known: Coverage,
    gaps: _Gaps,
    *,
    ignores_coverage: bool,
) -> AccountPlan:
    """Plan one account, or accounts that are queried together."""
    whole = Query(report=report.name, accounts=accounts, dates=scope.wanted)
    if not scope.is_incremental:
        return AccountPlan(
            whole=whole,
            parts=() if scope.has_no_day else (whole,),
            is_read_whole=True,
            was_loaded=known.is_loaded,
            last_attempt_at=known.last_attempt_at,
        )
    if scope.wanted is None:
        return AccountPlan(whole=whole, parts=())
    needed = known.needed(scope.wanted, report.lookback_days, scope.fresh_since)
    if ignores_coverage:
        needed = Coverage(not_before=known.not_before).needed(scope.wanted, 0)
    needed = merge((*scope.left_behind(known), *needed))
    parts = [part for gap in needed for part in gaps.filled(accounts, gap)]
    return AccountPlan(
        whole=whole,
        parts=tuple(_in_order(parts, report, scope.wanted)),
        covered=known.covered,
        is_read_anyway=ignores_coverage,
        was_loaded=known.is_loaded,
        gave_nothing=known.tried_at is not None,
        comes_last=_has_failed_lately(known, scope),
        fresh_from=_fresh_from(report, scope.wanted),
    )


def _has_failed_lately(known: Coverage, scope: Scope) -> bool:
    if known.tried_at is None or scope.last_complete is None:
        return known.tried_at is not None
    return (scope.last_complete - known.tried_at.date()).days < LAST_FOR_DAYS


def _stretches(
    gap: DateRange, report: Report, scope: Scope, wanted: DateRange
) -> Iterator[Stretch]:
    """Cut a gap: history into long queries, the newest days as usual."""
    usual = 1 if scope.policy.split.dates is SplitDates.DAY else report.max_days_per_query
    # A query for several days needs rows with their day.
    long = report.backfill_days_per_query if scope.is_dated_by_rows else 1
    recent = recent_days(report, wanted)
    if long > usual:
        yield from (Stretch(dates=part, step=long) for part in subtract(gap, (recent,)))
        yield from (Stretch(dates=part, step=usual) for part in intersect(gap, (recent,)))
        return
    # A piece that reaches into the newest days is one of them.
    days_before = (recent.first - gap.first).days // usual * usual
    if not report.newest_first or not 0 < days_before < gap.days:
        yield Stretch(dates=gap, step=usual)
        return
    middle = gap.first + timedelta(days=days_before)
    yield Stretch(dates=replace(gap, last=middle - timedelta(days=1)), step=usual)
    yield Stretch(dates=replace(gap, first=middle), step=usual)


def _in_order(
    parts: Iterable[Stretch | Query], report: Report, wanted: DateRange
) -> list[Stretch | Query]:
    """Sort the parts as their queries are emitted."""
    by_day = sorted(parts, key=first_day)
    if not report.newest_first:
        return by_day
    first = recent_days(report, wanted).first
    recent = [part for part in by_day if _last_day(part) >= first]
    history = [part for part in reversed(by_day) if _last_day(part) < first]
    return recent + [
        replace(part, is_backwards=True) if isinstance(part, Stretch) else part for part in history
    ]


def _fresh_from(report: Report, wanted: DateRange) -> date | None:
    # The calendar has no day before day 1.
    days = min(report.require_fresh_days, wanted.last.toordinal())
    return wanted.last - timedelta(days=days - 1) if days else None


def _last_day(part: Stretch | Query) -> date:
    return part.dates.last if part.dates else date.max


def _days_of(part: Stretch | Query) -> int:
    return part.dates.days if part.dates else 1


def _disjoint(queries: Iterable[Query]) -> list[Query]:
    """Return queries without common days: of those that overlap, the shortest, then the newest."""
    chosen: list[Query] = []
    taken: tuple[DateRange, ...] = ()
    # The parts of a query that was split came later, and have fewer days.
    newest_first = [*queries][::-1]
    for query in sorted(newest_first, key=_days_of):
        if query.dates and not intersect(query.dates, taken):
            chosen.append(query)
            taken = with_range(taken, query.dates)
    return chosen
