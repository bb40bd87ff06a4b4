"""`state merge`: what states say together, and what contradicts."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import AsyncRun, BatchItem, Shard, SubmittedBatch
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.sync.merging import merge_states, rename, without_account, without_report
from tap_supermetrics.sync.state import ReportState, report_state
from tests.core.reports import split
from tests.core.strategies import coverages, date_range, day, days_of, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_DAY = date(2024, 6, 10)
AT = datetime(2024, 3, 1, tzinfo=timezone.utc)


def state(shard: str = "1/1", **values: Any) -> dict[str, Any]:  # noqa: ANN401 - of each attribute's type
    """The state of a run with one report."""
    whole: dict[str, Any] = {"query_hash": "9f1c2a7e", "key_properties": ("Date",)}
    read = ReportState(
        replication_key="Date", start=day(0), shard=Shard.parse(shard), **whole | values
    )
    written: dict[str, Any] = json.loads(json.dumps({"bookmarks": {"ads": read.to_json()}}))
    return written


def covered(*accounts: str, last: int = 5) -> dict[str, Coverage]:
    return {each: Coverage().with_done(date_range(0, last), day(0)) for each in accounts}


def merged(*states: Mapping[str, Any], is_partial: bool = False) -> ReportState:
    given = {f"{number}.json": each for number, each in enumerate(states, 1)}
    return merge_states(given, LAST_DAY, is_partial=is_partial)["ads"]


def refusal(*states: Mapping[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        merged(*states)
    (mistake,) = caught.value.mistakes
    assert "\n" not in mistake
    return mistake


@given(coverages(), coverages())
def test_two_states_of_an_account_cover_what_either_does(one: Coverage, two: Coverage) -> None:
    both = one.merged_with(two)

    assert days_of(*both.covered) == days_of(*one.covered) | days_of(*two.covered)
    assert days_of(*both.stale) == days_of(*one.stale) | days_of(*two.stale)
    assert days_of(*(each.dates for each in both.fetched)) == days_of(
        *(each.dates for each in (*one.fetched, *two.fetched))
    )
    assert sum(each.dates.days for each in both.fetched) == len(
        days_of(*(each.dates for each in both.fetched))
    )


@given(
    st.dictionaries(st.sampled_from(["1", "2", "3", "act_4", "5", "6"]), coverages()),
    st.integers(1, 5),
)
def test_shards_together_are_the_whole_however_old_their_copies_are(
    whole: dict[str, Coverage], count: int
) -> None:
    """Each began with the state of the whole; only its own accounts went on since."""
    known = {account: each for account, each in whole.items() if each.covered}
    states = []
    for number in range(1, count + 1):
        shard = Shard(number=number, count=count)
        own = {
            account: each.with_done(date_range(0, 20), day(0)) if shard.owns(account) else each
            for account, each in known.items()
        }
        states.append(state(str(shard), coverage=own))
    found = merged(*states)

    after = {account: each.with_done(date_range(0, 20), day(0)) for account, each in known.items()}
    if count > 1:
        assert found.coverage == after
    assert found.shard.is_whole
    # What is printed is read as it was merged.
    again = report_state(found.to_json(), "ads", "Date", None, [])
    assert again.coverage == found.coverage


def test_what_is_on_its_way_is_kept() -> None:
    item = BatchItem(report="ads", accounts=("1",), dates=date_range(0, 3))
    batch = SubmittedBatch(
        batch_id="qrb_1", submitted_at=AT, split=split(), items={0: item}, item_count=1
    )
    run = AsyncRun(id="0a1b", submitted_at=AT)
    one = state("1/2", batches=(batch,), request_hash="04d2e1f7")
    two = state("2/2", async_run=run, request_hash="04d2e1f7")
    found = merged(one, two)

    assert (found.batches, found.async_run) == ((batch,), run)
    assert found.request_hash == "04d2e1f7"
    assert merged(two, state("1/2", request_hash="ffffffff")).request_hash == "04d2e1f7"


def test_the_first_day_that_one_shard_learned_is_none_of_accounts_of_another() -> None:
    loaded = {
        "1": Coverage(covered=(date_range(5, 9),)),
        "2": Coverage(covered=(date_range(7, 9),)),
    }
    one = state("1/2", coverage={"1": loaded["1"]}, not_before=day(5))
    two = state("2/2", coverage={"2": loaded["2"]})
    found = merged(one, two)
    firsts = {each: found.coverage_of(each).not_before for each in found.coverage}
    assert firsts == {"1": day(5), "2": None}
    # What all learned stays one.
    assert merged(one, state("2/2", not_before=day(5))).not_before == day(5)


def test_units_that_one_state_has_learned_are_those_of_all() -> None:
    found = merged(state("1/2", units={"X": "number.ratio"}), state("2/2", units={"Y": "value"}))

    assert found.units == {"X": "number.ratio", "Y": "value"}


@pytest.mark.parametrize(
    ("one", "two", "both"),
    [(None, None, None), (True, None, True), (None, False, False), (True, False, None)],
)
def test_states_that_differ_about_totals_know_nothing_of_them(
    one: bool | None,  # noqa: FBT001 - a parameter of the test
    two: bool | None,  # noqa: FBT001 - a parameter of the test
    both: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    found = merged(state("1/2", header_in_totals=one), state("2/2", header_in_totals=two))

    assert found.header_in_totals is both


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ({"query_hash": "a"}, {"query_hash": "b"}, "ads: what it asks for (`query_hash`) is a in"),
        ({"types": {"X": "date"}}, {"types": {"X": "text"}}, "the type of X is date in 1.json and"),
        (
            {"units": {"X": "number.ratio"}},
            {"units": {"X": "value"}},
            "the unit of X is number.ratio in 1.json and value in 2.json; let each run once more",
        ),
        ({}, {"key_properties": ("Day",)}, "ads: the key is Date in 1.json and Day in 2.json"),
        (
            {"joined": ("A", "B")},
            {"joined": ("B", "A")},
            "joins is A, B in 1.json and B, A in 2.json; rows of both stand in the table: empty it",
        ),
        (
            {"async_run": AsyncRun(id="a", submitted_at=moment(1))},
            {"async_run": AsyncRun(id="b", submitted_at=moment(2))},
            "(`async_run`) is a in 1.json and b in 2.json; let each run once more",
        ),
        ({"shard": "1/3"}, {"shard": "1/3"}, "1.json and 2.json are both of shard 1/3"),
        ({"shard": "1/3"}, {"shard": "2/2"}, "expected the shards of one split, got 1/3 in 1.json"),
        ({"shard": "1/4"}, {"shard": "3/4"}, "the state of shard 2/4, 4/4 is missing"),
    ],
)
def test_what_contradicts_is_told_in_a_line(
    one: dict[str, Any], two: dict[str, Any], told: str
) -> None:
    assert told in refusal(state(**one), state(**two))


def test_a_missing_shard_can_be_accepted() -> None:
    one, two = state("1/3", coverage=covered("2")), state("3/3")
    assert [*merged(one, two, is_partial=True).coverage] == ["2"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"bookmarks": []}, "1.json: state: expected an object with `bookmarks`"),
        ({"state": {}}, "1.json: state: expected an object with `bookmarks`"),
        (
            {"bookmarks": {"ads": {"shard": "2 of 5"}}},
            "1.json: state.bookmarks.ads.shard: expected",
        ),
        ({"bookmarks": {"ads": {"since": 1}}}, "1.json: state.bookmarks.ads: expected keys as in"),
        (
            {"bookmarks": {"ads": {"replication_key_value": "2024-03-01"}}},
            "1.json: state.bookmarks.ads: its days are written by hand",
        ),
        (
            {
                "bookmarks": {
                    "ads": {
                        "partitions": [
                            {"context": {"account_id": 1}, "replication_key_value": "2024-03-01"}
                        ]
                    }
                }
            },
            "1.json: state.bookmarks.ads: its days are written by hand",
        ),
    ],
)
def test_a_state_that_would_lose_days_is_refused(given: dict[str, Any], told: str) -> None:
    assert told in refusal(given)


def test_an_account_is_removed_from_every_report() -> None:
    states = merge_states({"a": state(coverage=covered("1", "2"))}, LAST_DAY)
    states |= rename(merge_states({"b": state(coverage=covered("2"))}, LAST_DAY), "ads", "shops")
    left = without_account(states, "2")
    assert {name: [*each.coverage] for name, each in left.items()} == {"ads": ["1"], "shops": []}


def test_reports_and_accounts_are_renamed_and_removed() -> None:
    states = merge_states({"a": state(coverage=covered("1", "2"))}, LAST_DAY)
    states = without_account(rename(states, "ads", "google"), "2")
    assert {name: [*each.coverage] for name, each in states.items()} == {"google": ["1"]}
    assert without_report(states, "google") == {}
    with pytest.raises(SettingsError, match="no report ads; it has google"):
        rename(states, "ads", "x")
    with pytest.raises(SettingsError, match="x is the name of another report"):
        rename(states | {"x": states["google"]}, "google", "x")
    with pytest.raises(SettingsError, match="no report ads"):
        without_report(states, "ads")
    with pytest.raises(SettingsError, match="no report of the state has 2"):
        without_account(states, "2")
