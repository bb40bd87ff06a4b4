"""Whatever part of an answer a server drags out or blows up, time and memory are bounded."""

from __future__ import annotations

import errno
import gzip
import json
import threading
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api import answers as answers_module
from tap_supermetrics.api import connection as connection_module
from tap_supermetrics.api import listings, wire
from tap_supermetrics.api.answers import DamagedAnswer, read_answer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.errors import EXIT_FAILED
from tests.api.server import Handler, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_supermetrics.api.client import Client

GOOD = b'{"data": []}'
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "the first line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (OK + b"X: ", b"x"),
    "headers": (OK, b"X: y\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
    "the body": (OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "the size of a chunk": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"c\r\n" + GOOD + b"\r\n0\r\n", b"A: b\r\n"),
    "a packed body": (
        OK
        + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n"
        + gzip.compress(GOOD, mtime=0)[:10],
        b"",
    ),
}


def failure_of(call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


def once(client: Client) -> Client:
    return replace(client, retry=replace(client.retry, max_tries=1))


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes, bytes], Callable[[Handler], None]]]:
    """Servers that send a beginning, then one piece again and again until the test is over."""
    is_over = threading.Event()

    def make(beginning: bytes, piece: bytes) -> Callable[[Handler], None]:
        def drip(handler: Handler) -> None:
            handler.close_connection = True
            handler.wfile.write(beginning)
            with suppress(OSError):
                while not is_over.wait(0.01):
                    handler.wfile.write(piece)

        return drip

    yield make
    is_over.set()


