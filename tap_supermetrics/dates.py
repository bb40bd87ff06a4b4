"""Days and date ranges, and the words that settings may use for them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tap_supermetrics.date_words import TODAY, Moves, moves_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ONE_DAY = timedelta(days=1)
_SECONDS = 1e9
"""A smaller number would be before 2001, and is likely a day without signs."""
_MILLISECONDS = 1e11
"""A greater number of seconds would be after the year 5138."""
_AS_WRITTEN = re.compile(
    r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|(\d{2})(\d{2}))"
    r"(?:[ T]00:00(?::00(?:\.0+)?)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?",
    re.ASCII | re.IGNORECASE,
)
"""A day with the year first, or the midnight at its begin, in the zone of the source."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DateRange:
    """The days from `first` to `last`, both included; never empty."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"first day {self.first} is after last day {self.last}")

    def __str__(self) -> str:
        """`2024-03-01`, or `2024-03-01..2024-03-05` for more than one day."""
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"

    @property
    def days(self) -> int:
        """Number of days, at least one."""
        return (self.last - self.first).days + 1

    def contains(self, other: DateRange) -> bool:
        """Return whether all days of another range are in this one."""
        return self.first <= other.first and other.last <= self.last

    def each_day(self) -> Iterator[date]:
        """Return every day in order."""
        return (self.first + timedelta(days=n) for n in range(self.days))

    def halves(self) -> tuple[DateRange, DateRange]:
        """Return the earlier and the later half.

        Raises:
            ValueError: a single day has no halves.
        """
        middle = self.first + timedelta(days=self.days // 2)
        return (
            DateRange(first=self.first, last=middle - ONE_DAY),
            DateRange(first=middle, last=self.last),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day as settings name it: a calendar date, or one that moves with today."""

    fixed: date | None = None
    moves: Moves = TODAY

    @classmethod
    def parse(cls, text: str) -> Day:
        """Read `YYYY-MM-DD`, or words such as `yesterday` and `30 days ago`.

        Raises:
            ValueError: it is none of these, or no day of the calendar.
        """
        written = text.strip()
        has_words = re.search("[a-z]{2}", written, re.IGNORECASE)
        return cls(moves=moves_of(written)) if has_words else cls(fixed=parse_date(written))

    def on(self, today: date) -> date:
        """Return the calendar date that it means on the day `today`."""
        return self.fixed or self.moves.on(today)

    def as_first(self, today: date) -> date:
        """Return the calendar date that it means on the day `today`, as the first day of a range.

        A day that stays for a while and then jumps, as the first of this month does, jumps one day
        later: on the first of a month, the last day of the month before is still to be read.
        """
        return self.on(today - ONE_DAY if self.moves.is_jump else today)


def parse_date(text: str) -> date:
    """Read `YYYY-MM-DD` and nothing else.

    Raises:
        ValueError: another form, or no day of the calendar.
    """
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(f"{text!r} is no date of the form YYYY-MM-DD")
    return date.fromisoformat(text)


def read_day(text: str) -> date:
    """Read a day as data sources write it: with the year first, or as the midnight it begins at.

    Other orders are refused: in `3/1/2024` either may be the month.

    Raises:
        ValueError: another form, or no day of the calendar.
    """
    found = _AS_WRITTEN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text[:40]!r} is no date that begins with the year")
    year, _, *parts = found.groups()
    month, day = filter(None, parts)
    return date(int(year), int(month), int(day))


def moment_of(raw: object) -> datetime | None:
    """Return a moment in an answer, with offset; None where it cannot be read.

    A time without offset is UTC, as all times of the API are; numbers are seconds since 1970, or
    thousandths of them. PHP writes an object with a `date`.
    """
    if isinstance(raw, dict):
        raw = raw.get("date")
    text = str(raw).strip().removeprefix("@")
    for read in (_of_seconds, _of_iso, parsedate_to_datetime):
        with suppress(ValueError, OverflowError, OSError, TypeError):
            moment = read(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return None


def same_moment(written: str) -> str:
    """Return a moment as a text that is the same for all ways to write it."""
    try:
        moment = _of_iso(written)
        return (moment.astimezone(timezone.utc) if moment.tzinfo else moment).isoformat()
    except (ValueError, OverflowError):
        return written


def _of_seconds(text: str) -> datetime:
    seconds = float(text)
    if seconds < _SECONDS:
        raise ValueError(text)
    return datetime.fromtimestamp(seconds / (1 if seconds < _MILLISECONDS else 1000), timezone.utc)


def _of_iso(text: str) -> datetime:
    # Python 3.10 takes neither Z nor `+0000` nor seven digits of a second.
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    text = re.sub(r"\s*(Z|UTC|GMT)$", "+00:00", text, flags=re.IGNORECASE)
    return datetime.fromisoformat(re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text))


