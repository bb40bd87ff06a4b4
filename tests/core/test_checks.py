from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldEcho, FieldInfo
from tap_supermetrics.api.wire import Cell
from tap_supermetrics.dates import DateRange
from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.records import checks
from tap_supermetrics.records.checks import OtherAccounts
from tap_supermetrics.records.convert import Mismatches, RecordReader
from tap_supermetrics.records.encode import LineFormat
from tap_supermetrics.records.schema import record_schema
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = {
    "Day": "string.time.date",
    "Name": "string.text.value",
    "Clicks": "int.number.value",
    "Rate": "float.number.ratio",
    "Ends": "string.time.date",
    "At": "string.time.datetime",
}
DIMENSIONS = {"Day", "Name", "Ends", "At"}
LISTED = [
    FieldInfo(field_id=name, field_type="dim" if name in DIMENSIONS else "met", data_type=data_type)
    for name, data_type in TYPES.items()
]
MARCH = DateRange(first=date(2024, 3, 1), last=date(2024, 3, 31))
Rows = list[list[Cell]]
ROWS: Rows = [
    ["2024-03-01", "a", 1, 0.5],
    ["2024-03-01", "b", 2, 0.5],
    ["2024-03-02", "a", 1, 0.5],
]


def reader_of(
    *key: str,
    fields: Sequence[str] = tuple(TYPES)[:4],
    dates: DateRange | None = MARCH,
    account: str = "1",
    others: OtherAccounts | None = None,
    **own: object,
) -> RecordReader:
    chosen = {"key_properties": list(key)} if key else {}
    asked = report(fields=list(fields), **chosen, **own)
    placed = [FieldEcho(id=name, data_column=place) for place, name in enumerate(fields)]
    metadata = {ACCOUNT_ID: account, DATE: None, FETCHED_AT: "", SCHEDULE_ID: ""}
    schema = record_schema(asked, LISTED)
    return RecordReader(schema, placed, metadata, Mismatches(), dates, others=others)


def one_by_one(reader: RecordReader, blocks: Sequence[bytes]) -> list[dict[str, Any]]:
    return list(reader.all_records(blocks))


def by_lines(reader: RecordReader, blocks: Sequence[bytes]) -> list[dict[str, Any]]:
    made = LineFormat(
        stream="ads",
        version=None,
        is_selected=lambda _: True,
        clock=lambda: datetime(2024, 3, 2, tzinfo=timezone.utc),
    )
    lines = b"".join(each.data for each in made.lines(reader, blocks)).splitlines()
    return [json.loads(line)["record"] for line in lines]


WAYS = pytest.mark.parametrize("way", [one_by_one, by_lines])


def blocks_of(rows: Rows, size: int = 2) -> list[bytes]:
    return [msgspec.json.encode(rows[at : at + size]) for at in range(0, len(rows), size)]


@WAYS
@pytest.mark.parametrize("key", [(), ("Day", "Name"), (DATE, "Name"), (ACCOUNT_ID, "Name", "Day")])
def test_a_key_that_tells_rows_apart_changes_nothing(way: Any, key: tuple[str, ...]) -> None:  # noqa: ANN401 - a function
    assert len(way(reader_of(*key), blocks_of(ROWS))) == 3


@WAYS
@pytest.mark.parametrize("key", [("Day",), (DATE,), ("Name",), ("Clicks",), ("Rate",)])
def test_a_key_that_rows_share_is_refused(way: Any, key: tuple[str, ...]) -> None:  # noqa: ANN401 - a function
    with pytest.raises(ApiError, match=f"KEY_NOT_UNIQUE: rows share the key {key[0]}, for"):
        way(reader_of(*key), blocks_of(ROWS, 3))


@WAYS
@pytest.mark.parametrize("size", [1, 2, 9])
def test_the_default_key_is_checked_too(way: Any, size: int) -> None:  # noqa: ANN401 - a function
    with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
        way(reader_of(), blocks_of([*ROWS, ["2024-03-01", "a", 5, 0.1]], size))


