"""Whatever is sent, the emulator answers as documented, and drops no connection by a mistake.

`FUZZ=50000` sends so many requests; by default a sample.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tap_supermetrics.emulator.batch_requests import FORMATS
from tap_supermetrics.emulator.incoming import Incoming
from tests.emulator.client import FIELDS, aw, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.client import Client

COUNT: Final = int(os.environ.get("FUZZ", "2000"))
PATHS: Final = (
    "query/batch",
    "query/batch/qrb_000000000000",
    "query/batch/qrb_000000000000/status",
    "query/data/json",
    "query/data/csv",
    "query/data/parquet",
    "query/status",
    "query/results",
    "query/fields",
    "query/accounts",
    "query/segments",
    "query/history",
    "query/convert",
    "team/lists",
    "team/list/tml_1",
    "team/list/tml_1/data/account_ids",
    "%00",
)
NAMES: Final = (
    *aw(),
    *("queries", "urls", "settings", "ds_users", "ds_user", "ds_segments", "ds_ids", "filter"),
    *("order_rows", "max_rows", "offset", "limit", "offset_start", "offset_end", "cache_minutes"),
    *("schedule_id", "sync_timeout", "since", "until", "status_codes", "date_range_type"),
    *("split_accounts_policy", "split_dates_policy", "timeout_minutes", "query_concurrency"),
    *("query_output_format", "description", "compare_type", "json", "api_key"),
)
ODD: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, 1.5, 10**30, "", " ", "x", "9" * 5000, "\x00", "\ud800", "list.nope"),
    *([], [[]], [None], ["AW", 1], {}, {"id": 1}, {"filter_id": "("}, {"filter_name": "/["}),
    *("http://[::1", "https://x/?json={", "-2 weeks", "@99999999999999", "last_x_days", "all"),
    *("2024-05-01", "2024-02-30", "Cost > x AND (", "Cost desc,", "0 minutes ago", "AW", "FA"),
    *([{"ds_id": "AW", "fields": "Date"}], ["http://[::1"], {"round_metrics_to": "x"}),
    *({"timezone": "Mars/Base"}, {"timezone": ["UTC"]}, {"no_headers": []}, FIELDS),
)
CODE: Final = re.compile(r"[A-Z]+(_[A-Z]+)+|FORBIDDEN")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Time flies, so that nothing is waited for."""
    with Emulator(options=Options(clock_factor=1e6, max_seconds=3.0)) as running:
        yield running


def odd_request(chance: random.Random, key: str) -> Incoming:
    params: dict[str, Any] = aw() if chance.random() < 0.7 else {}
    for _ in range(chance.randrange(4)):
        params[chance.choice(NAMES)] = chance.choice(ODD)
    if chance.random() < 0.3:
        params["queries"] = [aw(**{chance.choice(NAMES): chance.choice(ODD)})]
    method = chance.choice(("GET", "POST", "DELETE", "PUT"))
    text = json.dumps(params)
    form = chance.randrange(4)
    query = ("", f"json={quote(text)}", urlencode(params, errors="replace"), text)[form]
    kind = chance.choice(("application/json", "application/x-www-form-urlencoded", "text/plain"))
    return Incoming(
        method=method,
        path=f"/enterprise/v2/{chance.choice(PATHS)}",
        query=query,
        headers={"authorization": f"Bearer {key}", "content-type": kind},
        body=text.encode() if method == "POST" else b"",
    )


def test_whatever_is_sent_the_answer_is_documented(emulator: Emulator) -> None:
    chance = random.Random(1)  # noqa: S311 - guards nothing
    for number in range(COUNT):
        request = odd_request(chance, emulator.api_key)
        answer = emulator.respond(request)
        assert emulator.crashes == [], request
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        assert 200 <= answer.status < 600
        if answer.content_type == "application/json":
            envelope = json.loads(body)
            assert envelope["meta"]["request_id"]
            assert "data" in envelope or CODE.fullmatch(envelope["error"]["code"])
        if number % 500 == 0:
            emulator.reset()


def test_a_mistake_of_the_emulator_is_an_error_and_no_dropped_connection(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_supermetrics.emulator.answers.fields_of", None)
    assert failure(api.get("query/fields", ds_id="AW")) == (500, "INTERNAL_SERVER_ERROR")
    (crash,) = api.emulator.crashes
    assert "TypeError" in crash


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"queries": ["http://[::1"]}, "BATCH_QUERY_ITEM_VALUE_INVALID"),
        ({"queries": [aw()], "split_dates_policy": ["day"]}, "BAD_REQUEST"),
    ],
)
def test_odd_batches_are_refused(api: Client, sent: dict[str, Any], code: str) -> None:
    assert failure(api.send("POST", "query/batch", json=sent)) == (400, code)


def test_odd_queries_are_refused(api: Client) -> None:
    assert api.refused(ds_users=5) == (403, "QUERY_AUTH_UNAVAILABLE")
    assert api.refused(settings={"round_metrics_to": "x"}) == (400, "SETTING_VALUE_INVALID")
    assert api.refused(schedule_id="x" * 51) == (400, "SCHEDULE_ID_INVALID")


@pytest.mark.parametrize("output", sorted(FORMATS - {"json"}))
def test_a_format_that_is_not_emulated_is_no_invalid_one(api: Client, output: str) -> None:
    assert failure(api.get(f"query/data/{output}", **aw())) == (501, "FORMAT_NOT_EMULATED")
    started = api.start_batch(aw(), query_output_format=output)
    assert failure(started) == (501, "FORMAT_NOT_EMULATED")


def test_pages_of_other_origins_are_not_served(api: Client) -> None:
    url = f"{api.emulator.url}/query/fields?ds_id=AW"
    assert failure(api.session.get(url, headers={"Host": "evil.example.com"})) == (403, "FORBIDDEN")
    plain = {"Content-Type": "text/plain"}
    answer = api.send("POST", "query/data/json", data=json.dumps(aw()), headers=plain)
    assert failure(answer) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "sent",
    [
        b"TRACE /enterprise/v2/query/fields HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x00\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_as_everything_else_is(api: Client, sent: bytes) -> None:
    address = urlsplit(api.emulator.url)
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(sent)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        assert json.loads(answer.read())["error"]["code"] == "BAD_REQUEST"


def test_a_length_that_is_no_number_is_refused(api: Client) -> None:
    answer = api.send("POST", "query/data/json", headers={"Content-Length": "-1"})
    assert answer.status_code == 400
