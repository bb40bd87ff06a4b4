"""Periods at the edge of a window are parts: what a table then holds, and who is told."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.records.periods import Period, period_of, warnings_of_window
from tap_supermetrics.records.schema import record_schema
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DAY = timedelta(days=1)
FIELDS = {
    "Yearweek": "string.time.yearweek",
    "YearWeekISO": "string.time.yearweekiso",
    "Week (Sun-Sat)": "string.text.value",
    "Week (Mon-Sun)": "string.text.value",
    "Yearmonth": "string.time.yearmonth",
    "Year": "string.time.year",
    "Quarter": "string.text.value",
    "halfYear": "int.number.value",
    "Dayofweek": "string.time.dayofweek",
    "Date": "string.time.date",
    "Clicks": "int.number.value",
}
PERIODS: dict[str, Callable[[date], object]] = {
    "Yearweek": lambda day: day.isocalendar()[:2],
    "Yearmonth": lambda day: (day.year, day.month),
    "Quarter": lambda day: (day.year, (day.month - 1) // 3),
    "halfYear": lambda day: (day.year, day.month > 6),
    "Year": lambda day: day.year,
}


def told(fields: Sequence[str], **own: object) -> list[str]:
    asked = report(fields=[*fields, "Clicks"], **own)
    listed = [
        FieldInfo(
            field_id=name, field_type="met" if name == "Clicks" else "dim", data_type=data_type
        )
        for name, data_type in FIELDS.items()
    ]
    return [*warnings_of_window(asked, record_schema(asked, listed))]


@pytest.mark.parametrize(
    ("name", "data_type", "period"),
    [
        ("YearWeekISO", "string.time.yearweekiso", Period.WEEK),
        ("x", "string.time.week_iso", Period.WEEK),
        ("x", "string.time.month", Period.MONTH),
        ("Year", "string.time.year", Period.YEAR),
        ("year_quarter", "string.text.value", Period.QUARTER),
        ("WeekStart", "string.time.date", Period.WEEK),
        ("Dayofweek", "string.time.dayofweek", None),
        ("Day of month", "string.text.value", None),
        ("Date", "string.time.date", None),
        ("Birth year", "string.text.value", None),
        ("Hour", "string.time.hour", None),
        ("HalfHour", "string.time.hm", None),
        ("Week", "string.time", Period.WEEK),
        ("Birth month", "string.time", Period.MONTH),
    ],
)
def test_a_field_tells_its_period(name: str, data_type: str, period: Period | None) -> None:
    assert period_of(name, data_type) is period


@pytest.mark.parametrize(
    "data_type",
    ["string.text.value", "int.number.value", "float.number.value", "string.time", "string.id", ""],
)
@pytest.mark.parametrize(
    ("name", "period"),
    [
        *((each, Period.WEEK) for each in ("Week", "yearWeek", "isoYearIsoWeek", "nthWeek")),
        *((each, Period.WEEK) for each in ("segments.week", "Week (Mon-Sun)", "Year & week")),
        *((each, Period.WEEK) for each in ("Week of year", "week_number", "Week starting Monday")),
        *((each, Period.MONTH) for each in ("Month", "year_month", "nthMonth", "Month of year")),
        *((each, Period.MONTH) for each in ("month_name", "date_month", "Month and year")),
        *((each, Period.QUARTER) for each in ("Quarter", "FiscalQuarter", "Fiscal year quarter")),
        *((each, Period.QUARTER) for each in ("quarterOfYear", "yearQuarter", "qtr")),
        *((each, Period.HALF) for each in ("halfYear", "half_year", "Half of year", "yearHalf")),
        *((each, Period.HALF) for each in ("Fiscal half", "Semester")),
        *((each, Period.YEAR) for each in ("Year", "isoYear", "fiscal_year", "Calendar Year")),
    ],
)
def test_a_name_tells_its_period_whatever_the_type(
    name: str, data_type: str, period: Period
) -> None:
    assert period_of(name, data_type) is period


@pytest.mark.parametrize("data_type", ["string.text.value", "int.number.value"])
@pytest.mark.parametrize(
    "name",
    [
        *("Birth year", "Model year", "Number of weeks", "Weekday", "Day of week", "Weekend"),
        *("Days of month", "Weeks", "Month to date", "yearMonthDay", "Half price", "Start month"),
        *("This year's goal", "Weekly budget", "Better half", "dateHour", "nthDay", "Name"),
    ],
)
def test_a_name_that_tells_more_than_a_period_is_none(name: str, data_type: str) -> None:
    assert period_of(name, data_type) is None


@given(
    st.sampled_from([*PERIODS]),
    st.one_of(
        st.integers(3, 200),
        st.dates(date(2022, 1, 1), date(2023, 12, 1)),
        st.sampled_from([date(2022, 1, 1), date(2023, 1, 1), date(2023, 4, 1), date(2023, 5, 1)]),
    ),
)
def test_whoever_gets_a_part_for_a_whole_was_told(name: str, start: int | date) -> None:
    """Every day has one click; a year of nights, upserted."""
    period, table = PERIODS[name], dict[object, int]()
    whole = dict[object, int]()
    for number in range(1200):
        day = date(2021, 12, 1) + timedelta(days=number)
        whole[period(day)] = whole.get(period(day), 0) + 1
    for night in range(200):
        today = date(2024, 1, 10) + timedelta(days=night)
        first = start if isinstance(start, date) else today - timedelta(days=start)
        found = dict[object, int]()
        for number in range((today - first).days):
            day = first + timedelta(days=number)
            found[period(day)] = found.get(period(day), 0) + 1
        table |= found
    over = [each for each in table if each != period(today) and each != period(today - DAY)]
    is_cut = any(table[each] < whole[each] for each in over)

    given_start = str(start) if isinstance(start, date) else f"{start} days ago"
    warned = told([name], start_date=given_start)
    if name == "Yearweek" and isinstance(start, date):
        # Some weeks begin on Sunday, others on Monday.
        assert bool(warned) is (start.isoweekday() not in {1, 7})
    else:
        assert bool(warned) or not is_cut
        assert not warned or "start_date" in warned[0]
    if isinstance(start, date) and not is_cut:
        assert not warned


@pytest.mark.parametrize(
    ("range_type", "fields", "word"),
    [
        ("last_30_days", ["Yearweek"], "of a week"),
        ("last_4_weeks_mon_sun", ["Yearweek"], ""),
        ("last_4_weeks_mon_sun", ["Yearmonth"], "of a month"),
        ("last_4_weeks_sun_sat", ["YearWeekISO"], "from Sunday"),
        ("last_4_weeks_mon_sun", ["YearWeekISO"], ""),
        ("last_week_sun_sat", ["YearWeekISO"], "from Sunday"),
        ("last_week_sun_sat", ["Week (Sun-Sat)"], ""),
        ("last_week_mon_sun", ["Week (Sun-Sat)"], "from Monday"),
        ("last_3_months", ["Yearmonth"], ""),
        ("last_3_months", ["Quarter"], "of a quarter"),
        ("last_2_years", ["Quarter"], ""),
        ("last_2_years", ["halfYear"], ""),
        ("last_6_months", ["halfYear"], "of a half year"),
        ("this_month", ["Yearmonth"], ""),
        ("this_month_inc", ["Yearmonth"], "jumps"),
        ("this_month_inc", ["Date"], "jumps"),
        ("this_year_inc", [], "jumps"),
        ("today", ["Date"], "jumps"),
        ("last_30_days", ["Date"], ""),
        ("last_30_days_inc", ["Date"], ""),
        ("yesterday", ["Date"], ""),
        ("last_30_days", ["Dayofweek"], ""),
    ],
)
def test_a_range_of_the_api_that_cuts_periods_is_told(
    range_type: str, fields: list[str], word: str
) -> None:
    found = told(fields, date_range_type=range_type)
    assert bool(found) is bool(word)
    assert all(word in each and "date_range_type" in each for each in found)


@pytest.mark.parametrize(
    ("last", "fields", "word"),
    [
        ("2024-05-15", ["Yearmonth"], "of a month"),
        ("2024-02-29", ["Yearmonth"], ""),
        ("2023-02-28", ["Yearmonth"], ""),
        ("2024-02-28", ["Yearmonth"], "of a month"),
        ("2024-05-31", ["Quarter"], "of a quarter"),
        ("2023-12-31", ["Year", "Quarter"], ""),
        ("2024-05-15", ["Yearweek"], "of a week"),
        ("2024-05-18", ["Yearweek"], ""),
        ("2024-05-18", ["YearWeekISO"], "of a week"),
        ("2024-05-19", ["YearWeekISO"], ""),
        ("2024-05-15", ["Dayofweek"], ""),
        ("yesterday", ["Yearmonth"], ""),
        ("yesterday", ["Yearweek"], ""),
        ("last day of last month", ["Yearweek"], "last week"),
        ("last day of last month", ["Yearmonth"], ""),
        ("previous sunday", ["YearWeekISO"], ""),
        ("previous monday", ["YearWeekISO"], "last week"),
    ],
)
def test_a_last_day_that_cuts_a_period_is_told(last: str, fields: list[str], word: str) -> None:
    first = "2022-01-03" if "week" in fields[0].casefold() else "2022-01-01"
    found = told(fields, start_date=first, end_date=last)
    assert bool(found) is bool(word)
    assert all(word in each and each.startswith("end_date") for each in found)


@pytest.mark.parametrize(
    ("first", "field", "is_told"),
    [
        ("first day of last month", "Yearmonth", False),
        ("first day of last month", "Quarter", True),
        ("first day of january", "Quarter", False),
        ("last day of last month", "Yearmonth", True),
        ("previous monday", "Yearweek", False),
        ("previous wednesday", "Yearweek", True),
        ("previous monday", "Yearmonth", True),
        ("-1 month", "Yearmonth", True),
        ("first day of this month", "Yearweek", True),
        ("first day of january", "YearWeekISO", True),
        ("last day of last month", "Yearweek", True),
        ("first day of january 2024", "Yearweek", False),
        ("first day of february 2024", "Quarter", True),
        ("first day of january 2024", "Quarter", False),
        ("previous sunday", "Yearweek", False),
        ("previous sunday", "YearWeekISO", True),
        ("previous monday", "YearWeekISO", False),
        ("previous sunday", "Week (Sun-Sat)", False),
        ("previous monday", "Week (Sun-Sat)", True),
        ("previous monday", "Week (Mon-Sun)", False),
        ("monday this week", "YearWeekISO", False),
        ("monday -1 month", "Yearweek", True),
        ("previous monday +1 day", "Yearweek", True),
    ],
)
def test_a_first_day_in_words_that_cuts_a_period_is_told(
    first: str, field: str, *, is_told: bool
) -> None:
    assert bool(told([field], start_date=first)) is is_told


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("last_30_day", "last_30_days"),
        ("last30_days", "last_30_days"),
        ("yesterdya", "yesterday"),
        ("last_2_week_mon_sun", "last_2_weeks_mon_sun"),
        ("this_mont", "this_month"),
        ("last_30_days", ""),
        ("last_12_months_inc", ""),
        ("yesterday", ""),
        ("last_decade_of_the_moon", ""),
    ],
)
def test_a_range_that_is_nearly_a_documented_one_is_told(written: str, meant: str) -> None:
    found = [each for each in told(["Date"], date_range_type=written) if "did you mean" in each]
    assert [each.endswith(f"did you mean {meant}?") for each in found] == [True] * bool(meant)


def test_a_metric_is_no_period() -> None:
    asked = report(fields=["Campaign", "Week"], start_date="14 days ago")
    listed = [FieldInfo(field_id="Week", field_type="met", data_type="int.number.value")]
    assert not [*warnings_of_window(asked, record_schema(asked, listed))]


def test_a_report_by_day_has_no_such_doubts() -> None:
    assert not told(["Date", "Yearweek"], start_date="14 days ago")


@pytest.mark.parametrize(
    ("name", "is_told"),
    [("WeekStart", True), ("start_of_month", True), ("yearMonthDay", False), ("Date", False)],
)
def test_a_chosen_day_that_begins_a_period_is_told(name: str, *, is_told: bool) -> None:
    asked = report(fields=[name], replication_key=name)
    listed = [FieldInfo(field_id=name, field_type="dim", data_type="string.time.date")]
    doubts = [*warnings_of_window(asked, record_schema(asked, listed))]
    assert [each.startswith(f"replication_key: {name} tells") for each in doubts] == [
        True
    ] * is_told


@pytest.mark.parametrize(
    ("first", "last", "lookback", "is_told"),
    [
        ("7 days ago", "yesterday", 6, False),
        ("7 days ago", "yesterday", 7, True),
        ("yesterday", "yesterday", 2, True),
        ("first day of this month", "yesterday", 3, True),
        ("first day of last month", "yesterday", 28, False),
        ("2024-01-01", "yesterday", 366, False),
        ("7 days ago", "3 days ago", 6, True),
    ],
)
def test_a_lookback_that_reaches_back_before_a_moving_window_is_told(
    first: str, last: str, lookback: int, *, is_told: bool
) -> None:
    found = told(["Date"], start_date=first, end_date=last, lookback_days=lookback)
    assert [each.split(":")[0] for each in found] == ["lookback_days"] * is_told
