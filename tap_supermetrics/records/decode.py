"""Decodes blocks of rows, each column in the fastest way that accepts its values.

Most values that the API sends have the right JSON types already. So a column is decoded as a type
that only good values fit, and msgspec does all the work. Where a value of a block does not fit, its
column is read more loosely from then on, and mended by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from tap_supermetrics.api.wire import Cell
from tap_supermetrics.records.kinds import ValueKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.records.convert import Column

Values = Sequence[Any]
"""The values of one column of a block, in the order of its rows."""
_AT_PLACE: Final = re.compile(r"\$\[\d+\]\[(\d+)\]$")
"""Where msgspec found a value that does not fit: row, then place in the row."""
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_EXACT_TYPES: Final[Mapping[ValueKind, Any]] = {
    ValueKind.BOOLEAN: bool,
    ValueKind.INTEGER: _INT64,
    ValueKind.NUMBER: _INT64 | float,
    ValueKind.TEXT: Annotated[str, msgspec.Meta(min_length=1)],
    # As strict as `YYYY-MM-DD` and the calendar, and encoded as it came.
    ValueKind.DATE: date,
}
"""The type of a value that is passed on as it is, by kind; never blank."""
_BLANK: Final = Literal[""]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a column.

    Attributes:
        cell_type: what its cells are decoded as; others are refused.
        mend: converts the cells of a block to values.
        is_days: whether the cells are texts of days, which mostly need no mending.
    """

    cell_type: Any
    mend: Callable[[Values], Values]
    is_days: bool = False


def as_they_are(cells: Values) -> Values:
    """Return the cells, which are values already."""
    return cells


def _null_for_blank(cells: Values) -> Values:
    return [None if cell == "" else cell for cell in cells]


def _each_once(strict: Callable[[Any], Any], cells: Values) -> Values:
    """Convert days, of which a block has few."""
    values = {cell: strict(cell) for cell in {*cells}}
    return [values[cell] for cell in cells]


def _ways(column: Column) -> tuple[Reading, ...]:
    """Return the ways to read a column, from the fastest to the loosest."""
    kind, strict = column.field.kind, column.strict()
    last = Reading(Cell, lambda cells: [strict(cell) for cell in cells])
    exact = _EXACT_TYPES.get(kind)
    if kind is ValueKind.TEXT and column.is_key:
        blank = column.blank
        mended = Reading(str | None, lambda cells: [cell or blank for cell in cells])
        return Reading(exact if blank else str, as_they_are), mended, last
    if kind is ValueKind.DATE and column.is_key:
        # As texts, which keys are compared by.
        return Reading(str, partial(_each_once, strict), is_days=True), last
    if exact is None:
        return (last,)
    if column.is_key:
        return Reading(exact, as_they_are), last
    nullable = Reading(exact | None, as_they_are)
    if kind is ValueKind.DATE:
        return nullable, last
    return nullable, Reading(_or_blank(exact), _null_for_blank), last


def _or_blank(exact: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type, or null, or an empty text; a union has room for one type of text."""
    return str | None if exact is _EXACT_TYPES[ValueKind.TEXT] else exact | None | _BLANK


class UnreadableError(Exception):
    """A block has rows that only `RecordReader` can read, or refuse."""


class BlockDecoder:
    """Decodes blocks whose fields have the same places, and remembers how it read each column.

    Args:
        columns: the columns to read.
        width: how many cells a row has.

    Attributes:
        readings: each column with the way in which it is read now.
    """

    def __init__(self, columns: Sequence[Column], width: int) -> None:
        self._columns = columns
        self._width = width
        places = [column.place for column in columns]
        self._ways = [
            # Two fields in one column may want two types of it: so it is decoded as any.
            [*_ways(column)][-1:] if places.count(column.place) > 1 else [*_ways(column)]
            for column in columns
        ]
        self._choose()

    def _choose(self) -> None:
        """Read each column in the first of its ways that are left."""
        self.readings = [
            (column, ways[0]) for column, ways in zip(self._columns, self._ways, strict=True)
        ]
        self._decode = self._decoder()

    def rows(self, block: bytes) -> list[tuple[Any, ...]]:
        """Return the rows of a block, as its columns are read now.

        Raises:
            UnreadableError: a value fits no reading of its column, or a row has another width.
        """
        while True:
            try:
                return self._decode(block)
            except msgspec.ValidationError as error:  # noqa: PERF203 - few blocks, once a column
                # This ends, as each column has a last reading that cannot be loosened.
                self._loosen(error)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise UnreadableError from None

    def _decoder(self) -> Callable[[bytes], list[tuple[Any, ...]]]:
        cell_types: list[Any] = [Cell] * self._width
        for column, reading in self.readings:
            cell_types[column.place] = reading.cell_type
        rows: Any = list[tuple[tuple(cell_types)]]  # type: ignore[misc] # made at run time
        return msgspec.json.Decoder(rows).decode

    def _loosen(self, error: msgspec.ValidationError) -> None:
        """Read a column in the next, looser way, after a value that does not fit."""
        # Only the text of the error names the value.
        match = _AT_PLACE.search(str(error))
        numbers = [
            number
            for number, column in enumerate(self._columns)
            if match and column.place == int(match[1]) and len(self._ways[number]) > 1
        ]
        if not numbers:
            raise UnreadableError from None
        for number in numbers:
            del self._ways[number][0]
        self._choose()
