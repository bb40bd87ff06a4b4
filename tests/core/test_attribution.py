"""Which answer belongs to which query, over all that the docs leave open about ids and splits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.wire import BatchQuery, SplitInfo
from tap_supermetrics.extraction.attribution import attribute, names_another
from tap_supermetrics.model import BatchItem, SplitPolicy
from tests.core.reports import split
from tests.core.strategies import date_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import Query


EVERY_WAY = split()


@dataclass(frozen=True, kw_only=True)
class Api:
    """One way in which the API may number, order and describe the queries of a batch."""

    split: SplitPolicy = EVERY_WAY
    counts_split_queries: bool = False
    first_number: int = 1
    is_by_day: bool = False
    has_object_when_unsplit: bool = False
    names_all: bool = False

    def status(self, items: Mapping[int, BatchItem]) -> list[tuple[Query, BatchQuery]]:
        """Every query of a batch with its entry of the status, in creation order."""
        found: list[tuple[Query, BatchQuery]] = []
        for place in sorted(items):
            item = items[place]
            queries = item.queries(self.split)
            if self.is_by_day:
                queries = tuple(sorted(queries, key=lambda query: str(query.dates)))
            for part, query in enumerate(queries, 1):
                number = self.first_number + (len(found) if self.counts_split_queries else place)
                suffix = f"_part_{part}" if len(queries) > 1 else ""
                entry = BatchQuery(
                    schedule_id=f"qrb_0a1b2c3d4e5f_query_{number}{suffix}",
                    status_code="SUCCESS",
                    split_info=self._split_info(item, query, is_split=len(queries) > 1),
                )
                found.append((query, entry))
        return found

    def _split_info(self, item: BatchItem, query: Query, *, is_split: bool) -> SplitInfo | None:
        if not is_split and not self.has_object_when_unsplit:
            return None
        info = SplitInfo(ds_accounts=[])
        if self.names_all or query.accounts != item.accounts:
            info.ds_accounts = list(query.accounts)
        if query.dates and (self.names_all or query.dates != item.dates):
            info.start_date = query.dates.first.isoformat()
            info.end_date = query.dates.last.isoformat()
        return info

    def attribute(
        self,
        items: Mapping[int, BatchItem],
        entries: list[BatchQuery],
        size: int | None = None,
    ) -> dict[Query, BatchQuery]:
        return attribute(items, entries, self.split, size or len(items))


def item(*accounts: str, report: str = "ads", dates: DateRange | None = None) -> BatchItem:
    return BatchItem(report=report, accounts=accounts, dates=dates)


THREE = {
    0: item("111", "222", dates=date_range(0, 2)),
    1: item("333", dates=date_range(5, 5)),
    2: item("111", "222", report="shop", dates=date_range(1, 2)),
}

ALL_WAYS = [
    Api(
        counts_split_queries=counts,
        is_by_day=by_day,
        has_object_when_unsplit=unsplit,
        names_all=names_all,
    )
    for counts in (False, True)
    for by_day in (False, True)
    for unsplit in (False, True)
    for names_all in (False, True)
]


@pytest.mark.parametrize(
    ("batch_id", "schedule_id", "is_other"),
    [
        ("qrb_0a1b", "qrb_0a1c_query_1_acc_2", True),
        ("qrb_0a1b", "qrb_0a1b_query_1", False),
        ("qrb_0a1b", "qrb_0A1B_query_1", False),
        # Nobody knows what these are made of.
        ("qrb_0a1b", "5f" * 32, False),
        ("batch-17", "qrb_0a1c_query_1", False),
        ("qrb_0a1b", "tap_query_1", False),
    ],
)
def test_an_entry_names_another_batch_only_in_the_documented_form(
    batch_id: str, schedule_id: str, *, is_other: bool
) -> None:
    entry = BatchQuery(schedule_id=schedule_id, status_code="SUCCESS")
    assert names_another(batch_id, entry) is is_other


@pytest.mark.parametrize("api", ALL_WAYS)
def test_every_query_is_found_however_the_api_numbers_and_orders(api: Api) -> None:
    truth = dict(api.status(THREE))
    assert api.attribute(THREE, list(truth.values())) == truth


@pytest.mark.parametrize("counts_split_queries", [False, True])
@pytest.mark.parametrize(("split_dates", "split_accounts"), [(True, False), (False, True)])
def test_every_query_is_found_when_split_one_way(
    *, split_dates: bool, split_accounts: bool, counts_split_queries: bool
) -> None:
    api = Api(
        split=split(dates=split_dates, accounts=split_accounts),
        counts_split_queries=counts_split_queries,
    )
    truth = dict(api.status(THREE))
    assert api.attribute(THREE, list(truth.values())) == truth


@pytest.mark.parametrize("spelling", ["act_{}", "ACT_{}", "act{}", "act-{}", " act_{} "])
def test_an_account_may_be_spelt_with_other_punctuation_or_case(spelling: str) -> None:
    items = {0: item("act_111", "act_222", dates=date_range(0, 1))}
    truth = Api().status(items)
    for query, entry in truth:
        assert entry.split_info
        entry.split_info.ds_accounts = [spelling.format(query.accounts[0].removeprefix("act_"))]
    assert Api().attribute(items, [entry for _, entry in truth]) == dict(truth)


def test_an_account_with_dashes_is_the_one_without() -> None:
    items = {0: item("123-456-7890", "98765", dates=date_range(0, 0))}
    truth = Api().status(items)
    assert truth[0][1].split_info
    truth[0][1].split_info.ds_accounts = ["1234567890"]
    assert Api().attribute(items, [entry for _, entry in truth]) == dict(truth)


def test_accounts_that_differ_only_in_punctuation_are_two() -> None:
    items = {0: item("sc-domain:foo-bar.com", "sc-domain:foobar.com", dates=date_range(0, 0))}
    truth = dict(Api().status(items))
    assert Api().attribute(items, list(truth.values())) == truth


def test_the_order_of_accounts_within_a_query_does_not_matter() -> None:
    api = Api(split=split(accounts=False), names_all=True, has_object_when_unsplit=True)
    items = {0: item("111", "222", dates=date_range(0, 0))}
    ((query, entry),) = api.status(items)
    assert entry.split_info
    entry.split_info.ds_accounts = ["222", "111"]
    assert api.attribute(items, [entry]) == {query: entry}


def test_an_item_without_accounts_and_days_is_found() -> None:
    items = {0: item(), 1: item(report="shop")}
    truth = dict(Api().status(items))
    assert Api().attribute(items, list(truth.values())) == truth


def test_missing_entries_leave_their_queries_unmatched() -> None:
    truth = Api().status(THREE)
    known = truth[:2] + truth[3:]
    assert Api().attribute(THREE, [entry for _, entry in known]) == dict(known)


def test_unknown_entries_are_not_matched() -> None:
    truth = Api().status(THREE)
    strange = [
        BatchQuery(schedule_id="qrb_0a1b2c3d4e5f_query_9", status_code="SUCCESS"),
        BatchQuery(schedule_id="something_else", status_code="SUCCESS"),
        BatchQuery(
            schedule_id="qrb_0a1b2c3d4e5f_query_1_acc_7",
            status_code="SUCCESS",
            split_info=SplitInfo(ds_accounts=["999"], start_date="2024-02-20"),
        ),
    ]
    assert Api().attribute(THREE, [*strange, *(entry for _, entry in truth)]) == dict(truth)


def test_only_the_known_items_of_a_batch_are_matched() -> None:
    truth = Api().status(THREE)
    known = {1: THREE[1]}
    found = Api().attribute(known, [entry for _, entry in truth])
    assert found == {query: entry for query, entry in truth if query.accounts == ("333",)}


def test_items_that_are_not_split_at_all_are_known_by_their_number() -> None:
    api = Api(split=split(dates=False, accounts=False))
    items = {place: item("1", dates=date_range(place, place + 2)) for place in range(12)}
    truth = dict(api.status(items))
    assert api.attribute(items, list(truth.values())) == truth
    some = {10: items[10], 11: items[11]}
    assert len(api.attribute(some, list(truth.values()))) == 2


def test_an_empty_status_matches_nothing() -> None:
    assert Api().attribute(THREE, []) == {}


@st.composite
def batches(draw: st.DrawFn) -> dict[int, BatchItem]:
    """Items as the planner makes them: no account and day of a report stands in two of them."""
    items = {}
    for place in range(draw(st.integers(1, 4))):
        accounts = draw(st.lists(st.sampled_from(["1", "2", "act_3"]), max_size=2, unique=True))
        first = draw(st.integers(0, 2))
        dates = draw(st.sampled_from([None, date_range(first, first + draw(st.integers(0, 2)))]))
        items[place] = item(*accounts, report=f"report_{place}", dates=dates)
    return items


apis = st.builds(
    Api,
    split=st.builds(split, dates=st.booleans(), accounts=st.booleans()),
    counts_split_queries=st.booleans(),
    is_by_day=st.booleans(),
    has_object_when_unsplit=st.booleans(),
    names_all=st.booleans(),
)


@given(api=apis, items=batches(), first_number=st.integers(0, 1))
def test_with_the_whole_status_every_query_is_found(
    api: Api, items: dict[int, BatchItem], first_number: int
) -> None:
    api = replace(api, first_number=first_number)
    truth = dict(api.status(items))
    assert api.attribute(items, list(truth.values())) == truth


def test_two_reports_of_one_day_are_not_swapped_where_numbers_begin_at_0() -> None:
    items = {
        place: item("1", report=report, dates=date_range(0, 0))
        for place, report in enumerate(["plain", "filtered"])
    }
    api = Api(split=split(dates=False, accounts=False), first_number=0)
    truth = dict(api.status(items))
    assert api.attribute(items, list(truth.values())) == truth


@given(api=apis, items=batches(), data=st.data())
def test_no_answer_is_ever_given_to_another_query(
    api: Api, items: dict[int, BatchItem], data: st.DataObject
) -> None:
    """Whatever is missing from the status, and whichever items are still known."""
    truth = api.status(items)
    entries = [entry for _, entry in truth if data.draw(st.booleans(), label="is listed")]
    known = {place: each for place, each in items.items() if data.draw(st.booleans())}
    owner = {entry.schedule_id: query for query, entry in truth}
    for query, entry in api.attribute(known, entries, len(items)).items():
        assert owner[entry.schedule_id] == query


@given(items=batches(), data=st.data())
def test_with_documented_numbers_every_listed_query_of_a_known_item_is_found(
    items: dict[int, BatchItem], data: st.DataObject
) -> None:
    api = Api(names_all=True, has_object_when_unsplit=True)
    truth = api.status(items)
    known = {place: each for place, each in items.items() if data.draw(st.booleans())}
    reports = {each.report for each in known.values()}
    # Where each number stands once and items are not known, it may count either way.
    is_clear = len(known) == len(items) or len(truth) > len(items)
    found = api.attribute(known, [entry for _, entry in truth], len(items))
    listed = {query: entry for query, entry in truth if query.report in reports}
    assert found == listed or (not is_clear and not found)


def test_a_status_that_counts_otherwise_and_lacks_an_entry_is_not_guessed() -> None:
    api = replace(ALL_WAYS[0], split=split(accounts=False), counts_split_queries=True)
    items = {0: item("1", dates=date_range(0, 2)), 1: item("2", dates=date_range(0, 2))}
    truth = api.status(items)
    owner = {entry.schedule_id: query for query, entry in truth}
    for missing in range(len(truth)):
        entries = [entry for number, (_, entry) in enumerate(truth) if number != missing]
        for query, entry in api.attribute(items, entries).items():
            assert owner[entry.schedule_id] == query
