"""Transport: keys, paths, ways to send parameters, compression, rate; accounts and fields."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.client import ACCOUNT, GONE, UNLICENSED, Client, aw, failure

if TYPE_CHECKING:
    from tests.emulator.conftest import Start


def test_a_key_is_required_and_must_be_right(api: Client) -> None:
    api.session.headers.pop("Authorization")
    assert failure(api.get("query/fields", ds_id="AW")) == (401, "API_KEY_REQUIRED")
    assert failure(api.get("query/fields", ds_id="AW", api_key="x")) == (401, "API_KEY_INVALID")
    assert api.get("query/fields", ds_id="AW", api_key=api.emulator.api_key).ok
    assert [request.auth for request in api.emulator.requests] == ["none", "parameter", "parameter"]
    assert all("api_key" not in request.params for request in api.emulator.requests)


@pytest.mark.parametrize("path", ["query", "query/batches", "query/data/pdf", "query/batch/x/y"])
def test_unknown_paths_are_not_found(api: Client, path: str) -> None:
    assert failure(api.get(path)) == (404, "ENDPOINT_NOT_FOUND")


def test_both_base_paths_are_served(api: Client) -> None:
    for prefix in ("enterprise/v2", "v2"):
        url = f"{api.emulator.origin}/{prefix}/query/fields?ds_id=AW"
        assert api.session.get(url).ok
    assert api.session.get(f"{api.emulator.origin}/v1/query/fields").status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        {"method": "GET", "params": {"json": json.dumps(aw(sync_timeout=0))}},
        {"method": "GET", "params": {**aw(sync_timeout=0), "fields": "Date,Cost"}},
        {"method": "POST", "json": aw(sync_timeout=0)},
        {"method": "POST", "data": {**aw(sync_timeout=0), "settings[no_headers]": "1"}},
        {"method": "POST", "data": {"json": json.dumps(aw(sync_timeout=0))}},
    ],
)
def test_parameters_can_be_sent_in_several_ways(api: Client, sent: dict[str, Any]) -> None:
    answer = api.send(sent.pop("method"), "query/data/json", **sent)
    assert answer.status_code == 202, answer.text


def test_what_is_not_json_is_refused(api: Client) -> None:
    answer = api.send("POST", "query/data/json", data="{nope")
    assert failure(answer) == (400, "BAD_REQUEST")


def test_answers_are_compressed_when_asked(api: Client) -> None:
    plain = {"Accept-Encoding": "identity"}
    url = f"{api.emulator.url}/query/fields?ds_id=AW"
    large, small = api.session.get(url), api.session.get(url, headers=plain)
    assert large.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in small.headers
    assert large.json()["data"] == small.json()["data"]


def test_pretty_json_has_lines(api: Client) -> None:
    answer = api.session.get(f"{api.emulator.url}/query/accounts?ds_id=AW&pretty=1")
    assert answer.text.count("\n") > 20


def test_request_ids_are_of_32_characters_and_differ(api: Client) -> None:
    found = {api.get("query/segments", ds_id="GAWA").json()["meta"]["request_id"] for _ in range(9)}
    assert len(found) == 9
    assert {len(one) for one in found} == {32}


@pytest.mark.parametrize("retry_after", [True, False])
def test_too_many_requests_a_second_are_refused(start: Start, *, retry_after: bool) -> None:
    api = start(requests_per_second=3, retry_after=retry_after)
    answers = [api.get("query/segments", ds_id="AW") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert failure(refused[0]) == (429, "TOO_MANY_REQUESTS")
    assert ("Retry-After" in refused[0].headers) is retry_after


def test_answers_begin_as_late_as_over_a_far_network(start: Start) -> None:
    begun = time.monotonic()
    start(latency_seconds=0.2).get("query/segments", ds_id="AW")
    assert time.monotonic() - begun >= 0.2


def test_accounts_are_listed_by_login(api: Client) -> None:
    answer = api.get("query/accounts", ds_id="AW", cache_minutes=1).json()
    first, second = answer["data"]
    assert answer["meta"]["query"] == {"cache_minutes": 60}
    listed = [{account["account_id"] for account in login["accounts"]} for login in (first, second)]
    assert listed[0] & listed[1] == {ACCOUNT}
    assert UNLICENSED in listed[0]
    assert GONE not in listed[0] | listed[1]
    assert first["cache_time"]
    assert second["cache_time"] is None
    only = api.get("query/accounts", ds_id="AW", ds_users="AGENCY@example.com").json()["data"]
    assert only == [second]


def test_closed_accounts_are_grouped(api: Client) -> None:
    [login] = api.get("query/accounts", ds_id="FA").json()["data"]
    groups = {account["group_name"] for account in login["accounts"]}
    assert groups == {"", "CLOSED AND DISABLED ACCOUNTS"}


def test_fields_are_listed_with_their_types(api: Client) -> None:
    fields = {
        field["field_id"]: field for field in api.get("query/fields", ds_id="FA").json()["data"]
    }
    assert fields["reach"] == {
        "@type": "ds_metric",
        "field_id": "reach",
        "field_name": "Reach",
        "field_type": "met",
        "data_type": "int.number.value",
        "description": "People reached",
        "group_name": "BASIC",
        "is_filterable": True,
        "report_types": ["Default"],
        "is_non_aggregatable": True,
    }
    assert fields["Date"]["@type"] == "ds_dimension"
    assert "is_non_aggregatable" not in fields["Date"]
    assert {"onsite_conversion.lead_grouped", "adcampaign_name", "CTR"} <= set(fields)


def test_a_source_without_a_license_has_no_fields(api: Client) -> None:
    answer = api.get("query/fields", ds_id="LIA")
    assert failure(answer) == (500, "LICENSE_ACCESS_DATA_SOURCE")
