"""Rows of a result, from the JSON that they are kept in."""

from __future__ import annotations

from typing import Final

import msgspec

from tap_supermetrics.api import lenient
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import Row

_ROWS: Final = msgspec.json.Decoder(list[Row])
_TOO_LARGE: Final = "Number out of range"
"""What msgspec says of 1e999; it spoils no more than its own cell."""


def rows_of(block: bytes) -> list[Row]:
    """Return the rows of a block of a result, a JSON array of arrays.

    Raises:
        ApiError: RESULT_MISMATCH when a row is no array of plain values.
    """
    try:
        return _strict_rows(block)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"expected rows of texts, numbers, booleans and nulls ({error})"
        raise ApiError("RESULT_MISMATCH", message) from None


def _strict_rows(block: bytes) -> list[Row]:
    try:
        return _ROWS.decode(block)
    except msgspec.ValidationError as error:
        if _TOO_LARGE not in str(error):
            raise
    return msgspec.convert(lenient.values_of(block), list[Row])
