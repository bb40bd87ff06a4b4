"""The client against servers that lie, leak, bomb or lead astray."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.api import connection as connection_module
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.errors import EXIT_FAILED, EXIT_REFUSED
from tests.api.server import Handler, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.retry import RetryPolicy
    from tests.api.server import Running

KEY = "Zq7-secretKEY_9876543210-xyz"
GOOD = json.dumps({"meta": {"request_id": "r1"}, "data": []})


def failure_of(call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


def shows_key(text: str) -> bool:
    """Whether the key is in a text, or enough of it to matter."""
    return any(KEY[start : start + 6] in text for start in range(len(KEY) - 5))


@pytest.fixture
def elsewhere() -> Iterator[Running]:
    """Somebody else's server, which must never be asked."""
    with serving(lambda handler: handler.reply(GOOD)) as server:
        yield server
        assert server.requests == []


# Where requests go


@pytest.mark.parametrize(
    "address",
    [
        "{elsewhere}/query/results?schedule_id=1",
        "//{elsewhere_host}/query/results",
        "https://{host}/query/results",
        "ftp://{host}/query/results",
        "http://{host}@{elsewhere_host}/",
        "http://user:word@{host}/",
        "http://{host}.example.com/",
        "\thttp://{elsewhere_host}/",
        "file:///etc/passwd",
    ],
)
def test_an_address_elsewhere_is_refused_without_a_request(
    make_client: Callable[..., Client], elsewhere: Running, address: str
) -> None:
    with serving(lambda handler: handler.reply(GOOD)) as server:
        client = make_client(f"{server.url}/v2", api_key=KEY)
        where = address.format(
            elsewhere=elsewhere.url,
            elsewhere_host=elsewhere.url.removeprefix("http://"),
            host=server.url.removeprefix("http://"),
        )
        error = failure_of(lambda: client.results(where))
        assert server.requests == []
    assert error.code == "ADDRESS_REFUSED"
    assert "set `api_url` to the host that serves your account" in str(error)


@pytest.mark.parametrize("address", ["http://[::1/", "http://[x]/", "//[", "http://a[b]/"])
def test_an_address_that_makes_no_sense_is_refused(
    make_client: Callable[..., Client], address: str
) -> None:
    with serving(lambda handler: handler.reply(GOOD)) as server:
        client = make_client(server.url, api_key=KEY)
        assert failure_of(lambda: client.results(address)).code == "ADDRESS_REFUSED"
        assert server.requests == []


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("query/results?schedule_id=1", "/v2/query/results?schedule_id=1"),
        ("/v2/query/results?schedule_id=1", "/v2/query/results?schedule_id=1"),
        ("{url}/v2/query/results?schedule_id=1", "/v2/query/results?schedule_id=1"),
    ],
)
def test_an_address_of_the_api_is_asked(
    make_client: Callable[..., Client], address: str, path: str
) -> None:
    with serving(lambda handler: handler.reply(GOOD)) as server:
        client = make_client(f"{server.url}/v2", api_key=KEY)
        client.results(address.format(url=server.url), {"offset": 0, "limit": 5})
        assert [each.path for each in server.requests] == [f"{path}&offset=0&limit=5"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    make_client: Callable[..., Client], elsewhere: Running, status: int
) -> None:
    def redirect(handler: Handler) -> None:
        handler.reply("", status, {"Location": f"{elsewhere.url}/query/fields"})

    with serving(redirect) as server:
        client = make_client(server.url, api_key=KEY)
        error = failure_of(lambda: client.fields("AW"))
        assert len(server.requests) == 1
    assert (error.code, error.status) == ("ADDRESS_REFUSED", status)
    assert error.exit_code == EXIT_FAILED  # It is not the key that is refused.


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_of_one_request_among_others_is_asked_again(
    make_client: Callable[..., Client], status: int
) -> None:
    def answer(handler: Handler) -> None:
        if len(server.requests) == 2:
            handler.reply("", status, {"Location": f"{server.url}/login"})
        else:
            handler.reply(GOOD)

    with serving(answer) as server:
        client = make_client(server.url, api_key=KEY)
        for _ in range(2):
            client.fields("AW")
        assert len(server.requests) == 3


PAGE = "<!DOCTYPE html><html><head><title>Attention Required!</title></head></html>"


