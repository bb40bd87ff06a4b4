"""Values that hypothesis draws: few days and few accounts, so that ranges touch and overlap."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from hypothesis import strategies as st

from tap_supermetrics.dates import DateRange, merge
from tap_supermetrics.planning.coverage import Coverage, DaysFetched, Lookback

FIRST_DAY = date(2024, 2, 20)
"""Ranges cross the end of a February of 29 days."""
DAYS = 24

day_numbers = st.integers(0, DAYS - 1)


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def date_range(first: int, last: int) -> DateRange:
    return DateRange(first=day(first), last=day(last))


def days_of(*ranges: DateRange | None) -> set[date]:
    return {each for found in ranges if found for each in found.each_day()}


@st.composite
def date_ranges(draw: st.DrawFn) -> DateRange:
    first, last = sorted((draw(day_numbers), draw(day_numbers)))
    return date_range(first, last)


range_tuples = st.lists(date_ranges(), max_size=6).map(tuple)
merged_ranges = range_tuples.map(merge)


def moment(hour: int) -> datetime:
    return datetime(2024, 3, 1, tzinfo=timezone.utc) + timedelta(hours=hour)


moments = st.integers(0, 48).map(moment)


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    """What queries that were done and lost, in any order, leave behind."""
    coverage = Coverage()
    last_wanted = day(draw(day_numbers))
    lookback = Lookback(
        days=draw(st.integers(0, 9)), last_wanted=last_wanted, last_known=last_wanted, is_timed=True
    )
    for is_done, dates in draw(st.lists(st.tuples(st.booleans(), date_ranges()), max_size=6)):
        if is_done:
            fetch = DaysFetched(dates=dates, at=draw(moments))
            done = coverage.with_done(dates, day(0)).with_settled(dates, lookback)
            coverage = done.with_fetch(fetch, lookback)
        else:
            coverage = coverage.with_stale(dates)
    return coverage
