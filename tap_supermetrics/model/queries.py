"""Queries and query batches, before and after they are submitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model.policies import BatchPolicy, SplitPolicy

ReportAccount = tuple[str, str]
"""Names of a report and of the account(s) of a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to the API: report x account(s) x date range.

    Attributes:
        report: name of the report.
        accounts: ids of the accounts; several where accounts are not split, none where the data
            source has none.
        dates: the requested days; None where the API determines them, or there are none.
        is_fresh: whether the API's cache must not serve it.
    """

    report: str
    accounts: tuple[str, ...]
    dates: DateRange | None
    is_fresh: bool = False

    @property
    def account_id(self) -> str:
        """Return the accounts as one value: `123`, or `123,456` sorted where they are not split."""
        return account_id_of(self.accounts)

    @property
    def days(self) -> int:
        """Return the number of requested days; 1 where the API determines them, or without any."""
        return self.dates.days if self.dates else 1

    @property
    def report_account(self) -> ReportAccount:
        """Return report and account, which are answered or refused as one."""
        return self.report, self.account_id

    @property
    def day(self) -> date | None:
        """Return the requested day of a query for one day; None for any other."""
        return self.dates.first if self.dates and self.dates.days == 1 else None

    def __str__(self) -> str:
        """Return it as in messages: `google_ads, account 123, 2024-03-05`."""
        parts = [self.report]
        if self.accounts:
            parts.append(f"account {self.account_id}")
        if self.dates:
            parts.append(str(self.dates))
        return ", ".join(parts)

    def split(self) -> tuple[Query, Query] | None:
        """Return two queries for the halves of the days; None when there is one day or none."""
        if self.dates is None or self.dates.days == 1:
            return None
        earlier, later = self.dates.halves()
        return replace(self, dates=earlier), replace(self, dates=later)


def account_id_of(accounts: Iterable[str]) -> str:
    """Return the accounts of one query as one value: sorted, joined by commas."""
    return ",".join(sorted(accounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One entry of a query batch, as it is sent.

    Attributes:
        report: name of the report.
        accounts: ids of all its accounts.
        dates: all its days.
        is_fresh: whether the API's cache must not serve it.
    """

    report: str
    accounts: tuple[str, ...]
    dates: DateRange | None
    is_fresh: bool = False

    def queries(self, split: SplitPolicy) -> tuple[Query, ...]:
        """Return the queries that the API makes of this item, by account, then by day."""
        return tuple(
            Query(report=self.report, accounts=group, dates=dates, is_fresh=self.is_fresh)
            for group, dates in product(
                split.accounts.groups(self.accounts), split.dates.pieces(self.dates)
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A query batch to be started."""

    policy: BatchPolicy
    queries: tuple[Query, ...]
    items: tuple[BatchItem, ...]

    def __len__(self) -> int:
        """Return the number of queries after splitting."""
        return len(self.queries)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedBatch:
    """A query batch that the API has taken, or the part of it that one report knows of.

    Attributes:
        batch_id: the API's id.
        submitted_at: when it was submitted, with offset.
        split: how its items are split.
        items: what was sent, by place in the batch (from 0); some may be missing.
        item_count: how many items were sent.
    """

    batch_id: str
    submitted_at: datetime
    split: SplitPolicy
    items: Mapping[int, BatchItem]
    item_count: int

    @property
    def id(self) -> str:
        """Return the API's id."""
        return self.batch_id

    def queries(self) -> set[Query]:
        """Return the queries that the API makes of the items."""
        return {query for item in self.items.values() for query in item.queries(self.split)}

    def part_of(self, report: str) -> SubmittedBatch:
        """Return the part that one report has in it."""
        items = {place: item for place, item in self.items.items() if item.report == report}
        return replace(self, items=items)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncRun:
    """A run that submitted queries by themselves.

    Attributes:
        id: what makes the schedule ids of the run its own.
        submitted_at: when the run began, with offset; no query of it is older.
    """

    id: str
    submitted_at: datetime

    def part_of(self, report: str) -> AsyncRun:  # noqa: ARG002 - as of a query batch
        """Return the part that one report has in it: its id leads to the queries of each."""
        return self
