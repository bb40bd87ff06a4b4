"""Coverage as partitions of the state; days that the bookmark implies are left out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_supermetrics.dates import DateRange, parse_date
from tap_supermetrics.planning.coverage import Coverage, DaysFetched
from tap_supermetrics.sync.notation import (
    bookmark_of,
    id_of,
    ranges_of,
    ranges_to_json,
    strict_moment_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime


def partition_to_json(
    account_id: str, coverage: Coverage, replication_key: str, covered_from: date | None
) -> dict[str, Any]:
    """Return the partition of one account."""
    partition: dict[str, Any] = {"context": {"account_id": account_id}}
    if coverage.bookmark:
        partition["replication_key"] = replication_key
        partition["replication_key_value"] = coverage.bookmark.isoformat()
    # The bookmark implies it for nearly every account: half of the bytes of a partition.
    if coverage.covered != _up_to(coverage.bookmark, covered_from):
        partition["covered"] = ranges_to_json(coverage.covered)
    others = {
        "stale": ranges_to_json(coverage.stale),
        "settled": ranges_to_json(coverage.settled),
        "not_before": _to_day(coverage.not_before),
        "wanted_from": _to_day(_wanted_before(coverage)),
        "fetched": [_fetch_to_json(each) for each in coverage.fetched],
        "read_at": _to_milliseconds(coverage.read_at),
        "tried_at": _to_milliseconds(coverage.tried_at),
    }
    return partition | {name: each for name, each in others.items() if each}


def _wanted_before(coverage: Coverage) -> date | None:
    """Return the first day that was wanted, where it is not the first that is covered."""
    wanted_from, covered = coverage.wanted_from, coverage.covered
    is_said = wanted_from and covered and covered[0].first <= wanted_from
    return None if is_said else wanted_from


def _to_day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _to_milliseconds(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def common_first(coverages: Iterable[Coverage]) -> date | None:
    """Return the day from which most accounts are covered without a gap up to their bookmark."""
    plain = (
        each.covered[0].first
        for each in coverages
        if len(each.covered) == 1 and each.covered[0].last == each.bookmark
    )
    return next((day for day, _ in Counter(plain).most_common(1)), None)


def _up_to(bookmark: date | None, first: date | None) -> tuple[DateRange, ...]:
    if first is None or bookmark is None or bookmark < first:
        return ()
    return (DateRange(first=first, last=bookmark),)


def partition_of(raw: Any, covered_from: date | None) -> tuple[str, Coverage]:  # noqa: ANN401 - whatever the state contains
    """Return the account of a partition, and its coverage."""
    return id_of(raw["context"]["account_id"]), coverage_from_json(raw, covered_from)


def coverage_from_json(raw: Any, covered_from: date | None) -> Coverage:  # noqa: ANN401 - whatever the state contains
    """Return a coverage.

    Args:
        raw: a partition, or a bookmark of the whole stream.
        covered_from: the day from which all is covered up to a bookmark.

    Raises:
        Exception: one of `notation.MALFORMED`.
    """
    bookmark = bookmark_of(raw.get("replication_key_value"))
    covered = ranges_of(raw["covered"]) if "covered" in raw else _up_to(bookmark, covered_from)
    fetched = tuple(_fetch(each) for each in raw.get("fetched", []))
    return Coverage(
        covered=covered,
        stale=ranges_of(raw.get("stale", [])),
        settled=ranges_of(raw.get("settled", [])),
        not_before=parse_date(raw["not_before"]) if raw.get("not_before") else None,
        wanted_from=parse_date(raw["wanted_from"]) if raw.get("wanted_from") else None,
        bookmark=bookmark,
        fetched=fetched,
        read_at=strict_moment_of(raw["read_at"]) if raw.get("read_at") else None,
        tried_at=strict_moment_of(raw["tried_at"]) if raw.get("tried_at") else None,
    )


def _fetch(raw: Sequence[str]) -> DaysFetched:
    first, last, at = raw
    return DaysFetched(
        dates=DateRange(first=parse_date(first), last=parse_date(last)), at=strict_moment_of(at)
    )


def _fetch_to_json(fetch: DaysFetched) -> list[str]:
    return [*ranges_to_json((fetch.dates,))[0], fetch.at.isoformat(timespec="seconds")]
