"""Nights that differ from the one before: other settings, half a run, accounts that come and go."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.emulator import Emulator, Fault
from tests.tap import Target, command, config_for, days_covered, discovered, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

DAY: Final = timedelta(days=1)
LAST: Final = date(2024, 6, 9)
FIRST: Final = LAST - 19 * DAY
ACCOUNTS: Final = ["4713896205", "8820145937"]
REPORT: Final[dict[str, Any]] = {
    "name": "ads",
    "ds_id": "AW",
    "ds_accounts": ACCOUNTS,
    "fields": ["Date", "Campaignname", "Cost"],
}
ONE: Final = {**REPORT, "ds_accounts": ACCOUNTS[:1]}


def config(emulator: Emulator, *reports: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    days = {"start_date": str(FIRST), "end_date": str(LAST), "lookback_days": 0}
    return config_for(emulator, reports, **{**days, **top})


def covered(target: Target, name: str = "ads") -> dict[str, list[list[str]]]:
    return days_covered(target.state["bookmarks"][name])


def kill_with_results(
    emulator: Emulator, given: dict[str, Any], folder: Path, target: Target, results: int
) -> None:
    """Kill a run when the API has so many results for it."""
    (folder / "config.json").write_text(json.dumps(given))
    line = command("--config", str(folder / "config.json"))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        while sum(query.status == "SUCCESS" for query in emulator.queries) < results:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        process.kill()
        assert process.stdout
        for message in process.stdout.read().split(b"\n")[:-1]:
            target.read(message)


# What was asked otherwise


def test_results_that_were_asked_otherwise_are_not_used(emulator: Emulator, tmp_path: Path) -> None:
    """A result that was cut off at a lower `max_rows` is not whole under a higher one."""
    target = Target()
    emulator.change_options(min_seconds=5.0, max_seconds=40.0)
    short = config(emulator, {**ONE, "max_rows": 3})
    kill_with_results(emulator, short, tmp_path, target, 6)
    emulator.change_options(min_seconds=1.0, max_seconds=3.0)
    ended = sync(config(emulator, ONE), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["ads"] == truth(emulator, ONE, FIRST, LAST)


@pytest.mark.parametrize(
    "later",
    [
        {"split_accounts_policy": "none"},
        {"split_accounts_policy": "none", "ds_accounts": [*ACCOUNTS, "5096627718"]},
    ],
)
def test_accounts_that_are_grouped_anew_are_refused_before_their_rows_are_doubled(
    emulator: Emulator, tmp_path: Path, later: dict[str, Any]
) -> None:
    target = Target()
    assert sync(config(emulator, REPORT), tmp_path, target).code == 0
    before = len(emulator.queries)
    ended = sync(config(emulator, {**REPORT, **later}), tmp_path, target)

    assert ended.code == 3
    assert "would be loaded twice" in ended.stderr
    assert len(emulator.queries) == before


def test_accounts_of_a_report_read_whole_that_are_grouped_anew_are_refused_too(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    whole = {**REPORT, "fields": ["Campaignname", "Cost"]}
    assert sync(config(emulator, whole), tmp_path, target).code == 0
    together = {**whole, "split_accounts_policy": "none"}
    before = len(emulator.queries)
    for regrouped in (together, {**together, "ds_accounts": [*ACCOUNTS, "5096627718"]}):
        ended = sync(config(emulator, regrouped), tmp_path, target)
        assert ended.code == 3
        assert "would be loaded twice" in ended.stderr
    assert len(emulator.queries) == before
    assert sync(config(emulator, whole), tmp_path, target).code == 0


@pytest.mark.parametrize(
    "later",
    [
        {"fields": ["Date", "Device", "Campaignname", "Cost"]},
        {"fields": ["Date", "Cost"]},
        {"key_properties": ["_sm_account_id", "_sm_date", "Campaignname"]},
    ],
)
def test_another_key_is_refused_before_days_stand_beside_themselves(
    emulator: Emulator, tmp_path: Path, later: dict[str, Any]
) -> None:
    target = Target()
    assert sync(config(emulator, REPORT), tmp_path, target).code == 0
    before = len(emulator.queries)
    changed, other = {**REPORT, **later}, {**ONE, "name": "other"}
    ended = sync(config(emulator, changed, other, lookback_days=3), tmp_path, target)

    assert ended.code == 3
    assert "its key was _sm_account_id, Date, Campaignname and now is" in ended.stderr
    assert {query.accounts for query in emulator.queries[before:]} == {(ACCOUNTS[0],)}
    assert len(emulator.queries) == before + 20
    assert sync(config(emulator, REPORT), tmp_path, target).code == 0

    del target.state["bookmarks"]["ads"]
    target.tables.clear()
    assert sync(config(emulator, changed), tmp_path, target).code == 0


def test_metrics_may_come_and_go(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    assert sync(config(emulator, REPORT), tmp_path, target).code == 0
    other = {**REPORT, "fields": ["Date", "Clicks", "Campaignname"]}
    ended = sync(config(emulator, other, lookback_days=3), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert "what it asks for has changed" in ended.stderr


def test_an_account_that_is_not_listed_any_more_is_named(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    report = {**REPORT, "ds_accounts": {"filter_id": f"^({'|'.join(ACCOUNTS)})$"}}
    assert sync(config(emulator, report), tmp_path, target).code == 0
    emulator.changes.drop_account("AW", ACCOUNTS[1])
    ended = sync(config(emulator, report), tmp_path, target)

    assert ended.code == 0
    assert f"not listed by the API any more: {ACCOUNTS[1]}" in ended.stderr


# What the API still holds


@pytest.mark.parametrize(
    ("path", "status", "code", "times"),
    [
        ("query/batch/.*/status", 500, "BATCH_SEARCH_FAILED", 7),
        ("query/accounts", 400, "QUERY_AUTH_UNAVAILABLE", 1),
    ],
)
def test_what_is_paid_for_outlives_a_trouble_at_the_next_start(  # noqa: PLR0913, PLR0917 - the trouble
    emulator: Emulator, tmp_path: Path, path: str, status: int, code: str, times: int
) -> None:
    target = Target()
    report = {**REPORT, "ds_accounts": {"filter_id": f"^({'|'.join(ACCOUNTS)})$"}}
    emulator.change_options(min_seconds=5.0, max_seconds=20.0)
    kill_with_results(emulator, config(emulator, report), tmp_path, target, 10)
    emulator.inject(Fault(effect="error", path=path, status=status, code=code, times=times))
    sync(config(emulator, report), tmp_path, target)
    ended = sync(config(emulator, report), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["ads"] == truth(emulator, REPORT, FIRST, LAST)
    assert len(emulator.queries) == 40


def test_two_reports_that_ask_the_same_do_not_disturb_each_other(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    emulator.inject(Fault(effect="delay", path="query/results", seconds=0.1, times=None))
    twin = {**ONE, "name": "twin"}
    ended = sync(config(emulator, ONE, twin, mode="async", page_size=1), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert "asked again" not in ended.stderr
    assert target.tables["ads"] == target.tables["twin"] == truth(emulator, ONE, FIRST, LAST)
    assert len({query.schedule_id for query in emulator.queries}) == len(emulator.queries) == 40


# Days that the API does not give


@pytest.mark.parametrize("code", ["QUERY_ERROR", "START_DATE_HISTORICAL"])
def test_days_after_the_first_that_the_api_gives_are_found_in_a_long_query(
    emulator: Emulator, tmp_path: Path, code: str
) -> None:
    given = FIRST + 5 * DAY
    for number in range(5):
        emulator.inject(
            Fault(
                effect="fail_query",
                day=FIRST + number * DAY,
                status=400,
                code=code,
                description=f"Historical start date {given}, asked for {FIRST} to {LAST}.",
                times=None,
            )
        )
    target = Target()
    ended = sync(config(emulator, {**ONE, "backfill_days_per_query": 15}), tmp_path, target)

    assert ended.code == 3
    assert target.tables["ads"] == truth(emulator, ONE, given, LAST)
    assert target.state["bookmarks"]["ads"]["not_before"] == str(given)


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize(
    "text",
    [
        "The license, valid until 2025-01-31, has no days so far back.",
        f"No days so far back. The range ends on {LAST}.",
    ],
)
def test_a_day_named_by_a_refusal_does_not_hide_days_that_the_api_gives(
    emulator: Emulator, tmp_path: Path, text: str, order: str
) -> None:
    """Else nothing would be asked up to the day named, night by night, and none fail."""
    code, gap = "LICENSE_HISTORICAL_RANGE_EXCEEDED", FIRST + 10 * DAY
    for day in (FIRST, FIRST + DAY):
        refusal = Fault(effect="fail_query", day=day, code=code, description=text, times=None)
        emulator.inject(refusal)
    emulator.inject(Fault(effect="fail_query", day=gap, code="QUERY_ERROR"))
    target = Target()
    given = config(emulator, {**ONE, "backfill_order": order})
    assert sync(given, tmp_path, target).code == 3
    assert target.state["bookmarks"]["ads"]["not_before"] == str(FIRST + 2 * DAY)
    ended = sync(given, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["ads"] == truth(emulator, ONE, FIRST + 2 * DAY, LAST)
    assert len(emulator.queries) == 20 + 1


def test_days_that_were_refused_once_are_told_each_night_and_the_remedy_loads_them(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Nothing could refute it: a license that gives more days later, or a refusal by mistake."""
    code, target = "LICENSE_HISTORICAL_RANGE_EXCEEDED", Target()
    emulator.inject(Fault(effect="fail_query", day=FIRST, code=code, times=1))
    assert "but not for days before" in sync(config(emulator, ONE), tmp_path, target).stderr
    told = f"ads: days before {FIRST + DAY} are not asked for"
    for _ in range(2):
        assert told in sync(config(emulator, ONE), tmp_path, target).stderr

    from_then = config(emulator, ONE, start_date=str(FIRST + DAY))
    assert told not in sync(from_then, tmp_path, target).stderr
    del target.state["bookmarks"]["ads"]["not_before"]
    ended = sync(config(emulator, ONE), tmp_path, target)
    assert told not in ended.stderr
    assert target.tables["ads"] == truth(emulator, ONE, FIRST, LAST)


