from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.results import Failed, Result, Spool
from tap_supermetrics.model import Query
from tap_supermetrics.sync import summary as summary_module
from tap_supermetrics.sync.days_read import DaysRead
from tap_supermetrics.sync.remarks import FromCache
from tap_supermetrics.sync.summary import Summary
from tests.core.strategies import date_range, day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.dates import DateRange

ERROR = ApiError("QUERY_ACCOUNT_UNAVAILABLE", "Account is gone", status=500, request_id="r1")


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as opened:
        yield opened


def query(account: str = "1", dates: DateRange | None = None) -> Query:
    accounts = (account,) if account else ()
    return Query(report="ads", accounts=accounts, dates=dates)


def result(asked: Query, answered: DateRange | None, spool: Spool, rows: int) -> Result:
    return Result(
        query=asked,
        dates=answered,
        schedule_id="s",
        fetched_at=datetime(2024, 3, 1, tzinfo=timezone.utc),
        fields=(),
        row_count=rows,
        spool=spool,
    )


def test_a_run_that_did_nothing_says_nothing() -> None:
    assert list(Summary().counts()) == []
    assert list(Summary().failures()) == []
    assert not Summary().has_failures


def test_days_done_empty_failed_and_not_asked_are_told_for_each_account(spool: Spool) -> None:
    summary = Summary()
    summary.done(result(query("1", date_range(0, 9)), date_range(0, 9), spool, rows=1_234))
    summary.done(result(query("1", date_range(10, 11)), date_range(10, 11), spool, rows=0))
    summary.failed(Failed(query=query("1", date_range(12, 14)), error=ERROR))
    summary.failed(Failed(query=query("2", date_range(0, 3)), error=ERROR, was_submitted=False))
    assert list(summary.counts()) == [
        "Summary: 1,234 rows of 2 reports and accounts",
        "  ads, account 1: 12 days done (2 empty), 3 failed, 1,234 rows",
        "  ads, account 2: 0 days done (0 empty), 0 failed, 4 not asked, 0 rows",
    ]


def test_a_failure_names_its_query_and_says_what_to_do() -> None:
    summary = Summary()
    summary.failed(Failed(query=query("1", date_range(0, 1)), error=ERROR))
    assert summary.has_failures
    _, failure = summary.failures()
    assert failure.startswith(
        "  ads, account 1, 2024-02-20..2024-02-21: QUERY_ACCOUNT_UNAVAILABLE: Account is gone "
        "(HTTP 500, request r1). What to do: remove the account"
    )


def test_days_lost_for_the_same_reason_are_told_together() -> None:
    summary = Summary()
    firsts = [
        summary.failed(Failed(query=query("1", date_range(number, number)), error=ERROR))
        for number in (0, 1, 2, 5)
    ]
    assert firsts == [True, False, False, False]
    assert summary.failed_queries == 4
    head, line = summary.failures()
    assert head == "Failed: 4 queries. The next run asks again."
    assert line.startswith("  ads, account 1, 2024-02-20..2024-02-22 2024-02-25: QUERY_ACCOUNT")


def test_days_lost_for_other_reasons_or_accounts_are_told_apart() -> None:
    summary = Summary()
    other = ApiError("QUERY_ERROR", "no")
    asked = [(query("1"), ERROR), (query("1"), other), (query("2"), ERROR)]
    assert [summary.failed(Failed(query=each, error=error)) for each, error in asked] == [True] * 3
    assert len(list(summary.failures())) == 4


def test_what_was_not_asked_is_no_failure_of_its_own() -> None:
    summary = Summary()
    assert not summary.failed(Failed(query=query(), error=ERROR, was_submitted=False))
    assert list(summary.failures()) == []


def test_a_source_without_accounts_and_days_is_told_by_its_report_in_queries(spool: Spool) -> None:
    summary = Summary()
    summary.done(result(query(""), None, spool, rows=3))
    assert list(summary.counts())[1] == "  ads: 1 query done (0 empty), 0 failed, 3 rows"


def test_only_the_days_that_the_api_answered_for_are_done(spool: Spool) -> None:
    summary = Summary()
    summary.done(result(query("1", date_range(0, 9)), date_range(0, 4), spool, rows=1))
    assert "5 days done" in list(summary.counts())[1]


def test_a_report_that_could_not_be_asked_is_lost() -> None:
    summary = Summary()
    summary.report_failed("ads", "queries[0].ds_accounts: matches none of 3 accounts")
    assert summary.has_failures
    head, line = summary.failures()
    assert head.startswith("Failed: ")
    assert "0 queries" not in head
    assert line == "  ads: queries[0].ds_accounts: matches none of 3 accounts"


def test_how_much_was_lost_is_told_in_words() -> None:
    summary = Summary()
    summary.failed(Failed(query=query("2", date_range(0, 3)), error=ERROR, was_submitted=False))
    assert summary.failures_in_words == "4 days were not asked, nothing arrived"
    for number in range(2):
        summary.failed(Failed(query=query("1", date_range(number, number)), error=ERROR))
        summary.report_failed(f"report_{number}", "no such list")
    assert summary.failures_in_words == (
        "2 queries failed and 2 reports could not be asked and 4 days were not asked, "
        "nothing arrived"
    )


def test_of_very_many_failures_only_the_first_are_told() -> None:
    summary = Summary()
    for number in range(summary_module.MAX_FAILURES + 7):
        summary.failed(Failed(query=query(str(number), date_range(0, 0)), error=ERROR))
        lines = list(summary.failures())
        is_all = number < summary_module.MAX_FAILURES
        assert len(lines) == (2 + number if is_all else summary_module.MAX_FAILURES + 2)
    assert lines[-1] == "  ... and 7 more lines like these"
    assert sum("Account is gone" in line for line in lines) == summary_module.MAX_FAILURES


def test_every_line_is_one_line() -> None:
    summary = Summary()
    error = ApiError("QUERY_ERROR", "first\nsecond\r\nthird", status=500)
    summary.failed(Failed(query=query("1", date_range(0, 0)), error=error))
    assert all(len(line.splitlines()) == 1 for line in (*summary.counts(), *summary.failures()))


def test_an_empty_day_within_a_long_query_is_counted_as_one(spool: Spool) -> None:
    summary = Summary(days_read=DaysRead())
    days = date_range(0, 4)
    summary.done(result(query("1", days), days, spool, rows=7), [3, 0, 0, 4, 0])
    (line,) = [each for each in summary.counts() if "account 1" in each]
    assert "5 days done (3 empty), 0 failed, 7 rows" in line
    assert summary.days_read
    assert summary.days_read.of("ads", "1", days) == "deede"


@pytest.mark.parametrize(
    ("made_on", "early", "again"),
    [(3, 3, 2), (5, 1, 3), (6, 0, 4), (9, 0, 4), (10, 0, 0), (0, 6, 0)],
)
def test_days_from_the_cache_are_early_or_not_read_again(
    made_on: int, early: int, again: int
) -> None:
    """Days 0 to 5 are read on day 10; of these, 1 to 3 and 5 were there."""
    cached = FromCache()
    known = (date_range(1, 3), date_range(5, 8))
    cached.count_days(date_range(0, 5), known, day(made_on), day(9))
    assert (cached.early_days, cached.unrestated_days) == (early, again)
    assert cached.oldest == (day(made_on) if again else None)
