"""What lost queries say about others."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction.refusals import DOUBTFUL_AFTER, Refusals
from tap_supermetrics.model import Query

FIRST = date(2024, 1, 1)
FAILED = ApiError("QUERY_ERROR", "no reason")


def query(day: int, *, days: int = 1, account: str = "1", report: str = "ads") -> Query:
    first = FIRST + timedelta(days=day)
    dates = DateRange(first=first, last=first + timedelta(days=days - 1))
    return Query(report=report, accounts=(account,), dates=dates)


def after_losses(count: int) -> Refusals:
    refusals = Refusals()
    for day in range(count):
        refusals.learn(query(day), FAILED, is_by_day=True)
    return refusals


def test_a_few_losses_say_nothing() -> None:
    refusals = after_losses(DOUBTFUL_AFTER - 1)
    assert not refusals.has_news
    assert refusals.probes([query(100)]) == set()


def test_after_many_losses_the_newest_is_asked_and_then_no_more() -> None:
    refusals = after_losses(DOUBTFUL_AFTER)
    assert refusals.has_news
    waiting = [query(day) for day in (30, 90, 60)]
    assert refusals.probes([*waiting, query(99, account="2")]) == {query(90)}
    assert refusals.probes(waiting) == set()
    assert refusals.of(query(30)) is None

    refusals.learn(query(31), FAILED, is_by_day=True)
    assert refusals.of(query(30)) is None
    refusals.learn(query(90), FAILED, is_by_day=True)
    assert refusals.of(query(30)) is FAILED
    assert refusals.of(query(30, account="2")) is None
    assert refusals.of(query(30, report="other")) is None


def test_an_account_that_answered_once_is_never_given_up() -> None:
    refusals = Refusals()
    refusals.answered(query(0))
    for day in range(5 * DOUBTFUL_AFTER):
        refusals.learn(query(day), FAILED, is_by_day=True)
    assert refusals.probes([query(900)]) == set()
    assert refusals.of(query(900)) is None


def test_a_probe_that_is_split_counts_by_its_newest_part() -> None:
    refusals = after_losses(DOUBTFUL_AFTER)
    probe = query(100, days=10)
    assert refusals.probes([query(50), probe]) == {probe}
    earlier, later = probe.split() or (probe, probe)
    refusals.learn(earlier, FAILED, is_by_day=True)
    assert refusals.of(query(50)) is None
    refusals.learn(later, FAILED, is_by_day=True)
    assert refusals.of(query(50)) is FAILED


@pytest.mark.parametrize("code", ["LIST_NOT_FOUND", "SETTING_KEY_INVALID"])
def test_a_refused_report_is_not_asked_for_other_accounts(code: str) -> None:
    refusals, error = Refusals(), ApiError(code, "no")
    refusals.learn(query(0), error, is_by_day=True)
    assert refusals.has_news
    assert refusals.of(query(7, account="2")) is error
    assert refusals.of(query(7, report="other")) is None


def test_a_refused_account_is_not_asked_for_other_days() -> None:
    refusals, error = Refusals(), ApiError("QUERY_ACCOUNT_UNAVAILABLE", "gone")
    refusals.learn(query(0), error, is_by_day=True)
    assert refusals.of(query(7)) is error
    assert refusals.of(query(7, account="2")) is None


def test_days_before_one_that_is_too_early_are_too_early() -> None:
    refusals, error = Refusals(), ApiError("START_DATE_HISTORICAL", "too early")
    refusals.learn(query(10), error, is_by_day=True)
    assert refusals.of(query(9, account="2")) is error
    assert refusals.of(query(11)) is None
    assert refusals.of(query(9, days=9)) is None
    assert refusals.of(replace(query(9), dates=None)) is None


def searched(first_given: int, *, days: int = 400) -> tuple[int, Refusals]:
    """How many queries it takes to find the first day that is given, and what is known then."""
    refusals, error = Refusals(), ApiError("LICENSE_HISTORICAL_RANGE_EXCEEDED", "no date")
    refusals.learn(query(0), error, is_by_day=True)
    left, asked = [query(day) for day in range(1, days)], 0
    while probes := refusals.probes([each for each in left if not refusals.of(each)]):
        (probe,) = probes
        left.remove(probe)
        asked += 1
        assert probe.day
        if probe.day < FIRST + timedelta(days=first_given):
            refusals.learn(probe, error, is_by_day=True)
        else:
            refusals.accepted(probe)
    return asked, refusals


@pytest.mark.parametrize("first_given", [1, 2, 200, 398, 399])
def test_the_first_day_that_is_given_is_searched_by_halves(first_given: int) -> None:
    asked, refusals = searched(first_given)
    assert asked <= 9
    assert refusals.of(query(first_given - 1))
    assert refusals.of(query(first_given)) is None


def test_a_first_day_that_is_named_is_not_searched() -> None:
    refusals = Refusals()
    error = ApiError("START_DATE_HISTORICAL", f"the earliest is {query(90).day}")
    refusals.learn(query(10), error, is_by_day=True)
    assert refusals.probes([query(day) for day in range(90, 200)]) == set()
    assert not refusals.may_be_too_early(query(100))
    assert refusals.of(query(89))
    assert refusals.of(query(90)) is None


def test_a_search_goes_on_when_others_have_answered_for_its_query() -> None:
    refusals, error = Refusals(), ApiError("LICENSE_HISTORICAL_RANGE_EXCEEDED", "no date")
    refusals.learn(query(0), error, is_by_day=True)
    assert refusals.probes([query(day) for day in range(1, 100)]) == {query(50)}
    refusals.learn(query(60, account="2"), error, is_by_day=True)
    assert refusals.probes([query(day) for day in range(61, 100)]) == {query(80)}


def test_a_service_that_is_down_says_nothing_of_an_account() -> None:
    refusals, down = Refusals(), ApiError("CONNECTION_FAILED", "no route")
    for day in range(2 * DOUBTFUL_AFTER):
        refusals.learn(query(day), down, is_by_day=True)
    assert refusals.probes([query(99)]) == set()
