from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.history import FirstDays
from tap_supermetrics.model import AsyncRun, BatchItem, Query, SubmittedBatch
from tap_supermetrics.planning.coverage import Coverage, Lookback
from tap_supermetrics.sync.state import ReportState, report_state
from tests.core.reports import split
from tests.core.strategies import coverages, date_range, date_ranges, day, day_numbers, moment

START = day(0)
NOW = moment(7)

account_ids = st.text(min_size=1, max_size=8)

moments = st.datetimes(
    min_value=datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - same
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=30))]),
)
async_runs = st.builds(AsyncRun, id=st.text(min_size=1, max_size=8), submitted_at=moments)
held_batches = st.builds(
    SubmittedBatch,
    batch_id=st.sampled_from(["qrb_0a1b2c3d4e5f", "qrb_ffffffffffff"]),
    submitted_at=moments,
    split=st.builds(split, dates=st.booleans(), accounts=st.booleans()),
    item_count=st.integers(1, 100),
    items=st.dictionaries(
        st.integers(0, 99),
        st.builds(
            BatchItem,
            report=st.just("ads"),
            accounts=st.lists(account_ids, max_size=3).map(tuple),
            dates=st.none() | date_ranges(),
            is_fresh=st.booleans(),
        ),
        max_size=4,
    ),
)


def lookback(days: int) -> Lookback:
    return Lookback(days=days, last_wanted=day(23), last_known=day(23), is_timed=days > 0)


def read(raw: object, **changes: Any) -> tuple[ReportState, list[str]]:  # noqa: ANN401 - of each argument's type
    mistakes: list[str] = []
    state = report_state(
        raw, "ads", changes.get("replication_key", "Date"), changes.get("start", START), mistakes
    )
    return state, mistakes


def written(state: ReportState) -> Any:  # noqa: ANN401 - as JSON is
    return json.loads(json.dumps(state.to_json()))


def partition(account_id: object = "1", **own: object) -> dict[str, Any]:
    return {"context": {"account_id": account_id}, **own}


def held(**changes: object) -> dict[str, Any]:
    item = {"place": 0, "accounts": ["1"], "dates": ["2024-02-20", "2024-02-21"]}
    return {
        "batch_id": "qrb_0a1b2c3d4e5f",
        "submitted_at": "2024-03-01T10:00:00+00:00",
        "split_dates": True,
        "split_accounts": True,
        "items": [item],
        **changes,
    }


def held_item(**changes: object) -> dict[str, Any]:
    item = {"place": 0, "accounts": ["1"], "dates": ["2024-02-20", "2024-02-21"], **changes}
    return held(items=[item])


@given(
    st.dictionaries(account_ids, coverages().filter(lambda each: bool(each.covered)), max_size=4),
    st.lists(held_batches, max_size=2),
    st.none() | async_runs,
    st.none() | st.dates(),
)
def test_a_state_is_read_as_it_was_written(
    coverage: dict[str, Coverage],
    batches: list[SubmittedBatch],
    async_run: AsyncRun | None,
    not_before: date | None,
) -> None:
    before = ReportState(
        replication_key="Date",
        start=START,
        query_hash="9f1c2a7e",
        key_properties=("_sm_account_id", "Date", "_sm_dimensions"),
        joined=("EndDate", "StartDate"),
        coverage=coverage,
        batches=tuple(batches),
        async_run=async_run,
        not_before=not_before,
    )
    after, mistakes = read(written(before))
    assert mistakes == []
    assert after == before


@given(st.lists(st.tuples(st.booleans(), date_ranges()), max_size=6))
def test_a_state_that_is_written_twice_stays_the_same(
    steps: list[tuple[bool, Any]],
) -> None:
    state = ReportState(replication_key="Date", start=START, query_hash="9f1c2a7e")
    for is_done, dates in steps:
        if is_done:
            state.mark_done("1", dates, NOW, lookback(3))
        else:
            state.mark_stale("1", dates)
    once = written(state)
    assert written(read(once)[0]) == once


def test_nothing_is_known_of_a_stream_without_bookmark() -> None:
    state, mistakes = read(None)
    assert (state.coverage, state.batches, state.query_hash, mistakes) == ({}, (), "", [])


