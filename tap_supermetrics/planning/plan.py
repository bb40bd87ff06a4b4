"""From reports, accounts and coverage to the queries of a run, in the order of their emission."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from tap_supermetrics.dates import DateRange, intersect, subtract
from tap_supermetrics.model import Query, SplitDates
from tap_supermetrics.planning.coverage import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.model import BatchPolicy, Report

TEST_ACCOUNTS = 3
"""A connection test asks the newest day of so many accounts, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a report wants, before coverage says what is there already.

    Attributes:
        accounts: every account of the report.
        wanted: first to last day; None where the API determines them, or there are none.
        is_incremental: whether coverage counts; else every run reads the report whole, and its
            queries must not be split: the sums of two halves are not the sum of the whole.
        is_dated_by_rows: whether rows tell their day, so that a query may span several.
        policy: the report's batch policy, as far as it can be applied.
        fresh_since: days of the lookback that were read later are left alone.
        is_over: whether the report has dates, but none of its days is to be asked.
        last_complete: yesterday; a day that still goes on is read, but not covered.
    """

    accounts: tuple[str, ...]
    wanted: DateRange | None
    is_incremental: bool
    is_dated_by_rows: bool
    policy: BatchPolicy
    fresh_since: datetime | None = None
    is_over: bool = False
    last_complete: date | None = None

    def complete(self, dates: DateRange | None) -> DateRange | None:
        """The days that are over, of those answered; None when there are none."""
        if dates is None or self.last_complete is None or dates.first > self.last_complete:
            return None
        return replace(dates, last=min(dates.last, self.last_complete))

    def policy_of(self, query: Query) -> BatchPolicy:
        """The batch policy of a query: one for several days must not be split into days."""
        is_long = query.dates is not None and query.dates.days > 1
        return _by_no_day(self.policy) if is_long else self.policy

    @property
    def last_wanted(self) -> date:
        """The last day that is wanted; the last of the calendar where the API determines them."""
        return self.wanted.last if self.wanted else date.max

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The accounts as they are asked together."""
        return self.policy.split.accounts.groups(self.accounts)


def _by_no_day(policy: BatchPolicy) -> BatchPolicy:
    return replace(policy, split=replace(policy.split, dates=SplitDates.NONE))


def scope_of(  # noqa: PLR0913 - all that decides what is wanted
    report: Report,
    accounts: tuple[str, ...],
    now: datetime,
    *,
    replication_key: str,
    is_dated: bool,
    not_before: date | None = None,
) -> Scope:
    """What a report wants.

    Args:
        report: the report.
        accounts: its accounts, resolved.
        now: the time of the run, with offset; today is what it is in the report's time zone.
        replication_key: the report's; empty for one that is read whole.
        is_dated: whether the data source knows dates at all.
        not_before: first day that the API is known to give; None when it gave all so far.
    """
    today = now.astimezone(report.timezone).date()
    wanted, is_over = None, False
    if is_dated and report.start_date and not report.date_range_type:
        # Days to come have no data: asked for now, they would be asked for again every day.
        first, last = report.start_date.on(today), min(report.end_date.on(today), today)
        first = max(first, not_before or first)
        is_over = first > last
        wanted = None if is_over else DateRange(first=first, last=last)
    is_incremental = bool(replication_key)
    policy = report.policy if is_incremental else _by_no_day(report.policy)
    hours = report.refresh_after_hours
    return Scope(
        accounts=accounts,
        wanted=wanted,
        is_incremental=is_incremental,
        is_dated_by_rows=replication_key in report.fields,
        policy=policy,
        fresh_since=now - timedelta(hours=hours) if hours else None,
        is_over=is_over,
        last_complete=today - timedelta(days=1),
    )


def plan_report(
    report: Report,
    scope: Scope,
    coverage: Mapping[str, Coverage],
    held: Sequence[Query] = (),
) -> tuple[Query, ...]:
    """The queries of one report: every day that is wanted and needed, each exactly once.

    Args:
        report: the report.
        scope: what it wants.
        coverage: what is there already, by account id.
        held: queries whose results the API still holds; those that are needed are planned as
            they are, so that their results can be used.

    Returns:
        In order of first day, then of accounts.
    """
    queries = [
        query
        for accounts in scope.groups
        for query in _plan_accounts(report, scope, accounts, coverage, held)
    ]
    return tuple(sorted(queries, key=lambda query: emission_order(query, report, scope)))


