"""The schema of records: from the API's data types to JSON Schema, key and replication key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, DIMENSIONS, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.records.kinds import (
    OF_TIME,
    PLAIN,
    TEXT,
    ValueKind,
    is_known,
    kind_of,
    unit_of,
    width_of,
)
from tap_supermetrics.redaction import readable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_supermetrics.api.fields import FieldInfo
    from tap_supermetrics.model import Report

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
_DIMENSIONS_SCHEMA: Final[dict[str, Any]] = {
    "type": ["string"],
    "description": (
        "Dimensions that are neither text nor the day, as text, joined by |: part of the key."
    ),
}
_DAY_FIELDS: Final = ("date", "day", "segmentsdate", "gadate", "reportdate", "statdate")
"""Names of the field with the day of a row, as data sources write them, letters only."""
_SURE_DAYS: Final = 4
"""How many of them, from the first, can be nothing else: a report may have a date of its own."""
_OF_READING: Final = frozenset({FETCHED_AT, SCHEDULE_ID})
"""Columns that change with each reading."""
_LONG_TEXT: Final = "string.text.url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A requested field, typed.

    Attributes:
        name: as requested; the name of the column in the target.
        data_type: the API's.
        is_dimension: whether it may be part of the key.
        is_listed: whether the API lists the field.
        is_typed: whether its type is known.
        is_assumed: whether it is in the key only because nothing shows that it is a metric.
        description: for the schema.
        title: the name by which the API lists it.
    """

    name: str
    data_type: str
    is_dimension: bool
    is_listed: bool
    is_typed: bool
    is_assumed: bool
    description: str
    title: str = ""

    @property
    def may_be_metric(self) -> bool:
        """Return whether it is in the key although neither the API nor the user gives its type."""
        return self.is_assumed and not self.is_typed

    @property
    def kind(self) -> ValueKind:
        """Return the kind of its values."""
        return kind_of(self.data_type)

    @property
    def unit(self) -> str:
        """Return what its numbers count, or which period its texts name."""
        return unit_of(self.data_type)

    def data_type_in(self, unit: str) -> str:
        """Return its data type in another unit."""
        family = self.data_type.strip().partition(".")[0]
        return f"{family}.{f'number.{unit}' if unit == PLAIN else unit}"

    @property
    def may_be_day(self) -> bool:
        """Return whether it has a usual name of the day, and dates."""
        is_date = self.is_dimension and self.kind is ValueKind.DATE
        return is_date and self.letters in _DAY_FIELDS

    @property
    def letters(self) -> str:
        """Return the letters of its name, by which names of days are compared."""
        return "".join(filter(str.isalpha, self.name.casefold()))

    @property
    def is_day_of_another_type(self) -> bool:
        """Return whether it has a usual name of the day, but a type of no day."""
        data_type = self.data_type.casefold()
        is_of_time = data_type.startswith(OF_TIME) and self.kind is ValueKind.TEXT
        return self.letters in _DAY_FIELDS and not self.may_be_day and not is_of_time


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSchema:
    """The schema, key and replication key of one report's records.

    Attributes:
        fields: in the order requested.
        key_properties: the key; its values are never null.
        replication_key: empty for a report that is read whole.
        day: the field with the day of a row; empty where none has it.
        blank: replaces a blank text in the key.
        joined: names of the fields that `_sm_dimensions` joins, in its order; empty where the key
            has no such column.
        json_schema: JSON Schema of a record.
        is_dated: whether the data source has dates.
        is_by_range: whether the API determines its days, so that it can have no replication key.
    """

    fields: tuple[Field, ...]
    key_properties: tuple[str, ...]
    replication_key: str
    day: str
    blank: str
    joined: tuple[str, ...]
    json_schema: Mapping[str, Any]
    is_dated: bool
    is_by_range: bool

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """Return the tap's own columns that all records of a day share."""
        return tuple(name for name in _METADATA_SCHEMAS if name in self.json_schema["properties"])

    @property
    def joinable(self) -> tuple[str, ...]:
        """Return the fields that `_sm_dimensions` joins where nothing else was loaded before."""
        return tuple(each.name for each in self.fields if _is_other(each, self.day))

    def joined_as(self, names: tuple[str, ...], but: Collection[str] = ()) -> RecordSchema:
        """Return the schema with `_sm_dimensions` in its former order, if it joins the same fields.

        Args:
            names: the fields that it joined, in its order.
            but: fields whose difference is ignored.
        """
        is_same = {*names} ^ {*self.joined} <= {*but}
        return replace(self, joined=names) if is_same and self.joined else self

    def warnings(self) -> list[str]:
        """Return what is likely to go wrong with these records, and the settings that mend it."""
        return [
            *self._warnings_of_day(),
            *self._warnings_of_types(),
            *self._warnings_of_key(),
        ]

    def _warnings_of_day(self) -> list[str]:
        if self.replication_key or self.day or self.is_by_range:
            return []
        return [
            f"replication_key: {each.name} is called as the day of a row is, but is "
            f"{each.data_type}, so the report is read whole; set `replication_key: {each.name}` "
            f"and `types: {{{each.name}: string.time.date}}` to load it day by day"
            for each in self.fields
            if each.is_day_of_another_type
        ] + [
            f"replication_key: {each.name} is a date, but not known to be the day of its row, so "
            f"it is an ordinary dimension and the report is read whole; set `replication_key` to "
            f"{each.name} if it is the day, or to {DATE} to load day by day"
            for each in self.fields
            if each.is_dimension and each.kind is ValueKind.DATE
        ]

    def _warnings_of_types(self) -> list[str]:
        return [
            f"types: {each.name} is a metric of a type that nobody knows, so its values are loaded "
            f"as texts; set `types: {{{each.name}: float.number.value}}` if they are numbers"
            for each in self.fields
            if each.is_listed and not each.is_dimension and not each.is_typed
        ]

    def _warnings_of_key(self) -> list[str]:
        metrics = {
            each.name for each in self.fields if not each.is_dimension and each.kind.is_number
        }
        return [
            f"key_properties: {name} changes when a day is read again, so that its rows then are "
            "in the target twice; leave it out"
            for name in self.key_properties
            if name in metrics | _OF_READING
        ] + [
            f"key_properties: {each.name} is an address and part of the key; some targets refuse "
            "a key of more than 2,704 bytes; set `key_properties` without it if others tell "
            "rows apart"
            for each in self.fields
            if each.name in self.key_properties and each.data_type.casefold() == _LONG_TEXT
        ]


