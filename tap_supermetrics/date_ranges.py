"""Ranges of days in words, as the API takes them: `last_30_days`, `this_month_inc`.

Source: Supermetrics docs, "Date range types".
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from tap_supermetrics.date_words import Edge, Moves
from tap_supermetrics.dates import ONE_DAY, DateRange

_COUNTED: Final = re.compile(
    "last_([0-9]{1,4})_(days|weeks_sun_sat|weeks_mon_sun|months|years)(_inc)?"
)
_AS_COUNTED: Final = {
    "today": "last_0_days_inc",
    "yesterday": "last_1_days",
    "last_week_sun_sat": "last_1_weeks_sun_sat",
    "last_week_mon_sun": "last_1_weeks_mon_sun",
    "this_month_inc": "last_0_months_inc",
    "this_year_inc": "last_0_years_inc",
    "last_month": "last_1_months",
    "last_year": "last_1_years",
    "last_year_inc": "last_1_years_inc",
}


def ranges_of(range_type: str, today: date) -> tuple[DateRange, ...]:
    """Return the ranges that a date range type may mean today; none where it is not documented.

    It is not documented whether a range that ends today counts its unfinished unit.
    """
    if range_type == "this_month":
        # On the first of a month, the month before.
        last = today - ONE_DAY
        return (DateRange(first=last.replace(day=1), last=last),)
    found = _COUNTED.fullmatch(_AS_COUNTED.get(range_type, range_type))
    if not found or not (int(found[1]) or found[3]):
        return ()
    count, begin = int(found[1]), _begin(found[2], today)
    counts = {count, count - 1} if found[3] and count else {count}
    last = today if found[3] else begin - ONE_DAY
    try:
        firsts = [_earlier(begin, found[2], each) for each in sorted(counts)]
    except (ValueError, OverflowError):
        return ()  # Before the calendar begins.
    return tuple(DateRange(first=first, last=last) for first in firsts)


def may_be(range_type: str, echoed: DateRange, today: date) -> bool:
    """Return whether the days that an answer echoes may be those of a date range type.

    They may differ by a day, as the end is clamped, and today is another day elsewhere. A type
    that is not documented may mean any days.
    """
    ranges = ranges_of(range_type, today)
    elsewhere = (ranges_of(range_type, today + days * ONE_DAY) for days in (-1, 1))
    return (
        not ranges
        or any(
            abs(echoed.first - each.first) <= ONE_DAY and abs(echoed.last - each.last) <= ONE_DAY
            for each in ranges
        )
        or any(echoed in each for each in elsewhere)
    )


def _begin(unit: str, today: date) -> date:
    """Return the first day of the current week, month or year; today for days."""
    if unit == "days":
        return today
    if unit.startswith("weeks"):
        past = today.isoweekday() % 7 if unit.endswith("sun_sat") else today.isoweekday() - 1
        return today - timedelta(days=past)
    return today.replace(day=1, month=today.month if unit == "months" else 1)


def _earlier(begin: date, unit: str, count: int) -> date:
    """Return the first day, a number of days, weeks, months or years earlier."""
    if unit == "days" or unit.startswith("weeks"):
        return begin - timedelta(days=count if unit == "days" else 7 * count)
    return Moves(months=-count * (1 if unit == "months" else 12), edge=Edge.FIRST).on(begin)