def emission_order(query: Query, report: Report, scope: Scope) -> tuple[bool, int]:
    """What sorts queries into the order in which they are asked and emitted."""
    day = query.dates.first.toordinal() if query.dates else 0
    if not report.newest_first or scope.wanted is None or query.dates is None:
        return False, day
    is_history = query.dates.last < recent_days(report, scope.wanted).first
    return is_history, -day if is_history else day


def plan_test(report: Report, scope: Scope) -> tuple[Query, ...]:
    """The few queries of a connection test: the newest day of a few accounts."""
    if scope.wanted is None:
        return plan_report(report, replace(scope, accounts=scope.accounts[:TEST_ACCOUNTS]), {})
    newest = DateRange(first=scope.wanted.last, last=scope.wanted.last)
    narrow = replace(scope, accounts=scope.accounts[:TEST_ACCOUNTS], wanted=newest)
    return plan_report(report, narrow, {})


def recent_days(report: Report, wanted: DateRange) -> DateRange:
    """The newest days: the last one, and as many before it as the lookback has."""
    first = wanted.last - timedelta(days=report.lookback_days)
    return DateRange(first=max(first, wanted.first), last=wanted.last)


def _plan_accounts(
    report: Report,
    scope: Scope,
    accounts: tuple[str, ...],
    coverage: Mapping[str, Coverage],
    held: Sequence[Query],
) -> Iterator[Query]:
    whole = Query(report=report.name, accounts=accounts, dates=scope.wanted)
    if not scope.is_incremental:
        if not scope.is_over:
            yield whole
        return
    if scope.wanted is None:
        return
    known = coverage.get(whole.account_id, Coverage())
    for needed in known.needed(scope.wanted, report.lookback_days, scope.fresh_since):
        usable = _disjoint(query for query in held if _fits(query, accounts, needed))
        yield from usable
        asked = tuple(query.dates for query in usable if query.dates)
        for gap in subtract(needed, tuple(sorted(asked))):
            yield from (_dated(whole, piece, report) for piece in _pieces(gap, report, scope))


def _pieces(gap: DateRange, report: Report, scope: Scope) -> Iterator[DateRange]:
    """A gap as the date ranges of its queries: history in long ones, the newest days as usual."""
    usual = 1 if scope.policy.split.dates is SplitDates.DAY else report.max_days_per_query
    long = report.backfill_days_per_query if scope.is_dated_by_rows else 1
    if long <= usual or scope.wanted is None:
        return gap.pieces(usual)
    recent = recent_days(report, scope.wanted)
    history = (piece for part in subtract(gap, (recent,)) for piece in part.pieces(long))
    newest = (piece for part in intersect(gap, (recent,)) for piece in part.pieces(usual))
    return chain(history, newest)


def _dated(whole: Query, dates: DateRange, report: Report) -> Query:
    """A query for some of the days; fresh when any of the newest days is among them."""
    fresh = report.require_fresh_days
    is_fresh = bool(fresh and whole.dates and (whole.dates.last - dates.last).days < fresh)
    return replace(whole, dates=dates, is_fresh=is_fresh)


def _days_of(query: Query) -> int:
    return query.dates.days if query.dates else 0


def _disjoint(queries: Iterable[Query]) -> list[Query]:
    """Of queries for the same days, the shortest, and the newest of these: no day comes twice."""
    chosen: list[Query] = []
    # Of a query that was split, its parts came later, and are of fewer days.
    newest_first = [*queries][::-1]
    for query in sorted(newest_first, key=_days_of):
        taken = tuple(each.dates for each in chosen if each.dates)
        if query.dates and not intersect(query.dates, taken):
            chosen.append(query)
    return chosen


def _fits(query: Query, accounts: tuple[str, ...], needed: DateRange) -> bool:
    dates = query.dates
    return (
        query.accounts == accounts
        and dates is not None
        and needed.first <= dates.first
        and dates.last <= needed.last
    )
