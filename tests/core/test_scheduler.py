"""Any story of an extraction keeps the promises; `tests.core.stories` says which."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_supermetrics.api.wire import BatchQuery
from tap_supermetrics.extraction.events import BatchEnded, BatchSubmitted, SubmitBatch, Succeeded
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.scheduler import Scheduler
from tap_supermetrics.extraction.sequence import MAX_WAITING
from tap_supermetrics.planning.plan import plan_report
from tap_supermetrics.planning.scope import Scope
from tests.core.reports import policy, report
from tests.core.stories import play, submitted
from tests.core.strategies import date_range

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def test_results_that_nobody_fetches_hold_submissions_back() -> None:
    """The API may be faster than the network, as the target may be slower than both."""
    scope = Scope(
        accounts=("1",),
        wanted=date_range(0, 1_999),
        is_incremental=True,
        is_dated_by_rows=False,
        policy=policy(),
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
    scheduler = Scheduler({"ads": plan_report(report(), scope, {})}, limits)
    count = 0
    while batches := [each for each in scheduler.next_actions() if isinstance(each, SubmitBatch)]:
        batch = submitted(batches[0].request, f"qrb_{count}")
        scheduler.handle(BatchSubmitted(request=batches[0].request, batch=batch))
        for query in batches[0].request.queries:
            entry = BatchQuery(schedule_id="x", status_code="SUCCESS")
            scheduler.handle(Succeeded(query=query, entry=entry))
        scheduler.handle(BatchEnded(batch_id=batch.batch_id))
        count += len(batches[0].request)

    assert MAX_WAITING <= count < MAX_WAITING + 100
