"""From reports, accounts and coverage to the queries of a run, in the order of their emission."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.dates import DateRange, subtract

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from tap_supermetrics.settings import BatchPolicy, Report

TEST_ACCOUNTS = 3
"""A connection test asks the newest day of so many accounts, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to the API: report x account(s) x date range.

    Attributes:
        report: name of the report.
        accounts: ids of the accounts; several where accounts are not split, none where the data
            source has none.
        dates: the days asked for; None where the API determines them, or there are none.
    """

    report: str
    accounts: tuple[str, ...]
    dates: DateRange | None

    @property
    def account_id(self) -> str:
        """The accounts as one value: `123`, or `123,456` sorted where they are not split."""
        return account_id_of(self.accounts)

    def __str__(self) -> str:
        """`google_ads, account 123, 2024-03-05`, as people see it in messages."""
        parts = [self.report]
        if self.accounts:
            parts.append(f"account {self.account_id}")
        if self.dates:
            parts.append(str(self.dates))
        return ", ".join(parts)

    def split(self) -> tuple[Query, Query] | None:
        """Two queries for the halves of the days; None when there is one day or none."""
        if self.dates is None or self.dates.days == 1:
            return None
        earlier, later = self.dates.halves()
        return replace(self, dates=earlier), replace(self, dates=later)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a report wants, before coverage says what is there already.

    Attributes:
        accounts: every account of the report.
        wanted: first to last day; None where the API determines them, or there are none.
        is_incremental: whether coverage counts; else every run reads the report whole, and its
            queries must not be split: the sums of two halves are not the sum of the whole.
        policy: the report's batch policy, as far as it can be applied.
    """

    accounts: tuple[str, ...]
    wanted: DateRange | None
    is_incremental: bool
    policy: BatchPolicy

    def policy_of(self, query: Query) -> BatchPolicy:
        """The batch policy of a query: one for several days must not be split into days."""
        is_long = query.dates is not None and query.dates.days > 1
        return replace(self.policy, split_dates=False) if is_long else self.policy

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The accounts as they are asked together."""
        if self.policy.split_accounts and self.accounts:
            return tuple((account,) for account in self.accounts)
        return (self.accounts,)


def account_id_of(accounts: Iterable[str]) -> str:
    """The accounts of one query as one value: sorted, joined by commas."""
    return ",".join(sorted(accounts))


def scope_of(
    report: Report, accounts: tuple[str, ...], today: date, *, is_incremental: bool, is_dated: bool
) -> Scope:
    """What a report wants on the day `today`.

    Args:
        report: the report.
        accounts: its accounts, resolved.
        today: today in the report's time zone.
        is_incremental: whether it has a replication key.
        is_dated: whether the data source knows dates at all.
    """
    wanted = None
    if is_dated and report.start_date and not report.date_range_type:
        first, last = report.start_date.on(today), report.end_date.on(today)
        wanted = DateRange(first=first, last=last) if first <= last else None
    # Only the API knows the accounts of a team list: here it is one account, which is not split.
    is_known = report.accounts.list_name in {None, "all_accounts"}
    policy = replace(
        report.policy,
        split_dates=report.policy.split_dates and is_incremental,
        split_accounts=report.policy.split_accounts and is_known,
    )
    return Scope(accounts=accounts, wanted=wanted, is_incremental=is_incremental, policy=policy)


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
    return tuple(sorted(queries, key=_first_day))


def plan_test(report: Report, scope: Scope) -> tuple[Query, ...]:
    """The few queries of a connection test: the newest day of a few accounts."""
    if scope.wanted is None:
        return plan_report(report, replace(scope, accounts=scope.accounts[:TEST_ACCOUNTS]), {})
    newest = DateRange(first=scope.wanted.last, last=scope.wanted.last)
    narrow = replace(scope, accounts=scope.accounts[:TEST_ACCOUNTS], wanted=newest)
    return plan_report(report, narrow, {})


def _first_day(query: Query) -> int:
    return query.dates.first.toordinal() if query.dates else 0


def _plan_accounts(
    report: Report,
    scope: Scope,
    accounts: tuple[str, ...],
    coverage: Mapping[str, Coverage],
    held: Sequence[Query],
) -> Iterator[Query]:
    whole = Query(report=report.name, accounts=accounts, dates=scope.wanted)
    if not scope.is_incremental:
        yield whole
        return
    if scope.wanted is None:
        return
    known = coverage.get(whole.account_id, Coverage())
    for needed in known.needed(scope.wanted, report.lookback_days):
        usable = [query for query in held if _fits(query, accounts, needed)]
        yield from usable
        asked = tuple(query.dates for query in usable if query.dates)
        max_days = 1 if scope.policy.split_dates else report.max_days_per_query
        for gap in subtract(needed, tuple(sorted(asked))):
            yield from (replace(whole, dates=piece) for piece in gap.pieces(max_days))


def _fits(query: Query, accounts: tuple[str, ...], needed: DateRange) -> bool:
    dates = query.dates
    return (
        query.accounts == accounts
        and dates is not None
        and needed.first <= dates.first
        and dates.last <= needed.last
    )