@pytest.mark.parametrize("failed", ["one day", "all days"])
def test_the_first_day_of_one_account_takes_no_day_from_another(
    emulator: Emulator, tmp_path: Path, failed: str
) -> None:
    """A younger account is refused, while an older one fails for another reason."""
    old, young = ACCOUNTS
    both = {**REPORT, "ds_accounts": [old, young], "backfill_days_per_query": 1}
    target, first = Target(), FIRST + 5 * DAY
    if failed == "one day":
        hole = Fault(
            effect="fail_query", account=old, day=FIRST + 2 * DAY, code="QUERY_ERROR", times=None
        )
        emulator.inject(hole)
        assert sync(config(emulator, {**both, "ds_accounts": [old]}), tmp_path, target).code == 3
    else:
        login = "QUERY_AUTH_UNAVAILABLE"
        emulator.inject(Fault(effect="fail_query", account=old, status=403, code=login, times=None))
    for number in range(5):
        refusal = Fault(
            effect="fail_query",
            account=young,
            day=FIRST + number * DAY,
            status=400,
            code="START_DATE_HISTORICAL",
            description=f"Earliest supported historical start date is {first}.",
            times=None,
        )
        emulator.inject(refusal)
    assert sync(config(emulator, both), tmp_path, target).code == 3
    emulator.clear_faults()
    before = len(emulator.queries)
    ended = sync(config(emulator, both), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert covered(target)[old] == [[str(FIRST), str(LAST)]]
    assert covered(target)[young] == [[str(first), str(LAST)]]
    assert {query.accounts for query in emulator.queries[before:]} == {(old,)}
    assert f"ads: days before {first} of 1 account are not asked for" in ended.stderr


def test_a_report_read_whole_stays_whole_although_the_api_refuses_its_first_days(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.change_options(license_history_days=10)
    whole = {**ONE, "fields": ["Campaignname", "Cost"]}
    target = Target()
    for _ in range(2):
        ended = sync(config(emulator, whole), tmp_path, target)
        assert ended.code == 3
        assert "LICENSE_HISTORICAL_RANGE_EXCEEDED" in ended.stderr
    assert {query.params["start_date"] for query in emulator.queries} == {str(FIRST)}


@pytest.mark.parametrize(
    ("key", "day", "told"),
    [
        (["_sm_account_id", "Campaignname"], "Date", "add Date or _sm_date; without"),
        (["Campaignname"], "Date", "add Date or _sm_date; without"),
        (["Campaignname"], "_sm_date", "add _sm_date; without"),
    ],
)
def test_a_key_without_the_day_is_refused(
    emulator: Emulator, tmp_path: Path, key: list[str], day: str, told: str
) -> None:
    report = {**REPORT, "key_properties": key, "replication_key": day}
    ended = sync(config(emulator, report), tmp_path, Target())

    assert ended.code == 1
    assert f"queries[0].key_properties: {told}" in ended.stderr
    assert emulator.queries == ()


def test_an_account_left_out_of_a_group_is_not_taken_for_one_without_rows(
    emulator: Emulator, tmp_path: Path
) -> None:
    both = {"add_exclude_account_errors": True, "split_accounts_policy": "none"}
    ended = sync(config(emulator, {**REPORT, **both}), tmp_path, Target())

    assert ended.code == 1
    assert "needs split_accounts_policy: all" in ended.stderr


@pytest.mark.parametrize(
    ("bookmark", "said"),
    [
        ({"replication_key_value": "2099-06-01"}, "expected days up to today, got 2099-06-01"),
        (
            {"replication_key": "updated_at", "replication_key_value": "2024-06-01"},
            "expected Date, got updated_at",
        ),
    ],
)
def test_a_bookmark_that_cannot_be_ours_is_refused(
    emulator: Emulator, tmp_path: Path, bookmark: dict[str, str], said: str
) -> None:
    ended = sync(config(emulator, REPORT), tmp_path, Target(state={"bookmarks": {"ads": bookmark}}))

    assert ended.code == 1
    assert said in ended.stderr
    assert emulator.queries == ()


def test_a_report_without_a_day_to_ask_for_says_so(emulator: Emulator, tmp_path: Path) -> None:
    # By the tap's own clock.
    start = str(datetime.now(tz=timezone.utc).date() + timedelta(days=9))
    ended = sync(config(emulator, REPORT, start_date=start, end_date="yesterday"), tmp_path)

    assert ended.code == 0
    assert f"ads: no day to ask for, it begins on {start} (`start_date`)" in ended.stderr


def test_days_that_a_moving_first_day_left_behind_are_read_and_told(
    emulator: Emulator, tmp_path: Path
) -> None:
    """The pipeline stood still for 9 days; one of its accounts is new."""
    today = datetime.now(tz=timezone.utc).date()
    days = [str(today - number * DAY) for number in range(21)]
    target = Target()
    partition = {"context": {"account_id": ACCOUNTS[0]}, "covered": [[days[20], days[10]]]}
    target.state = {"bookmarks": {"ads": {"partitions": [partition], "wanted_from": days[20]}}}
    given = config(emulator, REPORT, start_date="4 days ago", end_date="yesterday")
    ended = sync(given, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert covered(target)[ACCOUNTS[0]] == [[days[20], days[1]]]
    assert covered(target)[ACCOUNTS[1]] == [[days[4], days[1]]]
    assert f"ads: read from {days[9]} on, as no run has loaded all days before" in ended.stderr


def test_a_first_day_that_no_run_will_reach_ends_the_start(
    emulator: Emulator, tmp_path: Path
) -> None:
    ended = sync(config(emulator, REPORT, start_date="2062-01-01", end_date="yesterday"), tmp_path)

    assert ended.code == 1
    assert "start_date: expected a day up to" in ended.stderr
    assert emulator.queries == ()


# Budgets


def test_a_budget_smaller_than_the_lookback_still_goes_on(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    given = config(emulator, REPORT, max_queries_per_run=5, lookback_days=3)
    for night in range(1, 9):
        before = len(emulator.queries)
        assert sync(given, tmp_path, target).code == 0
        assert len(emulator.queries) - before == 5
        assert len({key[:2] for key in target.tables["ads"]}) == min(5 * night, 40)
    assert target.tables["ads"] == truth(emulator, REPORT, FIRST, LAST)


def test_a_history_of_several_nights_is_read_once(emulator: Emulator, tmp_path: Path) -> None:
    """Its last days, each night, are older than the lookback."""
    target = Target()
    given = config(emulator, REPORT, max_queries_per_run=10, lookback_days=3)
    for _ in range(4):
        assert sync(given, tmp_path, target).code == 0
    asked = Counter((query.accounts, query.first) for query in emulator.queries)
    assert (len(asked), {*asked.values()}) == (40, {1})
    # Those that were read while the lookback reached them are read again, and no others.
    before = len(emulator.queries)
    assert sync(given, tmp_path, target).code == 0
    again = Counter(query.first for query in emulator.queries[before:])
    assert again == {LAST - number * DAY: 2 for number in range(3)}


def test_a_budget_smaller_than_the_accounts_of_a_report_read_whole_gives_each_its_turn(
    emulator: Emulator, tmp_path: Path
) -> None:
    accounts = [*ACCOUNTS, "2645570913", "6604219873", "5096627718"]
    whole = {**REPORT, "fields": ["Campaignname", "Cost"], "ds_accounts": accounts}
    target = Target()
    for _ in range(3):
        given = config(emulator, whole, max_queries_per_run=2)
        assert sync(given, tmp_path, target).code == 0
    asked = [query.accounts for query in emulator.queries]
    assert {*asked[:5]} | {*asked[5:]} == {(each,) for each in accounts}
    assert asked[4] != asked[5]


def test_days_of_accounts_that_fail_come_after_those_of_others(
    emulator: Emulator, tmp_path: Path
) -> None:
    good = ["2645570913", "6604219873"]
    report = {**REPORT, "ds_accounts": [*ACCOUNTS, *good]}
    for dead in ACCOUNTS:
        gone = Fault(
            effect="fail_query", account=dead, code="QUERY_ACCOUNT_UNAVAILABLE", times=None
        )
        emulator.inject(gone)
    target = Target()
    given = config(emulator, report, max_queries_per_run=20, start_date=str(LAST - 9 * DAY))
    for _ in range(3):
        before = len(emulator.queries)
        sync(given, tmp_path, target)
    assert covered(target) == {each: [[str(LAST - 9 * DAY), str(LAST)]] for each in good}
    # What has no other turn is tried with what is left.
    assert {(each,) for each in ACCOUNTS} <= {q.accounts for q in emulator.queries[before:]}


def test_one_day_that_fails_puts_no_account_behind(emulator: Emulator, tmp_path: Path) -> None:
    bad = Fault(effect="fail_query", account=ACCOUNTS[0], day=LAST, code="BAD_REQUEST", times=None)
    emulator.inject(bad)
    target = Target()
    given = config(emulator, REPORT, start_date=str(LAST - 9 * DAY))
    assert sync(given, tmp_path, target).code == 3
    partitions = target.state["bookmarks"]["ads"]["partitions"]
    assert partitions
    assert not any("tried_at" in each for each in partitions)


def test_accounts_that_fail_take_no_turn_of_others(emulator: Emulator, tmp_path: Path) -> None:
    accounts = [*ACCOUNTS, "2645570913", "6604219873"]
    whole = {**REPORT, "fields": ["Campaignname", "Cost"], "ds_accounts": accounts}
    for dead in ACCOUNTS:
        gone = Fault(
            effect="fail_query", account=dead, code="QUERY_ACCOUNT_UNAVAILABLE", times=None
        )
        emulator.inject(gone)
    target = Target()
    given = config(emulator, whole, max_queries_per_run=2)
    assert [sync(given, tmp_path, target).code for _ in range(2)] == [3, 0]
    assert {query.accounts for query in emulator.queries[2:]} == {(each,) for each in accounts[2:]}


def test_a_budget_reloads_a_full_table_after_what_is_new(
    emulator: Emulator, tmp_path: Path
) -> None:
    """All that is wanted is there in four nights, and the fifth reads lookbacks of those again."""
    target, other = Target(), {**ONE, "name": "other"}
    given = config(emulator, ONE, other, max_queries_per_run=10, lookback_days=2)
    catalog = discovered(given, tmp_path)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == []:
            entry["metadata"]["replication-method"] = "FULL_TABLE"
    catalog["streams"][0]["replication_method"] = "FULL_TABLE"
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    for _ in range(5):
        ended = sync(given, tmp_path, target, "--catalog", str(tmp_path / "catalog.json"))
        assert ended.code == 0, ended.stderr
    for report in (ONE, other):
        assert target.tables[report["name"]] == truth(emulator, report, FIRST, LAST)
    # What may have been restated comes first, then the newest days of what is read anyway.
    before = len(emulator.queries)
    ended = sync(given, tmp_path, target, "--catalog", str(tmp_path / "catalog.json"))
    assert "ads: a catalog wants all of it reloaded (FULL_TABLE)" in ended.stderr
    asked = Counter(query.first for query in emulator.queries[before:])
    assert asked == {LAST - number * DAY: 2 if number < 2 else 1 for number in range(8)}


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_budget_that_is_spent_on_results_too_large_fails_aloud(
    emulator: Emulator, tmp_path: Path, budget: int
) -> None:
    """Else each night would ask the same query, find it cut off, and end as if all were well."""
    report = {**ONE, "max_rows": 20, "backfill_days_per_query": 20}
    ended = sync(config(emulator, report, max_queries_per_run=budget), tmp_path, Target())

    assert ended.code == 3
    assert len(emulator.queries) == budget
    assert "RESULT_CUT_OFF" in ended.stderr
    assert "fewer days in a query" in ended.stderr


def test_a_budget_with_room_for_the_parts_of_large_results_goes_on(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {**ONE, "max_rows": 20, "backfill_days_per_query": 20}
    target = Target()
    for _ in range(10):
        before = len(emulator.queries)
        ended = sync(config(emulator, report, max_queries_per_run=8), tmp_path, target)
        assert len(emulator.queries) - before <= 8
        if not ended.code and target.tables["ads"] == truth(emulator, ONE, FIRST, LAST):
            return
    pytest.fail("it never came to an end")


# Stream maps


def test_a_stream_that_is_mapped_to_nothing_is_not_asked(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    mapped = config(emulator, ONE, {**ONE, "name": "other"}, stream_maps={"ads": None})
    assert sync(mapped, tmp_path, target).code == 0
    assert len(emulator.queries) == 20
    assert sync(config(emulator, ONE), tmp_path, target).code == 0
    assert target.tables["ads"] == truth(emulator, ONE, FIRST, LAST)
