"""From the API's rows to records: each field has one converter, chosen once for a result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, DIMENSIONS
from tap_supermetrics.records.checks import RecordChecks, in_key
from tap_supermetrics.records.kinds import TEXT, ValueKind, kind_of
from tap_supermetrics.records.rows import rows_of
from tap_supermetrics.records.values import CONVERTERS, MISFITS, to_text
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.api.wire import Cell, Row
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.records.checks import OtherAccounts
    from tap_supermetrics.records.schema import Field, RecordSchema

_MAX_EXACT: Final = 2**53
"""The greatest number up to which a number with a point has all its digits."""
_FEW_VALUES: Final = frozenset({ValueKind.DATE, ValueKind.DATETIME, ValueKind.TIME})
"""Kinds whose values repeat so often within a result that caching them pays."""


@dataclass(slots=True, kw_only=True)
class Mismatches:
    """Values of one report that were changed to fit their type, counted per field.

    Attributes:
        are_refused: whether a metric that does not fit fails its query; a dimension never does.
        counts: values that became null.
        examples: the first of them.
        nuls: texts from which a NUL was dropped.
        rounded: texts that came as numbers with more digits than a number of JSON holds.
    """

    are_refused: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    nuls: Counter[str] = field(default_factory=Counter)
    rounded: Counter[str] = field(default_factory=Counter)

    def note(self, name: str, cell: Cell) -> None:
        """Count one more value of the field `name` that became null."""
        self.counts[name] += 1
        self.examples.setdefault(name, repr(cell)[:60])


class Role(Enum):
    """The purpose of a field, in the words of messages."""

    VALUE = ""
    KEY = " of the key"
    DAY = " of the key, the day of its row,"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field's place in the rows of one result, and its converter.

    Attributes:
        role: what the field is for.
        blank: replaces a blank; None where null does.
    """

    field: Field
    place: int
    role: Role
    blank: str | None
    convert: Callable[[Cell], Any]

    @property
    def is_key(self) -> bool:
        """Return whether its values are never null."""
        return self.role is not Role.VALUE

    @property
    def name(self) -> str:
        """Return the name of the column in the target."""
        return self.field.name

    def strict(self) -> Callable[[Cell], Any]:
        """Return a converter of cells that raises TYPE_MISMATCH where a value does not fit."""
        return _converter(self.field, self.blank, None, self.role)