@WAYS
@pytest.mark.parametrize(
    ("key", "some", "other"),
    [
        ("Name", None, ""),
        ("Name", "", "\0"),
        ("Name", 5, "5"),
        ("Name", 5.0, "5"),
        ("Name", "", "(none)"),
        ("Clicks", 5, "5.0"),
        ("Rate", 1, 1.0),
        ("Rate", 0.0, -0.0),
        ("Day", "2024-03-01", "2024-03-01T00:00:00"),
        ("Day", "20240301", "2024-03-01"),
    ],
)
def test_two_cells_that_are_written_as_one_value_share_a_key(
    way: Any,  # noqa: ANN401 - a function
    key: str,
    some: Cell,
    other: Cell,
) -> None:
    place = list(TYPES).index(key)
    rows = [[*ROWS[0][:place], cell, *ROWS[0][place + 1 :]] for cell in (some, other)]
    with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
        way(reader_of(key, blank_key_value="(none)"), blocks_of(rows))


@WAYS
@pytest.mark.parametrize(
    ("blank", "said"),
    [("", r"null and an empty text are written alike: `filter`"), ("-", "change")],
)
def test_rows_that_differ_by_blanks_only_have_that_told(way: Any, blank: str, said: str) -> None:  # noqa: ANN401 - a function
    rows = [[*ROWS[0][:1], cell, *ROWS[0][2:]] for cell in (None, "")]
    with pytest.raises(ApiError, match=said):
        way(reader_of("Name", blank_key_value=blank), blocks_of(rows))


@WAYS
@pytest.mark.parametrize(
    "moments",
    [
        ("2024-03-01T12:00:00+02:00", "2024-03-01T10:00:00Z"),
        ("2024-03-01 12:00:00.0", "2024-03-01 12:00:00"),
        ("2024-03-01T12:00:00.1234567", "2024-03-01T12:00:00.123456"),
        ("2024-03-01", "2024-03-01 00:00"),
    ],
)
def test_two_ways_to_write_a_moment_share_a_key(way: Any, moments: tuple[str, str]) -> None:  # noqa: ANN401 - a function
    rows: Rows = [["2024-03-01", "a", moment] for moment in moments]
    reader = reader_of("Day", "At", fields=["Day", "Name", "At"])
    with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
        way(reader, blocks_of(rows))


@WAYS
def test_a_value_that_stands_for_blanks_too_is_told_with_its_setting(way: Any) -> None:  # noqa: ANN401 - a function
    rows: Rows = [["2024-03-01", cell, 1, 1] for cell in ("", "(none)")]
    with pytest.raises(ApiError, match=r"change `blank_key_value`"):
        way(reader_of(blank_key_value="(none)"), blocks_of(rows))
    assert len(way(reader_of(blank_key_value="(blank)"), blocks_of(rows))) == 2


@WAYS
@pytest.mark.parametrize(
    ("key", "some", "other"), [("Clicks", -1, -2), ("Clicks", 0, 2**61 - 1), ("Rate", 1, 1.5)]
)
def test_numbers_of_one_hash_are_two_keys(way: Any, key: str, some: Cell, other: Cell) -> None:  # noqa: ANN401 - a function
    place = list(TYPES).index(key)
    rows = [[*ROWS[0][:place], cell, *ROWS[0][place + 1 :]] for cell in (some, other)]
    assert len(way(reader_of(key), blocks_of(rows))) == 2


@WAYS
def test_keys_that_are_far_apart_are_compared_in_bounded_memory(
    way: Any,  # noqa: ANN401 - a function
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "MAX_HASHES", 50)
    rows: Rows = [["2024-03-01", str(number), 1, 0.5] for number in range(300)]
    reader = reader_of()
    assert len(way(reader, blocks_of(rows, 20))) == 300
    assert len(reader.checks._hashes) < 50 + 20  # noqa: SLF001 - nothing else shows it
    with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
        way(reader_of(), blocks_of([*rows, rows[0]], 20))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=8), st.integers(1, 4)
)
def test_both_ways_find_each_shared_key(keys: list[tuple[str, int]], size: int) -> None:
    rows: Rows = [["2024-03-01", name, clicks, 0.5] for name, clicks in keys]
    is_shared = len({*keys}) < len(keys)
    for way in (one_by_one, by_lines):
        if is_shared:
            with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
                way(reader_of("Day", "Name", "Clicks"), blocks_of(rows, size))
        else:
            assert len(way(reader_of("Day", "Name", "Clicks"), blocks_of(rows, size))) == len(rows)


