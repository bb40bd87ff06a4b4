"""Date ranges, as a query spells them.

Sources: Supermetrics docs, "Date range types" (all of them) and "Date strings", which are PHP's
relative formats, of which the usual ones are understood here.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.failures import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Range = tuple[date, date]

_DAY = timedelta(days=1)
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_WEEKDAYS = {name.lower(): number for number, name in enumerate(calendar.day_name)}
_WORDS = {"today": 0, "now": 0, "midnight": 0, "yesterday": -1, "tomorrow": 1}


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def parsed_day(text: str, today: date, code: str) -> date:
    """Return a day from `YYYY-MM-DD`, `@<unix seconds>` or words ("-2 weeks next Monday").

    Raises:
        RefusalError: It is none of these; `code` tells which parameter it was.
    """
    text = text.strip().lower()
    try:
        if text.startswith("@"):
            return datetime.fromtimestamp(int(text[1:]), timezone.utc).date()
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
        return _relative(text, today)
    except (ValueError, OverflowError):
        raise RefusalError(code, f'"{text}" is not a date.') from None


def _relative(text: str, day: date) -> date:
    if not text:
        raise ValueError(text)
    while text:
        for rule, moved in _RULES:
            match = rule.match(text)
            if match:
                day, text = moved(match, day), text[match.end() :].strip()
                break
        else:
            raise ValueError(text)
    return day


def _edge_of_month(match: re.Match[str], day: date) -> date:
    which, month = match["edge"], match["month"]
    if month in _MONTHS:
        day = date(int(match["year"] or day.year), _MONTHS[month], 1)
    else:
        shift = {"last": -1, "previous": -1, "next": 1}.get(month.split()[0], 0)
        day = add_months(day.replace(day=1), shift)
    return add_months(day.replace(day=1), 1) - _DAY if which == "last" else day.replace(day=1)


def _weekday(match: re.Match[str], day: date) -> date:
    wanted = _WEEKDAYS[match["weekday"]]
    if match["which"] == "next":
        return day + ((wanted - day.weekday() - 1) % 7 + 1) * _DAY
    return day - ((day.weekday() - wanted - 1) % 7 + 1) * _DAY


def _shift(match: re.Match[str], day: date) -> date:
    words = {"last": -1, "previous": -1, "next": 1}
    number = words.get(match["number"]) or int(match["number"].replace(" ", ""))
    return shifted(day, -number if match["ago"] else number, match["unit"])


def shifted(day: date, number: int, unit: str) -> date:
    """Return a day moved by a number of days, weeks, months or years."""
    match unit:
        case "day":
            return day + number * _DAY
        case "week":
            return day + 7 * number * _DAY
        case _:
            # PHP counts on into the next month: a month before 31 March is 2 March.
            months = add_months(day.replace(day=1), number * (12 if unit == "year" else 1))
            return months + (day.day - 1) * _DAY


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], date]], ...] = (
    (
        re.compile(rf"(?P<word>{'|'.join(_WORDS)})\b"),
        lambda match, day: day + _WORDS[match["word"]] * _DAY,
    ),
    (
        re.compile(
            r"(?P<edge>first|last) day of "
            rf"(?P<month>(?:this|last|previous|next) month|{'|'.join(_MONTHS)})\b"
            r" *(?P<year>\d{4})?"
        ),
        _edge_of_month,
    ),
    (
        re.compile(rf"(?P<which>last|previous|next) (?P<weekday>{'|'.join(_WEEKDAYS)})\b"),
        _weekday,
    ),
    (
        re.compile(
            r"(?P<number>[+-]? ?\d+|last|previous|next) (?P<unit>day|week|month|year)s?\b"
            r"(?P<ago> ago\b)?"
        ),
        _shift,
    ),
)


def parsed_range(kind: str, today: date) -> Range:
    """Return the days of a `date_range_type` other than "custom".

    Raises:
        RefusalError: There is no such type.
    """
    kind = kind.strip().lower()
    if kind in _FIXED:
        return _FIXED[kind](today)
    match = re.fullmatch(r"last_(\d+)_(day|week|month|year)s(_sun_sat|_mon_sun)?(_inc)?", kind)
    if match is None or (match[2] == "week") is (match[3] is None):
        raise RefusalError("DATE_RANGE_TYPE_INVALID", f'"{kind}" is not a date range type.')
    return _last(int(match[1]), match[2], today, sunday=match[3] == "_sun_sat", inc=bool(match[4]))


def _last(number: int, unit: str, today: date, *, sunday: bool, inc: bool) -> Range:
    if unit == "day":
        return today - number * _DAY, today if inc else today - _DAY
    start = _start(unit, today, sunday=sunday)
    last = today if inc else start - _DAY
    return shifted(start, -number, unit), last


def _start(unit: str, today: date, *, sunday: bool = False) -> date:
    match unit:
        case "week":
            return today - ((today.weekday() + sunday) % 7) * _DAY
        case "month":
            return today.replace(day=1)
        case _:
            return date(today.year, 1, 1)


def _this_month(today: date) -> Range:
    if today.day == 1:
        return _last(1, "month", today, sunday=False, inc=False)
    return today.replace(day=1), today - _DAY


_FIXED: Mapping[str, Callable[[date], Range]] = MappingProxyType(
    {
        "today": lambda today: (today, today),
        "yesterday": lambda today: (today - _DAY, today - _DAY),
        "last_week_sun_sat": lambda today: _last(1, "week", today, sunday=True, inc=False),
        "last_week_mon_sun": lambda today: _last(1, "week", today, sunday=False, inc=False),
        "this_month": _this_month,
        "this_month_inc": lambda today: (today.replace(day=1), today),
        "this_year_inc": lambda today: (date(today.year, 1, 1), today),
        "last_month": lambda today: _last(1, "month", today, sunday=False, inc=False),
        "last_year": lambda today: _last(1, "year", today, sunday=False, inc=False),
        "last_year_inc": lambda today: _last(1, "year", today, sunday=False, inc=True),
    }
)
