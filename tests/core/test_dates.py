from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics import dates
from tap_supermetrics.date_ranges import may_be, ranges_of
from tap_supermetrics.dates import (
    ONE_DAY,
    DateRange,
    Day,
    common,
    intersect,
    merge,
    moment_of,
    outside,
    parse_date,
    subtract,
    with_range,
    without_range,
)
from tap_supermetrics.emulator.ranges import parsed_range
from tap_supermetrics.model import SplitDates
from tap_supermetrics.planning.coverage import Coverage
from tests.core.strategies import date_ranges, days_of, merged_ranges, range_tuples


def gaps_of(ranges: tuple[DateRange, ...]) -> list[int]:
    return [(later.first - earlier.last).days - 1 for earlier, later in pairwise(ranges)]


@given(range_tuples)
def test_merging_keeps_exactly_the_days(ranges: tuple[DateRange, ...]) -> None:
    assert days_of(*merge(ranges)) == days_of(*ranges)


@given(range_tuples)
def test_merged_ranges_are_in_order_with_gaps_between(ranges: tuple[DateRange, ...]) -> None:
    assert all(gap >= 1 for gap in gaps_of(merge(ranges)))


@given(range_tuples)
def test_merging_twice_changes_nothing(ranges: tuple[DateRange, ...]) -> None:
    assert merge(merge(ranges)) == merge(ranges)


def test_ranges_up_to_the_last_day_of_the_calendar_can_be_merged() -> None:
    forever = DateRange(first=date(2024, 1, 1), last=date.max)
    later = DateRange(first=date(2024, 6, 1), last=date(2024, 6, 2))
    assert merge((later, forever)) == (forever,)


@given(date_ranges(), merged_ranges)
def test_subtracting_leaves_the_other_days(whole: DateRange, taken: tuple[DateRange, ...]) -> None:
    left = subtract(whole, taken)
    assert days_of(*left) == days_of(whole) - days_of(*taken)
    assert all(gap >= 1 for gap in gaps_of(left))


@given(date_ranges(), merged_ranges)
def test_intersecting_gives_the_common_days(
    whole: DateRange, others: tuple[DateRange, ...]
) -> None:
    common = intersect(whole, others)
    assert days_of(*common) == days_of(whole) & days_of(*others)
    assert all(gap >= 1 for gap in gaps_of(common))


@given(date_ranges(), merged_ranges)
def test_what_is_taken_and_what_is_left_make_the_whole(
    whole: DateRange, taken: tuple[DateRange, ...]
) -> None:
    assert merge((*subtract(whole, taken), *intersect(whole, taken))) == (whole,)


@given(date_ranges(), date_ranges())
def test_a_range_holds_another_of_which_it_has_every_day(one: DateRange, other: DateRange) -> None:
    assert one.contains(other) == ({*other.each_day()} <= {*one.each_day()})


@given(date_ranges())
def test_days_split_by_the_api_cover_a_range_once_in_order(whole: DateRange) -> None:
    pieces = [each for each in SplitDates.DAY.pieces(whole) if each]
    assert [each.first for each in pieces] == list(whole.each_day())
    assert all(each.days == 1 for each in pieces)


@given(date_ranges().filter(lambda whole: whole.days > 1))
def test_halves_cover_a_range_once_and_differ_by_at_most_a_day(whole: DateRange) -> None:
    earlier, later = whole.halves()
    assert [*earlier.each_day(), *later.each_day()] == list(whole.each_day())
    assert abs(earlier.days - later.days) <= 1


@given(merged_ranges, merged_ranges)
def test_two_lists_of_ranges_are_compared_by_their_days(
    some: tuple[DateRange, ...], others: tuple[DateRange, ...]
) -> None:
    assert days_of(*common(some, others)) == days_of(*some) & days_of(*others)
    assert days_of(*outside(some, others)) == days_of(*some) - days_of(*others)


@given(merged_ranges, date_ranges())
def test_one_range_more_or_less_is_as_if_all_were_gone_through(
    ranges: tuple[DateRange, ...], one: DateRange
) -> None:
    assert with_range(ranges, one) == merge((*ranges, one))
    assert without_range(ranges, one) == outside(ranges, (one,))