@pytest.mark.parametrize(
    ("status", "body", "code", "advice"),
    [
        (403, PAGE, "REQUEST_BLOCKED", "firewall"),
        (401, "\n" + PAGE, "REQUEST_BLOCKED", "it is not the key"),
        (403, "{}", "", "check `api_key`"),
        (429, PAGE, "", "`requests_per_second`"),
        (304, "", "ANSWER_INVALID", "`api_url`"),
        (407, "", "REQUEST_BLOCKED", "proxy"),
        (407, PAGE, "REQUEST_BLOCKED", "proxy"),
    ],
)
def test_what_stands_between_is_not_taken_for_the_api(
    make_client: Callable[..., Client], status: int, body: str, code: str, advice: str
) -> None:
    """Though it is the first answer of all: who reads it must not go and renew the key."""
    with serving(lambda handler: handler.reply(body, status)) as server:
        client = make_client(server.url, api_key=KEY)
        error = failure_of(lambda: client.fields("AW"))
    assert error.code == code
    assert advice in str(error)
    assert error.exit_code == (EXIT_REFUSED if "api_key" in advice else EXIT_FAILED)


def test_cookies_are_not_shared_between_clients(make_client: Callable[..., Client]) -> None:
    with serving(lambda handler: handler.reply(GOOD, 200, {"Set-Cookie": "a=b"})) as server:
        for _ in range(2):
            make_client(server.url, api_key=KEY).fields("AW")
        assert all("cookie" not in each.headers for each in server.requests)


# The key


def test_the_key_is_in_no_address_and_no_body(make_client: Callable[..., Client]) -> None:
    batch = json.dumps({"data": {"batch_id": "qrb_1"}})
    with serving(
        lambda handler: handler.reply(batch if handler.command != "GET" else GOOD)
    ) as server:
        client = make_client(server.url, api_key=KEY)
        client.fields("AW")
        client.accounts("AW", ["me"])
        client.start_batch({"queries": []})
        client.batch_status("qrb_1")
        client.cancel_batch("qrb_1")
        client.results("query/results?schedule_id=1", {"offset": 0})
    assert [each.headers["authorization"] for each in server.requests] == [f"Bearer {KEY}"] * 6
    for each in server.requests:
        others = {name: value for name, value in each.headers.items() if name != "authorization"}
        assert not shows_key(f"{each.path} {each.body} {others}")


ECHOES = [
    json.dumps({"error": {"code": "X", "message": f"Key {KEY} is bad"}}),
    json.dumps({"error": {"code": "X", "message": "no", "description": f"{KEY}{KEY}"}}),
    json.dumps({"error": {"code": f"BAD_{KEY}", "message": "no"}}),
    json.dumps({"meta": {"request_id": KEY}, "error": {"code": "X", "message": "no"}}),
    json.dumps({"meta": {"request_id": "r"}, "data": KEY}),
    json.dumps({"meta": KEY}),
    json.dumps({"data": {KEY: 1}}),
    KEY,
    f"{KEY}{KEY}{KEY}{KEY}",
    *(f"<html>{'x' * padding}Bearer {KEY}</html>" for padding in (0, 18, 24, 30, 36, 42, 48)),
]


@pytest.mark.parametrize("body", ECHOES, ids=range(len(ECHOES)))
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_server_that_repeats_the_key_does_not_make_the_client_show_it(
    make_client: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
    body: str,
    status: int,
) -> None:
    with (
        serving(lambda handler: handler.reply(body, status, {"X-Key": KEY})) as server,
        caplog.at_level(logging.DEBUG),
    ):
        client = make_client(server.url, api_key=KEY)
        error = failure_of(lambda: client.fields("AW"))
    assert not shows_key(f"{error!s} {error!r} {error.__dict__}")
    assert not shows_key(caplog.text)
    assert len(str(error).splitlines()) == 1


def test_a_broken_connection_to_an_address_with_the_key_does_not_show_it(
    make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    def hang_up(handler: Handler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    with serving(hang_up) as server:
        client = make_client(server.url, api_key=KEY)
        error = failure_of(lambda: client.results(f"query/results?api_key={KEY}"))
    assert error.code == "CONNECTION_FAILED"
    assert not shows_key(str(error))
    assert not shows_key(" ".join(each.getMessage() for each in caplog.records))


# Answers that are no answers


@pytest.mark.parametrize("body", ["", "null", "[]", "7", '"text"', "[" * 100_000, b"\xff\xfe\x00"])
def test_an_answer_that_is_not_of_the_api_is_tried_again_then_given_up(
    make_client: Callable[..., Client], body: str | bytes
) -> None:
    with serving(lambda handler: handler.reply(body)) as server:
        client = make_client(server.url, api_key=KEY)
        error = failure_of(lambda: client.fields("AW"))
        assert len(server.requests) == 3
    assert (error.code, error.status) == ("ANSWER_INVALID", 200)
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"data": null}',
        '{"data": {}}',
        '{"data": [5]}',
        '{"data": [{"field_id": [5]}]}',
        '{"data": [{}]}',
        '{"meta": null, "data": []}',
        '{"meta": [], "data": []}',
        '{"data": [',
        '{"data": []} more',
        '{"error": "text"}',
        '{"data": ' + "[" * 100_000,
        b'\xef\xbb\xbf{"data": [{"field_id": [NaN]}]}\0',
    ],
)
def test_an_answer_of_the_api_that_is_damaged_twice_is_given_up(
    make_client: Callable[..., Client], body: str | bytes
) -> None:
    with serving(lambda handler: handler.reply(body)) as server:
        client = make_client(server.url, api_key=KEY)
        error = failure_of(lambda: client.fields("AW"))
        assert len(server.requests) == 2
    assert (error.code, error.fate, error.status) == ("ANSWER_UNREADABLE", Fate.FAIL, 200)
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 500


