"""The state of a report, read from and written to Singer's bookmarks.

```json
{"shard": null, "query_hash": "9f1c2a7e", "request_hash": "04d2e1f7",
 "key_properties": ["_sm_account_id", "Date"], "joined": [],
 "types": {"Date": "date", "Clicks": "integer"}, "units": {"Clicks": "value"},
 "header_in_totals": null, "query_batches": [], "async_run": null, "not_before": null,
 "wanted_from": null, "covered_from": "2024-01-01",
 "partitions": [{"context": {"account_id": "123"}, "replication_key": "Date",
                 "replication_key_value": "2024-03-05"}]}
```

A partition without `covered` covers all from `covered_from` to its bookmark. A person may edit it.
Every key is written even when empty, because Meltano merges the states of failed runs key by key,
and a missing key would preserve an old value. For the same reason no key has an object at one time
and null at another: Meltano cannot merge the one with the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tap_supermetrics.dates import parse_date
from tap_supermetrics.model import WHOLE, Shard
from tap_supermetrics.planning.coverage import Coverage, DaysFetched, Lookback
from tap_supermetrics.sync.notation import (
    MALFORMED,
    async_run_of,
    async_run_to_json,
    batch_from_json,
    batch_to_json,
    flag_of,
    strange_keys,
    texts_of,
    types_of,
    units_of,
)
from tap_supermetrics.sync.partitions import (
    common_first,
    coverage_from_json,
    partition_of,
    partition_to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import AsyncRun, SubmittedBatch

T = TypeVar("T")
D = TypeVar("D")

_MAX_SHOWN: Final = 120
_PARTITION: Final = "a context with account_id, days as YYYY-MM-DD and ranges as [[first, last]]"
_BATCH: Final = "a query batch as the tap writes it (remove it to go on without it)"
_ASYNC_RUN: Final = "[run id, start with offset] (remove it to go on without it)"
_OF_THE_SDK: Final = (
    "starting_replication_value",
    "replication_key_signpost",
    "progress_markers",
)
_OF_A_PARTITION: Final = frozenset(
    {
        *("context", "replication_key", "replication_key_value", "covered", "stale", "fetched"),
        *("settled", "not_before", "wanted_from", "read_at", "tried_at"),
        *_OF_THE_SDK,
    }
)
_KEYS: Final = frozenset(
    {
        "shard",
        "query_hash",
        "request_hash",
        "key_properties",
        "joined",
        "types",
        "units",
        "header_in_totals",
        "query_batches",
        "async_run",
        "not_before",
        "wanted_from",
        "covered_from",
        "partitions",
        "replication_key",
        "replication_key_value",
        *_OF_THE_SDK,
    }
)
"""Keys of a bookmark; one with none of them is another tool's."""


