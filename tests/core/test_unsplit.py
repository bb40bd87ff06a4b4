"""Split information that a status leaves out is restored where it is sure, and only there."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest

from tap_supermetrics.api.fields import FieldEcho
from tap_supermetrics.api.wire import BatchQuery
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction.attribution import attribute
from tap_supermetrics.extraction.downloads import columns_of
from tap_supermetrics.model import BatchItem, Query, SplitAccounts, SplitDates, SplitPolicy
from tests.core.reports import report as report_of

FIRST = date(2024, 5, 1)
SPLIT = SplitPolicy(dates=SplitDates.DAY, accounts=SplitAccounts.ALL)


def item(accounts: int, days: int) -> BatchItem:
    return BatchItem(
        report="ads",
        accounts=tuple(f"12{n}" for n in range(accounts)),
        dates=DateRange(first=FIRST, last=FIRST + timedelta(days=days - 1)),
    )


def entries(pattern: str, accounts: int, days: int, *, by_day: bool = False) -> list[BatchQuery]:
    """The status of one item without split information, in either order."""
    places = list(product(range(1, accounts + 1), range(1, days + 1)))
    if by_day:
        places.sort(key=lambda place: place[1])
    return [
        BatchQuery(
            schedule_id=pattern.format(
                account=account, day=day, date=FIRST + timedelta(days=day - 1)
            ),
            status_code="SUCCESS",
        )
        for account, day in places
    ]


def matched(told: list[BatchQuery], one: BatchItem) -> dict[Query, str]:
    found = attribute({0: one}, told, SPLIT, 1)
    return {query: entry.schedule_id for query, entry in found.items()}


@pytest.mark.parametrize("by_day", [False, True])
@pytest.mark.parametrize(
    "pattern", ["q_query_1_acc_{account}_day_{day}", "q_query_1_acc_{account}_{date}"]
)
def test_ids_and_order_tell_account_and_day(pattern: str, *, by_day: bool) -> None:
    one = item(3, 4)
    found = matched(entries(pattern, 3, 4, by_day=by_day), one)

    assert found.keys() == {*one.queries(SPLIT)}
    for query, schedule_id in found.items():
        assert query.dates
        number = 1 + one.accounts.index(query.accounts[0])
        day = 1 + (query.dates.first - FIRST).days
        assert schedule_id == pattern.format(account=number, day=day, date=query.dates.first)


def test_without_the_account_in_the_ids_nothing_is_guessed() -> None:
    assert matched(entries("q_query_1_{account}_{day}", 3, 4), item(3, 4)) == {}
    assert len(matched(entries("q_query_1_day_{day}", 1, 4), item(1, 4))) == 4


def test_with_an_entry_missing_nothing_is_guessed() -> None:
    told = entries("q_query_1_acc_{account}_day_{day}", 3, 4)
    assert matched(told[1:], item(3, 4)) == {}
    assert matched(told, item(2, 4)) == {}


def test_columns_that_are_not_named_are_those_asked_for_where_their_number_fits() -> None:
    report = report_of(fields=["Date", "Clicks"])
    bare = [FieldEcho(id="Date"), FieldEcho(id="Clicks")]

    for told in ([], bare):
        for width in (2, None):
            columns = columns_of(report, told, width)
            assert [(each.id, each.data_column) for each in columns] == [("Date", 0), ("Clicks", 1)]
        assert columns_of(report, told, 3) == tuple(told)
    placed = [FieldEcho(id="Date", data_column=1), FieldEcho(id="Clicks")]
    assert columns_of(report, placed, 2) == tuple(placed)
