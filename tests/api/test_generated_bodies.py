"""A thousand damaged bodies, and a thousand texts of a server, each known by its seed.

No body passes for other rows than those that were sent; no text steers a terminal or tells the key.
"""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
import pytest

from tap_supermetrics.api import wire
from tap_supermetrics.api.answers import DamagedAnswer, RefusedAnswer, read_answer
from tap_supermetrics.api.retry import RateLimit
from tap_supermetrics.api.transport import Transport
from tap_supermetrics.records.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT: Final = 1_000
KEY: Final = "api_0/+&%23\u00e9_secret-key"
Rows = list[list[Any]]
CELLS: Final[tuple[Any, ...]] = (
    "Brand",
    "caf\u00e9 \u2014 \U0001f600",
    'a "quoted" \\ NaN, [x]',
    "",
    None,
    True,
    0,
    -12,
    2**70,
    10.5,
    1e-7,
)
NUMBERS: Final = (b"NaN", b"-Infinity", b"1e999", b"-1E400", b"inf")
AROUND: Final = (b"", b"\0", b"\xef\xbb\xbf", b" \r\n", b"\n\0")


def drawn_rows(draw: random.Random) -> Rows:
    width = draw.randint(1, 4)
    return [[draw.choice(CELLS) for _ in range(width)] for _ in range(draw.randint(0, 5))]


def body_of(rows: Rows, *, is_ascii: bool) -> bytes:
    meta = {"request_id": "r", "schedule_id": "s", "result": {"total_rows": len(rows)}}
    return json.dumps({"meta": meta, "data": rows}, ensure_ascii=is_ascii).encode()


# What is mended: the rows are those that were sent


def framed(draw: random.Random, rows: Rows, body: bytes) -> tuple[bytes, Rows]:
    return draw.choice(AROUND) + body + draw.choice((b"", b"\0", b"\0\0 ", b"\r\n")), rows


def odd_number(draw: random.Random, rows: Rows, _: bytes) -> tuple[bytes, Rows]:
    """A number that is none: it becomes a text, and no other cell changes."""
    number, mark = draw.choice(NUMBERS), 987_654_321
    sent = [*rows, [mark, "x"]]
    body = body_of(sent, is_ascii=draw.random() < 0.5).replace(b"[%d" % mark, b"[" + number)
    return body, [*rows, [number.decode(), "x"]]


def bad_byte(draw: random.Random, rows: Rows, _: bytes) -> tuple[bytes, Rows]:
    byte = draw.choice((b"\xe9", b"\xff", b"\xc3", b"\x93"))
    body = body_of([*rows, ["(here)"]], is_ascii=True).replace(b"(here)", b"a" + byte + b"z")
    return body, [*rows, ["a\ufffdz"]]


def odd_fact(draw: random.Random, rows: Rows, body: bytes) -> tuple[bytes, Rows]:
    said = draw.choice(("maybe", [1], {"a": 1}, "12.5.", True, 3))
    facts = ("cache_time", "cache_used", "data_sampled", "run_seconds")
    answer = json.loads(body)
    answer["meta"]["result"][draw.choice(facts)] = said
    return json.dumps(answer).encode(), rows


# What cannot be mended: damage, never other rows


def cut(draw: random.Random, _: Rows, body: bytes) -> tuple[bytes, None]:
    return body[: draw.randrange(len(body))], None


def doubled(draw: random.Random, _: Rows, body: bytes) -> tuple[bytes, None]:
    return draw.choice((body + body, body + b"," + body, body + b"}", b"[" + body)), None


def page(draw: random.Random, _: Rows, body: bytes) -> tuple[bytes, None]:
    pages = (b"", b"null", b"[]", b"<html>busy</html>", b"OK", b'"', gzip.compress(body, mtime=0))
    return draw.choice((*pages, body.decode().encode("utf-16"), b")]}'\n" + body)), None


def no_rows(draw: random.Random, rows: Rows, _: bytes) -> tuple[bytes, None]:
    data = draw.choice((None, {}, {"rows": rows}, "rows", 3, True))
    return json.dumps({"meta": {}, "data": data}).encode(), None


def no_value(draw: random.Random, rows: Rows, _: bytes) -> tuple[bytes, None]:
    word = draw.choice((b"undefined", b"None", b"True", b"01", b"+1", b".5", b"1,", b"'x'", b"0x1"))
    body = body_of([*rows, [987_654_321]], is_ascii=True)
    return body.replace(b"987654321", word), None


DAMAGES: Final[tuple[Callable[[random.Random, Rows, bytes], tuple[bytes, Rows | None]], ...]] = (
    framed,
    odd_number,
    bad_byte,
    odd_fact,
    cut,
    doubled,
    page,
    no_rows,
    no_value,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damaged_body_passes_for_other_rows(damage: Callable[..., Any]) -> None:
    for seed in range(COUNT // len(DAMAGES) + 1):
        draw = random.Random(seed)  # noqa: S311 - reproducible, guards nothing
        rows = drawn_rows(draw)
        body, expected = damage(draw, rows, body_of(rows, is_ascii=draw.random() < 0.5))
        try:
            data = read_answer(body, list[msgspec.Raw], is_error=False).data
            read: Rows | None = rows_of(b"[" + b",".join(map(bytes, data)) + b"]")
        except (DamagedAnswer, RefusedAnswer):
            read = None
        assert read == expected, f"seed {seed}: {body!r}"


def forged(draw: random.Random) -> str:
    """A text that would steer a terminal, forge a line of a log, or tell the key."""
    odd = (
        "\x1b[2J",
        "\u202e",
        "\r\nERROR | all is lost\n",
        "\0",
        "\x85",
        "\u2028",
        "\x9b31m",
        "\t",
    )
    forms = (KEY, quote(KEY, safe=""), json.dumps(KEY)[1:-1], KEY.replace("/", "\\/"))
    pieces = [*odd, *forms, "words", "\U0001f600", "\ud800", chr(draw.randrange(0x20000))]
    return "".join(draw.choice(pieces) for _ in range(draw.randint(0, 8)))


def test_no_text_of_a_server_steers_a_terminal_or_tells_the_key() -> None:
    transport = Transport(api_url="https://x", api_key=KEY, rate_limit=RateLimit(1000.0))
    for seed in range(COUNT):
        draw = random.Random(seed)  # noqa: S311 - reproducible, guards nothing
        told = wire.Error(code=forged(draw), message=forged(draw), description=forged(draw))
        error = transport.replies.refusal(told, draw.choice((200, 400, 404, 500)), forged(draw))
        for shown in (str(error), error.code, error.message, error.request_id):
            assert shown.isprintable(), f"seed {seed}: {shown!r}"
            assert "secret-key" not in shown, f"seed {seed}: {shown!r}"