def record_schema(report: Report, listed: Sequence[FieldInfo]) -> RecordSchema:
    """Return the schema of a report's records.

    Args:
        report: the report.
        listed: all fields of its data source.
    """
    by_id = _by_id(listed)
    fields = tuple(
        _field(name, by_id.get(name) or by_id.get(name.casefold()), report)
        for name in report.fields
    )
    day = _day(report, fields)
    # The API dates a report with a `date_range_type`: then rows have a day, but no bookmark.
    replication_key = "" if report.date_range_type else report.replication_key or day
    key = report.key_properties or _default_key(fields, day, replication_key)
    return RecordSchema(
        fields=fields,
        key_properties=key,
        replication_key=replication_key,
        day=day,
        blank=report.blank_key_value,
        joined=tuple(each.name for each in fields if _is_other(each, day))
        if DIMENSIONS in key
        else (),
        json_schema=_schema(fields, {*key, replication_key}, keeps_all=report.metadata_columns),
        is_dated=_is_dated(report, listed),
        is_by_range=bool(report.date_range_type),
    )


def _by_id(listed: Iterable[FieldInfo]) -> dict[str, FieldInfo]:
    """Return fields by id, and by id in small letters.

    A field may be listed twice, for two kinds of reports: then the metric counts, and the wider
    type, as the order of the list may change from night to night.
    """
    by_id: dict[str, FieldInfo] = {}
    folded: dict[str, FieldInfo] = {}
    for info in listed:
        for known, name in ((by_id, info.field_id), (folded, info.field_id.casefold())):
            known[name] = max(known.get(name, info), info, key=_width)
    return folded | by_id


def _width(info: FieldInfo) -> tuple[bool, int]:
    return not info.is_dimension, width_of(info.data_type)


def _is_dated(report: Report, listed: Sequence[FieldInfo]) -> bool:
    """Return whether a report's data source has dates: it lists one, or `types` names one."""
    types = (*report.types.values(), *(info.data_type for info in listed))
    return any(kind_of(data_type) is ValueKind.DATE for data_type in types)


def _field(name: str, info: FieldInfo | None, report: Report) -> Field:
    """Return a requested field, typed by settings, by the API, or as text."""
    given = str(report.types.get(name) or "").strip() or (info.data_type if info else "")
    data_type = given or TEXT
    is_number = kind_of(data_type).is_number
    return Field(
        name=name,
        data_type=data_type,
        is_dimension=info.is_dimension if info else not is_number,
        is_listed=info is not None,
        is_typed=is_known(given),
        is_assumed=info is None and not is_number and not report.key_properties,
        description=_description(info, data_type),
        title=info.field_name if info else "",
    )


def _description(info: FieldInfo | None, data_type: str) -> str:
    if info is None:
        return f"Not listed by the API ({data_type})."
    parts = [info.field_name, f"({data_type})."]
    if info.description:
        parts.append(info.description)
    if info.is_non_aggregatable:
        parts.append("Not to be summed: the API calls it non-aggregatable.")
    return readable(" ".join(parts))


def _day(report: Report, fields: Sequence[Field]) -> str:
    """Return the field with the day: the user's choice, else the one with a usual name.

    Other dates, such as the start of a campaign or of a week, are not the day of the row.
    """
    if report.replication_key:
        return "" if report.replication_key == DATE else report.replication_key
    days = [each for each in fields if each.may_be_day]
    sure = [each for each in days if each.letters in _DAY_FIELDS[:_SURE_DAYS]]
    return next((each.name for each in sure or days), "")


def _default_key(fields: Sequence[Field], day: str, replication_key: str) -> tuple[str, ...]:
    """Return account, day and text dimensions; others could be blank, and no key may be null."""
    by_day = (DATE,) if replication_key == DATE else ()
    in_key = tuple(each.name for each in fields if each.is_dimension and not _is_other(each, day))
    others = (DIMENSIONS,) if any(_is_other(each, day) for each in fields) else ()
    return (ACCOUNT_ID, *by_day, *in_key, *others)


def _is_other(each: Field, day: str) -> bool:
    return each.is_dimension and each.kind is not ValueKind.TEXT and each.name != day


def _schema(fields: Sequence[Field], needed: set[str], *, keeps_all: bool) -> dict[str, Any]:
    """Return JSON Schema of the records; needed columns are never null."""
    properties: dict[str, Any] = {
        name: {**schema, "type": ["string"]} if name in needed else schema
        for name, schema in _METADATA_SCHEMAS.items()
        if keeps_all or name in needed
    }
    if DIMENSIONS in needed:
        properties[DIMENSIONS] = _DIMENSIONS_SCHEMA
    for each in fields:
        schema = each.kind.schema(nullable=each.name not in needed)
        properties[each.name] = schema | {"description": each.description}
    return {"type": "object", "properties": properties}
