from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec
import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import FieldEcho, FieldInfo
from tap_supermetrics.dates import DateRange
from tap_supermetrics.records.checks import MAX_ROWS, with_own_days, with_unique_keys
from tap_supermetrics.records.convert import RecordReader
from tap_supermetrics.records.schema import ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID, record_schema
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = {"Day": "string.time.date", "Name": "string.text.value", "Clicks": "int.number.value"}
LISTED = [
    FieldInfo(field_id=name, field_type="met" if name == "Clicks" else "dim", data_type=data_type)
    for name, data_type in TYPES.items()
]
ECHO = [
    FieldEcho(id=name, field_id=name, data_type=data_type, data_column=place)
    for place, (name, data_type) in enumerate(TYPES.items())
]
BLOCKS = [b'[["2024-03-01","a",1],["2024-03-01","b",2]]', b'[["2024-03-02","a",1]]']


def blocks_checked(*key: str, blocks: Sequence[bytes] = BLOCKS) -> list[bytes]:
    asked = report(fields=list(TYPES), key_properties=list(key))
    metadata = {ACCOUNT_ID: "1", DATE: None, FETCHED_AT: "", SCHEDULE_ID: ""}
    reader = RecordReader(record_schema(asked, LISTED), ECHO, metadata, None)
    return list(with_unique_keys(blocks, reader, asked.key_properties))


@pytest.mark.parametrize(
    "key", [("Day", "Name"), (DATE, "Name"), ("_sm_account_id", "Name", "Day")]
)
def test_a_key_that_tells_rows_apart_changes_nothing(key: tuple[str, ...]) -> None:
    assert blocks_checked(*key) == BLOCKS


@pytest.mark.parametrize("key", [("Day",), (DATE,), ("Name",), ("Clicks",), ("_sm_account_id",)])
def test_a_key_that_rows_share_is_refused(key: tuple[str, ...]) -> None:
    with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
        blocks_checked(*key)


def test_a_row_that_is_too_short_is_left_to_the_reader() -> None:
    assert blocks_checked("Clicks", blocks=[b'[["2024-03-01","a"]]']) == [b'[["2024-03-01","a"]]']


def test_of_a_long_result_only_the_first_rows_are_looked_at() -> None:
    numbers = [*range(MAX_ROWS), 0]
    first, last = (
        msgspec.json.encode([["2024-03-01", "a", each] for each in part])
        for part in (numbers[:MAX_ROWS], numbers[MAX_ROWS:])
    )
    assert blocks_checked("Clicks", blocks=[first, last]) == [first, last]
    with pytest.raises(ApiError, match="KEY_NOT_UNIQUE"):
        blocks_checked("Clicks", blocks=[msgspec.json.encode(msgspec.json.decode(first)[1:] * 2)])


def blocks_dated(first: int, last: int) -> list[bytes]:
    asked = report(fields=list(TYPES))
    metadata = {ACCOUNT_ID: "1", DATE: None, FETCHED_AT: "", SCHEDULE_ID: ""}
    reader = RecordReader(record_schema(asked, LISTED), ECHO, metadata, None)
    dates = DateRange(first=date(2024, 3, first), last=date(2024, 3, last))
    return list(with_own_days(BLOCKS, reader, "Day", dates))


def test_rows_of_the_days_that_were_asked_for_pass() -> None:
    assert blocks_dated(1, 2) == BLOCKS


@pytest.mark.parametrize(("first", "last"), [(2, 2), (2, 9)])
def test_a_date_that_is_not_the_day_of_its_row_is_refused(first: int, last: int) -> None:
    with pytest.raises(ApiError, match=r"Day is 2024-03-01 .* `replication_key`"):
        blocks_dated(first, last)
