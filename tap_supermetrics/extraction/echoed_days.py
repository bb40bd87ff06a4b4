"""Reads the days that an answer echoes, in whatever form: days, moments, seconds."""

from __future__ import annotations

import re
from datetime import timezone
from typing import TYPE_CHECKING, Final

from tap_supermetrics.dates import moment_of, read_day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, tzinfo

RawDay = str | int
_SECONDS: Final = re.compile(r"@?\d{10,13}")
"""Seconds since 1970, or thousandths: the API takes days so too (Supermetrics docs)."""
_WITH_OFFSET: Final = re.compile(r".*\d[T ]\d\d:\d\d.*(Z|UTC|[+-]\d\d:?\d\d)", re.IGNORECASE)


def read_days(start: RawDay, end: RawDay, zone: tzinfo) -> tuple[date, date]:
    """Return the first and the last day, which may come in the wrong order.

    Moments belong to the zone in which they begin and end days: the one they are written in, the
    report's, or UTC. Where they do so in none, they are days as they are written.

    Args:
        start: of the first day.
        end: of the last day.
        zone: the report's.

    Raises:
        ValueError: one of them is no day of the calendar.
    """
    first, last = _moment(start), _moment(end)
    if first and last:
        for begin, finish in _in_zones(first, last, zone):
            if _is_midnight(begin) and (_is_midnight(finish) or _is_end_of_day(finish)):
                return begin.date(), finish.date()
    return _day(start), _day(end)


def _in_zones(first: datetime, last: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    yield first, last
    for each in (zone, timezone.utc):
        yield first.astimezone(each), last.astimezone(each)


def _moment(raw: RawDay) -> datetime | None:
    """Return a moment that has its offset; None for a day, and for any other text."""
    text = str(raw).strip()
    is_moment = _SECONDS.fullmatch(text) or _WITH_OFFSET.fullmatch(text)
    return moment_of(text) if is_moment else None


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def _is_end_of_day(moment: datetime) -> bool:
    return (moment.hour, moment.minute) == (23, 59)


def _day(raw: RawDay) -> date:
    """Return a day that may be written as its midnight or another moment; of seconds, in UTC."""
    text = str(raw).strip()
    moment = moment_of(text) if _SECONDS.fullmatch(text) else None
    return moment.date() if moment else read_day(re.split("[T ]", text, maxsplit=1)[0])