@dataclass(slots=True, kw_only=True)
class ReportState:
    """State of one report, which changes while a run goes.

    Attributes:
        replication_key: the field that the bookmark belongs to; empty for a report read whole.
        start: first day of the report, from which bookmarks count.
        query_hash: what the coverage was loaded with; empty when nothing was loaded yet.
        request_hash: what `batches` were submitted with; empty when nothing was submitted yet.
        key_properties: the key of the rows that were loaded; empty when that is not known.
        joined: the fields that `_sm_dimensions` of the key joins, in its order.
        types: what values of each column were when it was first loaded, in a word each.
        units: what numbers of each column counted then, or which period its texts named.
        header_in_totals: whether totals of results count a header; None where nothing showed it.
        coverage: by account id.
        batches: submitted, and not emitted yet.
        not_before: first day that the API is known to give, where accounts have none of their own.
        wanted_from: first day that was wanted since the first day moves; None where it is fixed.
        async_run: the run whose queries, submitted by themselves, the API may still retain.
        stream_bookmark: what a hand-written bookmark of the whole stream says of every account.
        had_stream_bookmark: whether there ever was one, as far as is known.
        shard: whose run wrote it; what it says of accounts of other shards may be old.
    """

    replication_key: str
    start: date | None
    query_hash: str = ""
    request_hash: str = ""
    key_properties: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    header_in_totals: bool | None = None
    coverage: dict[str, Coverage] = field(default_factory=dict)
    batches: tuple[SubmittedBatch, ...] = ()
    not_before: date | None = None
    wanted_from: date | None = None
    async_run: AsyncRun | None = None
    stream_bookmark: Coverage | None = None
    had_stream_bookmark: bool = False
    shard: Shard = WHOLE

    def begin(self, account_ids: Sequence[str]) -> None:
        """Give every account without coverage what a hand-written bookmark says of all."""
        if self.stream_bookmark:
            self.coverage = dict.fromkeys(account_ids, self.stream_bookmark) | self.coverage
            self.stream_bookmark = None

    def coverage_of(self, account_id: str) -> Coverage:
        """Return the coverage of an account, with the first days that are given and wanted of it.

        An account that was given earlier days is not asked again for those that no other gets.
        """
        known = self.coverage.get(account_id, Coverage())
        first = known.wanted_from
        if known.covered and self.wanted_from and not first:
            first = max(known.covered[0].first, self.wanted_from)
        if first and self.not_before:
            first = max(first, self.not_before)
        not_before = known.first_given(self.not_before)
        return replace(known, not_before=not_before, wanted_from=first)

    def want_from(self, first: date | None, account_ids: Sequence[str]) -> None:
        """Note the first day that is wanted, where it moves: no day since is left out.

        Args:
            first: that of this run; None where it is fixed.
            account_ids: those that the run reads; of one without days, `first` is the first ever.
        """
        self.wanted_from = (self.wanted_from or first) if first else None
        for account_id in account_ids:
            known = self.coverage.get(account_id, Coverage())
            if first and not known.covered:
                self.coverage[account_id] = known.with_wanted(first)
            elif known.wanted_from and not first:
                self.coverage[account_id] = replace(known, wanted_from=None)

    def learn_first_day(self, day: date, own: Mapping[str, date] = MappingProxyType({})) -> None:
        """Set the first day that the API gives; accounts with another one retain theirs.

        Args:
            day: of the report.
            own: of the accounts that were refused themselves, where accounts differ. Others were
                only spared by the refusal of one, and are asked again.
        """
        if own:
            for account_id, each in self.coverage.items():
                first = own.get(account_id, each.not_before)
                self.coverage[account_id] = replace(each, not_before=first)
        elif day != self.not_before:
            for account_id, each in self.coverage.items():
                was = each.first_given(self.not_before)
                new = replace(each, not_before=None).first_given(day)
                first = was if was and (new is None or new < was) else None
                self.coverage[account_id] = replace(each, not_before=first)
        self.not_before = day

    def mark_done(
        self,
        account_id: str,
        dates: DateRange | None,
        fetched_at: datetime,
        lookback: Lookback,
    ) -> None:
        """Cover days of which every record has been written, or note that all was read.

        Args:
            account_id: the account, or the accounts joined.
            dates: the days.
            fetched_at: when they were read, with offset.
            lookback: the report's, as it was then.
        """
        before = self.coverage.get(account_id, Coverage())
        if not self.replication_key:
            self.coverage[account_id] = replace(before, read_at=fetched_at, tried_at=None)
        elif dates and self.start:
            fetch = DaysFetched(dates=dates, at=fetched_at)
            self.coverage[account_id] = (
                before.with_done(dates, self.start, self.not_before)
                .with_settled(dates, lookback)
                .with_fetch(fetch, lookback)
            )

    def mark_stale(self, account_id: str, *dates: DateRange | None) -> None:
        """Have days read again: they are queried now, or their query failed."""
        if self.replication_key and any(dates):
            before = self.coverage.get(account_id, Coverage())
            self.coverage[account_id] = before.with_stale(*filter(None, dates))

    def mark_tried(self, account_id: str, at: datetime) -> None:
        """Note that an account gave nothing; where not all can be queried, others come first."""
        before = self.coverage.get(account_id, Coverage())
        self.coverage[account_id] = replace(before, tried_at=at)

    def forget_future(self, now: datetime) -> None:
        """Forget when days were read, if that is still to come: a clock was wrong."""
        for account_id, each in self.coverage.items():
            fetched = tuple(fetch for fetch in each.fetched if fetch.at <= now)
            read_at = each.read_at if each.read_at and each.read_at <= now else None
            tried_at = each.tried_at if each.tried_at and each.tried_at <= now else None
            self.coverage[account_id] = replace(
                each, fetched=fetched, read_at=read_at, tried_at=tried_at
            )

    def to_json(self) -> dict[str, Any]:
        """Return the bookmark of the stream."""
        # An account of which nothing was read is left out.
        known = {
            name: each
            for name, each in self.coverage.items()
            if each.covered or each.last_attempt_at
        }
        first = common_first(known.values())
        return self._stream_bookmark_to_json() | {
            "shard": None if self.shard.is_whole else str(self.shard),
            "query_hash": self.query_hash,
            "request_hash": self.request_hash,
            "key_properties": list(self.key_properties),
            "joined": list(self.joined),
            "types": {**self.types},
            "units": {**self.units},
            "header_in_totals": self.header_in_totals,
            "query_batches": [batch_to_json(batch) for batch in self.batches],
            "async_run": async_run_to_json(self.async_run),
            "not_before": self.not_before.isoformat() if self.not_before else None,
            "wanted_from": self.wanted_from.isoformat() if self.wanted_from else None,
            "covered_from": first.isoformat() if first else None,
            "partitions": [
                partition_to_json(name, each, self.replication_key, first)
                for name, each in known.items()
            ],
        }

    def _stream_bookmark_to_json(self) -> dict[str, Any]:
        """Return a bookmark of the whole stream, until its accounts are known.

        From then on it is written as null: left out, it would live on where states are merged,
        and apply to accounts that are added later.
        """
        if self.stream_bookmark is None or self.stream_bookmark.bookmark is None:
            return {"replication_key_value": None} if self.had_stream_bookmark else {}
        day = self.stream_bookmark.bookmark.isoformat()
        return {"replication_key": self.replication_key, "replication_key_value": day}


