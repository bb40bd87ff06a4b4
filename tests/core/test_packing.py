from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.model import BatchItem, BatchRequest, Query
from tap_supermetrics.planning.packing import batch_of, halved, pack
from tap_supermetrics.planning.plan import plan_report
from tap_supermetrics.planning.scope import Scope
from tests.core.reports import policy, report, split
from tests.core.strategies import coverages, date_range, date_ranges

if TYPE_CHECKING:
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import BatchPolicy

REPORTS = {
    "ads": report(name="ads"),
    "shop": report(name="shop", backfill_days_per_query=4, require_fresh_days=2),
    "search": report(name="search", backfill_order="newest", max_days_per_query=3),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The queries of several reports in plan order, some held, and the scope of each report."""

    queries: tuple[Query, ...]
    scopes: dict[str, Scope]

    def policy_of(self, query: Query) -> BatchPolicy:
        return self.scopes[query.report].policy_of(query)

    def packed(self, limit: int) -> tuple[BatchRequest, ...]:
        return pack(self.queries, self.policy_of, limit)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    is_incremental = draw(st.booleans())
    return Scope(
        accounts=tuple(draw(st.lists(st.sampled_from("abcdef"), max_size=2, unique=True))),
        wanted=draw(st.none() | date_ranges()),
        is_incremental=is_incremental,
        is_dated_by_rows=draw(st.booleans()),
        policy=policy(
            split_dates=is_incremental and draw(st.booleans()),
            split_accounts=draw(st.booleans()),
            query_concurrency=draw(st.sampled_from([5, 6])),
        ),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    queries: list[Query] = []
    planned: dict[str, Scope] = {}
    for name, asked in REPORTS.items():
        scope = draw(scopes())
        known = draw(st.dictionaries(st.sampled_from("abcdef"), coverages(), max_size=2))
        groups = st.sampled_from(scope.groups)
        held = st.builds(Query, report=st.just(name), accounts=groups, dates=date_ranges())
        planned[name] = scope
        planned_report = plan_report(asked, scope, known, draw(st.lists(held, max_size=1)))
        queries += planned_report.queries()
    return Plan(queries=tuple(queries), scopes=planned)


def expanded(batch: BatchRequest) -> list[Query]:
    return [query for item in batch.items for query in item.queries(batch.policy.split)]


limits = st.integers(1, 100)


@given(plans(), limits)
def test_every_query_is_in_exactly_one_batch(plan: Plan, limit: int) -> None:
    found = Counter(query for batch in plan.packed(limit) for query in batch.queries)
    assert found == Counter(plan.queries)


@given(plans(), limits)
def test_no_batch_has_more_queries_after_splitting_than_it_may(plan: Plan, limit: int) -> None:
    for batch in plan.packed(limit):
        assert 1 <= len(expanded(batch)) == len(batch) <= limit


@given(plans(), limits)
def test_policies_are_never_mixed(plan: Plan, limit: int) -> None:
    for batch in plan.packed(limit):
        assert {plan.policy_of(query) for query in batch.queries} == {batch.policy}


@given(plans(), limits)
def test_the_api_makes_of_the_items_just_the_queries_of_the_batch(plan: Plan, limit: int) -> None:
    for batch in plan.packed(limit):
        assert Counter(expanded(batch)) == Counter(batch.queries)


@given(plans(), limits)
def test_batches_come_in_the_order_of_their_first_query_and_keep_plan_order(
    plan: Plan, limit: int
) -> None:
    place = {query: number for number, query in enumerate(plan.queries)}
    batches = plan.packed(limit)
    firsts = [place[batch.queries[0]] for batch in batches]
    assert firsts == sorted(firsts)
    for batch in batches:
        places = [place[query] for query in batch.queries]
        assert places == sorted(places)


@given(plans())
def test_halves_of_a_batch_have_its_queries_between_them(
    plan: Plan,
) -> None:
    for batch in plan.packed(100):
        halves = halved(batch)
        if len(batch) == 1:
            assert halves is None
        else:
            assert halves is not None
            earlier, later = halves
            assert earlier.queries + later.queries == batch.queries
            assert {earlier.policy, later.policy} == {batch.policy}
            assert abs(len(earlier) - len(later)) <= 1
            assert Counter(expanded(earlier)) == Counter(earlier.queries)


@given(st.integers(1, 600), st.integers(1, 20), st.sampled_from([1, 2]))
def test_batches_are_equal_and_fill_every_place(
    count: int, concurrency: int, side_by_side: int
) -> None:
    own = policy(query_concurrency=concurrency)
    queries = [
        Query(report="ads", accounts=("1",), dates=date_range(day, day)) for day in range(count)
    ]
    sizes = [len(batch) for batch in pack(queries, lambda _: own, 100, side_by_side)]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 100
    if count <= concurrency:
        assert sizes == [count]
    else:
        assert len(sizes) % side_by_side == 0
        assert len(sizes) < count / 100 + side_by_side


def test_days_of_accounts_that_are_the_same_become_one_item() -> None:
    queries = [
        Query(report="ads", accounts=(account,), dates=date_range(number, number))
        for number in range(10)
        for account in "abc"
    ]
    (item,) = batch_of(queries, policy()).items
    assert item == BatchItem(report="ads", accounts=("a", "b", "c"), dates=date_range(0, 9))


def test_queries_that_are_not_split_are_items_of_their_own() -> None:
    queries = [
        Query(report="ads", accounts=("a", "b"), dates=dates)
        for dates in (date_range(0, 3), date_range(4, 7))
    ]
    alone = policy(split_dates=False, split_accounts=False)
    assert [item.dates for item in batch_of(queries, alone).items] == [
        date_range(0, 3),
        date_range(4, 7),
    ]


@pytest.mark.parametrize(
    ("split_dates", "split_accounts", "count"),
    [(True, True, 6), (True, False, 3), (False, True, 2), (False, False, 1)],
)
def test_an_item_is_split_as_the_policies_say(
    *,
    split_dates: bool,
    split_accounts: bool,
    count: int,
) -> None:
    item = BatchItem(report="ads", accounts=("a", "b"), dates=date_range(0, 2))
    queries = item.queries(split(dates=split_dates, accounts=split_accounts))
    assert len(set(queries)) == count


@pytest.mark.parametrize("dates", [None, date_range(0, 2)])
def test_an_item_without_accounts_is_not_split_by_account(dates: DateRange | None) -> None:
    item = BatchItem(report="ads", accounts=(), dates=dates)
    (query,) = item.queries(split(dates=False))
    assert query == Query(report="ads", accounts=(), dates=dates)