@pytest.mark.parametrize("part", DRIPS)
def test_an_answer_is_given_up_whatever_part_of_it_drips(
    make_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    dripping: Callable[[bytes, bytes], Callable[[Handler], None]],
    part: str,
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT_S", 0.2)
    with serving(dripping(*DRIPS[part])) as server:
        begun = time.monotonic()
        error = failure_of(lambda: once(make_client(server.url)).fields("AW"))
        assert time.monotonic() - begun < 5.0
    assert error.code == "ANSWER_INVALID"
    assert "did not end within 64 MiB and 0 s" in str(error)


def test_a_proxy_that_drips_is_given_up(
    make_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    dripping: Callable[[bytes, bytes], Callable[[Handler], None]],
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(Handler, "do_CONNECT", Handler.do_GET, raising=False)
    with serving(dripping(OK, b"X: y\r\n")) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        error = failure_of(lambda: once(make_client("https://api.example")).fields("AW"))
        assert [each.method for each in server.requests] == ["CONNECT"]
    assert "did not end within 64 MiB and 0 s" in str(error)


@pytest.mark.parametrize("part", ["headers", "100 Continue", "chunks", "trailers"])
def test_an_answer_is_given_up_whatever_part_of_it_is_without_measure(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(connection_module, "MAX_ANSWER_BYTES", 1024 * 1024)
    beginning, piece = DRIPS[part]

    def flood(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(beginning)
        for _ in range(64):
            handler.wfile.write(piece * (65_536 // len(piece)))

    with serving(flood) as server:
        error = failure_of(lambda: once(make_client(server.url)).fields("AW"))
    assert error.code in {"ANSWER_INVALID", "CONNECTION_FAILED"}
    assert "did not end" in str(error) or "more than 100 headers" in str(error)


def test_interim_answers_are_skipped(make_client: Callable[..., Client]) -> None:
    def hint(handler: Handler) -> None:
        for line in (b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </x>"):
            handler.wfile.write(b"HTTP/1.1 " + line + b"\r\n\r\n")
        handler.reply(GOOD)

    with serving(hint) as server:
        client = make_client(server.url)
        assert client.fields("AW") == client.fields("FA") == ()
        assert len(server.requests) == 2


# Memory

SHAPES: dict[str, bytes] = {
    "numbers": b"0,",
    "rows": b"[],",
    "objects": b"{},",
    "broken rows": b'["x",NaN],',
    "texts": b'"",',
    "nested": b"[[[[]]]],",
}
TYPES: dict[str, Any] = {
    "rows": list[msgspec.Raw],
    "queries": list[wire.BatchQuery],
    "accounts": list[listings.LoginAccounts],
    "raw": msgspec.Raw,
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["data", "meta", "error"])
def test_what_is_made_of_an_answer_is_bounded_by_its_size(
    monkeypatch: pytest.MonkeyPatch, kind: str, shape: str, place: str
) -> None:
    monkeypatch.setattr(answers_module, "MAX_VALUES", 1_000)
    monkeypatch.setattr(answers_module, "MAX_META_BYTES", 10_000)
    values = b"[" + SHAPES[shape] * (400_000 // len(SHAPES[shape])) + b"[]]"
    inside = b'{"query":{"settings":{"a":' + values + b"}}}" if place == "meta" else values
    body = bytearray(b'{"meta":{},"data":[],"' + place.encode() + b'":' + inside + b"}")
    tracemalloc.start()
    try:
        with pytest.raises(DamagedAnswer):
            read_answer(body, TYPES[kind], is_error=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(body)


def test_a_large_page_of_rows_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "MAX_VALUES", 1_000)
    body = json.dumps({"data": [["2024-01-01", 5, 7.5]] * 900}).encode()
    assert len(read_answer(body, list[msgspec.Raw], is_error=False).data) == 900
    with pytest.raises(DamagedAnswer, match=r"more than 1000 values$"):
        read_answer(body, list[list[object]], is_error=False)
    body = json.dumps({"data": [["2024-01-01", 5, 7.5]] * 1_001}).encode()
    with pytest.raises(DamagedAnswer, match=r"more than 1000 values .*; lower `page_size`"):
        read_answer(body, list[msgspec.Raw], is_error=False)


@pytest.mark.parametrize("cell", [b"0,", b"{},", b"[1],"])
def test_a_row_without_end_is_no_row(monkeypatch: pytest.MonkeyPatch, cell: bytes) -> None:
    monkeypatch.setattr(answers_module, "MAX_VALUES", 1_000)
    monkeypatch.setattr(answers_module, "MAX_ROW_BYTES", 2_000)
    body = b'{"data": [[1], [' + cell * 1_100 + b"0]]}"
    with pytest.raises(DamagedAnswer, match="an endless row"):
        read_answer(body, list[msgspec.Raw], is_error=False)


def test_large_answers_are_read_one_at_a_time(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LARGE_BYTES", 1_000)
    assert most_at_the_same_time(make_client, monkeypatch) == 1


def test_long_answers_are_read_a_few_at_a_time(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LONG_BYTES", 1_000)
    assert 1 < most_at_the_same_time(make_client, monkeypatch) <= 4


def most_at_the_same_time(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> int:
    reading, most = [0], [0]
    read = read_answer

    def watched(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        reading[0] += 1
        most[0] = max(most[0], reading[0])
        time.sleep(0.05)
        reading[0] -= 1
        return read(*args, **options)

    monkeypatch.setattr("tap_supermetrics.api.replies.read_answer", watched)
    with serving(lambda handler: handler.reply(GOOD + b" " * 2_000)) as server:
        client = make_client(server.url)
        threads = [threading.Thread(target=client.fields, args=["AW"]) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(server.requests) == 8
    return most[0]


def test_an_error_does_not_hold_the_answer_that_it_came_of(
    make_client: Callable[..., Client],
) -> None:
    body = b'{"data": [' + b"0, " * 700_000 + b"null]}"
    with serving(lambda handler: handler.reply(body)) as server:
        client = make_client(server.url)
        tracemalloc.start()
        try:
            errors = [failure_of(lambda: client.fields("AW")) for _ in range(4)]
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert {each.code for each in errors} == {"ANSWER_UNREADABLE"}
    assert held < len(body)


def test_a_shorter_page_is_advised_only_where_an_answer_is_too_large(
    make_client: Callable[..., Client],
) -> None:
    too_large = ApiError("ANSWER_UNREADABLE", "but it has no end; lower `page_size`")
    assert "What to do: lower `page_size`." in str(too_large)
    with serving(lambda handler: handler.reply('{"meta": {}, "data": [[01]]}')) as server:
        error = failure_of(lambda: make_client(server.url).results("query/results"))
    assert error.code == "ANSWER_UNREADABLE"
    assert "page_size" not in str(error)
    assert "What to do: send this to the vendor's support." in str(error)


# Waits that a server asks for


def reply_with(**headers: str) -> requests.Response:
    response = requests.Response()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("7200", 3600.0),
        ("9" * 400, 3600.0),
        ("9" * 60_000, 3600.0),
        ("-1", 0.0),
        ("1e9", 0.0),
        ("inf", 0.0),
        ("nan", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Mon, 99 Foo 99999 99:99:99 +9999", 0.0),
    ],
)
def test_a_wait_that_a_server_asks_for_is_bounded(value: str, seconds: float) -> None:
    reply = reply_with(Retry_After=value, Date="Mon, 01 Jan 2024 00:00:00 GMT")
    assert connection_module._retry_after_s(reply) == seconds  # noqa: SLF001 - pure, and its edges matter


WORDS = [
    "Mon,",
    "31",
    "99",
    "Dec",
    "Feb",
    "0000",
    "2024",
    "99999",
    "23:59:60",
    "GMT",
    "-0000",
    "(",
    "",
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=8), st.text(max_size=20))
def test_any_wait_is_a_number_within_its_bounds(words: list[str], date: str) -> None:
    reply = reply_with(Retry_After=" ".join(words), Date=date or "Mon, 01 Jan 2024 00:00:00 GMT")
    assert 0.0 <= connection_module._retry_after_s(reply) <= 3600.0  # noqa: SLF001 - same


# What the machine and its environment break


@pytest.mark.parametrize(
    "api_url", ["http://127.0.0.1:1", "https://127.0.0.1:1", "http://nobody.invalid"]
)
def test_a_host_that_nobody_reached_is_told_soon_and_briefly(
    make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture, api_url: str
) -> None:
    client = make_client(api_url)
    patient = replace(client, retry=replace(client.retry, max_tries=50))
    error = failure_of(lambda: patient.fields("AW"))
    assert (error.code, error.fate) == ("CONNECTION_FAILED", Fate.RETRY)
    assert len(caplog.records) == 2
    assert len(error.message) < 100


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EMFILE, "SYSTEM_LIMIT"),
        (errno.ENFILE, "SYSTEM_LIMIT"),
        (errno.ENOBUFS, "SYSTEM_LIMIT"),
        (errno.ENETUNREACH, "CONNECTION_FAILED"),
        (errno.EPIPE, "CONNECTION_FAILED"),
    ],
)
def test_what_this_machine_lacks_is_not_the_network(
    make_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("urllib3.util.connection.create_connection", fail)
    error = failure_of(lambda: once(make_client("http://127.0.0.1:1")).fields("AW"))
    assert (error.code, error.may_have_run) == (code, False)


@pytest.mark.parametrize(
    ("environment", "code", "advice"),
    [
        ({"HTTP_PROXY": "nonsense://x"}, "REQUEST_INVALID", "HTTPS_PROXY"),
        ({"HTTP_PROXY": "http://"}, "REQUEST_INVALID", "HTTPS_PROXY"),
        ({"HTTP_PROXY": "socks5://x:1"}, "REQUEST_INVALID", "HTTPS_PROXY"),
        ({"HTTP_PROXY": "http://127.0.0.1:1"}, "CONNECTION_FAILED", "the proxy"),
    ],
)
def test_a_proxy_that_makes_no_sense_is_named(
    make_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    code: str,
    advice: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    error = failure_of(lambda: make_client("http://api.example").fields("AW"))
    assert error.code == code
    assert advice in str(error)
    assert error.exit_code == EXIT_FAILED  # It is not the API that refuses.


def test_a_bundle_of_certificates_that_is_not_there_is_named(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at/all")
    error = failure_of(lambda: make_client("https://api.example").fields("AW"))
    assert (error.code, error.fate) == ("CERTIFICATE_INVALID", Fate.STOP)
    assert "/nowhere/at/all" in str(error)
    assert error.exit_code == EXIT_FAILED


def test_a_bundle_of_certificates_without_any_is_named(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bundle.pem").write_text("no certificate\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    with serving(lambda handler: handler.reply("{}")) as server:
        address = server.url.replace("http:", "https:")
        error = failure_of(lambda: make_client(address).fields("AW"))
    assert (error.code, error.fate) == ("CERTIFICATE_INVALID", Fate.STOP)
    assert "REQUESTS_CA_BUNDLE" in str(error)


@pytest.mark.parametrize("key", ["ключ-которого-нет", "key_with_a\nline_break"])
def test_a_key_that_no_header_can_carry_is_told_and_not_shown(
    make_client: Callable[..., Client], key: str
) -> None:
    with serving(lambda handler: handler.reply(GOOD)) as server:
        client = once(make_client(server.url, api_key=key))
        error = failure_of(lambda: client.fields("AW"))
    assert error.code in {"REQUEST_INVALID", "CONNECTION_FAILED", ""}
    assert key not in str(error)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 abc\r\n\r\n", "CONNECTION_FAILED"),
        (OK + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n" + GOOD, "CONNECTION_FAILED"),
        (CHUNKED + b"zz\r\n", "CONNECTION_FAILED"),
        (OK + b"A: b\r\n" * 500 + b"\r\n" + GOOD, "CONNECTION_FAILED"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + GOOD, "ANSWER_INVALID"),
        (b"HTTP/1.1 204 No\r\n\r\n", "ANSWER_INVALID"),
        (b"", "CONNECTION_FAILED"),
    ],
)
def test_what_is_no_http_is_an_answer_that_failed(
    make_client: Callable[..., Client], answer: bytes, code: str
) -> None:
    def say(handler: Handler) -> None:
        handler.wfile.write(answer)
        handler.close_connection = True

    with serving(say) as server:
        error = failure_of(lambda: once(make_client(server.url)).fields("AW"))
    assert (error.code, error.fate) == (code, Fate.RETRY)
