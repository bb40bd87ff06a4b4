"""Records as lines of JSON, made of blocks of rows without a step of Python for each value.

What the API sends mostly has the right JSON types already. So a column is decoded as a type that
only good values fit, and msgspec does all the work. Where a value of a block does not fit, its
column is read more loosely from then on, and mended by Python. A block with a value that no column
can take goes through `RecordReader`, row by row, which also words what is wrong with it.

The lines are those that the SDK would write, value for value: RECORD messages, or records only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import starmap
from operator import countOf, itemgetter, ne
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import Cell
from tap_supermetrics.records.checks import in_key
from tap_supermetrics.records.convert import Column, RecordReader, joined
from tap_supermetrics.records.rows import rows_of
from tap_supermetrics.records.schema import DATE, DIMENSIONS, ValueKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from tap_supermetrics.records.checks import RecordChecks

_Values = Sequence[Any]
_AT_PLACE: Final = re.compile(r"\$\[\d+\]\[(\d+)\]$")
"""Where msgspec says that a value does not fit: row, then place in the row."""
_ENCODER: Final = msgspec.json.Encoder()
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_EXACT_TYPES: Final[Mapping[ValueKind, Any]] = {
    ValueKind.BOOLEAN: bool,
    ValueKind.INTEGER: _INT64,
    ValueKind.NUMBER: _INT64 | float,
    ValueKind.TEXT: Annotated[str, msgspec.Meta(min_length=1)],
    # As strict as `YYYY-MM-DD` and the calendar, and encoded as it came.
    ValueKind.DATE: date,
}
"""What a value is decoded as, by kind, when it is to be passed on as it is; never blank."""
_SLOT: Final = b"\0"
"""Stands for what all records of a result share: a byte that JSON never has."""
_NUL: Final = b"\\u0000"
"""A NUL as JSON has it, which a text loses."""
_BLANK: Final = Literal[""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Records, a line each.

    Attributes:
        count: how many.
        data: the lines, all of them ended.
    """

    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read a column.

    Attributes:
        cell_type: what its cells are decoded as; others are refused.
        mend: makes the values of the cells of a block.
        is_days: whether the cells are texts of days, which mostly need no mending.
    """

    cell_type: Any
    mend: Callable[[_Values], _Values]
    is_days: bool = False


def _as_they_are(cells: _Values) -> _Values:
    return cells


def _null_for_blank(cells: _Values) -> _Values:
    return [None if cell == "" else cell for cell in cells]


def _no_key(_: object) -> tuple[()]:
    return ()


def _each_once(strict: Callable[[Any], Any], cells: _Values) -> _Values:
    """Convert days, of which a block has few."""
    values = {cell: strict(cell) for cell in {*cells}}
    return [values[cell] for cell in cells]


def _readings(column: Column) -> tuple[_Reading, ...]:
    """Return the ways to read a column, from the fastest to the one that takes all it can."""
    kind, strict = column.field.kind, column.strict()
    last = _Reading(Cell, lambda cells: [strict(cell) for cell in cells])
    exact = _EXACT_TYPES.get(kind)
    if kind is ValueKind.TEXT and column.is_key:
        blank = column.blank
        mended = _Reading(str | None, lambda cells: [cell or blank for cell in cells])
        return _Reading(exact if blank else str, _as_they_are), mended, last
    if kind is ValueKind.DATE and column.is_key:
        # As texts, which keys are compared by.
        return _Reading(str, partial(_each_once, strict), is_days=True), last
    if exact is None:
        return (last,)
    if column.is_key:
        return _Reading(exact, _as_they_are), last
    nullable = _Reading(exact | None, _as_they_are)
    if kind is ValueKind.DATE:
        return nullable, last
    return nullable, _Reading(_or_blank(exact), _null_for_blank), last


def _or_blank(exact: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type, or null, or an empty text; a union has room for one type of text."""
    return str | None if exact is _EXACT_TYPES[ValueKind.TEXT] else exact | None | _BLANK


class _Unreadable(Exception):  # noqa: N818 - no failure: the block is read otherwise
    """A block has rows that only `RecordReader` can read, or refuse."""


