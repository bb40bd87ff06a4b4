"""From the API's rows to records.

The API casts nothing: its data types are informational, a number may come as text and an id as a
number (Supermetrics docs, "Field data types"; observed). So every value is converted here, by what
is chosen once for each field of a result.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import Row
from tap_supermetrics.dates import parse_date
from tap_supermetrics.records.schema import DATE, Field, RecordSchema, ValueKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_supermetrics.api.wire import Cell, FieldEcho

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TIME_OF_DAY: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})?"
_DATETIME: Final = re.compile(rf"(\d{{4}}-\d{{2}}-\d{{2}})[ T]({_TIME_OF_DAY})")


def _to_boolean(cell: Cell) -> bool:
    if isinstance(cell, str):
        return {"true": True, "1": True, "false": False, "0": False}[cell.casefold()]
    return {1: True, 0: False}[cell]  # type: ignore[index] # None never comes here


def _to_integer(cell: Cell) -> int:
    if isinstance(cell, bool):
        raise ValueError(cell)  # noqa: TRY004 - it is the value that does not fit
    if isinstance(cell, int):
        return cell
    if isinstance(cell, str):
        # Text first as it is: a float would round ids and micros beyond 2**53.
        whole = re.fullmatch(r"([+-]?\d+)(\.0*)?", cell)
        return int(whole[1]) if whole else _to_integer(float(cell))
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    raise ValueError(cell)


def _to_number(cell: Cell) -> float:
    if isinstance(cell, bool):
        raise ValueError(cell)  # noqa: TRY004 - it is the value that does not fit
    if isinstance(cell, int):
        return cell
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):
        raise ValueError(cell)
    number = float(cell)  # type: ignore[arg-type] # None never comes here
    if not math.isfinite(number):
        raise ValueError(cell)
    return number


def _to_text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    is_whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell)) if is_whole else str(cell)  # type: ignore[arg-type] # whole, so a float


def _to_date(cell: Cell) -> str:
    text = str(cell)
    if re.fullmatch(r"\d{8}", text, re.ASCII):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return parse_date(text).isoformat()


def _to_datetime(cell: Cell) -> str:
    match = _DATETIME.fullmatch(str(cell))
    if not match:
        raise ValueError(cell)
    return f"{parse_date(match[1])}T{match[2]}"


def _to_time(cell: Cell) -> str:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", str(cell))
    if not match:
        raise ValueError(cell)
    return f"{int(match[1]):02}:{match[2]}:{match[3] or '00'}"


_CONVERTERS: Final[Mapping[ValueKind, Callable[[Cell], Any]]] = {
    ValueKind.BOOLEAN: _to_boolean,
    ValueKind.INTEGER: _to_integer,
    ValueKind.NUMBER: _to_number,
    ValueKind.TEXT: _to_text,
    ValueKind.DATE: _to_date,
    ValueKind.DATETIME: _to_datetime,
    ValueKind.TIME: _to_time,
}
_MISFITS: Final = (ValueError, TypeError, LookupError, OverflowError)
_FEW_VALUES: Final = frozenset({ValueKind.DATE, ValueKind.DATETIME, ValueKind.TIME})
"""Kinds whose values repeat so often within a result that remembering them pays."""


@dataclass(slots=True, kw_only=True)
class Mismatches:
    """Values that did not fit their type and became null, counted per field of one report."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, cell: Cell) -> None:
        """One more value of the field `name`."""
        self.counts[name] += 1
        self.examples.setdefault(name, repr(cell)[:60])


_ROWS: Final = msgspec.json.Decoder(list[Row])