def test_a_state_has_its_bookmark_where_singer_expects_it() -> None:
    state = ReportState(replication_key="Date", start=START, query_hash="9f1c2a7e")
    state.mark_done("123", date_range(0, 3), NOW, lookback(0))
    assert written(state) == {
        "shard": None,
        "query_hash": "9f1c2a7e",
        "request_hash": "",
        "key_properties": [],
        "joined": [],
        "types": {},
        "units": {},
        "header_in_totals": None,
        "query_batches": [],
        "async_run": None,
        "not_before": None,
        "wanted_from": None,
        "covered_from": "2024-02-20",
        "partitions": [
            {
                "context": {"account_id": "123"},
                "replication_key": "Date",
                "replication_key_value": "2024-02-23",
            }
        ],
    }


@given(
    st.dictionaries(account_ids, coverages().filter(lambda each: bool(each.covered)), max_size=4),
    st.none() | st.dates(),
)
def test_coverage_does_not_depend_on_a_start_that_is_moved_later(
    coverage: dict[str, Coverage], start: date | None
) -> None:
    before = ReportState(replication_key="Date", start=START, coverage=coverage)
    after, mistakes = read(written(before), start=start)
    assert mistakes == []
    assert after.coverage == coverage


def test_an_account_that_lags_behind_says_what_it_covers() -> None:
    state = ReportState(replication_key="Date", start=START)
    for account_id, dates in (("1", (0, 9)), ("2", (0, 5)), ("3", (2, 9)), ("4", (0, 3))):
        state.mark_done(account_id, date_range(*dates), NOW, lookback(0))
    state.mark_done("4", date_range(7, 9), NOW, lookback(0))
    partitions = {each["context"]["account_id"]: each for each in written(state)["partitions"]}
    assert {name for name, each in partitions.items() if "covered" in each} == {"3", "4"}


def test_a_partition_costs_about_a_hundred_bytes() -> None:
    state = ReportState(replication_key="Date", start=START)
    accounts = 3_000
    for number in range(accounts):
        state.mark_done(str(1_000_000_000 + number), date_range(0, 40), NOW, lookback(0))
    assert len(json.dumps(written(state), separators=(",", ":"))) < 105 * accounts


def test_accounts_that_all_items_of_a_query_batch_share_are_written_once() -> None:
    accounts = tuple(str(number) for number in range(1_000_000_000, 1_000_000_300))
    items = {
        place: BatchItem(report="ads", accounts=accounts, dates=date_range(place, place))
        for place in range(100)
    }
    policy = split(dates=False, accounts=False)
    batch = SubmittedBatch(
        batch_id="qrb_0a1b2c3d4e5f", submitted_at=NOW, split=policy, items=items, item_count=100
    )
    before = ReportState(replication_key="Date", start=START, batches=(batch,))
    assert read(written(before))[0] == before
    assert len(json.dumps(written(before))) < 100 * len(items) + 20 * len(accounts)


def test_the_state_of_another_tool_is_told() -> None:
    _, mistakes = read({"Date": "2024-01-05"})
    (mistake,) = mistakes
    assert mistake.startswith("state.bookmarks.ads: expected keys as in docs/state.md")
    assert "remove bookmarks.ads from the state" in mistake
    assert mistake.endswith('got {"Date": "2024-01-05"}')
    assert read({})[1] == []


def loaded_from(*first_days: int, not_before: int | None = None) -> ReportState:
    return ReportState(
        replication_key="Date",
        start=START,
        not_before=None if not_before is None else day(not_before),
        coverage={
            str(number): Coverage(covered=(date_range(first, 20),) if first < 20 else ())
            for number, first in enumerate(first_days)
        },
    )


def first_days_of(state: ReportState) -> list[date | None]:
    again, mistakes = read(written(state))
    assert mistakes == []
    known = [state.coverage_of(each).not_before for each in state.coverage]
    # An account without any day is not written.
    assert [again.coverage_of(each).not_before for each in state.coverage] == known
    return known


def test_a_first_day_holds_for_accounts_that_were_loaded_from_then_on() -> None:
    state = loaded_from(2, 5, 7, 20)
    state.learn_first_day(day(5))
    assert first_days_of(state) == [None, day(5), day(5), None]


def test_what_is_known_of_an_account_better_is_kept_when_another_is_refused() -> None:
    state = loaded_from(2, 5, 7, not_before=2)
    state.learn_first_day(day(5))
    assert first_days_of(state) == [day(2), day(5), day(5)]
    state.learn_first_day(day(1))
    assert first_days_of(state) == [day(2), day(5), day(5)]
    state.learn_first_day(day(6))
    assert first_days_of(state) == [day(2), day(5), day(6)]