def test_long_lists_of_ranges_are_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history with a gap every other day, read again whole."""
    compared = 0
    one_range = dates.intersect

    def counting(whole: DateRange, ranges: tuple[DateRange, ...]) -> tuple[DateRange, ...]:
        nonlocal compared
        compared += len(ranges)
        return one_range(whole, ranges)

    monkeypatch.setattr(dates, "intersect", counting)
    monkeypatch.setattr(dates, "subtract", counting)
    days = [date(2020, 1, 1) + timedelta(days=2 * number) for number in range(1_000)]
    every_other = tuple(DateRange(first=day, last=day) for day in days)
    assert Coverage(covered=every_other).with_stale(*every_other).stale == every_other
    outside(every_other, every_other)
    assert compared <= 2_000


def test_a_single_day_has_no_halves() -> None:
    with pytest.raises(ValueError, match="after last day"):
        DateRange(first=date(2024, 3, 1), last=date(2024, 3, 1)).halves()


def test_a_range_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="first day 2024-03-02 is after last day 2024-03-01"):
        DateRange(first=date(2024, 3, 2), last=date(2024, 3, 1))


@given(date_ranges())
def test_a_range_has_as_many_days_as_it_gives(whole: DateRange) -> None:
    assert whole.days == len(list(whole.each_day())) == len(days_of(whole))


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        (date(2024, 3, 1), date(2024, 3, 1), "2024-03-01"),
        (date(2024, 3, 1), date(2024, 3, 5), "2024-03-01..2024-03-05"),
    ],
)
def test_a_range_reads_as_a_day_or_as_two(first: date, last: date, shown: str) -> None:
    assert str(DateRange(first=first, last=last)) == shown


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-02-29", date(2024, 2, 29)),
        (" 2024-02-29 ", date(2024, 2, 29)),
        ("today", date(2024, 3, 1)),
        ("Today", date(2024, 3, 1)),
        ("yesterday", date(2024, 2, 29)),
        ("1 day ago", date(2024, 2, 29)),
        ("0 days ago", date(2024, 3, 1)),
        ("30  Days ago", date(2024, 1, 31)),
        ("99999 days ago", date(2024, 3, 1) - timedelta(days=99_999)),
        ("9 weeks ago", date(2023, 12, 29)),
    ],
)
def test_a_day_is_meant_by_date_or_relative_to_today(text: str, meant: date) -> None:
    assert Day.parse(text).on(date(2024, 3, 1)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000-00-00",
        "tomorrow",
        "2024-3-1",
        "20240301",
        "2024-02-30",
        "2024-03-01T00:00",
        "-1 days ago",
    ],
)
def test_other_texts_mean_no_day(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"form YYYY-MM-DD|out of range|month|no day in words|nobody"
    ):
        Day.parse(text)


@given(st.dates())
def test_every_date_is_read_as_it_is_written(day: date) -> None:
    assert parse_date(day.isoformat()) == day


EVENING = datetime(2024, 6, 9, 22, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "said",
    [
        "2024-06-09T22:00:00+00:00",
        "2024-06-10T01:00:00+0300",
        "2024-06-09 22:00:00",
        "2024-06-09 22:00:00 UTC",
        "2024-06-09T22:00:00.0000000Z",
        "Sun, 09 Jun 2024 22:00:00 GMT",
        1717970400,
        1717970400000,
        "1717970400",
        "@1717970400",
        {"date": "2024-06-09 22:00:00.000000", "timezone_type": 3, "timezone": "UTC"},
    ],
)
def test_a_moment_is_read_in_whatever_form_it_is_told(said: object) -> None:
    assert moment_of(said) == EVENING


@pytest.mark.parametrize("said", [None, "", "a while ago", 5, "nan", "9" * 400, [], {}])
def test_what_nobody_can_read_is_no_moment(said: object) -> None:
    assert moment_of(said) is None


RANGE_TYPES = (
    *("today", "yesterday", "last_week_sun_sat", "last_week_mon_sun", "this_month"),
    *("this_month_inc", "this_year_inc", "last_month", "last_year", "last_year_inc"),
    *("last_30_days", "last_7_days_inc", "last_2_weeks_sun_sat", "last_3_weeks_mon_sun_inc"),
    *("last_4_weeks_mon_sun", "last_14_months", "last_2_months_inc", "last_3_years"),
)


@given(st.sampled_from(RANGE_TYPES), st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_ranges_of_the_api_mean_what_its_documents_say(kind: str, today: date) -> None:
    first, last = parsed_range(kind, today)
    meant = DateRange(first=first, last=last)
    assert meant in ranges_of(kind, today)
    for days in (-1, 0, 1):
        assert may_be(kind, meant, today + days * ONE_DAY)
    assert not may_be(kind, meant, today + 3 * 366 * ONE_DAY)


@pytest.mark.parametrize("kind", ["last_decade", "last_0_days", "last_9999_years", "last_7_day"])
def test_a_range_that_no_document_defines_may_be_anything(kind: str) -> None:
    today = date(2024, 3, 1)
    assert ranges_of(kind, today) == ()
    assert may_be(kind, DateRange(first=date(2020, 1, 1), last=today), today)


@pytest.mark.parametrize(("days", "is_right"), [(0, True), (1, True), (2, False), (50, False)])
def test_a_range_lies_no_more_than_a_day_beside_what_is_defined(
    days: int, *, is_right: bool
) -> None:
    today = date(2024, 3, 1)
    (meant,) = ranges_of("last_7_days", today)
    shift = days * ONE_DAY
    for sign in (-1, 1):
        told = DateRange(first=meant.first + sign * shift, last=meant.last + sign * shift)
        assert may_be("last_7_days", told, today) is is_right
