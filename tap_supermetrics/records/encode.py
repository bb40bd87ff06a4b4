"""Makes records as lines of JSON from blocks of rows, without a step of Python for each value.

A block with a value that `decode` cannot read goes through `RecordReader`, row by row, which also
names what is wrong with it.

The lines are those that the SDK would write, value for value: RECORD messages, or records only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from operator import countOf, itemgetter, ne
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.model.columns import DATE, DIMENSIONS
from tap_supermetrics.records.convert import RecordReader, dimensions_text
from tap_supermetrics.records.decode import BlockDecoder, UnreadableError, Values, as_they_are
from tap_supermetrics.records.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.records.checks import RecordChecks

_ENCODER: Final = msgspec.json.Encoder()
_SLOT: Final = b"\0"
"""Replaced by what all records of a result share: a byte that JSON never has."""
_NUL: Final = b"\\u0000"
"""A NUL as JSON has it; it is dropped from a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Records, a line each.

    Attributes:
        count: how many.
        data: the lines, all of them ended.
    """

    count: int
    data: bytes


def _no_key(_: object) -> tuple[()]:
    return ()


class _BlockReader:
    """Makes records of blocks, for all results of a stream whose fields have the same places."""

    def __init__(self, reader: RecordReader, is_selected: Callable[[str], bool]) -> None:
        self._decoder = BlockDecoder(reader.columns, reader.sent_width)
        self._width = reader.sent_width
        self._dated_by = reader.dated_by
        self._dimensions = reader.dimensions
        self._blank = reader.blank
        names = [column.name for column in reader.columns]
        self._own = [name for name in (*reader.added, *names) if is_selected(name)]
        self._in_key = reader.in_key
        # Rows are records as they came where nothing is added, left out, moved or spelt anew.
        self._is_whole = (
            self._own == names
            and [column.place for column in reader.columns] == [*range(self._width)]
            and self._in_key.keys() <= {*names}
            and not any(self._in_key.values())
        )
        key_places = [names.index(name) for name in self._in_key if name in names]
        day = reader.checks.day
        self._day_of = itemgetter(names.index(day)) if day in names else None
        self._key_of: Callable[[Any], Any] = itemgetter(*key_places) if key_places else _no_key
        shared = [name for name in reader.shared if is_selected(name)]
        self._record = _record_maker(shared, self._own)

    def records(self, block: bytes, checks: RecordChecks) -> list[Any] | None:
        """Make and check a record for each row of a block.

        Returns:
            The records; None where the block has to be read row by row.

        Raises:
            ApiError: KEY_NOT_UNIQUE when two records share a key.
        """
        # Most blocks have no escape at all, and one byte is found much faster than six.
        if not self._own or (b"\\" in block and _NUL in block):
            return None
        values: dict[str, Values] | None = None
        try:
            rows = self._decoder.rows(block)
            if not self._are_records(rows, checks):
                values = self._values(rows)
                checks.check_days({*values[checks.day]} if checks.day else ())
        # Read row by row, the block meets the same mistake, and the error names it.
        except (UnreadableError, ApiError):
            return None
        # Keys are stored only now: a block that is read again would meet its own.
        if values is None:
            checks.check_keys(lambda: map(self._key_of, rows), len(rows))
            if self._day_of and checks.counts_days:
                checks.rows_by_day.update(map(self._day_of, rows))
            return list(starmap(self._record, rows))
        checks.check_keys(partial(self._keys, values, len(rows)), len(rows))
        if checks.counts_days:
            checks.rows_by_day.update(values[checks.day])
        return list(map(self._record, *(values[name] for name in self._own)))

    def _are_records(self, rows: list[tuple[Any, ...]], checks: RecordChecks) -> bool:
        """Return whether rows are records as they came; their days are checked."""
        if not self._is_whole:
            return False
        for column, reading in self._decoder.readings:
            if reading.mend is as_they_are:
                continue
            cells = map(itemgetter(column.place), rows)
            if column.name == checks.day and checks.only_day:
                if countOf(cells, checks.only_day) != len(rows):
                    return False
                continue
            # There are few days, and as texts they can be right already.
            days = {*cells}
            if not reading.is_days or any(map(ne, days, reading.mend([*days]))):
                return False
            if column.name == checks.day:
                checks.check_days(days)
        return True

    def _values(self, rows: list[tuple[Any, ...]]) -> dict[str, Values]:
        """Return the values of a block by column, with those that are derived from others."""
        by_place = list(zip(*rows, strict=True)) or [()] * self._width
        values = {
            column.name: reading.mend(by_place[column.place])
            for column, reading in self._decoder.readings
        }
        if self._dated_by:
            values[DATE] = values[self._dated_by]
        if self._dimensions:
            pairs = [
                zip(values[each.name], by_place[each.place], strict=True)
                for each in self._dimensions
            ]
            values[DIMENSIONS] = [
                dimensions_text(each, self._blank) for each in zip(*pairs, strict=True)
            ]
        return values

    def _keys(self, values: Mapping[str, Values], count: int) -> Iterable[Any]:
        columns = [
            list(map(make, values[name])) if make else values[name]
            for name, make in self._in_key.items()
        ]
        if len(columns) == 1:
            return columns[0]
        return zip(*columns, strict=True) if columns else [()] * count


@dataclass(slots=True, kw_only=True)
class LineFormat:
    """Makes the lines of one stream.

    Attributes:
        stream: name of the stream.
        version: of the stream; None where it has none.
        is_selected: whether a column is to be written, by its name.
        clock: returns the time, with offset.
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
        shared = _json_of_shared(
            {n: value for n, value in reader.shared.items() if self.is_selected(n)}
        )
        for block in blocks:
            records = block_reader.records(block, reader.checks)
            if records is None:
                yield self._row_by_row(reader, block)
            elif records:
                yield self._framed(records, shared)
        reader.checks.finish()

    def _block_reader(self, reader: RecordReader) -> _BlockReader:
        places = (column.place for column in reader.columns)
        # The API may place the fields of each result differently.
        layout = (reader.dated_by, reader.checks.key, reader.sent_width, *places)
        if layout not in self._readers:
            self._readers[layout] = _BlockReader(reader, self.is_selected)
        return self._readers[layout]

    def _row_by_row(self, reader: RecordReader, block: bytes) -> Lines:
        return self._framed(
            [
                {name: value for name, value in record.items() if self.is_selected(name)}
                for record in reader.records(rows_of(block, reader.sent_width))
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


def _record_maker(shared: Sequence[str], own: Sequence[str]) -> Callable[..., Any]:
    """Return a maker of records, with a slot for shared values before a record's own."""
    names = [*shared[:1], *own]
    slot = (msgspec.Raw(_SLOT),) if shared else ()
    # Names of columns need not be Python identifiers: so only the JSON has them.
    members = [(f"_{n}", Any, msgspec.field(name=name)) for n, name in enumerate(names)]
    try:
        # Records have no cycles: the collector need not visit a million of them.
        return partial(msgspec.defstruct("Record", members, gc=False), *slot)
    except ValueError:
        # No member is called by a quote, a backslash or a control character.
        return lambda *values: dict(zip(names, (*slot, *values), strict=True))


def _json_of_shared(shared: Mapping[str, str | None]) -> bytes:
    """Return the JSON of what all records share, but for the first name, which the slot has."""
    if not shared:
        return b""
    name = _ENCODER.encode(next(iter(shared)))
    # Without the brace, the first name and its colon.
    return _ENCODER.encode(shared)[len(name) + 2 : -1]
