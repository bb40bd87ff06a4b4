"""Rows of a result, from the JSON that they are stored in."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tap_supermetrics.api import lenient
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import Cell, Row

_ROWS: Final = msgspec.json.Decoder(list[Row])


def rows_of(block: bytes, width: int = 0) -> list[Row]:
    """Return the rows of a block of a result, a JSON array of arrays.

    Args:
        block: the rows.
        width: how many cells a row that came as an object of places has.

    Raises:
        ApiError: RESULT_MISMATCH when a row is no array of values.
    """
    try:
        return _strict_rows(block, width)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"expected rows of texts, numbers, booleans and nulls ({error})"
        raise ApiError("RESULT_MISMATCH", message) from None


def _strict_rows(block: bytes, width: int) -> list[Row]:
    try:
        return _ROWS.decode(block)
    except msgspec.ValidationError:
        rows = lenient.values_of(block)
    if isinstance(rows, list):
        rows = [_row(each, width) for each in rows]
        rows = [[*map(_plain, row)] if isinstance(row, list) else row for row in rows]
    return msgspec.convert(rows, list[Row])


def _row(row: Any, width: int) -> Any:  # noqa: ANN401 - any JSON
    """Return a row as a list; one that came as an object of places lacks blank values."""
    if isinstance(row, dict) and lenient.is_list(row):
        return [row.get(str(place)) for place in range(max(width, 1 + int([*row][-1])))]
    return row


def _plain(value: Any) -> Cell:  # noqa: ANN401 - any JSON
    """Return a cell as one value: a list or an object, such as labels, as its JSON.

    Empty ones, as PHP writes both for nothing, are blank. The members of an object are sorted, as
    their order means nothing, and a text in the key is another row for each order.
    """
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value, order="sorted").decode() if value else None
    return value  # type: ignore[no-any-return] # what JSON has beside these
