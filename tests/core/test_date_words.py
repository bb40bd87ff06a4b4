"""Days in words, as PHP reads them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.date_words import moves_of
from tap_supermetrics.dates import Day
from tap_supermetrics.emulator.ranges import parsed_day

WEDNESDAY = date(2024, 5, 15)
MONDAY, SUNDAY = date(2024, 5, 13), date(2024, 5, 19)
DAYS = st.dates(date(1995, 1, 1), date(2095, 12, 31))


@pytest.mark.parametrize(
    ("words", "today", "meant"),
    [
        ("now", WEDNESDAY, "2024-05-15"),
        ("-2 weeks", WEDNESDAY, "2024-05-01"),
        ("- 2 weeks", WEDNESDAY, "2024-05-01"),
        ("2 weeks 3 days ago", WEDNESDAY, "2024-04-28"),
        ("1 fortnight ago", WEDNESDAY, "2024-05-01"),
        ("-1 month", WEDNESDAY, "2024-04-15"),
        ("-1 month", date(2024, 3, 31), "2024-03-02"),
        ("-1 year", date(2024, 2, 29), "2023-03-01"),
        ("last year", WEDNESDAY, "2023-05-15"),
        ("previous Monday", WEDNESDAY, "2024-05-13"),
        ("previous Monday", MONDAY, "2024-05-06"),
        ("last  SUNDAY", SUNDAY, "2024-05-12"),
        ("monday", WEDNESDAY, "2024-05-20"),
        ("monday", MONDAY, "2024-05-13"),
        ("this monday", MONDAY, "2024-05-13"),
        ("next monday", MONDAY, "2024-05-20"),
        ("-2 weeks next Monday", WEDNESDAY, "2024-05-06"),
        ("monday this week", WEDNESDAY, "2024-05-13"),
        ("monday this week", SUNDAY, "2024-05-13"),
        ("sunday this week", WEDNESDAY, "2024-05-19"),
        ("sunday this week", SUNDAY, "2024-05-19"),
        ("monday last week", SUNDAY, "2024-05-06"),
        ("last week monday", WEDNESDAY, "2024-05-06"),
        ("first day of this month", WEDNESDAY, "2024-05-01"),
        ("first day of last month", date(2024, 3, 31), "2024-02-01"),
        ("last day of previous month", date(2024, 3, 31), "2024-02-29"),
        ("last day of next month", date(2024, 1, 31), "2024-02-29"),
        ("first day of -2 months", WEDNESDAY, "2024-03-01"),
        ("first day of January", WEDNESDAY, "2024-01-01"),
        ("first day of january last year", WEDNESDAY, "2023-01-01"),
        ("last day of february 2023", WEDNESDAY, "2023-02-28"),
    ],
)
def test_words_mean_the_day_that_php_gives(words: str, today: date, meant: str) -> None:
    assert moves_of(words).on(today) == date.fromisoformat(meant)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "30-days-ago",
        "7daysAgo",
        "-3 days ago",
        "+3 days ago",
        "first day of last week",
        "first day of monday",
        "first monday of january",
        "monday 2 weeks ago",
        "of january",
        "99999 years ago",
        "first day of january 99999",
        "yesterday noon",
    ],
)
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moves_of(words)


@given(DAYS, st.integers(0, 9_999))
def test_days_ago_are_counted_back(today: date, count: int) -> None:
    for words in (f"{count} days ago", f"-{count} days", f"{count} day ago"):
        assert moves_of(words).on(today) == today - timedelta(days=count)


@pytest.mark.parametrize(
    "words",
    [
        "yesterday",
        "-2 weeks",
        "3 months ago",
        "-1 year",
        "last month",
        "previous monday",
        "next sunday",
        "last day of previous month",
        "first day of january",
    ],
)
@given(today=DAYS)
def test_the_emulator_reads_the_same_words_alike(words: str, today: date) -> None:
    assert moves_of(words).on(today) == parsed_day(words, today, "START_DATE_INVALID")


@given(DAYS, st.sampled_from(["monday", "friday", "sunday"]))
def test_a_weekday_is_where_people_look_for_it(today: date, name: str) -> None:
    last, next_ = (moves_of(f"{which} {name}").on(today) for which in ("last", "next"))
    of_week = moves_of(f"{name} this week").on(today)
    assert {day.strftime("%A").lower() for day in (last, next_, of_week)} == {name}
    assert 1 <= (today - last).days <= 7
    assert 1 <= (next_ - today).days <= 7
    assert of_week.isocalendar()[:2] == today.isocalendar()[:2]


@pytest.mark.parametrize(
    "words", ["first day of this month", "first day of january", "monday this week"]
)
@given(today=DAYS)
def test_no_day_leaves_a_range_that_jumps_before_it_could_be_read_whole(
    words: str, today: date
) -> None:
    yesterday = today - timedelta(days=1)
    start = Day.parse(words)
    assert start.as_first(today) <= yesterday
    # What was yesterday's range today goes on, until its last day is over.
    assert start.as_first(today) == start.on(yesterday)


@given(DAYS)
def test_a_range_that_moves_by_days_begins_today(today: date) -> None:
    assert Day.parse("7 days ago").as_first(today) == today - timedelta(days=7)
