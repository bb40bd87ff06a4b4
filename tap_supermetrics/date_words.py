"""Days in words, as the API takes them: `yesterday`, `-2 weeks`, `previous Monday`.

Source: Supermetrics docs, "Date strings": the relative formats of PHP. What is understood here is
what people write for the beginning and the end of a report; all else is refused.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_WORDS: Final = {"today": 0, "now": 0, "midnight": 0, "yesterday": -1}
_WHICH: Final = {"last": -1, "previous": -1, "this": 0, "next": 1}
_DAYS: Final = {"day": 1, "week": 7, "fortnight": 14}
_MONTHS_OF: Final = {"month": 1, "year": 12}
_SOME_DAY: Final = date(2024, 2, 29)
_UNITS: Final = "|".join((*_DAYS, *_MONTHS_OF))


class Edge(Enum):
    """An end of a month."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekday:
    """A day of the week, counted from today on.

    Attributes:
        number: 0 for Sunday, to 6.
        may_be_today: whether it is today where today is one.
    """

    number: int
    may_be_today: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """The way from today to a day: to a weekday or a month first, then by months and days.

    Attributes:
        days: how many days on; back where it is negative.
        months: how many months on.
        weekday: a day of the week.
        is_of_week: whether it is that of this week, which begins on Monday.
        edge: an end of the month.
        month: a month of the calendar, from 1; only with `edge`.
        year: of that month; the current one where it is left out.
    """

    days: int = 0
    months: int = 0
    weekday: Weekday | None = None
    is_of_week: bool = False
    edge: Edge | None = None
    month: int | None = None
    year: int | None = None

    @property
    def is_jump(self) -> bool:
        """Return whether the day stays for a while, and then moves by many days at once."""
        return self.edge is not None or self.weekday is not None

    def on(self, today: date) -> date:
        """Return the day that is meant today.

        Raises:
            ValueError, OverflowError: the calendar has none.
        """
        day = today + timedelta(days=self._to_weekday(today.isoweekday()))
        if self.month:
            day = date(self.year or today.year, self.month, 1)
        year, month = divmod(day.year * 12 + day.month - 1 + self.months, 12)
        if self.edge is Edge.LAST:
            return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
        first = date(year, month + 1, 1)
        if self.edge is Edge.FIRST:
            return first
        # PHP counts on into the next month: a month before 31 March is 2 or 3 March.
        return first + timedelta(days=day.day - 1 + self.days)

    def _to_weekday(self, today: int) -> int:
        """Return the days from today, 1 for Monday to 7, to the weekday."""
        if self.weekday is None:
            return 0
        number = self.weekday.number
        if self.is_of_week:
            return (number or 7) - today
        days = number - today % 7
        # As PHP does: where the words lead back, today is taken too.
        is_past = days < 0 if self.weekday.may_be_today or self.days < 0 else days <= 0
        return days + 7 if is_past else days


TODAY: Final = Moves()


def moves_of(text: str) -> Moves:
    """Return the moves that words mean.

    Raises:
        ValueError: they are not understood.
    """
    rest, moves = " ".join(text.lower().split()), Moves()
    if not rest:
        raise ValueError("no words")
    while rest:
        for pattern, move in _RULES:
            if match := pattern.match(rest):
                moves, rest = move(moves, match), rest[match.end() :].strip()
                break
        else:
            raise ValueError(f"{text!r} is no day in words that are known")
    if moves.edge and (moves.days or moves.weekday):
        raise ValueError(f"{text!r}: the first or last day of a month cannot be moved by days")
    try:
        moves.on(_SOME_DAY)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the calendar") from None
    return moves


def _by_word(moves: Moves, match: re.Match[str]) -> Moves:
    return replace(moves, days=moves.days + _WORDS[match["word"]])


def _to_edge(moves: Moves, match: re.Match[str]) -> Moves:
    month, year = match["month"], match["year"]
    if month:
        moves = replace(moves, month=_MONTHS[month], year=int(year) if year else None)
    return replace(moves, edge=Edge(match["edge"]))


def _by_number(moves: Moves, match: re.Match[str]) -> Moves:
    moved = _moved(moves, int(match["count"].replace(" ", "")), match["unit"])
    if not match["ago"]:
        return moved
    if moves.weekday or match["count"][0] in "+-":
        raise ValueError("PHP reads `-3 days ago` as days to come: nobody means that")
    # PHP's `ago` turns everything before it.
    return replace(moved, days=-moved.days, months=-moved.months)


def _by_which(moves: Moves, match: re.Match[str]) -> Moves:
    moved = _moved(moves, _WHICH[match["which"]], match["unit"])
    return replace(moved, is_of_week=moves.is_of_week or match["unit"] == "week")


def _moved(moves: Moves, count: int, unit: str) -> Moves:
    if unit in _MONTHS_OF:
        return replace(moves, months=moves.months + count * _MONTHS_OF[unit])
    return replace(moves, days=moves.days + count * _DAYS[unit])


def _to_weekday(moves: Moves, match: re.Match[str]) -> Moves:
    which = match["which"]
    number = _WEEKDAYS.index(match["weekday"])
    weekday = Weekday(number=number, may_be_today=which in (None, "this"))
    # The next one is the first after today, the last one a week before that.
    return replace(moves, weekday=weekday, days=moves.days + 7 * min(_WHICH.get(which, 0), 0))


_RULES: Final[tuple[tuple[re.Pattern[str], Callable[[Moves, re.Match[str]], Moves]], ...]] = (
    (re.compile(rf"(?P<word>{'|'.join(_WORDS)})\b"), _by_word),
    (
        re.compile(
            r"(?P<edge>first|last) day of\b"
            rf"(?: (?P<month>{'|'.join(_MONTHS)})\b(?: (?P<year>\d{{4}})\b)?)?"
        ),
        _to_edge,
    ),
    (
        re.compile(rf"(?:(?P<which>{'|'.join(_WHICH)}) )?(?P<weekday>{'|'.join(_WEEKDAYS)})\b"),
        _to_weekday,
    ),
    (re.compile(rf"(?P<which>{'|'.join(_WHICH)}) (?P<unit>{_UNITS})\b"), _by_which),
    (
        re.compile(rf"(?P<count>[+-]? ?\d{{1,5}}) (?P<unit>{_UNITS})s?\b(?P<ago> ago\b)?"),
        _by_number,
    ),
)
