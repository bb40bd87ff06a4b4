"""The days of a report as the state has them: done, stale, missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_supermetrics.dates import DateRange, intersect, subtract
from tap_supermetrics.model import account_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from tap_supermetrics.planning.coverage import Coverage
    from tap_supermetrics.planning.scope import Scope
    from tap_supermetrics.sync.report_sync import KnownReport


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDays:
    """The days of one account, or of accounts that are queried together.

    Attributes:
        account_id: the account, or the accounts joined.
        wanted: all days that are over and wanted, and that the API gives as far as is known; where
            a first day that moves has left days behind unread, from the first of them.
        stale: days that are there, and will be read again because a query for them failed.
        missing: days that are not there.
    """

    account_id: str
    wanted: DateRange
    stale: tuple[DateRange, ...]
    missing: tuple[DateRange, ...]

    @property
    def days_done(self) -> int:
        """Days that are there and good."""
        return self.wanted.days - count_days(self.stale) - count_days(self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDays:
    """The days of one report; without any where a note says why.

    Attributes:
        name: of the report.
        ds_id: its data source.
        note: why there is nothing to say of days; empty where there is.
        is_unknown: whether that is so because the API refused its list.
        wanted: all days that are over and wanted.
        accounts: the days of each account.
    """

    name: str
    ds_id: str
    note: str = ""
    is_unknown: bool = False
    wanted: DateRange | None = None
    accounts: tuple[AccountDays, ...] = ()


def report_days(known: KnownReport, scope: Scope) -> ReportDays:
    """Return the days that a report wants, as its state has them; `begin` comes first."""
    name, ds_id = known.report.name, known.report.ds_id
    wanted = scope.complete(scope.wanted)
    if scope.is_elsewhere:
        return ReportDays(name=name, ds_id=ds_id, note=f"not in shard {known.report.shard}")
    if not scope.is_incremental:
        return ReportDays(name=name, ds_id=ds_id, note="read whole by every run")
    if wanted is None:
        return ReportDays(name=name, ds_id=ds_id, note="no day that is over is asked for")
    ids = [account_id_of(group) for group in scope.groups]
    coverage = {account_id: known.state.coverage_of(account_id) for account_id in ids}
    behind = (each.first for one in coverage.values() for each in scope.left_behind(one))
    since = min(behind, default=wanted.first)
    found = (_account_days(account_id, coverage[account_id], wanted, since) for account_id in ids)
    accounts = tuple(each for each in found if each)
    if not accounts:
        return ReportDays(name=name, ds_id=ds_id, note="no day that is over is asked for")
    first = min(each.wanted.first for each in accounts)
    return ReportDays(
        name=name, ds_id=ds_id, wanted=replace(wanted, first=first), accounts=accounts
    )


def _account_days(
    account_id: str, coverage: Coverage, wanted: DateRange, since: date
) -> AccountDays | None:
    """Return the days of an account, from `since` if it was loaded then; None where it has none."""
    first = min(wanted.first, max(since, coverage.wanted_from or wanted.first))
    first = max(first, coverage.not_before or first)
    if first > wanted.last:
        return None
    given = replace(wanted, first=first)
    return AccountDays(
        account_id=account_id,
        wanted=given,
        stale=intersect(given, coverage.stale),
        missing=subtract(given, coverage.covered),
    )


def count_days(ranges: Iterable[DateRange]) -> int:
    """Return how many days ranges have that do not overlap."""
    return sum(each.days for each in ranges)
