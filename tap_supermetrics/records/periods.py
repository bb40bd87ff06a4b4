"""Weeks, months, quarters, halves and years that a report reads in part, because its window moves.

A report without the day of its rows is read whole by every run, and its rows are those of periods.
At the edge of the window, only a part of a period is read. When the window moves on, a week shrinks
from seven days to six, then five, and the target stores each. When it jumps, the last day of a
month stays as it was in the middle of that day. So the user is warned, with a setting to change.
"""

from __future__ import annotations

import re
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tap_supermetrics.dates import ONE_DAY
from tap_supermetrics.records.kinds import ValueKind
from tap_supermetrics.words import counted, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_supermetrics.dates import Day
    from tap_supermetrics.model import Report
    from tap_supermetrics.records.schema import Field, RecordSchema


class Period(Enum):
    """A stretch of days for which a report has one row."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half year"
    YEAR = "year"


_OF_NAMES: Final = (
    # The smallest comes first: `Year & week` are weeks.
    ("week", Period.WEEK),
    ("month", Period.MONTH),
    ("quarter|qtr", Period.QUARTER),
    ("half(?!hour|day|an)|semester", Period.HALF),
    ("year", Period.YEAR),
)
_NO_PERIOD: Final = re.compile("(day|hour)(s)?of|weekday")
"""`Day of week` is no period: its values repeat in any window."""
_ONLY_PERIODS: Final = re.compile(
    "(segments|date|time|report(ing)?|calendar|fiscal|financial|iso|nth|by)*"
    "((week|month|quarter|half|year)(ly)?|qtr|semester)"
    "((week|month|quarter|half|year)|of|the|and|in|calendar|fiscal|iso|mon(day)?|sun(day)?"
    "|sat(urday)?|start(s|ing)?|begin(s|ning)?|commencing|ending|on|date|number|num|no|index|id"
    "|code|name|short|label)*"
)
"""Names that consist of a period only, unlike `Birth year` and `Number of weeks`."""
_TIME: Final = "string.time"
_SUNDAY, _MONDAY = 7, 1
"""Numbers of `date.isoweekday`."""
_USUAL_BEGINS: Final = frozenset({_SUNDAY, _MONDAY})
"""The days on which weeks may begin of which nothing else is known."""
_OF_A_RANGE: Final = (("week(s)?_sun_sat", _SUNDAY), ("week(s)?_mon_sun", _MONDAY))
_OF_A_NAME: Final = (("iso|mon(day)?(to)?sun", _MONDAY), ("sun", _SUNDAY), ("mon(?!th)", _MONDAY))
"""The day on which a week begins, by the letters of a range, or of a name and its type."""
_NIGHTS: Final = (date(2025, 1, 2), 2 * 366)
"""The first of the nights, and their number, in which each day in words jumps, over two years."""
_WHOLE: Final = {
    Period.WEEK: {Period.WEEK},
    Period.MONTH: {Period.MONTH},
    Period.YEAR: {Period.MONTH, Period.QUARTER, Period.HALF, Period.YEAR},
}
"""The periods that a range of whole weeks, months or years never cuts."""
_RANGE_TYPES: Final = (
    *("today", "yesterday", "last_week_sun_sat", "last_week_mon_sun", "this_month"),
    *("this_month_inc", "this_year_inc", "last_month", "last_year", "last_year_inc"),
)
"""Source: Supermetrics docs, "Date range types"; beside these there are those with a number."""
_COUNTED_RANGES: Final = tuple(
    f"last_{{}}_{unit}{inc}"
    for unit in ("days", "weeks_sun_sat", "weeks_mon_sun", "months", "years")
    for inc in ("", "_inc")
)


def period_of(name: str, data_type: str) -> Period | None:
    """Return the period that a dimension names; None for others.

    Source: Supermetrics docs, "Field data types": `string.time.yearweek`, `.month`, `.year`; for
    quarters there is none. Data types are "informational only": sources list weeks as numbers and
    as texts, so that a name that consists of periods is one, whatever its type.
    """
    of_type = re.fullmatch(rf"{_TIME}(\..*)?", data_type.strip().casefold(), re.DOTALL)
    text = of_type[0].removeprefix(_TIME) if of_type else ""
    letters = "".join(filter(str.isalpha, name.casefold()))
    if _NO_PERIOD.search(text) or _NO_PERIOD.search(letters):
        return None
    is_named = of_type or _ONLY_PERIODS.fullmatch(letters)
    return _named_in(text) or (_named_in(letters) if is_named else None)


def _named_in(text: str) -> Period | None:
    return next((period for words, period in _OF_NAMES if re.search(words, text)), None)


def warnings_of_window(report: Report, schema: RecordSchema) -> Iterator[str]:
    """Yield warnings of periods that the window of a report that is read whole cuts.

    Args:
        report: the report.
        schema: of its records.
    """
    if schema.replication_key:
        yield from _warnings_of_day(schema)
        yield from _warnings_of_lookback(report)
        return
    dimensions = [each for each in schema.fields if each.is_dimension]
    found = {period_of(each.name, each.data_type) for each in dimensions}
    periods = [each for each in Period if each in found]
    if report.date_range_type:
        has_days = any(each.kind is ValueKind.DATE for each in dimensions)
        yield from _warnings_of_range(report.date_range_type, periods, has_days=has_days)
        yield from _warnings_of_week_begin(report.date_range_type, _week_begins(dimensions))
    elif periods:
        yield from _warnings_of_dates(report, periods, _week_begins(dimensions))


def _warnings_of_dates(
    report: Report, periods: list[Period], week_begins: set[int]
) -> Iterator[str]:
    """Yield a warning of a first or last day that cuts a period, now or in a later night."""
    start, end = report.start_date, report.end_date
    firsts = _days_meant(start) if start else set()
    if start and len(firsts) > 1:
        if not start.moves.is_jump or _cuts(firsts, periods, week_begins):
            yield (
                "start_date: it moves, and the report has no day, so that its first "
                f"{periods[0].value} is read in part and its rows shrink each night; set a fixed "
                "day on which one begins, or add the day to `fields`"
            )
    elif cut := next((each for day in firsts if (each := _cut(day, periods, week_begins))), None):
        yield (
            f"start_date: {min(firsts)} is in the middle of a {cut.value}, whose rows then are of "
            "a part; set the day on which it begins"
        )
    after = {day + ONE_DAY for day in _days_meant(end)}
    if len(after) > 1:
        if end.moves.is_jump and Period.WEEK in periods and _cuts_weeks(after, week_begins):
            yield (
                "end_date: it jumps, and the report has no day, so that its last week is read in "
                "part until it jumps again; set the day on which a week ends, or yesterday"
            )
    elif cut := next((each for day in after if (each := _cut(day, periods, week_begins))), None):
        yield (
            f"end_date: {min(after) - ONE_DAY} is in the middle of a {cut.value}, whose rows then "
            "are of a part; set the day on which it ends"
        )


def _days_meant(day: Day) -> set[date]:
    """Return the days that a day in words becomes over time; one day where it never moves."""
    first, count = _NIGHTS
    return {day.on(first + number * ONE_DAY) for number in range(1 if day.fixed else count)}


def _cuts(days: set[date], periods: list[Period], week_begins: set[int]) -> bool:
    """Return whether one of the days on which a window begins is in the middle of a period."""
    cuts_weeks = Period.WEEK in periods and _cuts_weeks(days, week_begins)
    return cuts_weeks or any(_cut(each, periods, week_begins) for each in days)


def _cuts_weeks(days: set[date], week_begins: set[int]) -> bool:
    """Return whether a window begins in the middle of weeks, whichever day they begin on."""
    found = {each.isoweekday() for each in days}
    return len(found) > 1 or not found <= (week_begins or _USUAL_BEGINS)


def _warnings_of_day(schema: RecordSchema) -> Iterator[str]:
    """Yield a warning of a chosen day that names a period: a query of a day reads a part of it."""
    for each in schema.fields:
        period = period_of(each.name, each.data_type)
        if each.name == schema.replication_key and period and "day" not in each.letters:
            yield (
                f"replication_key: {each.name} tells {period.value}s by its name, and a query of a "
                "day gives one day of them; set it to the day of the row, or leave it out to read "
                "the report whole"
            )


def _warnings_of_lookback(report: Report) -> Iterator[str]:
    """Yield a warning of a lookback that is longer than a window that moves."""
    if report.start_date is None or report.start_date.fixed:
        return
    # One of its days is new each night.
    if _shortest_window(report.start_date, report.end_date) <= report.lookback_days:
        days = counted(report.lookback_days, "day reaches", "days reach")
        yield (
            f"lookback_days: {days} back before `start_date`, which moves, and what was loaded "
            "before it is not read again; set an earlier `start_date`, or a shorter lookback"
        )


@lru_cache
def _shortest_window(start: Day, end: Day) -> int:
    """Return the fewest days of a window over two years; most reports share theirs."""
    first, count = _NIGHTS
    nights = (first + number * ONE_DAY for number in range(count))
    return min((end.on(each) - start.as_first(each)).days + 1 for each in nights)


def _cut(day: date, periods: list[Period], week_begins: set[int]) -> Period | None:
    """Return a period that does not begin on a day."""
    begins = {
        Period.WEEK: day.isoweekday() in (week_begins or _USUAL_BEGINS),
        Period.MONTH: day.day == 1,
        Period.QUARTER: day.day == 1 and day.month % 3 == 1,
        Period.HALF: day.day == 1 and day.month in {1, 7},
        Period.YEAR: day.day == 1 and day.month == 1,
    }
    return next((each for each in periods if not begins[each]), None)


def _week_begins(dimensions: Iterable[Field]) -> set[int]:
    """Return the days on which weeks of a report begin, by their names and types."""
    weeks = (each for each in dimensions if period_of(each.name, each.data_type) is Period.WEEK)
    letters = ("".join(filter(str.isalpha, f"{each.name}{each.data_type}")) for each in weeks)
    # A week that ends on Sunday begins on Monday: names of its end do not count.
    begins = (_begin_in(each.casefold(), _OF_A_NAME) for each in letters if "ending" not in each)
    return {each for each in begins if each}


def _begin_in(text: str, words: Iterable[tuple[str, int]]) -> int | None:
    return next((day for pattern, day in words if re.search(pattern, text)), None)


def _warnings_of_week_begin(range_type: str, week_begins: set[int]) -> Iterator[str]:
    """Yield a warning of a range whose weeks begin on another day than those of the report."""
    begin = _begin_in(range_type, _OF_A_RANGE)
    if begin and week_begins - {begin}:
        is_sunday = begin == _SUNDAY
        day, other, form = (
            ("Sunday", "Monday", "mon_sun") if is_sunday else ("Monday", "Sunday", "sun_sat")
        )
        yield (
            f"date_range_type: {range_type} is of weeks from {day}, and the report's begin on "
            f"{other}, so that rows are of parts; use its form with {form}"
        )


def _range_type_meant(range_type: str) -> str:
    """Return the documented date range type that an undocumented one resembles, or nothing."""
    # Types with a number are compared with the same number.
    number = next(iter(re.findall(r"\d+", range_type)), "")
    known = (*_RANGE_TYPES, *(each.format(number) for each in _COUNTED_RANGES if number))
    return "" if range_type in known else nearest(range_type, known, cutoff=0.8)


def _warnings_of_range(range_type: str, periods: list[Period], *, has_days: bool) -> Iterator[str]:
    if meant := _range_type_meant(range_type):
        # No mistake: the API may know more types than are documented.
        yield (
            f"date_range_type: {range_type} is not documented, and the API may refuse it; did you "
            f"mean {meant}?"
        )
    unit = _named_in(range_type)
    whole = _WHOLE.get(unit, set()) if unit else set()
    if part := next((each for each in periods if each not in whole), None):
        yield (
            f"date_range_type: {range_type} begins or ends in the middle of a {part.value}, whose "
            "rows then are of a part and change as the range moves; use a range of whole "
            f"{part.value}s, or add the day to `fields`"
        )
    elif range_type == "today" or (range_type.endswith("_inc") and range_type[:4] == "this"):
        what = "its last day" if has_days or periods else "it"
        yield (
            f"date_range_type: {range_type} jumps when it is over, so that {what} stays as it was "
            "in the middle of that day; use a range that ends yesterday, or `start_date`"
        )