class RecordReader:
    """Makes records of the rows of one result, and checks them.

    Args:
        schema: what records look like.
        echo: how the API placed the fields in this result.
        metadata: values of the tap's own columns; `_sm_date` is None where rows have it.
        mismatches: where values that do not fit are counted.
        dates: the requested days; None where the API determines them.
        others: the keys of other accounts; None where the key has the account.
        width: how many cells each row has to have; 0 for as many as there are fields, or more.

    Attributes:
        columns: the fields, in the order requested.
        shared: values of the tap's own columns that all records of the result have.
        dated_by: the field that gives `_sm_date`; empty where all records share it.
        dimensions: columns that `_sm_dimensions` joins.
        blank: replaces a blank in it.
        added: columns that are made of others, in the order in which they come before these.
        sent_width: how many cells a row has, as far as is known.
        checks: of the records of this result.
        in_key: makes the values of each column of the key comparable; None where they are.

    Raises:
        ApiError: RESULT_MISMATCH when a requested field is not in the result; FIELD_NOT_LISTED
            when a field that was assumed to be a dimension is a metric.
    """

    def __init__(  # noqa: PLR0913 - all that a result is checked against
        self,
        schema: RecordSchema,
        echo: Sequence[FieldEcho],
        metadata: Mapping[str, str | None],
        mismatches: Mismatches,
        dates: DateRange | None = None,
        *,
        others: OtherAccounts | None = None,
        width: int = 0,
    ) -> None:
        _check_assumed(schema.fields, echo)
        _check_columns(echo)
        places = _places(echo)
        self.blank = schema.blank
        self.columns = tuple(
            _column(each, _place(each, places), schema.blank, mismatches, _role(each, schema))
            for each in schema.fields
        )
        self.shared = {name: metadata[name] for name in schema.metadata_columns}
        # None: rows have the day. The empty default: the column is left out.
        is_dated_by_rows = self.shared.get(DATE, "") is None and schema.replication_key != DATE
        self.dated_by = schema.day if is_dated_by_rows else ""
        if self.dated_by:
            del self.shared[DATE]
        by_name = {each.name: each for each in self.columns}
        self.dimensions = tuple(by_name[name] for name in schema.joined)
        self.added = (DATE,) * bool(self.dated_by) + (DIMENSIONS,) * bool(self.dimensions)
        self._least = 1 + max(column.place for column in self.columns)
        self._width = width
        self.sent_width = max(width or 1 + max(places.values()), self._least)
        self.checks = self._checks(schema, dates, metadata.get(ACCOUNT_ID) or "", others)
        kinds = {name: each.field.kind for name, each in by_name.items()}
        self.in_key = {name: in_key(kinds.get(name, ValueKind.TEXT)) for name in self.checks.key}

    def _checks(
        self,
        schema: RecordSchema,
        dates: DateRange | None,
        account: str,
        others: OtherAccounts | None,
    ) -> RecordChecks:
        # What all rows of a result share distinguishes none, and need not be compared.
        constant = {*self.shared}
        if dates and dates.days == 1:
            constant.add(schema.day)
        key = tuple(name for name in schema.key_properties if name not in constant)
        return RecordChecks(
            key=key,
            whole_key=schema.key_properties,
            day=schema.day,
            dates=dates,
            blank=schema.blank,
            account=account,
            others=others,
        )

    def all_records(self, blocks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Make and check the records of a whole result, one by one.

        Raises:
            ApiError: as `records`; KEY_NOT_UNIQUE at the end too.
        """
        for block in blocks:
            # Nothing of a block with a bad row is written.
            yield from [*self.records(rows_of(block, self.sent_width))]
        self.checks.finish()

    def records(self, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
        """Make and check one record for each row, in order.

        Raises:
            ApiError: RESULT_MISMATCH for a row of another width or another day, TYPE_MISMATCH for
                a value that does not fit its type, KEY_NOT_UNIQUE for a key that was there.
        """
        columns = [(each.name, each.place, each.convert) for each in self.columns]
        key_of = self._key_maker()
        checks, counts_days = self.checks, self.checks.counts_days
        for row in rows:
            # A decimal comma, for example, moves all values after it.
            if len(row) < self._least or (self._width and len(row) != self._width):
                expected = counted(max(self._width, self._least), "value", "values")
                text = f"expected rows of {expected}, got {len(row)}"
                raise ApiError("RESULT_MISMATCH", text)
            record = self._begun()
            for name, place, convert in columns:
                record[name] = convert(row[place])
            self._derive(record, row)
            if checks.day:
                checks.check_days((record[checks.day],))
            checks.check_key(key_of(record))
            if counts_days:
                checks.rows_by_day[record[checks.day]] += 1
            yield record

    def _begun(self) -> dict[str, Any]:
        """Return a record with places for the tap's own columns, which come first."""
        return self.shared | dict.fromkeys(self.added)

    def _derive(self, record: dict[str, Any], row: Row) -> None:
        if self.dated_by:
            record[DATE] = record[self.dated_by]
        if self.dimensions:
            pairs = [(record[each.name], row[each.place]) for each in self.dimensions]
            record[DIMENSIONS] = dimensions_text(pairs, self.blank)

    def _key_maker(self) -> Callable[[Mapping[str, Any]], Any]:
        makers = [*self.in_key.items()]

        def key_of(record: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a value, or a tuple
            key = tuple(make(record[name]) if make else record[name] for name, make in makers)
            return key[0] if len(key) == 1 else key

        return key_of


def dimensions_text(values: Iterable[tuple[Any, Cell]], blank: str) -> str:
    """Return the values of dimensions as one text of a key.

    Args:
        values: each as it is written, and as it came, which is used where it became null.
        blank: replaces an empty text.
    """
    parts = (_raw(cell) if value is None else value for value, cell in values)
    return "|".join(map(to_text, parts)) or blank


def _raw(cell: Cell) -> Cell:
    """Return a cell that became null as it is in the key: all blanks alike."""
    return "" if cell is None or (isinstance(cell, str) and not cell.strip()) else cell


def _check_assumed(fields: Sequence[Field], echo: Sequence[FieldEcho]) -> None:
    """Refuse a metric in the key, which would make a new row of every restated value.

    The API understands more ids than it lists, `cost` for `spend` among them (observed).
    """
    echoed = {name: each for each in echo for name in each.names}
    for each in fields:
        metric = echoed.get(each.name.casefold())
        if not metric or not each.is_assumed:
            continue
        # Without a field type, the data type decides.
        is_number = not metric.field_type.strip() and kind_of(metric.data_type).is_number
        if metric.is_metric or (is_number and each.may_be_metric):
            raise ApiError(
                "FIELD_NOT_LISTED",
                f"{each.name} is no listed field and was taken for a dimension, but the API "
                f"answers with the metric {metric.field_id} ({metric.data_type})",
            )


def _check_columns(echo: Sequence[FieldEcho]) -> None:
    """Refuse two fields in one column, as one of them would get the other's values in silence.

    Two names of one field, `cost` and `spend` of LinkedIn (observed), may share theirs.
    """
    by_column: dict[int, FieldEcho] = {}
    for each in echo:
        if each.data_column is None:
            continue
        other = by_column.setdefault(each.data_column, each)
        if other.names[1] != each.names[1] or (not each.field_id and other.names != each.names):
            raise ApiError(
                "RESULT_MISMATCH",
                f"the result has {other.id or other.field_id} and {each.id or each.field_id} in "
                f"one column, {each.data_column}",
            )


def _places(echo: Sequence[FieldEcho]) -> dict[str, int]:
    """Return places by field id, in lower case; requested ids take precedence over the API's."""
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


def _role(each: Field, schema: RecordSchema) -> Role:
    if each.name == schema.replication_key:
        return Role.DAY
    return Role.KEY if each.name in {*schema.key_properties, schema.day} else Role.VALUE


def _column(each: Field, place: int, blank: str, mismatches: Mismatches, role: Role) -> Column:
    is_key = role is not Role.VALUE
    own_blank = blank if is_key and each.kind is ValueKind.TEXT else None
    # A dimension that does not fit is counted, but no day fails for it.
    refuses = is_key or (mismatches.are_refused and not each.is_dimension)
    convert = _converter(each, own_blank, None if refuses else mismatches, role)
    if each.kind is ValueKind.TEXT:
        convert = _counting(convert, each.name, mismatches)
    return Column(field=each, place=place, role=role, blank=own_blank, convert=convert)


def _converter(
    each: Field, blank: str | None, mismatches: Mismatches | None, role: Role
) -> Callable[[Cell], Any]:
    plain, kind, is_key = _plain(each), each.kind, role is not Role.VALUE
    known: dict[Cell, Any] = {}
    # A text may consist of blanks; a number or a time of blanks is null.
    is_blank_kind = kind is not ValueKind.TEXT and not is_key

    def convert(cell: Cell) -> Any:  # noqa: ANN401 - of the field's kind
        # A blank in a key that no text can replace goes on below, where it does not fit.
        if (cell is None or cell == "") and (blank is not None or not is_key):
            return blank
        if is_blank_kind and isinstance(cell, str) and not cell.strip():
            return None
        try:
            if kind not in _FEW_VALUES:
                value = plain(cell)
                # A text of NULs only is empty now.
                return blank if value == "" else value
            if cell not in known:
                known[cell] = plain(cell)
            return known[cell]
        except MISFITS:
            if mismatches is None:
                raise _misfit(each, cell, role) from None
            mismatches.note(each.name, cell)
            return None

    return convert


def _plain(each: Field) -> Callable[[Any], Any]:
    """Return a converter of cells with a value; it refuses numbers of an assumed dimension."""
    plain = CONVERTERS[each.kind]

    def texts_only(cell: Cell) -> Any:  # noqa: ANN401 - of the field's kind
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            text = f"{each.name} is no listed field and was taken for a dimension, but has numbers"
            raise ApiError("FIELD_NOT_LISTED", text)
        return plain(cell)

    return texts_only if each.may_be_metric else plain


def _counting(
    convert: Callable[[Cell], Any], name: str, mismatches: Mismatches
) -> Callable[[Cell], Any]:
    def counting(cell: Cell) -> Any:  # noqa: ANN401 - of the field's kind
        if isinstance(cell, str) and "\0" in cell:
            mismatches.nuls[name] += 1
        elif isinstance(cell, float) and abs(cell) > _MAX_EXACT:
            mismatches.rounded[name] += 1
        return convert(cell)

    return counting


def _misfit(each: Field, cell: Cell, role: Role) -> ApiError:
    text = f"field {each.name}{role.value} is {each.data_type}, got {repr(cell)[:60]}"
    if role is Role.KEY:
        as_text = f"`types: {{{each.name}: {TEXT}}}`"
        text += f"; a key cannot hold it: make it a text by {as_text}"
    return ApiError("TYPE_MISMATCH", text)
