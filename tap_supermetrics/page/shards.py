"""Joins what shards of one configuration left in one folder, each its share of the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_supermetrics.dates import DateRange, parse_date
from tap_supermetrics.page.calendars import count_days
from tap_supermetrics.page.days import MAX_DAYS, read, written
from tap_supermetrics.sync.days_read import MISSING, UNREAD, aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_supermetrics.page.run_json import ReportPart, RunJson


def current_runs(
    newest_first: Iterable[RunJson], names_of: Callable[[RunJson], Iterable[str]]
) -> dict[str, list[RunJson]]:
    """Return the current runs of each report, by its name, the newest first.

    That is its newest run; with shards, the newest run of each, as long as their number stays.

    Args:
        newest_first: the runs.
        names_of: returns the reports of a run.
    """
    found: dict[str, list[RunJson]] = {}
    for run in newest_first:
        for name in dict.fromkeys(names_of(run)):
            runs = found.setdefault(name, [])
            if not runs or _is_another_shard(run, runs):
                runs.append(run)
    return found


def _is_another_shard(run: RunJson, runs: Sequence[RunJson]) -> bool:
    count = _count(runs[0])
    return bool(count) and _count(run) == count and run.shard not in {each.shard for each in runs}


def _count(run: RunJson) -> str:
    return run.shard.partition("/")[2]


def as_one(parts: Sequence[ReportPart]) -> ReportPart:
    """Return the parts of a report from its shards as one: the newest, with all accounts."""
    newest, *others = parts
    dated = [(each, dates) for each in parts if (dates := _dates_of(each))]
    if not others or not dated:
        return newest
    days = DateRange(
        first=min(dates.first for _, dates in dated), last=max(dates.last for _, dates in dated)
    )
    whole = msgspec.structs.replace(
        newest,
        rows=sum(each.rows for each in parts),
        queries_done=sum(each.queries_done for each in parts),
        queries_failed=sum(each.queries_failed for each in parts),
        first=str(days.first),
        last=str(days.last),
        accounts=[],
    )
    letters = []
    for part, dates in dated:
        for account in part.accounts:
            # A day that another shard has, and this one has not, is missing.
            found = aligned(read(account.days), dates.first, days).replace(UNREAD, MISSING)
            letters.append(found)
            whole.accounts.append(msgspec.structs.replace(account, days=written(found)))
    count_days(whole, letters)
    return whole


def _dates_of(part: ReportPart) -> DateRange | None:
    """Return the days of a part; None where it has none, or they are malformed."""
    try:
        dates = DateRange(first=parse_date(part.first or ""), last=parse_date(part.last or ""))
    except ValueError:
        return None
    return dates if dates.days <= MAX_DAYS else None
