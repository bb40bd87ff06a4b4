"""Checks of rows: that a key which the user chose tells them apart, and that their day is theirs.

The default key has every dimension, by which the API groups. A shorter one may be shared by rows,
and a target that knows the key would keep one of them and drop the others without a word. And a
date that is not the row's day, such as the start of a campaign, is the same on many days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.records.convert import rows_of
from tap_supermetrics.records.schema import DATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_supermetrics.api.wire import Cell
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.records.convert import Column, RecordReader

MAX_ROWS: Final = 10_000
"""So many rows of a result are looked at: a key that is too short shows early."""


def with_unique_keys(
    blocks: Iterable[bytes], reader: RecordReader, key_properties: tuple[str, ...]
) -> Iterator[bytes]:
    """The same blocks, each after a look at the keys of its rows.

    Args:
        blocks: rows, some at a time, as JSON arrays of arrays.
        reader: knows where the fields are.
        key_properties: the key; the tap's own columns in it are the same for all rows of a day.

    Raises:
        ApiError: KEY_NOT_UNIQUE when two rows share a key.
    """
    names = {*key_properties} | ({reader.dated_by} if DATE in key_properties else set())
    places = [column.place for column in reader.columns if column.name in names]
    seen: set[tuple[Cell, ...]] = set()
    for block in blocks:
        if len(seen) < MAX_ROWS:
            for row in rows_of(block):
                key = tuple(row[place] for place in places if place < len(row))
                if key in seen:
                    raise ApiError(
                        "KEY_NOT_UNIQUE",
                        f"rows share the key {', '.join(key_properties)}, for example {key}; "
                        "a target would keep one of them",
                    )
                seen.add(key)
        yield block


def with_own_days(
    blocks: Iterable[bytes], reader: RecordReader, replication_key: str, dates: DateRange
) -> Iterator[bytes]:
    """The same blocks, after a look at the days of the rows of the first.

    Args:
        blocks: rows, some at a time, as JSON arrays of arrays.
        reader: knows where the fields are.
        replication_key: the field that should hold the day of a row.
        dates: the days that were asked for.

    Raises:
        ApiError: RESULT_MISMATCH when a row is of another day.
    """
    column = next(each for each in reader.columns if each.name == replication_key)
    is_first = True
    for block in blocks:
        for row in rows_of(block) if is_first else ():
            _check_day(column, row, dates)
        is_first = False
        yield block


def _check_day(column: Column, row: Sequence[Cell], dates: DateRange) -> None:
    try:
        day = str(column.convert(row[column.place]))
    except (ApiError, LookupError):
        return  # which is told when the row is read
    if not str(dates.first) <= day <= str(dates.last):
        raise ApiError(
            "RESULT_MISMATCH",
            f"{column.name} is {day} in a result for {dates}, so it is not the day of the row; set "
            f"`replication_key` to the field that is, or to {DATE}",
        )
