"""Checks that a key which the user chose tells the rows of a result apart.

The default key has every dimension, by which the API groups. A shorter one may be shared by rows,
and a target that knows the key would keep one of them and drop the others without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.records import rows_of
from tap_supermetrics.shapes import DATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_supermetrics.api.wire import Cell
    from tap_supermetrics.records import RecordReader

MAX_ROWS: Final = 10_000
"""So many rows of a result are looked at: a key that is too short shows early."""


def checked(
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
