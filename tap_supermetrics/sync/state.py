"""The state of a report, read from and written to Singer's bookmarks.

```json
{"query_hash": "9f1c2a7e", "request_hash": "04d2e1f7", "key_properties": ["_sm_account_id", "Date"],
 "query_batches": [], "async_run": null,
 "not_before": null, "partitions": [{"context": {"account_id": "123"}, "replication_key": "Date",
                 "replication_key_value": "2024-03-05", "covered": [["2024-01-01", "2024-03-05"]]}]}
```

A person may edit it: `replication_key_value` alone means "all up to that day". `query_batches` and
`async_run` are written even when empty, because Meltano merges the states of failed runs key by
key, and a missing key would let an old value live on. For the same reason no key holds an object
at one time and null at another: Meltano fails to lay the one over the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tap_supermetrics.dates import DateRange, merge, parse_date
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import BatchItem, SplitAccounts, SplitDates, SplitPolicy, SubmittedBatch
from tap_supermetrics.planning.coverage import Coverage, Fetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
_MAX_DAYS = 3660
_PARTITION = "a context with account_id, days as YYYY-MM-DD and ranges as [[first, last], ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncRun:
    """A run that asked queries by themselves: its id tells their schedule ids.

    Attributes:
        run_id: what makes the schedule ids of the run its own.
        started_at: when the run began, with offset.
    """

    run_id: str
    started_at: datetime


@dataclass(slots=True, kw_only=True)
class ReportState:
    """The state of one report: the one thing about a run that changes while it goes.

    Attributes:
        replication_key: the field that the bookmark belongs to; empty for a report read whole.
        start: first day of the report, from which bookmarks count.
        query_hash: what the coverage was loaded with; empty when nothing was loaded yet.
        request_hash: what `batches` were asked with; empty when nothing was asked yet.
        key_properties: the key of the rows that were loaded; empty when that is not known.
        coverage: by account id.
        batches: still held by the API.
        not_before: first day that the API is known to give; earlier ones are not asked again.
        async_run: the run whose queries, asked by themselves, the API may still hold.
        everywhere: what a hand-written bookmark of the whole stream says of every account.
        had_everywhere: whether there ever was one, as far as is known.
    """

    replication_key: str
    start: date | None
    query_hash: str = ""
    request_hash: str = ""
    key_properties: tuple[str, ...] = ()
    coverage: dict[str, Coverage] = field(default_factory=dict)
    batches: tuple[SubmittedBatch, ...] = ()
    not_before: date | None = None
    async_run: AsyncRun | None = None
    everywhere: Coverage | None = None
    had_everywhere: bool = False

    def begin(self, account_ids: Sequence[str]) -> None:
        """Give every account without coverage what a hand-written bookmark says of all."""
        if self.everywhere:
            self.coverage = dict.fromkeys(account_ids, self.everywhere) | self.coverage
            self.everywhere = None

    def mark_done(
        self, account_id: str, dates: DateRange | None, fetched_at: datetime, lookback_days: int
    ) -> None:
        """Every record of these days has been written.

        Args:
            account_id: the account, or the accounts joined.
            dates: the days.
            fetched_at: when they were read, with offset.
            lookback_days: for how many of the last days that is to be remembered.
        """
        if self.replication_key and dates and self.start:
            before = self.coverage.get(account_id, Coverage())
            fetch = Fetch(dates=dates, at=fetched_at)
            first_day = max(self.start, self.not_before or self.start)
            done = before.with_done(dates, first_day).with_fetch(fetch, lookback_days)
            self.coverage[account_id] = done

    def mark_lost(self, account_id: str, dates: DateRange | None) -> None:
        """The query for these days failed."""
        if self.replication_key and dates:
            before = self.coverage.get(account_id, Coverage())
            self.coverage[account_id] = before.with_lost(dates)

    def to_json(self) -> dict[str, Any]:
        """The bookmark of the stream."""
        return self._everywhere_to_json() | {
            "query_hash": self.query_hash,
            "request_hash": self.request_hash,
            "key_properties": list(self.key_properties),
            "query_batches": [_batch_to_json(batch) for batch in self.batches],
            "async_run": _async_run_to_json(self.async_run),
            "not_before": self.not_before.isoformat() if self.not_before else None,
            "partitions": [
                self._partition(account_id, coverage)
                for account_id, coverage in self.coverage.items()
                if coverage.covered
            ],
        }

    def _everywhere_to_json(self) -> dict[str, Any]:
        """A bookmark of the whole stream, until its accounts are known.

        From then on it is taken back aloud: left out, it would live on where states are merged,
        and hold for accounts that are added later.
        """
        if self.everywhere is None or self.everywhere.bookmark is None:
            return {"replication_key_value": None} if self.had_everywhere else {}
        day = self.everywhere.bookmark.isoformat()
        return {"replication_key": self.replication_key, "replication_key_value": day}

    def _partition(self, account_id: str, coverage: Coverage) -> dict[str, Any]:
        partition: dict[str, Any] = {"context": {"account_id": account_id}}
        if coverage.bookmark:
            partition["replication_key"] = self.replication_key
            partition["replication_key_value"] = coverage.bookmark.isoformat()
        partition["covered"] = _ranges_to_json(coverage.covered)
        if coverage.stale:
            partition["stale"] = _ranges_to_json(coverage.stale)
        if coverage.fetched:
            partition["fetched"] = [_fetch_to_json(each) for each in coverage.fetched]
        return partition


def report_state(
    raw: object, report: str, replication_key: str, start: date | None, mistakes: list[str]
) -> ReportState:
    """Read the bookmark of one stream.

    Args:
        raw: what the state holds for the stream; None when it holds nothing.
        report: name of the report, and so of the stream.
        replication_key: the stream's; empty for a report read whole.
        start: first day of the report.
        mistakes: gets one line for everything that cannot be understood.
    """
    state = ReportState(replication_key=replication_key, start=start)
    path = f"state.bookmarks.{report}"
    if raw is None:
        return state
    if not isinstance(raw, dict):
        mistakes.append(f"{path}: expected an object")
        return state
    others = raw.get("replication_key")
    if replication_key and others and others != replication_key and "query_hash" not in raw:
        mistakes.append(
            f"{path}.replication_key: expected {replication_key}, got {others}: this is not the "
            f"state of this report; remove bookmarks.{report} from it"
        )
    state.query_hash = str(raw.get("query_hash") or "")
    state.request_hash = str(raw.get("request_hash") or "")
    state.key_properties = _key(raw.get("key_properties"), f"{path}.key_properties", mistakes)
    for number, entry in enumerate(_list(raw, "partitions", path, mistakes)):
        place = f"{path}.partitions[{number}]"
        try:
            state.coverage[_account_id(entry)] = _coverage(entry, start)
        except _MALFORMED as error:
            mistakes.append(f"{place}: expected {_PARTITION} ({_said(error)})")
    state.had_everywhere = "replication_key_value" in raw
    try:
        state.everywhere = _coverage(raw, start) if raw.get("replication_key_value") else None
    except _MALFORMED as error:
        mistakes.append(f"{path}: expected {_PARTITION} ({_said(error)})")
    state.batches = tuple(
        batch
        for number, entry in enumerate(_list(raw, "query_batches", path, mistakes))
        if (batch := _batch(entry, report, f"{path}.query_batches[{number}]", mistakes))
    )
    try:
        state.not_before = parse_date(raw["not_before"]) if raw.get("not_before") else None
    except _MALFORMED as error:
        mistakes.append(f"{path}.not_before: expected YYYY-MM-DD ({_said(error)})")
    state.async_run = _async_run(raw.get("async_run"), f"{path}.async_run", mistakes)
    return state


def check_state(state: Mapping[str, Any], reports: Sequence[str], last_day: date) -> None:
    """Find what cannot be understood in the state of a whole run.

    Args:
        state: as it was given.
        reports: names of the reports; what else the state holds is nobody's.
        last_day: no later day can have been loaded, anywhere on earth.

    Raises:
        SettingsError: with every mistake.
    """
    bookmarks = state.get("bookmarks", {})
    is_other = "bookmarks" not in state and set(state) - {"currently_syncing"}
    if is_other or not isinstance(bookmarks, dict):
        raise SettingsError(["state: expected an object with `bookmarks` by stream"])
    mistakes = [
        f"state.bookmarks.{name}: expected an object"
        for name, bookmark in bookmarks.items()
        if not isinstance(bookmark, dict)
    ]
    for name in reports:
        if isinstance(bookmarks.get(name), dict):
            read = report_state(bookmarks[name], name, "", None, mistakes)
            mistakes += _to_come(read, f"state.bookmarks.{name}", last_day)
    if mistakes:
        raise SettingsError(mistakes)


def _to_come(state: ReportState, path: str, last_day: date) -> Iterator[str]:
    """Days that cannot have been loaded yet, which would never be asked."""
    for account_id, coverage in [*state.coverage.items(), ("", state.everywhere)]:
        days = [each.last for each in coverage.covered] if coverage else []
        bookmark = coverage.bookmark if coverage else None
        late = max((*days, *([bookmark] if bookmark else [])), default=last_day)
        if late > last_day:
            of_account = f" of account {account_id}" if account_id else ""
            yield f"{path}: expected days up to today, got {late}{of_account}"


def _list(raw: Mapping[str, Any], key: str, path: str, mistakes: list[str]) -> Sequence[Any]:
    value = raw.get(key)
    if value is None or isinstance(value, list):
        return value or []
    mistakes.append(f"{path}.{key}: expected a list")
    return []


def _key(raw: Any, path: str, mistakes: list[str]) -> tuple[str, ...]:  # noqa: ANN401 - whatever the state holds
    try:
        return _texts(raw or [])
    except _MALFORMED as error:
        mistakes.append(f"{path}: expected a list of columns ({_said(error)})")
        return ()


def _account_id(raw: Any) -> str:  # noqa: ANN401 - whatever the state holds
    return _id(raw["context"]["account_id"])


def _id(raw: Any) -> str:  # noqa: ANN401 - whatever the state holds
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise TypeError(f"{raw!r} is no id")
    return str(raw)


def _coverage(raw: Any, start: date | None) -> Coverage:  # noqa: ANN401 - whatever the state holds
    value = raw.get("replication_key_value")
    bookmark = parse_date(value[:10]) if value else None
    covered = _ranges_from_json(raw.get("covered", []))
    if "covered" not in raw and bookmark and start and start <= bookmark:
        covered = (DateRange(first=start, last=bookmark),)
    stale = _ranges_from_json(raw.get("stale", []))
    fetched = tuple(_fetch(each) for each in raw.get("fetched", []))
    return Coverage(covered=covered, stale=stale, bookmark=bookmark, fetched=fetched)


def _fetch(raw: Sequence[str]) -> Fetch:
    first, last, at = raw
    dates = DateRange(first=parse_date(first), last=parse_date(last))
    return Fetch(dates=dates, at=_aware(datetime.fromisoformat(at)))


def _fetch_to_json(fetch: Fetch) -> list[str]:
    dates = fetch.dates
    return [dates.first.isoformat(), dates.last.isoformat(), fetch.at.isoformat(timespec="seconds")]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _ranges_to_json(ranges: Sequence[DateRange]) -> list[list[str]]:
    return [[each.first.isoformat(), each.last.isoformat()] for each in ranges]


def _ranges_from_json(raw: Any) -> tuple[DateRange, ...]:  # noqa: ANN401 - whatever the state holds
    return merge(
        tuple(DateRange(first=parse_date(first), last=parse_date(last)) for first, last in raw)
    )


def _async_run_to_json(run: AsyncRun | None) -> list[str] | None:
    return [run.run_id, run.started_at.isoformat()] if run else None


def _async_run(raw: Any, path: str, mistakes: list[str]) -> AsyncRun | None:  # noqa: ANN401 - whatever the state holds
    if raw is None:
        return None
    try:
        # An object in states of before.
        run_id, text = (raw["run_id"], raw["started_at"]) if isinstance(raw, dict) else raw
        started_at = datetime.fromisoformat(text)
        return AsyncRun(run_id=_id(run_id), started_at=_aware(started_at))
    except _MALFORMED as error:
        mistakes.append(
            f"{path}: expected [run id, start with offset] ({_said(error)}); "
            "remove it to go on without it"
        )
        return None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no offset")
    return moment


def _batch_to_json(batch: SubmittedBatch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "submitted_at": batch.submitted_at.isoformat(),
        "split_dates_policy": batch.split.dates.value,
        "split_accounts_policy": batch.split.accounts.value,
        "size": batch.size,
        "items": [_item_to_json(place, item) for place, item in batch.items.items()],
    }


def _item_to_json(place: int, item: BatchItem) -> dict[str, Any]:
    dates = _ranges_to_json((item.dates,))[0] if item.dates else None
    fresh = {"is_fresh": True} if item.is_fresh else {}
    return {"place": place, "accounts": list(item.accounts), "dates": dates} | fresh


def _batch(raw: Any, report: str, path: str, mistakes: list[str]) -> SubmittedBatch | None:  # noqa: ANN401 - whatever the state holds
    try:
        return SubmittedBatch(
            batch_id=_id(raw["batch_id"]),
            submitted_at=_aware(datetime.fromisoformat(raw["submitted_at"])),
            split=_split(raw),
            items=(items := {int(each["place"]): _item(each, report) for each in raw["items"]}),
            size=int(raw.get("size", max(items, default=0) + 1)),
        )
    except _MALFORMED as error:
        mistakes.append(
            f"{path}: expected a query batch as the tap writes it ({_said(error)}); "
            "remove the entry to go on without it"
        )
        return None


def _split(raw: Mapping[str, Any]) -> SplitPolicy:
    """Return how a batch is split; until 0.1.0 the state had flags instead of the API's words."""
    if "split_dates_policy" not in raw:
        dates = SplitDates.DAY if raw["split_dates"] else SplitDates.NONE
        accounts = SplitAccounts.ALL if raw["split_accounts"] else SplitAccounts.NONE
        return SplitPolicy(dates=dates, accounts=accounts)
    return SplitPolicy(
        dates=SplitDates(raw["split_dates_policy"]),
        accounts=SplitAccounts(raw["split_accounts_policy"]),
    )


def _item(raw: Mapping[str, Any], report: str) -> BatchItem:
    dates = _ranges_from_json([raw["dates"]])[0] if raw["dates"] else None
    if dates and dates.days > _MAX_DAYS:
        raise ValueError(f"{dates} are more days than a query batch can hold")
    return BatchItem(
        report=report,
        accounts=_texts(raw["accounts"]),
        dates=dates,
        is_fresh=bool(raw.get("is_fresh")),
    )


def _texts(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the state holds
    if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
        raise TypeError(f"expected a list of texts, got {raw!r}")
    return tuple(raw)
