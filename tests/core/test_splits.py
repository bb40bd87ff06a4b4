"""Which parts of failed queries are asked, and which wait or are lost with others."""

from __future__ import annotations

from datetime import date, timedelta

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction.splits import MAX_IN_VAIN, Splits
from tap_supermetrics.model import Query

FIRST = date(2024, 1, 1)
FAILED = ApiError("QUERY_ERROR", "no reason")
TOO_EARLY = ApiError("LICENSE_HISTORICAL_RANGE_EXCEEDED", "no date")
CUT_OFF = ApiError("RESULT_CUT_OFF", "too long")


def query(day: int, days: int, account: str = "1") -> Query:
    first = FIRST + timedelta(days=day)
    dates = DateRange(first=first, last=first + timedelta(days=days - 1))
    return Query(report="ads", accounts=(account,), dates=dates)


def split(parts: Splits, whole: Query, error: ApiError = FAILED) -> tuple[Query, ...]:
    halves = whole.split()
    assert halves
    return parts.split(whole, halves, error)


def test_the_newest_part_is_asked_first_and_its_success_releases_the_others() -> None:
    parts = Splits()
    assert split(parts, query(0, 8)) == (query(4, 4),)
    assert split(parts, query(4, 4)) == (query(6, 2),)
    assert parts.succeeded(query(6, 2)) == (query(0, 4), query(4, 2))
    assert parts.succeeded(query(0, 4)) == ()


def test_when_the_last_days_fail_each_by_itself_the_others_are_lost_unasked() -> None:
    parts = Splits()
    split(parts, query(0, 4))
    assert split(parts, query(2, 2)) == (query(2, 1), query(3, 1))
    assert parts.failed(query(3, 1)) == ((), ())
    assert parts.failed(query(2, 1)) == ((query(0, 2),), ())


def test_one_bad_day_at_the_end_holds_back_no_other() -> None:
    parts = Splits()
    split(parts, query(0, 4))
    split(parts, query(2, 2))
    assert parts.failed(query(3, 1)) == ((), ())
    assert parts.succeeded(query(2, 1)) == (query(0, 2),)


def test_of_a_result_that_is_too_long_all_parts_are_asked() -> None:
    assert split(Splits(), query(0, 8), CUT_OFF) == (query(0, 4), query(4, 4))


def test_what_waits_for_a_query_waits_for_its_parts() -> None:
    parts = Splits()
    split(parts, query(0, 8))
    assert split(parts, query(4, 4), CUT_OFF) == (query(4, 2), query(6, 2))
    assert parts.failed(query(6, 2)) == ((), ())
    assert parts.succeeded(query(4, 2)) == (query(0, 4),)


def test_an_account_that_did_not_answer_yet_is_tried_once() -> None:
    parts = Splits()
    assert split(parts, query(100, 8)) == (query(104, 4),)
    assert split(parts, query(0, 8)) == ()
    assert split(parts, query(0, 8, "2")) == (query(4, 4, "2"),)
    assert parts.failed(query(104, 4)) == ((query(100, 4), query(0, 4), query(4, 4)), ())


def test_an_account_that_is_asked_in_vain_is_tried_a_few_times() -> None:
    parts = Splits()
    parts.succeeded(query(900, 1))
    for number in range(MAX_IN_VAIN):
        assert parts.may_help(query(8 * number, 8), FAILED)
        assert split(parts, query(8 * number, 8)) == (query(8 * number + 4, 4),)
        assert parts.failed(query(8 * number + 4, 4))[0]
    assert not parts.may_help(query(99, 8), FAILED)
    assert parts.may_help(query(99, 8, "2"), FAILED)
    assert not parts.may_help(query(99, 8, "2"), CUT_OFF)


def test_the_newest_of_those_that_wait_finds_out_before_all_are_lost() -> None:
    parts = Splits()
    parts.succeeded(query(900, 1))
    for number in range(MAX_IN_VAIN):
        split(parts, query(8 * number, 8))
    assert split(parts, query(100, 8)) == ()
    last = query(8 * MAX_IN_VAIN - 4, 4)
    assert parts.failed(last) == ((), (query(104, 4),))
    assert query(100, 4) in parts.succeeded(query(104, 4))


def test_days_too_early_are_looked_for_however_often_that_was_in_vain() -> None:
    parts = Splits()
    parts.succeeded(query(900, 1))
    for number in range(2 * MAX_IN_VAIN):
        assert split(parts, query(8 * number, 8), TOO_EARLY) == (query(8 * number + 4, 4),)