class _BlockReader:
    """Makes records of blocks, for all results of a stream whose fields have the same places.

    It remembers how each column had to be read.
    """

    def __init__(self, reader: RecordReader, is_selected: Callable[[str], bool]) -> None:
        self._columns = reader.columns
        self._readings = [_readings(column) for column in reader.columns]
        self._width = reader.sent_width
        places = [column.place for column in reader.columns]
        for number, place in enumerate(places):
            # Two fields in one column may want two types of it: so it is decoded as any.
            if places.count(place) > 1:
                self._readings[number] = self._readings[number][-1:]
        self._dated_by = reader.dated_by
        self._dimensions = reader.dimensions
        self._blank = reader.blank
        names = [column.name for column in reader.columns]
        added = [DATE] * bool(reader.dated_by) + [DIMENSIONS] * bool(reader.dimensions)
        self._own = [name for name in (*added, *names) if is_selected(name)]
        kinds = {column.name: column.field.kind for column in reader.columns}
        self._in_key = {name: in_key(kinds.get(name, ValueKind.TEXT)) for name in reader.checks.key}
        # Rows are records as they came where nothing is added, left out, moved or spelt anew.
        self._is_whole = (
            self._own == names
            and places == list(range(self._width))
            and self._in_key.keys() <= {*names}
            and not any(self._in_key.values())
        )
        key_places = [names.index(name) for name in self._in_key if name in names]
        self._key_of: Callable[[Any], Any] = itemgetter(*key_places) if key_places else _no_key
        shared = [name for name in reader.shared if is_selected(name)]
        self._record = _record_maker(shared, self._own)
        self._decode = self._decoder()

    def _decoder(self) -> Callable[[bytes], list[tuple[Any, ...]]]:
        cell_types: list[Any] = [Cell] * self._width
        for column, readings in zip(self._columns, self._readings, strict=True):
            cell_types[column.place] = readings[0].cell_type
        rows: Any = list[tuple[tuple(cell_types)]]  # type: ignore[misc] # made at run time
        return msgspec.json.Decoder(rows).decode

    def records(self, block: bytes, checks: RecordChecks) -> list[msgspec.Struct] | None:
        """Make and check a record for each row of a block.

        Returns:
            The records; None where a value or a row needs a look at each row.

        Raises:
            ApiError: KEY_NOT_UNIQUE when two records share a key.
        """
        # Most blocks have no escape at all, and one byte is found much faster than six.
        if not self._own or (b"\\" in block and _NUL in block):
            return None
        values: dict[str, _Values] | None = None
        try:
            rows = self._rows(block)
            if not self._are_records(rows, checks):
                values = self._values(rows)
                checks.check_days({*values[checks.day]} if checks.day else ())
        # Read row by row, the block meets the same mistake, which is worded there.
        except (_Unreadable, ApiError):
            return None
        # Keys are noted only now: a block that is read again would meet its own.
        if values is None:
            checks.check_keys(lambda: map(self._key_of, rows), len(rows))
            return list(starmap(self._record, rows))
        checks.check_keys(partial(self._keys, values, len(rows)), len(rows))
        return list(map(self._record, *(values[name] for name in self._own)))

    def _are_records(self, rows: list[tuple[Any, ...]], checks: RecordChecks) -> bool:
        """Return whether rows are records as they came, which their days are checked for."""
        if not self._is_whole:
            return False
        for column, (first, *_) in zip(self._columns, self._readings, strict=True):
            if first.mend is _as_they_are:
                continue
            cells = map(itemgetter(column.place), rows)
            if column.name == checks.day and checks.only_day:
                if countOf(cells, checks.only_day) != len(rows):
                    return False
                continue
            # Of days there are few, and as texts they can be right already.
            days = {*cells}
            if not first.is_days or any(map(ne, days, first.mend([*days]))):
                return False
            if column.name == checks.day:
                checks.check_days(days)
        return True

    def _values(self, rows: list[tuple[Any, ...]]) -> dict[str, _Values]:
        """Return the values of a block by column, with those that are derived from others."""
        by_place = list(zip(*rows, strict=True)) or [()] * self._width
        values = {
            column.name: readings[0].mend(by_place[column.place])
            for column, readings in zip(self._columns, self._readings, strict=True)
        }
        if self._dated_by:
            values[DATE] = values[self._dated_by]
        if self._dimensions:
            pairs = [
                zip(values[each.name], by_place[each.place], strict=True)
                for each in self._dimensions
            ]
            values[DIMENSIONS] = [joined(each, self._blank) for each in zip(*pairs, strict=True)]
        return values

    def _keys(self, values: Mapping[str, _Values], count: int) -> Iterable[Any]:
        columns = [
            list(map(make, values[name])) if make else values[name]
            for name, make in self._in_key.items()
        ]
        if len(columns) == 1:
            return columns[0]
        return zip(*columns, strict=True) if columns else [()] * count

    def _rows(self, block: bytes) -> list[tuple[Any, ...]]:
        try:
            return self._decode(block)
        except msgspec.ValidationError as error:
            self._loosen(error)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _Unreadable from None
        # This ends, as each column has a last reading that cannot be loosened.
        return self._rows(block)

    def _loosen(self, error: msgspec.ValidationError) -> None:
        """Read a column that has a value that does not fit in the next, looser way."""
        # Only the text of the error says which value it is.
        match = _AT_PLACE.search(str(error))
        numbers = [
            number
            for number, column in enumerate(self._columns)
            if match and column.place == int(match[1]) and len(self._readings[number]) > 1
        ]
        if not numbers:
            raise _Unreadable from None
        for number in numbers:
            self._readings[number] = self._readings[number][1:]
        self._decode = self._decoder()


