"""Damage that changes nothing is mended; other damage is told, and not paid for thrice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api import lenient
from tap_supermetrics.api.answers import DamagedAnswer, RefusedAnswer, read_answer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.api.verdicts import Fate
from tests.api.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.api.client import Client

BOM = b"\xef\xbb\xbf"


def rows_of(body: bytes) -> list[object]:
    data = read_answer(bytearray(body), list[msgspec.Raw], is_error=False).data
    return [json.loads(bytes(row)) for row in data]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'["x", NaN]', ["x", "NaN"]),
        (b'["NaN", Infinity, -Infinity]', ["NaN", "Infinity", "-Infinity"]),
        (b'["NaN", nan,+inf, -INF]', ["NaN", "nan", "+inf", "-INF"]),
        (b'["a NaN \\" NaN", NaN, 1e5]', ['a NaN " NaN', "NaN", 1e5]),
        (b'["\\\\", NaN, "\\\\\\"", NaN]', ["\\", "NaN", '\\"', "NaN"]),
        (b'["caf\xe9", 1]', ["caf\ufffd", 1]),
        (b'["\xff\xfe", "\xc3\xa9"]', ["\ufffd\ufffd", "\xe9"]),
        (b'["two\nlines\tand\x00more", 1]', ["two\nlines\tand\x00more", 1]),
        (rb'["half \ud83d", NaN]', ["half \ufffd", "NaN"]),
    ],
)
def test_damage_within_a_row_costs_no_day(written: bytes, read: list[object]) -> None:
    assert rows_of(b'{"meta": {}, "data": [' + written + b"]}") == [read]


@pytest.mark.parametrize("before", [b"", BOM, b"\0", b" \r\n" + BOM, BOM + b"\n", b"\0" + BOM])
@pytest.mark.parametrize("after", [b"", b"\0", b"\0\0\r\n", b"   \0"])
@pytest.mark.parametrize("cell", [b"1", b"NaN", b'"\xe9"'])
def test_what_stands_around_an_answer_is_skipped(before: bytes, after: bytes, cell: bytes) -> None:
    assert len(rows_of(before + b'{"data": [[' + cell + b"]]}" + after)) == 1


@pytest.mark.parametrize("nothing", ["null", "{}", "[]", "false", '""'])
def test_an_error_that_says_nothing_is_none(nothing: str) -> None:
    assert rows_of(f'{{"error": {nothing}, "data": [[1], [2]]}}'.encode()) == [[1], [2]]


@pytest.mark.parametrize(
    "meta",
    [
        b'{"paginate": false}',
        b'{"paginate": {"next": false}}',
        b'{"query": {"fields": {"0": {"field_id": "a"}, "2": {"field_id": "b"}}}}',
        b'{"query": {"ds_accounts": {"1": "123"}}}',
    ],
)
def test_what_php_writes_for_nothing_and_for_a_list_costs_no_result(meta: bytes) -> None:
    assert rows_of(b'{"meta": ' + meta + b', "data": {"0": [1], "1": [2]}}') == [[1], [2]]


@pytest.mark.parametrize(
    "rows", [b'{"a": [1]}', b'{"1": [1], "0": [2]}', b'{"%b": [1]}' % (b"9" * 6000), b'"[[1]]"']
)
def test_what_is_no_list_is_not_taken_for_one(rows: bytes) -> None:
    with pytest.raises(DamagedAnswer):
        rows_of(b'{"meta": {}, "data": ' + rows + b"}")


def test_damage_is_mended_in_every_answer(make_client: Callable[..., Client]) -> None:
    body = BOM + b'{"data": [{"field_id": "caf\xe9", "field_name": "a\nb", "x": NaN}]}\0'
    with serving(lambda handler: handler.reply(body)) as server:
        assert make_client(server.url).fields("AW") == (
            FieldInfo(field_id="caf\ufffd", field_name="a\nb"),
        )
        assert len(server.requests) == 1


def test_an_error_is_told_however_damaged_it_comes() -> None:
    body = BOM + b'{"meta": {"x": NaN}, "error": {"code": "LICENSE_EXPIRED", "message": "\xe9"}}\0'
    with pytest.raises(RefusedAnswer) as caught:
        read_answer(body, list[msgspec.Raw], is_error=True)
    assert (caught.value.error.code, caught.value.error.message) == ("LICENSE_EXPIRED", "\ufffd")


@pytest.mark.parametrize(
    "row",
    [
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[None]",
        b"[undefined]",
        b"['x']",
        b'["\\x"]',
        b"[1 2]",
        b"[NaN5]",
    ],
)
def test_what_is_no_json_is_not_guessed(row: bytes) -> None:
    with pytest.raises(DamagedAnswer):
        rows_of(b'{"data": [' + row + b"]}")


def test_damage_of_an_answer_too_large_to_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lenient, "MAX_MENDED_BYTES", 10)
    with pytest.raises(DamagedAnswer, match="is no UTF-8"):
        rows_of(b'{"data": [["caf\xe9"]]}')
    assert rows_of(b'{"data": [["caf\xc3\xa9"]]}') == [["caf\xe9"]]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["NaN", '"inf']),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_mending_changes_no_good_json(value: object, is_ascii: bool) -> None:  # noqa: FBT001 - generated
    body = json.dumps({"data": [value]}, ensure_ascii=is_ascii).encode(errors="replace")
    if b"\\ud" not in body.lower():
        assert lenient.mended(body) == body
    assert json.loads(lenient.mended(BOM + body + b"\0")) == json.loads(lenient.mended(body))


@given(st.lists(st.floats() | st.text(max_size=6) | st.integers(-9, 9), max_size=6))
def test_floats_that_are_no_numbers_become_texts(row: list[object]) -> None:
    names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    body = json.dumps({"data": [row]}).encode()
    if b"\\ud" not in body:
        expected = [names.get(repr(each), each) for each in row]
        assert rows_of(body) == [expected]


@given(st.binary(max_size=60), st.sampled_from([b'{"data": [["%b", 1]]}', b'{"data": [[%b]]}']))
def test_any_bytes_are_rows_or_damage(data: bytes, form: bytes) -> None:
    body = form.replace(b"%b", data)
    try:
        rows = read_answer(bytearray(body), list[msgspec.Raw], is_error=False).data
    except (DamagedAnswer, RefusedAnswer):
        return
    for row in rows:
        bytes(row).decode()


# What cannot be mended


def test_what_is_damaged_twice_alike_is_not_asked_for_a_third_time(
    make_client: Callable[..., Client],
) -> None:
    numbers = iter(range(10))

    def damaged() -> bytes:
        return b'{"meta": {"request_id": "r%d"}, "data": [[01]]}' % next(numbers)

    with serving(lambda handler: handler.reply(damaged())) as server:
        with pytest.raises(ApiError) as caught:
            make_client(server.url).results("query/results")
        assert len(server.requests) == 2
    assert (caught.value.code, caught.value.fate) == ("ANSWER_UNREADABLE", Fate.FAIL)
    assert "invalid number (byte" in str(caught.value)
    assert "check `api_url`" not in str(caught.value)


def test_a_start_that_is_damaged_twice_alike_is_not_paid_for_thrice(
    make_client: Callable[..., Client],
) -> None:
    with serving(lambda handler: handler.reply('{"data": {"batch_id": 01}}')) as server:
        client = make_client(server.url)
        with pytest.raises(ApiError) as caught:
            client.start_batch({})
        sent = [each for each in server.requests if each.method == "POST"]
        assert len(sent) == client.service.unanswered_starts == 2
    assert caught.value.code == "START_UNREADABLE"
    assert str(caught.value).count("What to do") == 1