def report_state(
    raw: object, report: str, replication_key: str, start: date | None, mistakes: list[str]
) -> ReportState:
    """Read the bookmark of one stream.

    Args:
        raw: what the state contains for the stream; None when that is nothing.
        report: name of the report, and so of the stream.
        replication_key: the stream's; empty for a report read whole.
        start: first day of the report.
        mistakes: gets one line for everything that cannot be understood.
    """
    if raw is None:
        return ReportState(replication_key=replication_key, start=start)
    reader = _Reader(f"state.bookmarks.{report}", mistakes)
    if not isinstance(raw, dict):
        reader.refuse("", "an object", raw)
        return ReportState(replication_key=replication_key, start=start)
    reader.check_origin(raw, replication_key)
    covered_from = reader.read(raw, "covered_from", parse_date, "YYYY-MM-DD", None)
    batch = partial(batch_from_json, report=report)
    return ReportState(
        replication_key=replication_key,
        start=start,
        query_hash=str(raw.get("query_hash") or ""),
        request_hash=str(raw.get("request_hash") or ""),
        key_properties=reader.read(raw, "key_properties", texts_of, "a list of columns", ()),
        joined=reader.read(raw, "joined", texts_of, "a list of fields", ()),
        types=reader.read(raw, "types", types_of, "an object of column and type", {}),
        units=reader.read(raw, "units", units_of, "an object of column and unit", {}),
        header_in_totals=reader.read(raw, "header_in_totals", flag_of, "true or false", None),
        coverage=reader.partitions(raw, covered_from or start),
        batches=tuple(reader.each(raw, "query_batches", batch, _BATCH)),
        not_before=reader.read(raw, "not_before", parse_date, "YYYY-MM-DD", None),
        wanted_from=reader.read(raw, "wanted_from", parse_date, "YYYY-MM-DD", None),
        async_run=reader.read(raw, "async_run", async_run_of, _ASYNC_RUN, None),
        stream_bookmark=reader.stream_bookmark(raw, covered_from or start),
        had_stream_bookmark="replication_key_value" in raw,
        shard=reader.read(raw, "shard", Shard.parse, "a shard such as 2/5", WHOLE),
    )


