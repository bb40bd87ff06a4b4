"""The scope of a report: accounts, days and policy, before coverage counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from tap_supermetrics.dates import DateRange
from tap_supermetrics.model import BatchPolicy, Query, Report, SplitAccounts, SplitDates

if TYPE_CHECKING:
    from tap_supermetrics.planning.coverage import Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The accounts and days that a report wants, before coverage counts.

    Attributes:
        accounts: every account of the report in this shard.
        wanted: first to last day; None where the API determines them, or there are none.
        is_incremental: whether coverage counts; else every run reads the report whole, and its
            queries must not be split: the sums of two halves are not the sum of the whole.
        is_dated_by_rows: whether rows have their day, so that a query may span several.
        policy: the report's batch policy, as far as it can be applied.
        lookback_days: how many of the last loaded days are read again.
        fresh_since: days of the lookback read after it are not read again.
        has_no_day: whether the report has dates, but no day to be queried.
        start_moves: whether the first day is one in words, so that each run has a later one.
        last_complete: yesterday; a day that still goes on is read, but not covered.
        is_elsewhere: whether the report is wholly another shard's.
    """

    accounts: tuple[str, ...]
    wanted: DateRange | None
    is_incremental: bool
    is_dated_by_rows: bool
    policy: BatchPolicy
    lookback_days: int = 0
    fresh_since: datetime | None = None
    has_no_day: bool = False
    start_moves: bool = False
    last_complete: date | None = None
    is_elsewhere: bool = False

    def complete(self, dates: DateRange | None) -> DateRange | None:
        """Return the answered days that are over; None when there are none."""
        if dates is None or self.last_complete is None or dates.first > self.last_complete:
            return None
        return replace(dates, last=min(dates.last, self.last_complete))

    def policy_of(self, query: Query) -> BatchPolicy:
        """Return the batch policy of a query."""
        return self.policy_of_days(query.days)

    def policy_of_days(self, days: int) -> BatchPolicy:
        """Return the batch policy of a query of so many days, of which several are not split."""
        return _by_no_day(self.policy) if days > 1 else self.policy

    def left_behind(self, known: Coverage) -> tuple[DateRange, ...]:
        """Return the days of an account that a first day that moves has left behind unread.

        It says where a history begins. From there on no day is left out, however long the pipeline
        stood still, or the account failed.
        """
        if self.wanted is None or not self.start_moves:
            return ()
        return known.left_behind(self.wanted.first, self.lookback_days, self.fresh_since)

    @property
    def last_wanted(self) -> date:
        """Return the last wanted day; the last of the calendar where the API determines them."""
        return self.wanted.last if self.wanted else date.max

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Return the accounts in groups, one for each query."""
        return () if self.is_elsewhere else self.policy.split.accounts.groups(self.accounts)


def _by_no_day(policy: BatchPolicy) -> BatchPolicy:
    return replace(policy, split=replace(policy.split, dates=SplitDates.NONE))


def scope_of(
    report: Report,
    accounts: tuple[str, ...],
    now: datetime,
    *,
    replication_key: str,
    is_dated: bool,
) -> Scope:
    """Return what a report wants.

    Args:
        report: the report.
        accounts: its accounts, resolved, of all shards.
        now: the time of the run, with offset; today is what it is in the report's time zone.
        replication_key: the report's; empty for one that is read whole.
        is_dated: whether the data source knows dates at all.
    """
    today = now.astimezone(report.timezone).date()
    wanted, has_no_day = None, False
    if is_dated and report.start_date and not report.date_range_type:
        # Days to come have no data: queried now, they would be queried again every day.
        first, last = report.start_date.as_first(today), min(report.end_date.on(today), today)
        has_no_day = first > last
        wanted = None if has_no_day else DateRange(first=first, last=last)
    is_incremental = bool(replication_key)
    # Split into days, a report without a day in its rows would be summed up by day.
    policy = report.policy if is_incremental else _by_no_day(report.policy)
    hours = report.refresh_after_hours
    share = _share_of(report, accounts)
    return Scope(
        accounts=share or (),
        wanted=wanted,
        is_incremental=is_incremental,
        is_dated_by_rows=replication_key in report.fields,
        policy=policy,
        lookback_days=report.lookback_days,
        fresh_since=now - timedelta(hours=hours) if hours else None,
        has_no_day=has_no_day,
        start_moves=report.start_date is not None and not report.start_date.fixed,
        last_complete=today - timedelta(days=1),
        is_elsewhere=share is None,
    )


def _share_of(report: Report, accounts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the accounts that this shard takes; None where the report is wholly another's."""
    # One query for all accounts cannot be shared out: the first shard takes it.
    if not accounts or report.split_accounts_policy is SplitAccounts.NONE:
        return accounts if report.shard.is_first else None
    return report.shard.share_of(accounts) or None


def recent_days(report: Report, wanted: DateRange) -> DateRange:
    """Return the newest days: the last one, and as many before it as the lookback has."""
    first = wanted.last - timedelta(days=report.lookback_days)
    return DateRange(first=max(first, wanted.first), last=wanted.last)
