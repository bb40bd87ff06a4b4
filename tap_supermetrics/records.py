"""From the API's data types to JSON Schema, and from its rows to records.

The API casts nothing: its data types are informational, a number may come as text and an id as a
number (Supermetrics docs, "Field data types"; observed). So every value is converted here, by what
is chosen once for each field of a result.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import Row
from tap_supermetrics.dates import parse_date
from tap_supermetrics.settings import METADATA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_supermetrics.api.wire import Cell, FieldEcho, FieldInfo
    from tap_supermetrics.settings import Report

ACCOUNT_ID: Final = f"{METADATA_PREFIX}account_id"
DATE: Final = f"{METADATA_PREFIX}date"
FETCHED_AT: Final = f"{METADATA_PREFIX}fetched_at"
SCHEDULE_ID: Final = f"{METADATA_PREFIX}schedule_id"
_METADATA_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    ACCOUNT_ID: {
        "type": ["string"],
        "description": "Id of the account; ids sorted and joined by commas where not split.",
    },
    DATE: {
        "type": ["string", "null"],
        "format": "date",
        "description": "Day of the record; null where its query spans several days.",
    },
    FETCHED_AT: {
        "type": ["string"],
        "format": "date-time",
        "description": "When the result was fetched, in UTC.",
    },
    SCHEDULE_ID: {
        "type": ["string"],
        "description": "The API's id of the query that gave the record.",
    },
}
_UNLISTED_TYPE: Final = "string.text.value"


class ValueKind(Enum):
    """What a value becomes: JSON type and format."""

    BOOLEAN = ("boolean", None)
    INTEGER = ("integer", None)
    NUMBER = ("number", None)
    TEXT = ("string", None)
    DATE = ("string", "date")
    DATETIME = ("string", "date-time")
    TIME = ("string", "time")

    def schema(self, *, nullable: bool) -> dict[str, Any]:
        """JSON Schema of the value."""
        json_type, json_format = self.value
        types = [json_type, "null"] if nullable else [json_type]
        return {"type": types} | ({"format": json_format} if json_format else {})


_TIME_KINDS: Final = {
    "string.time.date": ValueKind.DATE,
    "string.time.datetime": ValueKind.DATETIME,
    "string.time.hm": ValueKind.TIME,
    "string.time.hms": ValueKind.TIME,
}
_FAMILY_KINDS: Final = {
    "bool": ValueKind.BOOLEAN,
    "int": ValueKind.INTEGER,
    "float": ValueKind.NUMBER,
}


def kind_of(data_type: str) -> ValueKind:
    """What values of an API data type become; undocumented types stay text.

    Source: Supermetrics docs, "Field data types" (`type.group.class.format`), and the mapping of
    the vendor's own Power BI connector. Weeks and months such as `2023|48` have no JSON type and
    stay text, and so do codes, ids and addresses.
    """
    folded = data_type.strip().casefold()
    family = folded.partition(".")[0]
    return _TIME_KINDS.get(folded) or _FAMILY_KINDS.get(family, ValueKind.TEXT)


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
        return int(cell) if re.fullmatch(r"[+-]?\d+", cell) else _to_integer(float(cell))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A requested field, typed.

    Attributes:
        name: as requested; the name of the column in the target.
        data_type: the API's.
        is_dimension: whether it may be part of the key.
        is_listed: whether the API lists the field.
        is_assumed: whether it is in the key only because nothing says that it is no dimension.
        description: for the schema.
    """

    name: str
    data_type: str
    is_dimension: bool
    is_listed: bool
    is_assumed: bool
    description: str

    @property
    def kind(self) -> ValueKind:
        """What its values become."""
        return kind_of(self.data_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShape:
    """What the records of one report look like.

    Attributes:
        fields: in the order requested.
        key_properties: the key; its values are never null.
        replication_key: empty for a report that is read whole.
        schema: JSON Schema of a record.
    """

    fields: tuple[Field, ...]
    key_properties: tuple[str, ...]
    replication_key: str
    schema: Mapping[str, Any]

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """The tap's own columns that records carry."""
        return tuple(name for name in _METADATA_SCHEMAS if name in self.schema["properties"])


def shape_of(report: Report, listed: Iterable[FieldInfo]) -> RecordShape:
    """The shape of a report's records.

    Args:
        report: the report.
        listed: all fields of its data source.
    """
    infos = list(listed)
    by_id = {info.field_id.casefold(): info for info in infos} | {
        info.field_id: info for info in infos
    }
    fields = tuple(
        _field(name, by_id.get(name) or by_id.get(name.casefold()), report)
        for name in report.fields
    )
    replication_key = _replication_key(report, fields)
    key = report.key_properties or _default_key(fields, replication_key)
    return RecordShape(
        fields=fields,
        key_properties=key,
        replication_key=replication_key,
        schema=_schema(fields, {*key, replication_key}, keeps_all=report.metadata_columns),
    )


def is_dated(listed: Iterable[FieldInfo]) -> bool:
    """Whether a data source knows dates at all: one without them lists no field of dates."""
    return any(kind_of(info.data_type) is ValueKind.DATE for info in listed)


def _field(name: str, info: FieldInfo | None, report: Report) -> Field:
    data_type = report.types.get(name) or (info.data_type if info else "") or _UNLISTED_TYPE
    is_number = kind_of(data_type) in {ValueKind.INTEGER, ValueKind.NUMBER}
    return Field(
        name=name,
        data_type=data_type,
        is_dimension=info.field_type == "dim" if info else not is_number,
        is_listed=info is not None,
        is_assumed=info is None and not is_number and not report.key_properties,
        description=_description(info, data_type),
    )


def _description(info: FieldInfo | None, data_type: str) -> str:
    if info is None:
        return f"Not listed by the API ({data_type})."
    parts = [info.field_name, f"({data_type})."]
    if info.description:
        parts.append(info.description)
    if info.is_non_aggregatable:
        parts.append("Not to be summed: the API calls it non-aggregatable.")
    return " ".join(parts)


def _replication_key(report: Report, fields: Sequence[Field]) -> str:
    if report.date_range_type:
        return ""
    dates = (each.name for each in fields if each.kind is ValueKind.DATE and each.is_dimension)
    return report.replication_key or next(dates, "")


def _default_key(fields: Sequence[Field], replication_key: str) -> tuple[str, ...]:
    dimensions = tuple(each.name for each in fields if each.is_dimension)
    by_day = (DATE,) if replication_key == DATE else ()
    return (ACCOUNT_ID, *by_day, *dimensions)


def _schema(fields: Sequence[Field], needed: set[str], *, keeps_all: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {
        name: _never_null(schema) if name in needed else schema
        for name, schema in _METADATA_SCHEMAS.items()
        if keeps_all or name in needed
    }
    for each in fields:
        schema = each.kind.schema(nullable=each.name not in needed)
        properties[each.name] = schema | {"description": each.description}
    return {"type": "object", "properties": properties}


def _never_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "type": ["string"]}


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
        shape: what records look like.
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
        shape: RecordShape,
        echo: Sequence[FieldEcho],
        metadata: Mapping[str, str | None],
        mismatches: Mismatches | None,
    ) -> None:
        _check_assumed(shape.fields, echo)
        places = _places(echo)
        never_null = {*shape.key_properties, shape.replication_key}
        self.columns = tuple(
            Column(
                field=each,
                place=_place(each, places),
                is_key=each.name in never_null,
                convert=_converter(each, mismatches, is_key=each.name in never_null),
            )
            for each in shape.fields
        )
        self.shared = {name: metadata[name] for name in shape.metadata_columns}
        is_dated_by_rows = self.shared.get(DATE, "") is None and shape.replication_key != DATE
        self.dated_by = shape.replication_key if is_dated_by_rows else ""
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
