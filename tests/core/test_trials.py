from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction.trials import Trials
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.plan import ReportPlan, plan_report
from tap_supermetrics.planning.scope import Scope
from tests.core.reports import policy, report
from tests.core.strategies import date_range

if TYPE_CHECKING:
    from tap_supermetrics.dates import DateRange

ERROR = ApiError("QUERY_ERROR", "no reason")


def days(first: int, last: int) -> DateRange:
    return date_range(first, last)


def plan_of(known: Coverage) -> ReportPlan:
    scope = Scope(
        accounts=("100",),
        wanted=days(0, 99),
        is_incremental=True,
        is_dated_by_rows=True,
        policy=policy(),
    )
    return plan_report(replace(report(lookback_days=0), name="ads"), scope, {"100": known})


@pytest.mark.parametrize(
    ("covered", "advice"),
    [
        ((days(60, 99),), "set `start_date` to its first day"),
        ((days(0, 9), days(60, 99)), "add them to `covered` of the state"),
    ],
)
def test_days_that_are_not_given_are_told_with_what_to_do(
    caplog: pytest.LogCaptureFixture, covered: tuple[DateRange, ...], advice: str
) -> None:
    plan = plan_of(Coverage(covered=covered))
    trials, queries = Trials.of({"ads": plan}), [*plan.queries()]
    assert all(map(trials.must_wait, queries))
    probes = trials.begin(queries[0], queries[:2])
    with caplog.at_level(logging.WARNING):
        assert [trials.failed(each, ERROR) for each in queries[:2]] == [None, Reach.ACCOUNT]
    assert probes <= {*queries}
    assert advice in caplog.text
    assert {trials.error_for(each) for each in queries} == {ERROR}


def test_days_that_a_person_adds_to_the_state_are_not_asked_for() -> None:
    assert not [*plan_of(Coverage(covered=(days(0, 99),))).queries()]


def test_a_trial_that_no_query_can_decide_holds_back_nothing() -> None:
    plan = plan_of(Coverage(covered=(days(60, 99),)))
    trials, queries = Trials.of({"ads": plan}), [*plan.queries()]
    assert trials.begin(queries[0], []) == set()
    assert not any(map(trials.must_wait, queries))