def test_coverage_after_a_gap_has_no_bookmark() -> None:
    state = ReportState(replication_key="Date", start=START)
    state.mark_done("123", date_range(5, 6), NOW, lookback(0))
    (entry,) = written(state)["partitions"]
    assert "replication_key_value" not in entry
    assert entry["covered"] == [["2024-02-25", "2024-02-26"]]


def test_when_the_days_of_the_lookback_were_read_is_kept() -> None:
    state = ReportState(replication_key="Date", start=START)
    state.mark_done("123", date_range(0, 3), NOW, lookback(2))
    (entry,) = written(state)["partitions"]
    assert entry["fetched"] == [["2024-02-20", "2024-02-23", "2024-03-01T07:00:00+00:00"]]


def test_a_report_that_is_read_whole_keeps_when_each_account_was() -> None:
    state = ReportState(replication_key="", start=None)
    state.mark_done("123", None, NOW, lookback(0))
    state.mark_stale("123", date_range(0, 1))
    assert written(state)["partitions"] == [
        {"context": {"account_id": "123"}, "read_at": NOW.isoformat(timespec="milliseconds")}
    ]
    assert read(written(state))[0].coverage["123"].read_at == NOW


def test_a_failure_of_a_report_that_is_read_whole_is_a_turn_but_leaves_no_rows() -> None:
    state = ReportState(replication_key="", start=None)
    state.mark_tried("123", NOW)
    (entry,) = written(state)["partitions"]
    assert entry == {
        "context": {"account_id": "123"},
        "tried_at": NOW.isoformat(timespec="milliseconds"),
    }
    known = read(written(state))[0].coverage["123"]
    assert (known.last_attempt_at, known.read_at) == (NOW, None)


def test_what_was_read_by_a_clock_that_was_ahead_is_read_again() -> None:
    coming = NOW + timedelta(days=400)
    whole = ReportState(replication_key="", start=None)
    whole.mark_done("123", None, coming, lookback(0))
    whole.forget_future(NOW)
    assert whole.coverage["123"].read_at is None

    state = ReportState(replication_key="Date", start=START)
    state.mark_done("123", date_range(0, 3), coming, lookback(3))
    state.forget_future(NOW)
    needed = state.coverage["123"].needed(date_range(0, 3), 3, NOW - timedelta(hours=12))
    assert needed == (date_range(1, 3),)


@given(day_numbers)
def test_a_bookmark_of_an_account_alone_means_all_up_to_that_day(last: int) -> None:
    raw = {"partitions": [partition(replication_key_value=day(last).isoformat())]}
    state, mistakes = read(raw)
    assert mistakes == []
    assert state.coverage == {
        "1": Coverage(covered=(date_range(0, last),), bookmark=day(last)),
    }


@pytest.mark.parametrize("value", ["2024-02-25", "2024-02-25T00:00:00", "2024-02-25T00:00:00Z"])
def test_a_bookmark_may_be_a_day_or_an_instant(value: str) -> None:
    state, mistakes = read({"partitions": [partition(replication_key_value=value)]})
    assert mistakes == []
    assert state.coverage["1"].bookmark == day(5)


def test_a_bookmark_of_the_stream_means_every_account_without_its_own() -> None:
    own = partition("1", replication_key_value="2024-02-22")
    state, mistakes = read({"replication_key_value": "2024-02-25", "partitions": [own]})
    state.begin(["1", "2"])
    assert mistakes == []
    assert {name: each.bookmark for name, each in state.coverage.items()} == {
        "1": day(2),
        "2": day(5),
    }
    assert state.coverage["2"].covered == (date_range(0, 5),)


def test_a_bookmark_of_the_stream_is_kept_until_accounts_are_known() -> None:
    state, _ = read({"replication_key": "Date", "replication_key_value": "2024-02-25"})
    again, mistakes = read(written(state))
    again.begin(["1"])
    assert mistakes == []
    assert again.coverage["1"].covered == (date_range(0, 5),)


def test_a_bookmark_of_the_stream_does_not_outlive_a_merge_of_states() -> None:
    """Meltano lays the state of a failed run over the one before it, key by key."""
    by_hand = {"replication_key": "Date", "replication_key_value": "2024-02-25"}
    merged: dict[str, Any] = by_hand
    for _ in range(2):
        state, mistakes = read(merged)
        state.begin(["1"])
        assert mistakes == []
        merged = {**by_hand, **written(state)}
    state, mistakes = read(merged)
    state.begin(["1", "added later"])
    assert mistakes == []
    assert state.coverage["1"].covered == (date_range(0, 5),)
    assert "added later" not in state.coverage


