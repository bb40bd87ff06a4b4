"""Query batches: start, split, run, cancel, expire."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tap_supermetrics.emulator import Fault
from tests.emulator.client import (
    ACCOUNT,
    EMPTY,
    FIELDS,
    GONE,
    SECOND,
    UNLICENSED,
    Client,
    aw,
    failure,
)

if TYPE_CHECKING:
    from tests.emulator.conftest import Start

HOUR, DAY = 3600, 86_400


def ids(queries: list[dict[str, Any]]) -> list[str]:
    return [query["schedule_id"].partition("_query_")[2] for query in queries]


def test_a_started_batch_is_answered_with_its_information(api: Client) -> None:
    answer = api.start_batch(aw(), description="nightly", query_concurrency=7)
    data = answer.json()["data"]
    assert answer.status_code == 201
    assert data["batch_id"].startswith("qrb_")
    assert len(data["batch_id"]) == 16
    assert data["links"]["status"]["href"].endswith(f"query/batch/{data['batch_id']}/status")
    assert {key: data[key] for key in data if key not in {"batch_id", "links"}} == {
        "@type": "query_batch",
        "status_code": "QUEUED",
        "schedule_time": "2024-06-01T04:00:00+00:00",
        "start_time": None,
        "end_time": None,
        "cancel_time": None,
        "description": "nightly",
        "split_accounts_policy": "none",
        "split_dates_policy": "none",
        "timeout_minutes": 30,
        "query_amount": 1,
        "query_concurrency": 7,
        "query_output_format": "json",
        "add_exclude_account_errors": False,
        "add_clean_data_types": False,
    }


def test_a_batch_goes_from_queued_over_running_to_stopped(api: Client) -> None:
    batch_id = api.batch(aw(), aw(ds_accounts=GONE), aw(ds_accounts=SECOND), query_concurrency=2)
    assert api.status(batch_id)["meta"]["progress"]["queued"] == 3
    api.pass_time(1.5)
    running = api.status(batch_id)["meta"]
    assert running["status_code"] == "RUNNING"
    assert running["progress"] == {"queued": 1, "running": 2, "success": 0, "failure": 0}
    api.pass_time(60)
    assert api.status(batch_id)["meta"] | {"request_id": ""} == {
        "request_id": "",
        "status_code": "STOPPED",
        "progress": {"queued": 0, "running": 0, "success": 2, "failure": 1},
        "paginate": {"offset": 0, "limit": 100, "total": 3},
    }
    information = api.get(f"query/batch/{batch_id}").json()["data"]
    assert information["status_code"] == "STOPPED"
    assert information["start_time"] == "2024-06-01T04:00:01+00:00"
    assert information["end_time"] > information["start_time"]
    assert information["cancel_time"] is None


def test_a_finished_query_links_to_its_rows(api: Client) -> None:
    [query] = api.finished_batch(aw())
    assert query["split_info"] is None
    answer = api.session.get(query["result_info"]["results_url"]).json()
    expected = api.emulator.world.rows(
        "AW", [ACCOUNT], date(2024, 5, 1), date(2024, 5, 2), FIELDS, api.emulator.today
    )
    assert answer["data"][1:] == expected
    assert query["result_info"]["total_rows"] == len(expected) + 1
    assert query["query_end_time"] > query["query_start_time"]


def test_results_urls_carry_no_credentials(api: Client) -> None:
    [query] = api.finished_batch({**aw(), "api_key": api.emulator.api_key})
    url = query["result_info"]["results_url"]
    assert api.emulator.api_key not in url
    api.session.headers.pop("Authorization")
    assert failure(api.session.get(url)) == (401, "API_KEY_REQUIRED")


def test_queries_are_split_by_account_and_by_day(api: Client) -> None:
    queries = api.finished_batch(
        aw(ds_accounts=[ACCOUNT, SECOND]),
        aw(end_date="2024-05-01"),
        split_accounts_policy="all",
        split_dates_policy="day",
    )
    assert ids(queries) == [
        "1_acc_1_day_1",
        "1_acc_1_day_2",
        "1_acc_2_day_1",
        "1_acc_2_day_2",
        "2_acc_1_day_1",
    ]
    assert queries[3]["split_info"] == {
        "ds_accounts": [SECOND],
        "start_date": "2024-05-02",
        "end_date": "2024-05-02",
    }
    assert [query.accounts for query in api.emulator.queries][:3] == [
        (ACCOUNT,),
        (ACCOUNT,),
        (SECOND,),
    ]


def test_splitting_by_one_thing_leaves_the_other_blank(api: Client) -> None:
    both = {"ds_accounts": [ACCOUNT, SECOND]}
    [by_day, _] = api.finished_batch(aw(**both), split_dates_policy="day")
    assert by_day["split_info"]["ds_accounts"] == []
    [by_account, _] = api.finished_batch(aw(**both), split_accounts_policy="all")
    assert by_account["split_info"]["start_date"] is None


def test_team_lists_and_filters_are_split_by_the_accounts_inside(api: Client) -> None:
    queries = api.finished_batch(
        aw(ds_accounts="list.nordics"),
        aw(ds_accounts={"filter_name": "/müller/i"}),
        aw(ds_accounts="list.all_accounts"),
        split_accounts_policy="all",
    )
    accounts = [query["split_info"]["ds_accounts"][0] for query in queries]
    assert accounts[:4] == [ACCOUNT, "7391084456", "2645570913", SECOND]
    assert GONE not in accounts[4:]
    assert len(accounts[4:]) == 7


def test_a_source_without_dates_is_not_split_by_day(api: Client) -> None:
    products = {"ds_id": "GMC", "ds_accounts": "118264033", "fields": "product_id,price"}
    [query] = api.finished_batch(products, split_dates_policy="day")
    assert query["result_info"]["total_rows"] == 41
    meta = api.session.get(query["result_info"]["results_url"]).json()["meta"]
    assert meta["query"]["start_date"] is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"schedule_id_counts": "split"}, ["1_acc_1_day_1", "2_acc_1_day_2", "3_acc_2_day_1"]),
        ({"schedule_id_date": "date"}, ["1_acc_1_2024-05-01", "1_acc_1_2024-05-02"]),
        ({"split_order": "date"}, ["1_acc_1_day_1", "1_acc_2_day_1", "1_acc_1_day_2"]),
    ],
)
def test_options_choose_ids_and_order_of_split_queries(
    start: Start, options: dict[str, object], expected: list[str]
) -> None:
    queries = start(**options).finished_batch(
        aw(ds_accounts=[ACCOUNT, SECOND]), split_accounts_policy="all", split_dates_policy="day"
    )
    assert ids(queries)[: len(expected)] == expected


def test_an_option_gives_unsplit_queries_a_split_object(start: Start) -> None:
    [query] = start(split_info_unsplit="object").finished_batch(aw())
    assert query["split_info"] == {"ds_accounts": [], "start_date": None, "end_date": None}


def test_a_failed_query_tells_why_and_does_not_hold_back_others(api: Client) -> None:
    gone, unlicensed, good, empty = api.finished_batch(
        aw(ds_accounts=GONE), aw(ds_accounts=UNLICENSED), aw(), aw(ds_accounts=EMPTY)
    )
    assert gone["error_info"] == {
        "status": 500,
        "code": "QUERY_ACCOUNT_UNAVAILABLE",
        "message": "Account is not available",
        "description": f'Google Ads account "{GONE}" is no longer available.',
    }
    assert gone["result_info"] is None
    assert unlicensed["error_info"]["code"] == unlicensed["error_info"]["message"] == "QUERY_ERROR"
    assert good["status_code"] == "SUCCESS"
    assert empty["result_info"]["total_rows"] == 0
    assert api.session.get(empty["result_info"]["results_url"]).json()["data"] == []


def test_bad_accounts_can_be_excluded(api: Client) -> None:
    [query] = api.finished_batch(
        aw(ds_accounts=[ACCOUNT, GONE, UNLICENSED]), add_exclude_account_errors=True
    )
    assert query["status_code"] == "SUCCESS"


def test_parameters_are_checked_when_the_query_runs(api: Client) -> None:
    queries = api.finished_batch(
        aw(settings={"nonsense": True}), aw(fields="nope"), aw(start_date="2001-01-01")
    )
    codes = [query["error_info"]["code"] for query in queries]
    assert codes == ["SETTING_KEY_INVALID", "FIELD_INVALID", "START_DATE_HISTORICAL"]


def test_query_urls_of_both_versions_are_accepted(api: Client) -> None:
    base = "https://api.supermetrics.com"
    new = '{"ds_id":"AW","ds_accounts":"4713896205","fields":"date","date_range_type":"yesterday"}'
    queries = api.finished_batch(
        f"{base}/enterprise/v2/query/data/json?json={quote(new)}",
        f"{base}/v1/getData?dsId=AW&dsAccounts={ACCOUNT}&fields=date&dateRangeType=yesterday",
    )
    assert [query["result_info"]["total_rows"] for query in queries] == [2, 2]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"queries": [aw(), 7]}, "BATCH_QUERY_ITEM_TYPE_INVALID"),
        ({"queries": [{"ds_id": "AW"}]}, "BATCH_QUERY_ITEM_VALUE_INVALID"),
        ({"queries": ["not a url"]}, "BATCH_QUERY_ITEM_VALUE_INVALID"),
        ({"queries": []}, "BATCH_QUERY_ITEM_VALUE_INVALID"),
        ({"queries": [aw()] * 101}, "BATCH_QUERIES_LIMIT_EXCEEDED"),
        (
            {"queries": [aw(start_date="2024-01-01")], "split_dates_policy": "day"},
            "BATCH_QUERIES_LIMIT_EXCEEDED",
        ),
        (
            {"queries": [aw(start_date="soon")], "split_dates_policy": "day"},
            "BATCH_QUERY_ITEM_SPLIT_FAILED",
        ),
        (
            {"queries": [aw(ds_accounts="list.nope")], "split_accounts_policy": "all"},
            "BATCH_QUERY_ITEM_SPLIT_FAILED",
        ),
        ({"query_concurrency": 51}, "BATCH_QUERY_CONCURRENCY_LIMIT_EXCEEDED"),
        ({"timeout_minutes": 61}, "BATCH_TIMEOUT_MINUTES_LIMIT_EXCEEDED"),
        ({"query_output_format": "xlsx"}, "BATCH_QUERY_OUTPUT_FORMAT_INVALID"),
        ({"split_dates_policy": "week"}, "BAD_REQUEST"),
    ],
)
def test_a_wrong_batch_is_refused_whole(api: Client, changes: dict[str, Any], code: str) -> None:
    answer = api.send("POST", "query/batch", json={"queries": [aw()], **changes})
    assert failure(answer) == (400, code)
    assert api.emulator.batches == ()


def test_values_below_the_minimum_are_raised_to_it(api: Client) -> None:
    data = api.start_batch(aw(), timeout_minutes=1, query_concurrency=0).json()["data"]
    assert (data["timeout_minutes"], data["query_concurrency"]) == (5, 1)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "query/batch$", "BATCH_CREATE_FAILED"),
        ("POST", "query/batch$", "BATCH_SPLIT_FAILED"),
        ("GET", "query/batch/", "BATCH_SEARCH_FAILED"),
        ("DELETE", "query/batch/", "BATCH_CANCEL_FAILED"),
        ("DELETE", "query/batch/", "BATCH_UPDATE_FAILED"),
    ],
)
def test_internal_errors_come_by_injection(api: Client, method: str, path: str, code: str) -> None:
    batch_id = api.batch(aw())
    api.emulator.inject(Fault(effect="error", method=method, path=path, code=code))
    below = "query/batch" if method == "POST" else f"query/batch/{batch_id}"
    assert failure(api.send(method, below, json={"queries": [aw()]})) == (500, code)
    assert api.send(method, below, json={"queries": [aw()]}).ok


def test_at_most_two_batches_run_and_others_wait_in_order(api: Client) -> None:
    batches = [api.batch(aw(end_date=f"2024-05-{n + 2:02d}")) for n in range(4)]
    api.pass_time(1)
    states = [api.get(f"query/batch/{one}").json()["data"]["status_code"] for one in batches]
    assert states == ["RUNNING", "RUNNING", "QUEUED", "QUEUED"]
    api.finish()
    started = [batch.started or 0 for batch in api.emulator.batches]
    assert started == sorted(started)
    assert api.emulator.peak_running_batches == 2


def test_query_concurrency_of_batch_and_license_both_hold(start: Start) -> None:
    api = start(license_concurrency=4)
    first = api.batch(*[aw()] * 6, query_concurrency=3)
    second = api.batch(*[aw()] * 6, query_concurrency=3)
    api.pass_time(1)
    running = [api.status(one)["meta"]["progress"]["running"] for one in (first, second)]
    assert running == [3, 1]


def test_queries_finish_in_another_order_than_they_start(api: Client) -> None:
    api.finished_batch(*[aw(end_date=f"2024-05-{n:02d}") for n in range(2, 22)])
    ended = [query.ended or 0 for query in api.emulator.queries]
    assert ended != sorted(ended)


def test_a_timeout_leaves_queries_queued_and_running_in_a_stopped_batch(start: Start) -> None:
    api = start(min_seconds=200, max_seconds=200)
    batch_id = api.batch(*[aw()] * 4, query_concurrency=1, timeout_minutes=5)
    api.pass_time(400)
    meta = api.status(batch_id)["meta"]
    assert meta["status_code"] == "STOPPED"
    assert meta["progress"] == {"queued": 2, "running": 1, "success": 1, "failure": 0}
    api.pass_time(600)
    assert api.status(batch_id)["meta"]["progress"] == meta["progress"]


def test_a_timeout_may_fail_what_is_unfinished_without_a_reason(start: Start) -> None:
    api = start(min_seconds=200, max_seconds=200, unfinished_in_stopped_batch="failed")
    batch_id = api.batch(*[aw()] * 4, query_concurrency=1, timeout_minutes=5)
    api.pass_time(400)
    status = api.status(batch_id)
    assert status["meta"]["progress"] == {"queued": 0, "running": 0, "success": 1, "failure": 3}
    assert [each["error_info"] for each in status["data"]] == [None] * 4


def test_a_cancelled_batch_keeps_what_it_collected(start: Start) -> None:
    api = start(min_seconds=100, max_seconds=100)
    batch_id = api.batch(aw(), aw(), query_concurrency=1)
    api.pass_time(150)
    answer = api.send("DELETE", f"query/batch/{batch_id}")
    assert answer.status_code == 200
    assert answer.json()["data"]["status_code"] == "STOPPED"
    assert answer.json()["data"]["cancel_time"] == "2024-06-01T04:02:30+00:00"
    done, running = api.status(batch_id)["data"]
    assert running["status_code"] == "RUNNING"
    assert api.session.get(done["result_info"]["results_url"]).ok


def test_a_batch_that_waits_can_be_cancelled(api: Client) -> None:
    waiting = [api.batch(aw()) for _ in range(3)][2]
    data = api.send("DELETE", f"query/batch/{waiting}").json()["data"]
    assert (data["status_code"], data["start_time"]) == ("STOPPED", None)
    api.finish()
    assert api.emulator.batches[2].statuses == ("QUEUED",)


def test_status_lives_an_hour_and_information_ninety_days(api: Client) -> None:
    batch_id = api.batch(aw())
    api.finish()
    [query] = api.status(batch_id)["data"]
    api.pass_time(HOUR)
    path = f"query/batch/{batch_id}"
    assert failure(api.get(f"{path}/status")) == (404, "BATCH_STATUS_NOT_FOUND")
    assert failure(api.send("DELETE", path)) == (404, "BATCH_STATUS_NOT_FOUND")
    gone = api.session.get(query["result_info"]["results_url"])
    assert failure(gone) == (404, "QUERY_RESULTS_UNAVAILABLE")
    assert api.get(path).ok
    api.pass_time(90 * DAY)
    assert failure(api.get(path)) == (404, "BATCH_NOT_FOUND")


def test_status_comes_by_pages(api: Client) -> None:
    batch_id = api.batch(*[aw()] * 5)
    page = api.status(batch_id, offset=3, limit=10)
    assert ids(page["data"]) == ["4", "5"]
    assert page["meta"]["paginate"] == {"offset": 3, "limit": 10, "total": 5}
    assert api.status(batch_id, limit=5000)["meta"]["paginate"]["limit"] == 1000
    assert api.status(batch_id, offset=100)["data"] == []


def test_a_batch_belongs_to_its_key(api: Client) -> None:
    batch_id = api.batch(aw())
    api.session.headers["Authorization"] = f"Bearer {api.emulator.options.other_api_key}"
    assert failure(api.get(f"query/batch/{batch_id}")) == (404, "BATCH_NOT_FOUND")
