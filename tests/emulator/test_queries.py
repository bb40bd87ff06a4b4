"""Single queries: asynchronous and synchronous, ids, accounts, errors, limits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.emulator.client import (
    ACCOUNT,
    GONE,
    SECOND,
    UNLICENSED,
    Client,
    aw,
    expected,
    failure,
)

if TYPE_CHECKING:
    from tests.emulator.conftest import Start


def test_an_asynchronous_query_is_polled_to_its_rows(api: Client) -> None:
    started = api.send("POST", "query/data/json", json=aw(sync_timeout=0, schedule_id="mine_1"))
    assert started.status_code == 202
    meta = started.json()["meta"]
    assert (meta["schedule_id"], meta["status_code"]) == ("mine_1", "RUNNING")
    assert meta["progress"] == {"queries_ready": 0, "queries_total": 1}
    assert meta["workflow"] == {"tasks_scheduled": 0, "tasks_running": 1}
    assert started.json()["data"] == []
    assert failure(api.get("query/results", schedule_id="mine_1")) == (
        404,
        "QUERY_RESULTS_UNAVAILABLE",
    )
    api.pass_time(60)
    status = api.get("query/status", schedule_id="mine_1").json()
    assert status["meta"]["status_code"] == "SUCCESS"
    assert status["data"] == api.get("query/results", schedule_id="mine_1").json()["data"]
    assert status["data"][1:] == expected(api)


@pytest.mark.parametrize("option", ["unfinished_status", "status_unfinished_status"])
@pytest.mark.parametrize("status", [200, 202])
def test_unfinished_is_202_or_200(start: Start, option: str, status: int) -> None:
    api = start(**{option: status})
    started = api.send("POST", "query/data/json", json=aw(sync_timeout=0))
    polled = api.get("query/status", schedule_id=started.json()["meta"]["schedule_id"])
    answer = started if option == "unfinished_status" else polled
    assert answer.status_code == status


def test_a_generated_schedule_id_depends_on_the_parameters_alone(api: Client) -> None:
    def schedule_id(**changes: object) -> str:
        answer = api.send("POST", "query/data/json", json=aw(sync_timeout=0, **changes))
        generated: str = answer.json()["meta"]["schedule_id"]
        return generated

    assert len(schedule_id()) == 64
    assert schedule_id() == schedule_id(api_key="x", offset_start=1)
    assert schedule_id() != schedule_id(max_rows=7)


def test_a_synchronous_query_waits_for_its_rows(start: Start) -> None:
    answer = start(clock_factor=2000.0).send("POST", "query/data/json", json=aw())
    assert answer.status_code == 200
    assert answer.json()["meta"]["status_code"] == "SUCCESS"


def test_a_synchronous_wait_ends_after_sync_timeout(start: Start) -> None:
    api = start(clock_factor=2000.0, min_seconds=1000, max_seconds=1000)
    answer = api.send("POST", "query/data/json", json=aw(sync_timeout=100))
    assert answer.status_code == 202


def test_moving_the_clock_by_hand_ends_a_wait(api: Client) -> None:
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(
            api.send("POST", "query/data/json", json=aw()).status_code,
        )
    )
    thread.start()
    while thread.is_alive():
        api.pass_time(60)
        thread.join(0.01)
    assert answers == [200]


def test_identical_requests_share_a_query(api: Client) -> None:
    for _ in range(3):
        api.send("POST", "query/data/json", json=aw(sync_timeout=0))
    assert len(api.emulator.queries) == 1


@pytest.mark.parametrize(("choice", "runs"), [("rerun", 2), ("return", 1)])
def test_the_id_of_a_finished_query_runs_again_or_not(start: Start, choice: str, runs: int) -> None:
    api = start(same_schedule_id=choice)
    api.run(schedule_id="one")
    api.run(schedule_id="one")
    assert len(api.emulator.queries) == runs


def test_a_running_id_with_other_parameters_joins_or_is_refused(start: Start) -> None:
    api = start(schedule_id_conflict="refuse")
    api.send("POST", "query/data/json", json=aw(sync_timeout=0, schedule_id="one"))
    assert api.refused(schedule_id="one", max_rows=7) == (409, "CONFLICT_ERROR")
    assert api.send("POST", "query/data/json", json=aw(sync_timeout=0, schedule_id="one")).ok


def test_the_eleventh_duplicate_that_waits_is_refused(api: Client) -> None:
    statuses: list[int] = []

    def wait() -> None:
        with Client(api.emulator) as other:
            answer = other.send("POST", "query/data/json", json=aw(sync_timeout=60))
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=wait) for _ in range(12)]
    for thread in threads:
        thread.start()
    while not statuses:
        threads[0].join(0.01)
    api.pass_time(120)
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 11 + [429]


def test_one_bad_account_fails_the_whole_query(api: Client) -> None:
    assert api.failed(ds_accounts=[ACCOUNT, GONE]) == "QUERY_ACCOUNT_UNAVAILABLE"
    assert api.failed(ds_accounts=[ACCOUNT, UNLICENSED]) == "QUERY_ERROR"
    assert api.failed(ds_accounts=[ACCOUNT, "1112223334"]) == "QUERY_ACCOUNT_UNAVAILABLE"


def test_settings_exclude_bad_accounts(api: Client) -> None:
    everything = {"settings": {"exclude_invalid_accounts": True}}
    answer = api.run(ds_accounts=[ACCOUNT, GONE, UNLICENSED], **everything)
    assert answer["meta"]["query"]["ds_accounts"] == [ACCOUNT]
    assert api.run(ds_accounts=[GONE], **everything)["data"] == []
    only_gone = {"settings": {"exclude_unavailable_accounts": "1"}}
    assert api.failed(ds_accounts=[UNLICENSED, GONE], **only_gone) == "QUERY_ERROR"


def test_errors_may_come_inside_a_200(start: Start) -> None:
    api = start(errors_in_200=True)
    assert api.refused(settings={"nope": 1}) == (200, "SETTING_KEY_INVALID")
    started = api.send("POST", "query/data/json", json=aw(sync_timeout=0, ds_accounts=GONE))
    api.pass_time(60)
    polled = api.get("query/status", schedule_id=started.json()["meta"]["schedule_id"])
    assert failure(polled) == (200, "QUERY_ACCOUNT_UNAVAILABLE")


def test_an_error_of_a_query_keeps_its_http_status(api: Client) -> None:
    started = api.send("POST", "query/data/json", json=aw(sync_timeout=0, ds_accounts=GONE))
    api.pass_time(60)
    polled = api.get("query/status", schedule_id=started.json()["meta"]["schedule_id"])
    assert failure(polled) == (500, "QUERY_ACCOUNT_UNAVAILABLE")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"ds_id": ""}, 400, "DATA_SOURCE_REQUIRED"),
        ({"ds_id": "XX"}, 400, "DATA_SOURCE_INVALID"),
        ({"ds_id": "LIA"}, 500, "LICENSE_ACCESS_DATA_SOURCE"),
        ({"ds_accounts": ""}, 400, "ACCOUNT_REQUIRED"),
        ({"ds_accounts": "list.nope"}, 404, "LIST_NOT_FOUND"),
        ({"ds_accounts": {"filter_color": "red"}}, 400, "ACCOUNT_FILTER_INVALID"),
        ({"ds_accounts": {"filter_id": "("}}, 400, "ACCOUNT_FILTER_PATTERN_INVALID"),
        ({"ds_users": "nobody@example.com"}, 403, "QUERY_AUTH_UNAVAILABLE"),
        ({"fields": []}, 400, "FIELDS_REQUIRED"),
        ({"fields": "date,nope"}, 400, "FIELD_INVALID"),
        ({"fields": [{"id": "date", "split": "column"}]}, 400, "FIELD_INVALID"),
        ({"fields": "SearchTerm,Device"}, 500, "QUERY_ERROR"),
        ({"settings": {"report_type": "x"}}, 400, "SETTING_KEY_INVALID"),
        ({"settings": {"timezone": "Mars/Base"}}, 400, "SETTING_VALUE_INVALID"),
        ({"start_date": ""}, 400, "START_DATE_REQUIRED"),
        ({"start_date": "soon"}, 400, "START_DATE_INVALID"),
        ({"end_date": "2024-04-01"}, 400, "END_DATE_INVALID"),
        ({"start_date": "2011-12-31"}, 400, "START_DATE_HISTORICAL"),
        ({"filter": "nope"}, 400, "FILTER_INVALID"),
        ({"filter": "date == 2024-01-01"}, 400, "FILTER_INVALID"),
        ({"order_rows": "date sideways"}, 400, "ORDER_ROWS_INVALID"),
        ({"order_rows": "Clicks"}, 400, "FIELD_INVALID"),
        ({"compare_type": "prev_year"}, 400, "COMPARE_TYPE_INVALID"),
        ({"max_rows": "many"}, 400, "PARAMETER_INVALID"),
        ({"schedule_id": "no spaces"}, 400, "SCHEDULE_ID_INVALID"),
    ],
)
def test_wrong_parameters_are_refused(
    api: Client, changes: dict[str, object], status: int, code: str
) -> None:
    assert api.refused(**changes) == (status, code)


def test_unknown_parameters_at_the_top_are_tolerated(api: Client) -> None:
    assert api.run(system="n8n", data_range_type="x", team_id=7)["data"]


def test_an_end_in_the_future_becomes_today_or_not(start: Start) -> None:
    for clamped, end in ((True, "2024-06-01"), (False, "2024-12-31")):
        meta = start(end_date_clamped=clamped).run(end_date="2024-12-31")["meta"]
        assert meta["query"]["end_date"] == end


def test_today_depends_on_the_time_zone(start: Start) -> None:
    api = start(now="2024-06-01T03:00:00+00:00")
    dates = {"start_date": "", "end_date": "", "date_range_type": "today"}
    for zone, today in (("UTC", "2024-06-01"), ("America/New_York", "2024-05-31")):
        meta = api.run(**dates, settings={"timezone": zone})["meta"]
        assert meta["query"]["start_date"] == today


def test_status_and_results_live_for_an_hour(start: Start) -> None:
    api = start(status_not_found_status=400)
    schedule_id = api.run()["meta"]["schedule_id"]
    api.pass_time(3500)
    assert api.get("query/results", schedule_id=schedule_id).ok
    api.pass_time(100)
    assert failure(api.get("query/status", schedule_id=schedule_id)) == (400, "STATUS_NOT_FOUND")
    assert failure(api.get("query/results", schedule_id=schedule_id)) == (
        404,
        "QUERY_RESULTS_UNAVAILABLE",
    )


def test_an_unknown_id_is_not_found(api: Client) -> None:
    assert failure(api.get("query/status", schedule_id="nope")) == (404, "STATUS_NOT_FOUND")


def test_results_belong_to_their_key(api: Client) -> None:
    schedule_id = api.run()["meta"]["schedule_id"]
    api.session.headers["Authorization"] = f"Bearer {api.emulator.options.other_api_key}"
    assert failure(api.get("query/results", schedule_id=schedule_id)) == (
        404,
        "QUERY_RESULTS_UNAVAILABLE",
    )


def test_two_keys_may_use_one_schedule_id_and_do_not_meet(api: Client) -> None:
    for key, account in ((api.emulator.api_key, ACCOUNT), ("api_emulator_other_key", SECOND)):
        api.session.headers["Authorization"] = f"Bearer {key}"
        api.run(schedule_id="nightly", ds_accounts=account)
    assert len(api.emulator.queries) == 2

    for key, account in ((api.emulator.api_key, ACCOUNT), ("api_emulator_other_key", SECOND)):
        api.session.headers["Authorization"] = f"Bearer {key}"
        meta = api.get("query/status", schedule_id="nightly").json()["meta"]
        assert meta["query"]["ds_accounts"] == [account]


def test_a_query_may_not_run_for_more_than_four_hours(start: Start) -> None:
    api = start(min_seconds=20_000, max_seconds=20_000)
    started = api.send("POST", "query/data/json", json=aw(sync_timeout=0)).json()["meta"]
    api.pass_time(4 * 3600 + 1)
    polled = api.get("query/status", schedule_id=started["schedule_id"])
    assert failure(polled) == (500, "QUERY_ERROR")


def test_limits_of_the_license_fail_queries(start: Start) -> None:
    assert start(max_days_per_query=1).failed() == "QUERY_ERROR"
    assert start(license_history_days=9).refused() == (403, "LICENSE_HISTORICAL_RANGE_EXCEEDED")


def test_two_emulators_with_one_seed_are_alike() -> None:
    def lives() -> list[tuple[float, float | None]]:
        with Emulator(options=Options(seed=3, clock_factor=0)) as emulator, Client(emulator) as api:
            api.finished_batch(aw(), aw(ds_accounts=SECOND), split_dates_policy="day")
            return [(query.arrived, query.ended) for query in emulator.queries]

    assert lives() == lives()