def test_an_async_run_is_read_from_states_of_before() -> None:
    state, mistakes = read({"async_run": {"run_id": "1", "started_at": NOW.isoformat()}})
    assert mistakes == []
    assert state.async_run == AsyncRun(id="1", submitted_at=NOW)


def test_a_bookmark_before_the_start_covers_nothing() -> None:
    state, mistakes = read({"partitions": [partition(replication_key_value="2024-02-01")]})
    assert mistakes == []
    assert state.coverage["1"].covered == ()


def test_an_account_id_may_be_written_as_a_number() -> None:
    state, mistakes = read({"partitions": [partition(123, replication_key_value="2024-02-25")]})
    assert mistakes == []
    assert list(state.coverage) == ["123"]


def test_ranges_written_by_hand_may_touch_and_overlap() -> None:
    ranges = [
        ["2024-02-22", "2024-02-23"],
        ["2024-02-20", "2024-02-21"],
        ["2024-02-21", "2024-02-22"],
    ]
    state, mistakes = read({"partitions": [partition(covered=ranges)]})
    assert mistakes == []
    assert state.coverage["1"].covered == (date_range(0, 3),)


def test_ranges_may_reach_to_the_end_of_the_calendar() -> None:
    ranges = [["2024-02-20", "9999-12-31"], ["2024-02-21", "2024-02-22"]]
    state, mistakes = read({"partitions": [partition(covered=ranges)]})
    assert mistakes == []
    assert state.coverage["1"].covered[0].first == START


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_query_hash_is_no_query_hash(value: object) -> None:
    state, _ = read({"query_hash": value})
    assert state.query_hash == ""