def rows_of(block: bytes) -> list[Row]:
    """The rows of a block of a result, a JSON array of arrays.

    Raises:
        ApiError: RESULT_MISMATCH when a row is no array of plain values.
    """
    try:
        return _ROWS.decode(block)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"expected rows of texts, numbers, booleans and nulls ({error})"
        raise ApiError("RESULT_MISMATCH", message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field's place in the rows of one result, and what makes its values.

    Attributes:
        is_key: its values must never be null.
    """

    field: Field
    place: int
    is_key: bool
    convert: Callable[[Cell], Any]

    @property
    def name(self) -> str:
        """Name of the column in the target."""
        return self.field.name

    def strict(self) -> Callable[[Cell], Any]:
        """Converts a cell, and never lets a value pass that does not fit.

        Raises:
            ApiError: TYPE_MISMATCH, by what is returned.
        """
        return _converter(self.field, None, is_key=self.is_key)


class RecordReader:
    """Makes records of the rows of one result.

    Args:
        schema: what records look like.
        echo: how the API placed the fields in this result.
        metadata: values of the tap's own columns; `_sm_date` is None where rows say it.
        mismatches: where values that do not fit are counted; None to fail on the first.

    Attributes:
        columns: the fields, in the order requested.
        shared: values of the tap's own columns that all records of the result have.
        dated_by: the field that gives `_sm_date`; empty where all records share it.
        sent_width: how many cells a row has, as far as the API says.

    Raises:
        ApiError: RESULT_MISMATCH when a requested field is not in the result; FIELD_NOT_LISTED
            when a field that was taken for a dimension is a metric.
    """

    def __init__(
        self,
        schema: RecordSchema,
        echo: Sequence[FieldEcho],
        metadata: Mapping[str, str | None],
        mismatches: Mismatches | None,
    ) -> None:
        _check_assumed(schema.fields, echo)
        places = _places(echo)
        never_null = {*schema.key_properties, schema.replication_key}
        self.columns = tuple(
            Column(
                field=each,
                place=_place(each, places),
                is_key=each.name in never_null,
                convert=_converter(each, mismatches, is_key=each.name in never_null),
            )
            for each in schema.fields
        )
        self.shared = {name: metadata[name] for name in schema.metadata_columns}
        is_dated_by_rows = self.shared.get(DATE, "") is None and schema.replication_key != DATE
        self.dated_by = schema.replication_key if is_dated_by_rows else ""
        if self.dated_by:
            del self.shared[DATE]
        self.sent_width = 1 + max(places.values())
        self._width = 1 + max(column.place for column in self.columns)

    def records(self, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
        """One record for each row, in order.

        Raises:
            ApiError: RESULT_MISMATCH for a row that is too short, TYPE_MISMATCH for a value that
                does not fit its type.
        """
        columns = [(each.name, each.place, each.convert) for each in self.columns]
        for row in rows:
            if len(row) < self._width:
                raise ApiError(
                    "RESULT_MISMATCH", f"expected rows of {self._width} values, got {len(row)}"
                )
            record: dict[str, Any] = self.shared.copy()
            if self.dated_by:
                record[DATE] = None
            for name, place, convert in columns:
                record[name] = convert(row[place])
            if self.dated_by:
                record[DATE] = record[self.dated_by]
            yield record


def _check_assumed(fields: Sequence[Field], echo: Sequence[FieldEcho]) -> None:
    """A metric in the key would make a new row of every restated value.

    The API understands more ids than it lists, `cost` for `spend` among them (observed).
    """
    metrics = {
        name.casefold(): each
        for each in echo
        if each.field_type == "met"
        for name in (each.id, each.field_id)
    }
    for each in fields:
        metric = metrics.get(each.name.casefold())
        if each.is_assumed and metric:
            raise ApiError(
                "FIELD_NOT_LISTED",
                f"{each.name} is no listed field and was taken for a dimension, but the API "
                f"answers with the metric {metric.field_id} ({metric.data_type})",
            )


def _places(echo: Sequence[FieldEcho]) -> dict[str, int]:
    """Place by field id, in any case; as requested counts more than as the API calls it."""
    placed = [(each, each.data_column) for each in echo if each.data_column is not None]
    by_field_id = {each.field_id.casefold(): place for each, place in placed}
    by_requested_id = {each.id.casefold(): place for each, place in placed}
    return {name: place for name, place in (by_field_id | by_requested_id).items() if name}


def _place(each: Field, places: Mapping[str, int]) -> int:
    place = places.get(each.name.casefold())
    if place is None or place < 0:
        raise ApiError(
            "RESULT_MISMATCH",
            f"the result has no column for the field {each.name} "
            f"(it has {', '.join(sorted(places)) or 'none'})",
        )
    return place


def _converter(
    each: Field, mismatches: Mismatches | None, *, is_key: bool
) -> Callable[[Cell], Any]:
    plain, kind = _CONVERTERS[each.kind], each.kind
    blank: Any = "" if is_key and kind is ValueKind.TEXT else None
    known: dict[Cell, Any] = {}

    def convert(cell: Cell) -> Any:  # noqa: ANN401 - of the field's kind
        if (cell is None or cell == "") and (blank is not None or not is_key):
            return blank
        try:
            if kind not in _FEW_VALUES:
                return plain(cell)
            if cell not in known:
                known[cell] = plain(cell)
            return known[cell]
        except _MISFITS:
            if mismatches is None or is_key:
                raise _misfit(each, cell, is_key=is_key) from None
            mismatches.note(each.name, cell)
            return None

    return convert


def _misfit(each: Field, cell: Cell, *, is_key: bool) -> ApiError:
    role = " of the key" if is_key else ""
    return ApiError(
        "TYPE_MISMATCH",
        f"field {each.name}{role} is {each.data_type}, got {repr(cell)[:60]}",
    )
