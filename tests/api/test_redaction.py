"""Neither the key nor what steers a terminal reaches what people read, or an address."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.entries import read_each
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.redaction import (
    LONGEST_TEXT,
    OneLine,
    address_without_key,
    readable,
    shows_key,
    without_key,
)
from tests.api.server import Handler, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.api.client import Client

KEY = "Zq7/secret+KEY=9876543210"
STEERING = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u2066\u200b\x00\x9b31m\x85\u2028\ufeff\ud800"


def steers(text: str) -> bool:
    return not text.isprintable()


@pytest.mark.parametrize("each", [each for each in STEERING if not each.isprintable()])
def test_each_character_that_steers_is_shown_as_unknown(each: str) -> None:
    shown = readable(f"a{each}b")
    assert not steers(shown)
    assert shown in {"a\ufffdb", "ab", "a b"}


def test_words_of_all_languages_are_left() -> None:
    text = "Größe: 12 € \u30ad\u30e3\u30f3\u30da\u30fc\u30f3 \u0645\u0628\u064a\u0639\u0627\u062a"
    assert readable(f" {text}\n") == text


@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_becomes_one_line_that_steers_nothing(text: str) -> None:
    assert not steers(readable(text))
    assert readable(readable(text)) == readable(text)


@pytest.mark.parametrize("before", range(LONGEST_TEXT - len(KEY), LONGEST_TEXT + 1, 6))
def test_no_key_is_cut_in_two_by_the_end_of_a_message(
    before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OneLine, "secrets", {KEY})
    error = ApiError("RESULT_MISMATCH", "x" * before + KEY)
    for shown in (error.message, readable("x" * before + KEY)):
        assert not any(KEY[:length] in shown for length in range(3, len(KEY)))


@pytest.mark.parametrize("before", range(60, 100, 3))
def test_no_key_is_cut_in_two_by_the_end_of_an_entry(
    before: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OneLine, "secrets", {KEY})
    rows = [msgspec.Raw(msgspec.json.encode(each)) for each in (1, "x" * before + KEY)]
    assert read_each(rows, partial(msgspec.json.decode, type=int)) == [1]
    assert not any(KEY[:length] in caplog.text for length in range(3, len(KEY)))


def test_a_text_without_end_is_cut() -> None:
    assert len(readable("x" * 10**6)) == LONGEST_TEXT + 3


def test_what_a_server_says_in_an_error_steers_nothing(make_client: Callable[..., Client]) -> None:
    error = {"code": f"A{STEERING}", "message": STEERING, "description": f"x\n{STEERING}"}
    body = json.dumps({"meta": {"request_id": f"r\nERROR {STEERING}"}, "error": error})
    with (
        serving(lambda handler: handler.reply(body, 400)) as server,
        pytest.raises(ApiError) as caught,
    ):
        make_client(server.url).fields("AW")
    assert not steers(f"{caught.value}{caught.value.code}{caught.value.request_id}")


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_any_error_steers_nothing(code: str, message: str, request_id: str) -> None:
    assert not steers(str(ApiError(code, message, request_id=request_id)))


def test_headers_of_a_server_are_not_logged(
    make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\x1b[31mno header\r\n\r\n{"data": []}'

    def say(handler: Handler) -> None:
        handler.wfile.write(answer)
        handler.close_connection = True

    with (
        serving(say) as server,
        caplog.at_level(logging.INFO),
    ):
        assert make_client(server.url).fields("AW") == ()
    assert caplog.text == ""


# The key in an address

FORMS = [
    lambda key: f"query/results?schedule_id=1&api_key={quote(key, safe='')}",
    lambda key: f"query/results?{quote(key, safe='')}=1&schedule_id=1",
    lambda key: f"query/results?x={quote(quote(key, safe=''), safe='')}&schedule_id=1",
    lambda key: (
        f"query/results?{urlencode({'json': json.dumps({'schedule_id': 1, 'api_key': key})})}"
    ),
    lambda key: (
        f"query/results?{urlencode({'json': json.dumps({'schedule_id': 1, 'a': {'b': [key]}})})}"
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_the_key_is_taken_out_of_an_address_that_the_api_names(
    make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture, form: Callable[[str], str]
) -> None:
    with (
        serving(lambda handler: handler.reply('{"data": []}')) as server,
        caplog.at_level(logging.DEBUG),
    ):
        client = make_client(server.url, api_key=KEY)
        client.results(client.checked_url(form(KEY)))
        (request,) = server.requests
    assert not shows_key(request.path, KEY)
    assert "schedule_id" in request.path
    assert not shows_key(caplog.text, KEY)


@pytest.mark.parametrize(
    "address",
    [
        f"query/{quote(KEY, safe='')}/results",
        f"query/results#{quote(KEY, safe='')}",
        "query/results?x=\x1b[31m",
        "query/res\u202eults",
        "query/results\r\nX-Evil: 1",
    ],
)
def test_an_address_that_cannot_be_made_clean_is_refused(
    make_client: Callable[..., Client], address: str
) -> None:
    with serving(lambda handler: handler.reply('{"data": []}')) as server:
        client = make_client(server.url, api_key=KEY)
        with pytest.raises(ApiError) as caught:
            client.results(address)
        assert server.requests == []
    assert caught.value.code == "ADDRESS_REFUSED"
    assert not shows_key(str(caught.value), KEY)
    assert not steers(str(caught.value))


PARAMETERS = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), max_size=5)


@given(PARAMETERS, st.integers(0, 5), st.integers(0, 5))
def test_only_what_names_the_key_is_taken_out(
    parameters: list[tuple[str, str]], place: int, rounds: int
) -> None:
    value = KEY
    for _ in range(rounds):
        value = quote(value, safe="")
    others = [pair for pair in parameters if not shows_key(urlencode([pair]), KEY)]
    named = [*others[:place], ("key", value), *others[place:]]
    clean = address_without_key(f"https://h/p?{urlencode(named)}", KEY)
    assert parse_qsl(urlsplit(clean).query, keep_blank_values=True) == others


def test_an_address_without_the_key_is_left_as_it_is() -> None:
    for address in ("query/results?a=%20+b&c", "http://[::1/", "//x?y=z#w", ""):
        assert address_without_key(address, KEY) == address


@given(st.text(min_size=8, max_size=20))
def test_the_key_is_found_however_it_is_escaped(key: str) -> None:
    for text in (key, json.dumps(key), repr(key), quote(key, safe="", errors="replace")):
        assert key not in without_key(f"say {text}!", key) or key in "say (the key)!"


# The key in a text, however it is spelt

SPELT = "api_Zx9Qw7Rt5Yu3Io1Pa_Sd-Fg2Hj4Kl6"
SPELLINGS = {
    "plain": SPELT,
    "capitals": SPELT.upper(),
    "small": SPELT.lower(),
    "address": SPELT.replace("_", "%5F").replace("-", "%2d"),
    "address in an address": SPELT.replace("_", "%255F"),
    "address, each letter": "".join(f"%{ord(each):02X}" for each in SPELT),
    "HTML": "".join(f"&#{ord(each)};" for each in SPELT),
    "HTML, hexadecimal": "".join(f"&#x{ord(each):x};" for each in SPELT),
    "JSON": "".join(f"\\u{ord(each):04x}" for each in SPELT),
    "JSON in JSON": "".join(f"\\\\u{ord(each):04x}" for each in SPELT),
    "Base64": b64encode(SPELT.encode()).decode(),
    "Base64 of a header": b64encode(f"Bearer {SPELT}".encode()).decode(),
    "Base64 of a name and the key": b64encode(f"me:{SPELT}".encode()).decode(),
    "its beginning": SPELT[:24],
    "its end": SPELT[8:],
    "parted by a line": f"{SPELT[:10]}\n{SPELT[10:]}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_key_is_taken_out_however_it_is_spelt(spelling: str) -> None:
    told = without_key(f"the token {SPELLINGS[spelling]} is not known", SPELT)
    assert "(the key)" in told
    assert len(told) < len("the token  is not known") + 32
    assert told.startswith("the token ")
    assert told.endswith(" is not known")


@given(st.text(max_size=200), st.text(max_size=60))
def test_a_text_without_the_key_is_left_as_it_is(text: str, more: str) -> None:
    assert without_key(text + more, SPELT) == text + more
    assert without_key("api_Zx9Qw7R is its beginning", SPELT) == "api_Zx9Qw7R is its beginning"
