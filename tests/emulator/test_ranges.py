"""Date ranges and date strings."""

from __future__ import annotations

from datetime import date

import pytest

from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.ranges import parsed_day, parsed_range

TODAY = date(2024, 5, 15)  # A Wednesday.


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-02-29", "2024-02-29"),
        ("@1700000000", "2023-11-14"),
        ("today", "2024-05-15"),
        ("yesterday", "2024-05-14"),
        ("previous Monday", "2024-05-13"),
        ("next wednesday", "2024-05-22"),
        ("-2 weeks", "2024-05-01"),
        ("-2 weeks next Monday", "2024-05-06"),
        ("30 days ago", "2024-04-15"),
        ("first day of january", "2024-01-01"),
        ("last day of previous month", "2024-04-30"),
        ("last month", "2024-04-15"),
    ],
)
def test_date_strings_are_understood(text: str, day: str) -> None:
    assert parsed_day(text, TODAY, "START_DATE_INVALID") == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("text", "today", "day"),
    [
        ("-1 month", date(2024, 3, 31), "2024-03-02"),
        ("-1 year", date(2024, 2, 29), "2023-03-01"),
        ("+1 month", date(2024, 1, 31), "2024-03-02"),
    ],
)
def test_a_month_that_is_too_short_is_counted_on_as_php_does(
    text: str, today: date, day: str
) -> None:
    assert parsed_day(text, today, "START_DATE_INVALID") == date.fromisoformat(day)


@pytest.mark.parametrize("text", ["7daysAgo", "2024-13-01", "2024-5-1", "@soon", "whenever"])
def test_other_strings_are_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="START_DATE_INVALID"):
        parsed_day(text, TODAY, "START_DATE_INVALID")


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        ("today", "2024-05-15", "2024-05-15"),
        ("yesterday", "2024-05-14", "2024-05-14"),
        ("last_week_sun_sat", "2024-05-05", "2024-05-11"),
        ("last_week_mon_sun", "2024-05-06", "2024-05-12"),
        ("this_month", "2024-05-01", "2024-05-14"),
        ("this_month_inc", "2024-05-01", "2024-05-15"),
        ("this_year_inc", "2024-01-01", "2024-05-15"),
        ("last_month", "2024-04-01", "2024-04-30"),
        ("last_year", "2023-01-01", "2023-12-31"),
        ("last_year_inc", "2023-01-01", "2024-05-15"),
        ("last_7_days", "2024-05-08", "2024-05-14"),
        ("last_7_days_inc", "2024-05-08", "2024-05-15"),
        ("last_2_weeks_mon_sun", "2024-04-29", "2024-05-12"),
        ("last_2_weeks_sun_sat_inc", "2024-04-28", "2024-05-15"),
        ("last_3_months", "2024-02-01", "2024-04-30"),
        ("last_2_years_inc", "2022-01-01", "2024-05-15"),
    ],
)
def test_date_range_types_are_understood(kind: str, first: str, last: str) -> None:
    assert parsed_range(kind, TODAY) == (date.fromisoformat(first), date.fromisoformat(last))


def test_this_month_is_last_month_on_its_first_day() -> None:
    first = date(2024, 5, 1)
    assert parsed_range("this_month", first) == (date(2024, 4, 1), date(2024, 4, 30))


@pytest.mark.parametrize("kind", ["this_year", "last_days", "last_2_weeks", "last_2_days_mon_sun"])
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(RefusalError, match="DATE_RANGE_TYPE_INVALID"):
        parsed_range(kind, TODAY)