MALFORMED: dict[str, tuple[object, str]] = {
    "text": ("2024-03-01", ""),
    "list": ([], ""),
    "number": (7, ""),
    "true": (True, ""),
    "partitions text": ({"partitions": "all"}, ".partitions"),
    "partitions object": ({"partitions": {"1": "2024-03-01"}}, ".partitions"),
    "partitions number": ({"partitions": 5}, ".partitions"),
    "partition null": ({"partitions": [None]}, ".partitions[0]"),
    "partition text": ({"partitions": ["1"]}, ".partitions[0]"),
    "partition list": ({"partitions": [[]]}, ".partitions[0]"),
    "partition empty": ({"partitions": [{}]}, ".partitions[0]"),
    "second partition": ({"partitions": [partition(), {}]}, ".partitions[1]"),
    "context null": ({"partitions": [{"context": None}]}, ".partitions[0]"),
    "context text": ({"partitions": [{"context": "1"}]}, ".partitions[0]"),
    "context empty": ({"partitions": [{"context": {}}]}, ".partitions[0]"),
    "account null": ({"partitions": [partition(None)]}, ".partitions[0]"),
    "account object": ({"partitions": [partition({})]}, ".partitions[0]"),
    "bookmark number": (
        {"partitions": [partition(replication_key_value=20240301)]},
        ".partitions[0]",
    ),
    "bookmark list": (
        {"partitions": [partition(replication_key_value=["2024-03-01"])]},
        ".partitions[0]",
    ),
    "bookmark word": ({"partitions": [partition(replication_key_value="soon")]}, ".partitions[0]"),
    "bookmark no day": (
        {"partitions": [partition(replication_key_value="2024-02-30")]},
        ".partitions[0]",
    ),
    "covered null": ({"partitions": [partition(covered=None)]}, ".partitions[0]"),
    "covered text": ({"partitions": [partition(covered="2024-03-01")]}, ".partitions[0]"),
    "covered number": ({"partitions": [partition(covered=1)]}, ".partitions[0]"),
    "covered flat": (
        {"partitions": [partition(covered=["2024-03-01", "2024-03-02"])]},
        ".partitions[0]",
    ),
    "covered one day": ({"partitions": [partition(covered=[["2024-03-01"]])]}, ".partitions[0]"),
    "covered three": ({"partitions": [partition(covered=[["2024-03-01"] * 3])]}, ".partitions[0]"),
    "covered backwards": (
        {"partitions": [partition(covered=[["2024-03-02", "2024-03-01"]])]},
        ".partitions[0]",
    ),
    "covered nulls": ({"partitions": [partition(covered=[[None, None]])]}, ".partitions[0]"),
    "covered numbers": ({"partitions": [partition(covered=[[1, 2]])]}, ".partitions[0]"),
    "stale text": ({"partitions": [partition(covered=[], stale="x")]}, ".partitions[0]"),
    "fetched null": ({"partitions": [partition(covered=[], fetched=None)]}, ".partitions[0]"),
    "fetched days": (
        {"partitions": [partition(covered=[], fetched=[["2024-03-01", "2024-03-02"]])]},
        ".partitions[0]",
    ),
    "fetched without offset": (
        {"partitions": [partition(covered=[], fetched=[["2024-03-01"] * 3])]},
        ".partitions[0]",
    ),
    "not before number": ({"not_before": 5}, ".not_before"),
    "not before word": ({"not_before": "never"}, ".not_before"),
    "stream bookmark number": ({"replication_key_value": 5}, ""),
    "stream bookmark word": ({"replication_key_value": "yesterday"}, ""),
    "async run text": ({"async_run": "1"}, ".async_run"),
    "async run empty": ({"async_run": {}}, ".async_run"),
    "async run list": ({"async_run": []}, ".async_run"),
    "async run without offset": (
        {"async_run": {"run_id": "1", "started_at": "2024-03-01T10:00:00"}},
        ".async_run",
    ),
    "async run of nobody": (
        {"async_run": {"run_id": None, "started_at": "2024-03-01T10:00:00+00:00"}},
        ".async_run",
    ),
    "batches object": ({"query_batches": {"a": 1}}, ".query_batches"),
    "batches text": ({"query_batches": "qrb_1"}, ".query_batches"),
    "batch null": ({"query_batches": [None]}, ".query_batches[0]"),
    "batch text": ({"query_batches": ["qrb_1"]}, ".query_batches[0]"),
    "batch empty": ({"query_batches": [{}]}, ".query_batches[0]"),
    "batch id null": ({"query_batches": [held(batch_id=None)]}, ".query_batches[0]"),
    "batch time null": ({"query_batches": [held(submitted_at=None)]}, ".query_batches[0]"),
    "batch time number": ({"query_batches": [held(submitted_at=0)]}, ".query_batches[0]"),
    "batch time of no year": (
        {"query_batches": [held(submitted_at="9999-12-31T23:59:59-14:00")]},
        ".query_batches[0]",
    ),
    "batch time word": ({"query_batches": [held(submitted_at="now")]}, ".query_batches[0]"),
    "batch time without offset": (
        {"query_batches": [held(submitted_at="2024-03-01T10:00:00")]},
        ".query_batches[0]",
    ),
    "batch items null": ({"query_batches": [held(items=None)]}, ".query_batches[0]"),
    "batch items text": ({"query_batches": [held(items="1")]}, ".query_batches[0]"),
    "batch item null": ({"query_batches": [held(items=[None])]}, ".query_batches[0]"),
    "batch item empty": ({"query_batches": [held(items=[{}])]}, ".query_batches[0]"),
    "item place word": ({"query_batches": [held_item(place="first")]}, ".query_batches[0]"),
    "item place null": ({"query_batches": [held_item(place=None)]}, ".query_batches[0]"),
    "item place endless": (
        {"query_batches": [held_item(place=float("inf"))]},
        ".query_batches[0]",
    ),
    "item accounts null": ({"query_batches": [held_item(accounts=None)]}, ".query_batches[0]"),
    "item accounts text": ({"query_batches": [held_item(accounts="123")]}, ".query_batches[0]"),
    "item accounts numbers": ({"query_batches": [held_item(accounts=[5])]}, ".query_batches[0]"),
    "item dates one": ({"query_batches": [held_item(dates=["2024-03-01"])]}, ".query_batches[0]"),
    "item dates text": ({"query_batches": [held_item(dates="2024-03-01")]}, ".query_batches[0]"),
    "item dates backwards": (
        {"query_batches": [held_item(dates=["2024-03-02", "2024-03-01"])]},
        ".query_batches[0]",
    ),
    "second batch": ({"query_batches": [held(), held(batch_id=None)]}, ".query_batches[1]"),
}


