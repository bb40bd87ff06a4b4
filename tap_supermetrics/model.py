"""The values that all layers speak of: reports, queries, query batches and their policies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import Enum
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from tap_supermetrics.dates import DateRange, Day

ReportAccount = tuple[str, str]
"""Names of a report and of the account(s) of a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Which accounts a report reads; at most one attribute is set, none for "no accounts".

    Attributes:
        ids: account ids, in the order given, without repetition.
        list_name: `all_accounts`, or the slug of a team list (`list.<slug>` in the settings).
        filter_id: pattern that the account's id must match.
        filter_name: pattern that the account's name must match.
    """

    ids: tuple[str, ...] = ()
    list_name: str | None = None
    filter_id: str | None = None
    filter_name: str | None = None

    @property
    def team_list(self) -> str:
        """A list whose accounts only the API knows, as it is named; empty for none."""
        is_team_list = self.list_name not in {None, "all_accounts"}
        return f"list.{self.list_name}" if is_team_list else ""


class SplitDates(str, Enum):
    """How the API splits the days of a batch item (`split_dates_policy`, in its words)."""

    NONE = "none"
    DAY = "day"

    def pieces(self, dates: DateRange | None) -> tuple[DateRange | None, ...]:
        """Return the date ranges that the API makes of one, in order of days."""
        if dates is None or self is SplitDates.NONE:
            return (dates,)
        return tuple(dates.pieces(1))


class SplitAccounts(str, Enum):
    """How the API splits the accounts of a batch item (`split_accounts_policy`, in its words)."""

    NONE = "none"
    ALL = "all"

    def groups(self, accounts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Return the accounts as they are queried together, in the order given."""
        if self is SplitAccounts.NONE or not accounts:
            return (accounts,)
        return tuple((account,) for account in accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPolicy:
    """How the API splits each item of a query batch into queries."""

    dates: SplitDates
    accounts: SplitAccounts

    @property
    def is_whole(self) -> bool:
        """Whether items stay as they are."""
        return self.dates is SplitDates.NONE and self.accounts is SplitAccounts.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """What the API is told for a query batch as a whole; queries of one policy share batches."""

    split: SplitPolicy
    query_concurrency: int
    timeout_minutes: int
    add_clean_data_types: bool
    add_exclude_account_errors: bool
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One configured entry of `queries`, one Singer stream.

    Attributes:
        path: where it stands in the configuration, `queries[2]`.
        parameters: what is passed on to the API as it is, by its name in the settings.
        date_range_type: set for a report that the API dates itself.
        key_properties: empty where the default key is to be used.
        types: data types that override the API's, by field.
        blank_key_value: stands for a blank text in the key.
    """

    path: str
    name: str
    ds_id: str
    fields: tuple[str, ...]
    accounts: Accounts
    parameters: Mapping[str, Any]
    date_range_type: str | None
    key_properties: tuple[str, ...]
    replication_key: str | None
    types: Mapping[str, str]
    start_date: Day | None
    end_date: Day
    timezone: ZoneInfo
    lookback_days: int
    max_days_per_query: int
    backfill_days_per_query: int
    newest_first: bool
    require_fresh_days: int
    refresh_after_hours: int
    max_rows: int
    page_size: int
    on_type_mismatch: Literal["fail", "null"]
    metadata_columns: bool
    blank_key_value: str
    policy: BatchPolicy

    @property
    def logins(self) -> object:
        """The logins that may serve its queries; empty for any."""
        return self.parameters.get("ds_users") or self.parameters.get("ds_user")

    @property
    def login_setting(self) -> str:
        """The setting by which the report names logins; where it has both, the list."""
        return "ds_users" if "ds_users" in self.parameters else "ds_user"

    @property
    def login_names(self) -> tuple[str, ...]:
        """The logins that the report names, each once."""
        named = (*self.parameters.get("ds_users", ()), self.parameters.get("ds_user", ""))
        return tuple(filter(None, dict.fromkeys(named)))

    @property
    def segments(self) -> tuple[str, ...]:
        """Ids of the segments that are applied."""
        return tuple(self.parameters.get("ds_segments", ()))

    @property
    def query_hash(self) -> str:
        """Eight hex digits that change with what is asked of each account and day."""
        asked = [self.ds_id, sorted(self.fields), self.replication_key, self.date_range_type]
        asked += [self.parameters.get(key) for key in ("filter", "ds_segments", "settings")]
        text = json.dumps(asked, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to the API: report x account(s) x date range.

    Attributes:
        report: name of the report.
        accounts: ids of the accounts; several where accounts are not split, none where the data
            source has none.
        dates: the days asked for; None where the API determines them, or there are none.
        is_fresh: whether the API's cache must not serve it.
    """

    report: str
    accounts: tuple[str, ...]
    dates: DateRange | None
    is_fresh: bool = False

    @property
    def account_id(self) -> str:
        """The accounts as one value: `123`, or `123,456` sorted where they are not split."""
        return account_id_of(self.accounts)

    @property
    def report_account(self) -> ReportAccount:
        """Report and account: what answers, or is refused, as one."""
        return self.report, self.account_id

    @property
    def day(self) -> date | None:
        """The day asked for, of a query for one day."""
        return self.dates.first if self.dates and self.dates.days == 1 else None

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


def account_id_of(accounts: Iterable[str]) -> str:
    """The accounts of one query as one value: sorted, joined by commas."""
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
        """Number of queries after splitting."""
        return len(self.queries)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedBatch:
    """A query batch that the API has taken, or the part of it that one report knows of.

    Attributes:
        batch_id: the API's id.
        submitted_at: when it was submitted, with offset.
        split: how its items are split.
        items: what was sent, by place in the batch (from 0); some may be missing.
        size: how many items were sent.
    """

    batch_id: str
    submitted_at: datetime
    split: SplitPolicy
    items: Mapping[int, BatchItem]
    size: int

    def queries(self) -> set[Query]:
        """Return the queries that the API makes of the items."""
        return {query for item in self.items.values() for query in item.queries(self.split)}
