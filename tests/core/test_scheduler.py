"""Any story of an extraction keeps the promises; `tests.core.stories` says which."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.api.wire import BatchQuery
from tap_supermetrics.extraction import doubts
from tap_supermetrics.extraction.events import (
    BatchEnded,
    Deliver,
    Fetched,
    QueryFailed,
    SubmitBatch,
    Succeeded,
)
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.results import BatchTaken, Failed, Result
from tap_supermetrics.extraction.scheduler import Scheduler
from tap_supermetrics.extraction.sequence import MAX_WAITING
from tap_supermetrics.planning.plan import plan_report
from tap_supermetrics.planning.scope import Scope
from tests.core.reports import policy, report
from tests.core.stories import NOW, NoFile, play, submitted
from tests.core.strategies import date_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.extraction.events import Action
    from tap_supermetrics.model import Query, Report


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Stories warn of all that goes wrong in them, which takes most of their time."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_every_planned_day_ends_once_whatever_happens(seed: int) -> None:
    for each in range(seed, seed + 10):
        play(each)


def scheduler_of(wanted: DateRange, asked: Report, *, split_dates: bool = True) -> Scheduler:
    scope = Scope(
        accounts=("1",),
        wanted=wanted,
        is_incremental=True,
        is_dated_by_rows=False,
        policy=policy(split_dates=split_dates),
    )
    limits = Limits(
        by_batch=True,
        one_by_one=False,
        max_running_batches=2,
        max_running_queries=1,
        max_rows=10**9,
        max_queries=10**9,
        requests_per_second=15.0,
    )
    return Scheduler({"ads": plan_report(asked, scope, {})}, limits)


def submit(scheduler: Scheduler) -> tuple[Query, ...]:
    """Submit the one batch that there is; return its queries."""
    (action,) = [each for each in scheduler.next_actions() if isinstance(each, SubmitBatch)]
    batch = submitted(action.request, "qrb_1")
    scheduler.handle(BatchTaken(batch=batch, queries=action.request.queries))
    return action.request.queries


def succeed(scheduler: Scheduler, query: Query) -> None:
    entry = BatchQuery(schedule_id="x", status_code="SUCCESS")
    scheduler.handle(Succeeded(query=query, entry=entry))
    scheduler.next_actions()


def result_of(query: Query) -> Result:
    return Result(
        query=query,
        dates=query.dates,
        schedule_id="x",
        fetched_at=NOW,
        fields=(),
        row_count=1,
        spool=NoFile(),
    )


def drain(scheduler: Scheduler) -> list[Action]:
    actions: list[Action] = []
    while more := scheduler.next_actions():
        actions += more
    return actions


def failed_in(actions: list[Action]) -> list[Query]:
    deliveries = [each.delivery for each in actions if isinstance(each, Deliver)]
    return [each.query for each in deliveries if isinstance(each, Failed)]


ILL: Final = ApiError("INTERNAL_SERVER_ERROR", "no reason given", status=500)


def test_a_query_whose_results_cannot_be_fetched_is_not_paid_for_again() -> None:
    """Neither whole nor in parts: the API has run it, and holds its results for the next run."""
    scheduler = scheduler_of(date_range(0, 30), report(max_days_per_query=31), split_dates=False)
    (query,) = submit(scheduler)
    succeed(scheduler, query)

    actions = scheduler.handle(QueryFailed(query=query, error=ILL, was_fetched=True))

    actions += drain(scheduler)
    assert not [each for each in actions if isinstance(each, SubmitBatch)]
    assert failed_in(actions) == [query]


def test_nor_is_one_that_waited_to_hear_of_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doubts.DOUBT_LIMITS, Reach.ACCOUNT, doubts.DoubtLimit(failures=1, probes=1))
    scheduler = scheduler_of(date_range(0, 29), report(max_days_per_query=10), split_dates=False)
    oldest, middle, newest = submit(scheduler)
    scheduler.handle(QueryFailed(query=newest, error=ApiError("QUERY_ERROR", "no reason given")))
    succeed(scheduler, oldest)
    actions = scheduler.handle(QueryFailed(query=oldest, error=ILL, was_fetched=True))
    assert not failed_in(actions)  # its account may be dead: another query finds out

    succeed(scheduler, middle)
    actions = scheduler.handle(Fetched(result=result_of(middle)))

    assert failed_in(actions) == [oldest]


def test_results_that_nobody_fetches_hold_submissions_back() -> None:
    """The API may be faster than the network, as the target may be slower than both."""
    scheduler = scheduler_of(date_range(0, 1_999), report())
    count = 0
    while batches := [each for each in scheduler.next_actions() if isinstance(each, SubmitBatch)]:
        batch = submitted(batches[0].request, f"qrb_{count}")
        scheduler.handle(BatchTaken(batch=batch, queries=batches[0].request.queries))
        for query in batches[0].request.queries:
            entry = BatchQuery(schedule_id="x", status_code="SUCCESS")
            scheduler.handle(Succeeded(query=query, entry=entry))
        scheduler.handle(BatchEnded(batch_id=batch.batch_id))
        count += len(batches[0].request)

    assert MAX_WAITING <= count < MAX_WAITING + 100