@pytest.mark.parametrize(("raw", "place"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_state_is_a_mistake_at_its_path(raw: object, place: str) -> None:
    _, mistakes = read(raw)
    (mistake,) = mistakes
    assert mistake.startswith(f"state.bookmarks.ads{place}: expected ")
    assert ", got " in mistake
    assert "Error" not in mistake
    assert len(mistake) < 300
    assert "\n" not in mistake


def test_every_mistake_of_a_state_is_told() -> None:
    raw = {
        "replication_key_value": "soon",
        "partitions": [{}, partition("2"), partition(covered=5)],
        "query_batches": [{}, held()],
    }
    state, mistakes = read(raw)
    assert len(mistakes) == 4
    assert list(state.coverage) == ["2"]
    assert len(state.batches) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "partitions",
                    "context",
                    "account_id",
                    "covered",
                    "stale",
                    "replication_key_value",
                    "query_hash",
                    "key_properties",
                    "query_batches",
                    "items",
                    "batch_id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_state_at_all_raises(raw: object) -> None:
    _, mistakes = read(raw)
    assert all(each.startswith("state.bookmarks.ads") for each in mistakes)


@pytest.mark.parametrize(
    ("written_by_hand", "said"),
    [
        ({"coverd": []}, ".partitions[0]: unknown keys: coverd (did you mean covered?)"),
        ({"Stale": []}, ".partitions[0]: unknown keys: Stale (did you mean stale?)"),
        ({"replication_key_value": "2024-01-05 or so"}, ".partitions[0]: expected"),
    ],
)
def test_a_slip_of_the_pen_in_a_partition_is_told(
    written_by_hand: dict[str, Any], said: str
) -> None:
    """Passed over, days that somebody wants to load again would stay as they are."""
    _, mistakes = read({"partitions": [partition(**written_by_hand)]})
    (mistake,) = mistakes
    assert mistake.startswith(f"state.bookmarks.ads{said}")


def test_other_slips_of_the_pen_in_a_bookmark_are_told() -> None:
    _, mistakes = read({"partitions": [partition(), partition("2"), partition()]})
    assert mistakes == ["state.bookmarks.ads.partitions: 1 is there twice"]
    _, mistakes = read({"Partitions": [], "shard": None})
    assert mistakes == ["state.bookmarks.ads: unknown keys: Partitions (did you mean partitions?)"]


@pytest.mark.parametrize(
    ("value", "last"),
    [
        ("2024-01-05", "2024-01-05"),
        ("2024-01-05T00:00:00Z", "2024-01-05"),
        ("2024-01-05 00:00:00.000+05:30", "2024-01-05"),
        ("2024-01-05T13:20:00Z", "2024-01-04"),
        ("2024-01-05T00:00:01+00:00", "2024-01-04"),
    ],
)
def test_a_day_that_was_not_over_is_not_there(value: str, last: str) -> None:
    """Other taps write the moment up to which they read."""
    state, mistakes = read({"replication_key_value": value})
    assert mistakes == []
    assert state.stream_bookmark
    assert str(state.stream_bookmark.bookmark) == last


def test_a_bookmark_by_hand_says_where_a_first_day_that_moves_goes_on() -> None:
    mistakes: list[str] = []
    raw = {"replication_key": "Date", "replication_key_value": str(day(2))}
    state = report_state(raw, "ads", "Date", day(20), mistakes)
    assert not mistakes
    state.begin(["1", "2"])
    state.want_from(day(20), ["1", "2"])
    for account_id in ("1", "2"):
        assert state.coverage_of(account_id).left_behind(day(20)) == (date_range(3, 19),)
    # With a calendar date, days before it are not wanted.
    state.want_from(None, ["1", "2"])
    assert state.coverage_of("1").left_behind(day(20)) == ()


def test_accounts_that_were_only_spared_are_asked_again_once_accounts_differ() -> None:
    """One young account was refused; others were spared, and one of them has the days before."""
    state = loaded_from(5, 5, 2)
    state.learn_first_day(day(5))
    young, spared, given = state.coverage
    state.learn_first_day(day(2), {young: day(5)})
    assert state.coverage_of(young).not_before == day(5)
    assert state.coverage_of(spared).not_before == day(2)
    assert (day(2), None) == (state.not_before, state.coverage[given].not_before)
    assert state.coverage_of(spared).needed(date_range(2, 9), 0)[0].first == day(2)


def test_only_accounts_that_were_refused_themselves_have_a_first_day_of_their_own() -> None:
    first_days = FirstDays()
    error = ApiError("START_DATE_HISTORICAL", f"the first day is {day(5)}", status=400)
    young, other = (
        Query(report="ads", accounts=(each,), dates=date_range(1, 1)) for each in ("1", "2")
    )
    first_days.refused(young, error, day(20))
    assert (first_days.first_day, first_days.own_days) == (day(5), {})
    first_days.given(other)
    assert (first_days.first_day, first_days.own_days) == (day(1), {"1": day(5)})