class _Reader:
    """Reads parts of one bookmark, and collects what cannot be understood."""

    def __init__(self, path: str, mistakes: list[str]) -> None:
        self._path = path
        self._mistakes = mistakes

    def refuse(self, place: str, expected: str, raw: object) -> None:
        self._mistakes.append(f"{self._path}{place}: expected {expected}, got {_short_json(raw)}")

    def check_origin(self, raw: Mapping[str, Any], replication_key: str) -> None:
        """Find the state of another report, or of another tool."""
        other = raw.get("replication_key")
        remove = f"remove {self._path.removeprefix('state.')} from the state"
        if replication_key and other and other != replication_key and "query_hash" not in raw:
            self._mistakes.append(
                f"{self._path}.replication_key: expected {replication_key}, got {other}: this is "
                f"not the state of this report; {remove}"
            )
        if raw and not raw.keys() & _KEYS:
            self.refuse("", f"keys as in docs/state.md (or {remove})", raw)
        elif strange := strange_keys(raw, _KEYS):
            self._mistakes.append(f"{self._path}: unknown keys: {', '.join(strange)}")

    def read(
        self, raw: Mapping[str, Any], key: str, parse: Callable[[Any], T], expected: str, default: D
    ) -> T | D:
        """Read one value, which may be left out."""
        value = raw.get(key)
        if value is None:
            return default
        return self._parsed(f".{key}", parse, value, expected, default)

    def each(
        self, raw: Mapping[str, Any], key: str, parse: Callable[[Any], T], expected: str
    ) -> Iterator[T]:
        """Read the entries of a list that can be understood."""
        entries = raw.get(key)
        if not isinstance(entries, list | None):
            self.refuse(f".{key}", "a list", entries)
            return
        for number, entry in enumerate(entries or []):
            parsed = self._parsed(f".{key}[{number}]", parse, entry, expected, None)
            if parsed is not None:
                yield parsed

    def partitions(self, raw: Mapping[str, Any], covered_from: date | None) -> dict[str, Coverage]:
        """Read the coverage of each account."""
        parse = partial(partition_of, covered_from=covered_from)
        found: dict[str, Coverage] = {}
        entries = raw.get("partitions")
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict) and (strange := strange_keys(entry, _OF_A_PARTITION)):
                path = f"{self._path}.partitions[{number}]"
                self._mistakes.append(f"{path}: unknown keys: {', '.join(strange)}")
        for account_id, coverage in self.each(raw, "partitions", parse, _PARTITION):
            if account_id in found:
                self._mistakes.append(f"{self._path}.partitions: {account_id} is there twice")
            found[account_id] = coverage
        return found

    def stream_bookmark(self, raw: Mapping[str, Any], covered_from: date | None) -> Coverage | None:
        """Read a bookmark of the whole stream."""
        if not raw.get("replication_key_value"):
            return None
        return self._parsed(
            "", lambda value: coverage_from_json(value, covered_from), raw, _PARTITION, None
        )

    def _parsed(
        self, place: str, parse: Callable[[Any], T], value: object, expected: str, default: D
    ) -> T | D:
        try:
            return parse(value)
        except MALFORMED:
            self.refuse(place, expected, value)
            return default


def _short_json(raw: object) -> str:
    """Return the JSON of a value on one short line."""
    text = json.dumps(raw)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