@WAYS
@pytest.mark.parametrize("at", [0, 1, 299, 600])
def test_the_day_of_every_row_is_held_against_the_question(way: Any, at: int) -> None:  # noqa: ANN401 - a function
    rows: Rows = [["2024-03-01", str(number), 1, 0.5] for number in range(601)]
    rows[at][0] = "2024-04-01"
    with pytest.raises(ApiError, match=r"Day is 2024-04-01 .* `replication_key`"):
        way(reader_of(), blocks_of(rows, 100))


@WAYS
def test_the_day_of_a_result_whose_days_the_api_determines_is_not_held(way: Any) -> None:  # noqa: ANN401 - a function
    assert len(way(reader_of(dates=None), blocks_of(ROWS))) == 3


@WAYS
@pytest.mark.parametrize(
    ("cell", "value", "text"),
    [
        (None, None, ""),
        ("", None, ""),
        ("2024-05-01", "2024-05-01", "2024-05-01"),
        ("(not set)", None, "(not set)"),
        (" ", None, ""),
        ("2024/5/1", "2024-05-01", "2024-05-01"),
    ],
)
def test_no_value_of_another_dimension_costs_a_day(
    way: Any,  # noqa: ANN401 - a function
    cell: Cell,
    value: str | None,
    text: str,
) -> None:
    reader = reader_of(fields=list(TYPES)[:5])
    (record,) = way(reader, blocks_of([[*ROWS[0], cell]]))
    assert (record["Ends"], record["_sm_dimensions"]) == (value, text)


@WAYS
def test_rows_that_differ_in_another_dimension_only_are_kept(way: Any) -> None:  # noqa: ANN401 - a function
    reader = reader_of(fields=list(TYPES)[:5])
    rows: Rows = [[*ROWS[0], cell] for cell in ("2024-05-01", "2024-06-01", None, "--")]
    assert len(way(reader, blocks_of(rows))) == 4


@WAYS
def test_a_blank_in_the_key_is_what_the_setting_names(way: Any) -> None:  # noqa: ANN401 - a function
    reader = reader_of(blank_key_value="(none)")
    rows: Rows = [["2024-03-01", "", 1, 1], ["2024-03-02", None, 1, 1], ["2024-03-03", "\0", 1, 1]]
    assert [each["Name"] for each in way(reader, blocks_of(rows))] == ["(none)"] * 3


@WAYS
def test_a_key_without_account_is_held_against_those_of_other_accounts(way: Any) -> None:  # noqa: ANN401 - a function
    others = OtherAccounts()

    def read(account: str, rows: Rows, dates: DateRange = MARCH) -> list[dict[str, Any]]:
        reader = reader_of("Day", "Name", dates=dates, account=account, others=others)
        made: list[dict[str, Any]] = way(reader, blocks_of(rows))
        return made

    one_day = DateRange(first=date(2024, 3, 9), last=date(2024, 3, 9))
    other_day = DateRange(first=date(2024, 3, 8), last=date(2024, 3, 8))
    read("1", ROWS)
    read("1", ROWS)  # as when a day is read again
    read("2", [["2024-03-01", "c", 1, 1]])
    read("1", [["2024-03-09", "d", 1, 1]], one_day)
    read("2", [["2024-03-08", "d", 1, 1]], other_day)
    with pytest.raises(ApiError, match="rows of the accounts 1 and 2 share the key Day, Name"):
        read("2", ROWS[:1])
    with pytest.raises(ApiError, match=r"add _sm_account_id to `key_properties`"):
        read("2", [["2024-03-09", "d", 1, 1]], one_day)
