"""Failures on demand, and the control plane."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from datetime import date
from typing import Any

import pytest
import requests

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.emulator.client import ACCOUNT, SECOND, Client, aw, failure

DAY = date(2024, 5, 1)


def control(api: Client, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    answer = requests.request(
        method, f"{api.emulator.origin}/emulator/{path}", json=body, timeout=9
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_fault_happens_after_some_matches_and_so_many_times(api: Client) -> None:
    api.emulator.inject(
        Fault(effect="error", status=503, code="SERVICE_UNAVAILABLE", after=1, times=2)
    )
    statuses = [api.get("query/segments", ds_id="AW").status_code for _ in range(5)]
    assert statuses == [200, 503, 503, 200, 200]


def test_a_fault_hits_only_what_it_names(api: Client) -> None:
    api.emulator.inject(Fault(effect="error", method="GET", path="^query/fields$", times=None))
    assert api.get("query/segments", ds_id="AW").ok
    assert api.get("query/fields", ds_id="AW").status_code == 500
    api.emulator.clear_faults()
    assert api.get("query/fields", ds_id="AW").ok


def test_an_error_may_carry_headers_or_hide_inside_a_200(api: Client) -> None:
    api.emulator.inject(Fault(effect="error", status=429, headers={"Retry-After": "7"}))
    api.emulator.inject(Fault(effect="error", status=200, code="QUERY_ERROR"))
    assert api.get("query/segments", ds_id="AW").headers["Retry-After"] == "7"
    assert failure(api.get("query/segments", ds_id="AW")) == (200, "QUERY_ERROR")


def test_a_broken_connection_may_come_before_or_after_the_work(api: Client) -> None:
    for effect, batches in (("reset_before", 0), ("reset_after", 1)):
        api.emulator.inject(Fault(effect=effect, method="POST"))  # type: ignore[arg-type]  # a literal
        with pytest.raises(requests.ConnectionError):
            api.start_batch(aw())
        assert len(api.emulator.batches) == batches
    assert [request.status for request in api.emulator.requests] == [0, 0]


def test_a_body_may_be_cut_short(api: Client) -> None:
    api.emulator.inject(Fault(effect="truncate", size=30))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        api.send("GET", "query/fields?ds_id=AW", headers={"Accept-Encoding": "identity"})


def test_a_page_of_html_may_come_instead(api: Client) -> None:
    api.emulator.inject(Fault(effect="html", status=502))
    answer = api.get("query/fields", ds_id="AW")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "text/html"


def test_an_answer_may_be_late(api: Client) -> None:
    api.emulator.inject(Fault(effect="delay", seconds=0.05))
    begun = time.monotonic()
    assert api.get("query/segments", ds_id="AW").ok
    assert time.monotonic() - begun >= 0.05


def test_one_account_or_one_day_fails_within_a_batch(api: Client) -> None:
    api.emulator.inject(
        Fault(effect="fail_query", account=SECOND, day=DAY, code="QUERY_ERROR", times=None)
    )
    queries = api.finished_batch(
        aw(ds_accounts=[ACCOUNT, SECOND]), split_accounts_policy="all", split_dates_policy="day"
    )
    states = [query["status_code"] for query in queries]
    assert states == ["SUCCESS", "SUCCESS", "FAILURE", "SUCCESS"]
    assert queries[2]["error_info"]["code"] == "QUERY_ERROR"


def test_a_query_may_hang_until_its_batch_times_out(api: Client) -> None:
    api.emulator.inject(Fault(effect="hang_query", account=SECOND))
    batch_id = api.batch(aw(), aw(ds_accounts=SECOND), timeout_minutes=5)
    api.pass_time(400)
    assert [query["status_code"] for query in api.status(batch_id)["data"]] == [
        "SUCCESS",
        "RUNNING",
    ]


def test_a_query_may_be_slow(api: Client) -> None:
    api.emulator.inject(Fault(effect="slow_query", seconds=500))
    api.run()
    assert api.emulator.queries[0].status == "RUNNING"
    api.pass_time(500)
    assert api.emulator.queries[0].status == "SUCCESS"


def test_a_query_may_end_in_a_state_that_nobody_documented(api: Client) -> None:
    api.emulator.inject(Fault(effect="end_query", code="PROCESS_EXITED"))
    answer = api.run()
    assert (answer["meta"]["status_code"], answer["data"]) == ("PROCESS_EXITED", [])


def test_a_result_may_be_gone_at_once_or_when_it_is_read(api: Client) -> None:
    api.emulator.inject(Fault(effect="expire_query", account=SECOND))
    [gone, kept] = api.finished_batch(aw(ds_accounts=SECOND), aw())
    assert failure(api.session.get(gone["result_info"]["results_url"]))[0] == 404
    api.emulator.inject(Fault(effect="expire", path="query/results", account=ACCOUNT))
    url = kept["result_info"]["results_url"]
    assert [failure(api.session.get(url))[1] for _ in range(2)] == ["QUERY_RESULTS_UNAVAILABLE"] * 2


def test_the_status_of_a_batch_may_be_gone_early(api: Client) -> None:
    batch_id = api.batch(aw())
    api.emulator.inject(Fault(effect="expire", path="/status$"))
    path = f"query/batch/{batch_id}/status"
    assert failure(api.get(path)) == (404, "BATCH_STATUS_NOT_FOUND")


def test_a_cell_may_be_oversized(api: Client) -> None:
    api.emulator.inject(Fault(effect="oversize", size=1_000_000))
    assert len(api.run()["data"][1][0]) == 1_000_000


def test_a_fault_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="effect"):
        Fault(effect="explode")  # type: ignore[arg-type]  # on purpose


def test_accounts_go_and_come_back(api: Client) -> None:
    api.emulator.changes.drop_account("AW", ACCOUNT)
    assert api.failed() == "QUERY_ACCOUNT_UNAVAILABLE"
    api.emulator.changes.restore_account("AW", ACCOUNT)
    api.emulator.changes.unlicense_account("AW", ACCOUNT)
    assert api.failed() == "QUERY_ERROR"
    api.emulator.changes.restore_account("AW", ACCOUNT)
    assert api.run()["data"]


def test_a_restated_day_changes_for_new_queries_alone(api: Client) -> None:
    before = api.run()
    api.emulator.changes.restate("AW", ACCOUNT, DAY)
    kept = api.get("query/results", schedule_id=before["meta"]["schedule_id"]).json()
    assert kept["data"] == before["data"]
    after = api.run(schedule_id="again")["data"]
    half = 1 + len(after) // 2
    assert after[1:half] != before["data"][1:half]
    assert after[half:] == before["data"][half:]


def test_the_control_plane_shows_what_happened(api: Client) -> None:
    api.finished_batch(aw(), aw(ds_accounts=SECOND))
    requests_seen = control(api, "GET", "requests")
    assert requests_seen[0]["method"] == "POST"
    assert requests_seen[0]["params"]["queries"][0]["ds_id"] == "AW"
    queries = control(api, "GET", "queries")
    assert [query["accounts"] for query in queries] == [[ACCOUNT], [SECOND]]
    assert queries[0]["first"] == "2024-05-01"
    batches = control(api, "GET", "batches")
    assert (batches["peak_running_batches"], batches["max_queries"]) == (1, 2)
    assert "GET /emulator/requests" in control(api, "GET", "")["endpoints"]


def test_the_control_plane_moves_time_and_resets(api: Client) -> None:
    assert control(api, "GET", "clock")["factor"] == 0
    moved = control(api, "POST", "clock", {"advance": 60})
    assert moved["now"] == "2024-06-01T04:01:00+00:00"
    control(api, "POST", "clock", {"set": "2025-01-01T00:00:00Z"})
    assert api.emulator.today == date(2025, 1, 1)
    api.batch(aw())
    control(api, "POST", "reset")
    assert (api.emulator.batches, api.emulator.requests) == ((), ())
    assert control(api, "DELETE", "requests") == []


def test_the_control_plane_injects_faults(api: Client) -> None:
    body = {"effect": "fail_query", "account": ACCOUNT, "day": "2024-05-01", "code": "QUERY_ERROR"}
    assert control(api, "POST", "faults", body)[0]["day"] == "2024-05-01"
    assert api.failed() == "QUERY_ERROR"
    assert control(api, "DELETE", "faults") == control(api, "GET", "faults") == []


def test_the_control_plane_changes_options_and_data(api: Client) -> None:
    control(api, "POST", "options", {"errors_in_200": True})
    assert control(api, "GET", "options")["errors_in_200"] is True
    control(api, "POST", "world", {"gone": ["AW", ACCOUNT]})
    control(api, "POST", "world", {"restate": ["AW", SECOND, "2024-05-01"]})
    assert api.failed() == "QUERY_ACCOUNT_UNAVAILABLE"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"effect": "explode"}),
        ("faults", {"effect": "delay", "color": 1}),
        ("clock", {"advance": -5}),
        ("clock", {"advance": 1e300}),
        ("clock", {"set": "9999-12-31T00:00:00Z"}),
        ("clock", {"set": 5}),
        ("options", {"license_concurrency": 0}),
        ("options", {"latency_seconds": 1e300}),
        ("options", {"timezone": "Nowhere"}),
        ("options", {"nope": 1}),
        ("options", {"numbers": "roman"}),
        ("world", {"explode": []}),
    ],
)
def test_the_control_plane_refuses_nonsense(api: Client, path: str, body: object) -> None:
    answer = requests.post(f"{api.emulator.origin}/emulator/{path}", json=body, timeout=9)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert control(api, "GET", "clock")["now"] == "2024-06-01T04:00:00+00:00"


@pytest.mark.parametrize("depth", [99, 900, 100_000])
def test_a_query_that_nests_deeply_is_refused_and_breaks_no_list(api: Client, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for settings in (f'{{"x": {deep}}}', json.dumps(f'{{"x": {deep}}}')):
        body = json.dumps(aw())[:-1] + f', "settings": {settings}}}'
        assert api.send("POST", "query/data/json", data=body).status_code == 400
        api.send("POST", "query/batch", data=f'{{"queries": [{body}]}}')
    for each in ("queries", "requests", "batches"):
        control(api, "GET", each)
    assert api.emulator.crashes == []


def test_stopping_lets_waiting_requests_go() -> None:
    answered = threading.Event()

    def ask(client: Client) -> None:
        with contextlib.suppress(requests.ConnectionError):
            client.send("POST", "query/data/json", json=aw())
        answered.set()

    with Emulator(options=Options(clock_factor=0)) as emulator, Client(emulator) as api:
        thread = threading.Thread(target=ask, args=(api,))
        thread.start()
        while not emulator.queries:
            time.sleep(0.001)
    assert answered.wait(5)
    thread.join()
