"""The days of a report as the state has them: done, stale, missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_supermetrics.dates import DateRange, intersect, subtract
from tap_supermetrics.model import account_id_of
from tap_supermetrics.planning.coverage import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from tap_supermetrics.planning.scope import Scope
    from tap_supermetrics.sync.report_sync import KnownReport


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDays:
    """The days of one account, or of accounts that are queried together.

    Attributes:
        account_id: the account, or the accounts joined.
        wanted: all days that are over and wanted.
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
        wanted: all days that are over and wanted.
        accounts: the days of each account.
    """

    name: str
    ds_id: str
    note: str = ""
    wanted: DateRange | None = None
    accounts: tuple[AccountDays, ...] = ()


def report_days(known: KnownReport, scope: Scope) -> ReportDays:
    """Return the days that a report wants, as its state has them; the state was begun before."""
    name, ds_id = known.report.name, known.report.ds_id
    wanted = _from(scope.complete(scope.wanted), known.state.not_before)
    if scope.is_elsewhere:
        return ReportDays(name=name, ds_id=ds_id, note=f"not in shard {known.report.shard}")
    if not scope.is_incremental:
        return ReportDays(name=name, ds_id=ds_id, note="read whole by every run")
    if wanted is None:
        return ReportDays(name=name, ds_id=ds_id, note="no day that is over is asked for")
    account_ids = [account_id_of(group) for group in scope.groups]
    covered = {each: known.state.coverage.get(each, Coverage()) for each in account_ids}
    accounts = tuple(
        AccountDays(
            account_id=account_id,
            wanted=wanted,
            stale=intersect(wanted, each.stale),
            missing=subtract(wanted, each.covered),
        )
        for account_id, each in covered.items()
    )
    return ReportDays(name=name, ds_id=ds_id, wanted=wanted, accounts=accounts)


def count_days(ranges: Iterable[DateRange]) -> int:
    """Return how many days ranges have that do not overlap."""
    return sum(each.days for each in ranges)


def _from(wanted: DateRange | None, first: date | None) -> DateRange | None:
    """Leave out the days that the API was found not to have, in a run before or in this one."""
    if wanted is None or first is None or first <= wanted.first:
        return wanted
    return replace(wanted, first=first) if first <= wanted.last else None