def merge(ranges: Iterable[DateRange]) -> tuple[DateRange, ...]:
    """Return the same days as few ranges, in order, with gaps between them."""
    merged: list[DateRange] = []
    for each in sorted(ranges):
        # Ranges that only touch are one range too.
        if merged and (each.first - merged[-1].last).days <= 1:
            merged[-1] = DateRange(first=merged[-1].first, last=max(merged[-1].last, each.last))
        else:
            merged.append(each)
    return tuple(merged)


def with_range(ranges: Sequence[DateRange], more: DateRange) -> tuple[DateRange, ...]:
    """Return the days of `ranges` (merged, in order) and those of one more, merged again.

    Only ranges that touch it are visited: a long list is copied, but not traversed.
    """
    begin = bisect_left(ranges, more.first.toordinal() - 1, key=_last_number)
    end = bisect_right(ranges, more.last.toordinal() + 1, lo=begin, key=_first_number)
    return (*ranges[:begin], *merge((*ranges[begin:end], more)), *ranges[end:])


def without_range(ranges: Sequence[DateRange], taken: DateRange) -> tuple[DateRange, ...]:
    """Return the days of `ranges` (merged, in order) but for those of one, at the same cost."""
    begin, end = _near(taken, ranges)
    left = (part for each in ranges[begin:end] for part in subtract(each, (taken,)))
    return (*ranges[:begin], *left, *ranges[end:])


def subtract(whole: DateRange, ranges: Sequence[DateRange]) -> tuple[DateRange, ...]:
    """Return the days of `whole` that are in none of `ranges` (merged, in order)."""
    begin, end = _near(whole, ranges)
    left: list[DateRange] = []
    first = whole.first
    for each in ranges[begin:end]:
        if each.first > first:
            left.append(DateRange(first=first, last=each.first - ONE_DAY))
        if each.last >= whole.last:
            return tuple(left)
        first = each.last + ONE_DAY
    return (*left, DateRange(first=first, last=whole.last))


def intersect(whole: DateRange, ranges: Sequence[DateRange]) -> tuple[DateRange, ...]:
    """Return the days of `whole` that are in one of `ranges` (merged, in order)."""
    begin, end = _near(whole, ranges)
    return tuple(
        DateRange(first=max(whole.first, each.first), last=min(whole.last, each.last))
        for each in ranges[begin:end]
    )


def _near(whole: DateRange, ranges: Sequence[DateRange]) -> tuple[int, int]:
    """Return where those of the ranges begin and end that have a day of `whole`."""
    begin = bisect_left(ranges, whole.first.toordinal(), key=_last_number)
    return begin, bisect_right(ranges, whole.last.toordinal(), lo=begin, key=_first_number)


def _first_number(each: DateRange) -> int:
    return each.first.toordinal()


def _last_number(each: DateRange) -> int:
    return each.last.toordinal()


def outside(ranges: Sequence[DateRange], taken: Sequence[DateRange]) -> tuple[DateRange, ...]:
    """Return the days of `ranges` that are in none of `taken` (both merged, in order)."""
    return tuple(
        left
        for each, near in _beside(ranges, taken)
        for left in (subtract(each, near) if near else (each,))
    )


def common(some: Sequence[DateRange], others: Sequence[DateRange]) -> tuple[DateRange, ...]:
    """Return the days that are in both (each merged, in order)."""
    return tuple(both for each, near in _beside(some, others) for both in intersect(each, near))


def _beside(
    ranges: Sequence[DateRange], others: Sequence[DateRange]
) -> Iterator[tuple[DateRange, tuple[DateRange, ...]]]:
    """Yield each range with those of the others that touch it, in one pass over both."""
    begin = 0
    for each in ranges:
        while begin < len(others) and others[begin].last < each.first:
            begin += 1
        end = begin
        while end < len(others) and others[end].first <= each.last:
            end += 1
        yield each, tuple(others[begin:end])
