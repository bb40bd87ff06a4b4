"""The ways in which the API splits and runs the items of a query batch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tap_supermetrics.dates import DateRange


class SplitDates(str, Enum):
    """The API's way to split the days of a batch item (`split_dates_policy`, in its words)."""

    DAY = "day"
    NONE = "none"

    def pieces(self, dates: DateRange | None) -> tuple[DateRange | None, ...]:
        """Return the date ranges that the API makes of one, in order of days."""
        if dates is None or self is SplitDates.NONE:
            return (dates,)
        return tuple(DateRange(first=day, last=day) for day in dates.each_day())


class SplitAccounts(str, Enum):
    """The API's way to split the accounts of a batch item (`split_accounts_policy`)."""

    ALL = "all"
    NONE = "none"

    def groups(self, accounts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Return the accounts as they are queried together, in the order given."""
        if self is SplitAccounts.NONE or not accounts:
            return (accounts,)
        return tuple((account,) for account in accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPolicy:
    """The API's way to split each item of a query batch into queries."""

    dates: SplitDates
    accounts: SplitAccounts

    @property
    def is_whole(self) -> bool:
        """Return whether items stay as they are."""
        return self.dates is SplitDates.NONE and self.accounts is SplitAccounts.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """The settings of a query batch as a whole; queries of one policy share batches."""

    split: SplitPolicy
    query_concurrency: int
    timeout_minutes: int
    add_clean_data_types: bool
    add_exclude_account_errors: bool
    description: str | None