@dataclass(slots=True, kw_only=True)
class LineFormat:
    """Makes the lines of one stream.

    Attributes:
        stream: name of the stream.
        version: of the stream; None where it has none.
        is_selected: whether a column is to be written, by its name.
        clock: tells the time, with offset.
        is_bare: whether records stand by themselves, as in files, and not in RECORD messages.
    """

    stream: str
    version: int | None
    is_selected: Callable[[str], bool]
    clock: Callable[[], datetime]
    is_bare: bool = False
    _readers: dict[Any, _BlockReader] = field(default_factory=dict)

    def lines(self, reader: RecordReader, blocks: Iterable[bytes]) -> Iterator[Lines]:
        """Make and check the records of one result.

        Args:
            reader: reads its rows.
            blocks: its rows, some at a time, as JSON arrays of arrays.

        Raises:
            ApiError: as `RecordReader.all_records`; of the block with the bad row nothing is made.
        """
        block_reader = self._block_reader(reader)
        shared = _joined({n: value for n, value in reader.shared.items() if self.is_selected(n)})
        for block in blocks:
            records = block_reader.records(block, reader.checks)
            if records is None:
                yield self._row_by_row(reader, block)
            elif records:
                yield self._framed(records, shared)
        reader.checks.finish()

    def _block_reader(self, reader: RecordReader) -> _BlockReader:
        places = (column.place for column in reader.columns)
        # The API may place the fields of each result otherwise.
        layout = (reader.dated_by, reader.checks.key, reader.sent_width, *places)
        if layout not in self._readers:
            self._readers[layout] = _BlockReader(reader, self.is_selected)
        return self._readers[layout]

    def _row_by_row(self, reader: RecordReader, block: bytes) -> Lines:
        return self._framed(
            [
                {name: value for name, value in record.items() if self.is_selected(name)}
                for record in reader.records(rows_of(block))
            ]
        )

    def _framed(self, records: Sequence[Any], shared: bytes = b"") -> Lines:
        """Put each record into its message. JSON has no line breaks but those between lines."""
        # What all share is encoded once a result, and put into each line here.
        encoded = _ENCODER.encode_lines(records).replace(_SLOT, shared)
        if self.is_bare:
            return Lines(count=len(records), data=encoded)
        begin = b'{"type":"RECORD","stream":%b,"record":' % _ENCODER.encode(self.stream)
        version = b"" if self.version is None else b',"version":%d' % self.version
        end = b'%b,"time_extracted":%b}\n' % (version, _ENCODER.encode(self.clock()))
        framed = encoded[:-1].replace(b"\n", end + begin)
        return Lines(count=len(records), data=b"".join((begin, framed, end)))


def _record_maker(shared: Sequence[str], own: Sequence[str]) -> Callable[..., msgspec.Struct]:
    """Return what makes a record; before its own values is a slot for those that all share."""
    names = [*shared[:1], *own]
    # Columns need not be named as Python names things: so only the JSON has their names.
    members = [(f"_{n}", Any, msgspec.field(name=name)) for n, name in enumerate(names)]
    # Records hold no cycles: the collector need not look at a million of them.
    record: Any = msgspec.defstruct("Record", members, gc=False)
    return partial(record, msgspec.Raw(_SLOT)) if shared else record


def _joined(shared: Mapping[str, str | None]) -> bytes:
    """Return what all records share, as the JSON of the first value and of all members after it."""
    if not shared:
        return b""
    name = _ENCODER.encode(next(iter(shared)))
    # Without the brace, the first name and its colon, which the slot's own member has.
    return _ENCODER.encode(shared)[len(name) + 2 : -1]