def test_an_answer_that_is_damaged_in_another_way_each_time_is_tried_again(
    make_client: Callable[..., Client],
) -> None:
    cuts = iter((GOOD[:20], GOOD[:30], GOOD))
    with serving(lambda handler: handler.reply(next(cuts))) as server:
        assert make_client(server.url, api_key=KEY).fields("AW") == ()
        assert len(server.requests) == 3


def test_what_the_docs_do_not_mention_is_no_trouble(make_client: Callable[..., Client]) -> None:
    body = json.dumps(
        {
            "meta": {"request_id": "r1", "new": {"a": 1}},
            "data": [{"@type": "ds_metric", "field_id": "x", "new": [1]}],
            "error": None,
            "new": 5,
        }
    )
    with serving(lambda handler: handler.reply(body)) as server:
        (field,) = make_client(server.url).fields("AW")
    assert field.field_id == "x"


def test_what_the_tap_does_not_use_may_be_anything(make_client: Callable[..., Client]) -> None:
    """Else a batch that was started, and is paid for, would be started again."""
    odd = {"status_code": None, "query_amount": "12", "description": 5}
    body = json.dumps(
        {
            "meta": {"schedule_id": None, "progress": {"queued": 0, "running": None}},
            "data": {"batch_id": "qrb_1", **odd},
        }
    )
    with serving(lambda handler: handler.reply(body)) as server:
        assert make_client(server.url).start_batch({}).batch_id == "qrb_1"
        assert len(server.requests) == 1


def test_the_pages_of_a_status_that_never_ends_are_not_read_for_ever(
    make_client: Callable[..., Client],
) -> None:
    entry = {"schedule_id": "qrb_1_query_1", "status_code": "RUNNING"}
    body = json.dumps({"meta": {"paginate": {"total": 250}}, "data": [entry] * 100})
    with serving(lambda handler: handler.reply(body)) as server:
        make_client(server.url).batch_status("qrb_1")
        assert len(server.requests) <= 3


@pytest.mark.parametrize("body", ['{"meta": {}, "data": []}', '{"data": []}'])
def test_a_status_without_paging_is_read_once(
    make_client: Callable[..., Client], body: str
) -> None:
    with serving(lambda handler: handler.reply(body)) as server:
        status = make_client(server.url).batch_status("qrb_1")
        assert len(server.requests) == 1
    assert (status.is_stopped, status.queries) == (False, ())


# Answers without measure


def test_a_small_packet_that_unpacks_without_measure_is_not_unpacked_whole(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "MAX_ANSWER_BYTES", 1024 * 1024)
    bomb = gzip.compress(b" " * (64 * 1024 * 1024), 9)
    with serving(lambda handler: handler.reply(bomb, 200, {"Content-Encoding": "gzip"})) as server:
        client = make_client(server.url)
        error = failure_of(lambda: replace(client, retry=once(client)).fields("AW"))
    assert error.code == "ANSWER_INVALID"
    assert "did not end within 1 MiB" in str(error)


def test_a_body_without_end_is_hung_up_on(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "MAX_ANSWER_BYTES", 1024 * 1024)
    was_hung_up = threading.Event()

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for _ in itertools.repeat(None, 4_096):
                handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        except OSError:
            was_hung_up.set()

    with serving(endless) as server:
        client = make_client(server.url)
        error = failure_of(lambda: replace(client, retry=once(client)).fields("AW"))
        assert was_hung_up.wait(10)
    assert error.code == "ANSWER_INVALID"


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_that_drips_is_hung_up_on(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, *, is_chunked: bool
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT_S", 0.1)
    pause, was_hung_up = threading.Event(), threading.Event()

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        if is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        try:
            for _ in itertools.repeat(None, 200):
                handler.wfile.write(b"1\r\n \r\n" if is_chunked else b" ")
                pause.wait(0.01)
        except OSError:
            was_hung_up.set()
        handler.close_connection = True

    with serving(drip) as server:
        client = make_client(server.url)
        error = failure_of(lambda: replace(client, retry=once(client)).fields("AW"))
        assert was_hung_up.wait(10)
    assert error.code == "ANSWER_INVALID"


def once(client: Client) -> RetryPolicy:
    return replace(client.retry, max_tries=1)
