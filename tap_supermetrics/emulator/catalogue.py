"""The parts of a data source: accounts, fields, axes and measures.

A *measure* is a whole number per account and day that can be summed (clicks, cents, seconds). An
*axis* divides measures among its *members* (campaigns, devices), exactly: the parts add up to
the whole. A *field* is what a query asks for: a column of an axis, or a function of measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from tap_supermetrics.emulator.failures import RefusalError

Cell = str | int | float | bool | None
"""A value in a row. None is a blank: what stands for it on the wire is an option."""

Measures = Mapping[str, Sequence[int]]
"""Per measure its value in every row."""

ACCOUNT, DAY = "account", "day"
"""The axes every dated data source has."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Account:
    """An account of a data source.

    Attributes:
        id: As the API spells it.
        number: Seed of its data.
        name: Its display name.
        group: `group_name` of `/query/accounts`.
        logins: Those of the data source that see it, by position; an account can have several.
        level: The driving measure on an average day; 0 for an account without any row.
        currency: ISO 4217 code.
        rests: Days without any row: weekday numbers (Monday is 0).
        sparse: Leave out about one day in so many; 0 for none.
        since: First day with data.
        gone: No longer available: any query of it fails, and it is not listed.
        unlicensed: Listed, but any query of it fails.
    """

    id: str
    number: int
    name: str
    group: str = ""
    logins: tuple[int, ...] = (0,)
    level: int = 10_000
    currency: str = "EUR"
    rests: tuple[int, ...] = ()
    sparse: int = 0
    since: date = date(2012, 1, 1)
    gone: bool = False
    unlicensed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A data source login, through which accounts are seen."""

    user: str
    display_name: str
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of an axis.

    Attributes:
        cells: Its cells by column name.
        weight: Its part of the measures, against the others'.
        since: Its first day.
        vanishes_after: The source takes its rows back when their day is so many days ago; 0 for
            never. Only for axes without children.
    """

    cells: Mapping[str, Cell]
    weight: int = 10
    since: date = date.min
    vanishes_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """A way to divide measures.

    Attributes:
        name: Its name; the fields of it refer to that.
        members: The members of an account, those of the first parent first.
        children: Members per parent when each belongs to one member of the axis before; else 0.
        rotates: Which child gets how much changes from day to day by rotation, which is cheap
            for axes with hundreds of members.
    """

    name: str
    members: Callable[[Account], tuple[Member, ...]]
    children: int = 0
    rotates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A whole number per account and day.

    Attributes:
        name: Its name.
        of: The measure that it is derived from; empty for the driver.
        rate: How many there are per unit of that.
        settling: Thousandths that are known after 0, 1, 2 ... days; all of it afterwards.
    """

    name: str
    of: str = ""
    rate: float = 1.0
    settling: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A field of a data source, as `/query/fields` lists it.

    Attributes:
        id: Its canonical id.
        name: Its label. Labels repeat.
        data_type: As in Supermetrics docs, "Field data types".
        group: Group name, upper case.
        axis: The axis it is a column of; empty for a function of measures.
        column: The name of that column.
        is_key: Whether it tells the members of its axis apart.
        is_metric: Whether the API calls it a metric.
        needs: The measures it is computed from.
        compute: The computation: measures -> cells.
        is_filterable: Whether a filter may name it.
        is_non_aggregatable: Whether sums of it make no sense.
        description: Its explanation.
        aliases: Further ids under which it can be asked for.
        report_types: Those it is part of; all when empty.
        owners: The accounts whose custom field it is; listed only when asked for one of them.
    """

    id: str
    name: str
    data_type: str
    group: str = "BASIC"
    axis: str = ""
    column: str = ""
    is_key: bool = False
    is_metric: bool = False
    needs: tuple[str, ...] = ()
    compute: Callable[[Measures], list[Cell]] | None = None
    is_filterable: bool = True
    is_non_aggregatable: bool = False
    description: str = ""
    aliases: tuple[str, ...] = ()
    report_types: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A data source.

    Attributes:
        id: Its `ds_id`.
        name: Its name.
        accounts: All accounts, gone ones included.
        logins: Its logins.
        fields: All fields.
        report_types: The axes of each report type, in the order in which they divide.
        measures: In order of derivation, the driver first.
        settings: The keys it accepts in `settings` beside the common ones.
        earliest: The first day that may be asked for; None for any.
        has_dates: Whether its rows have dates.
        lists: Team lists: slug -> account ids.
    """

    id: str
    name: str
    accounts: tuple[Account, ...]
    logins: tuple[Login, ...]
    fields: tuple[Field, ...]
    report_types: Mapping[str, tuple[Axis, ...]]
    measures: tuple[Measure, ...]
    settings: frozenset[str] = frozenset()
    earliest: date | None = None
    has_dates: bool = True
    lists: Mapping[str, tuple[str, ...]]

    def field(self, field_id: str) -> Field | None:
        """Return a field by its id or an alias, in any case ("date" for "Date")."""
        return _fields_by_id(self.fields).get(field_id.strip().lower())

    def known_field(self, field_id: str) -> Field:
        """Return a field as `field` does.

        Raises:
            RefusalError: There is none.
        """
        field = self.field(field_id)
        if field is None:
            raise RefusalError("FIELD_INVALID", f'{self.name} has no field "{field_id}".')
        return field

    def account(self, account_id: str) -> Account | None:
        """Return an account by its id, whether gone or not."""
        return next((account for account in self.accounts if account.id == account_id), None)

    def report_type(self, fields: Sequence[Field]) -> str | None:
        """Return the report type that all these fields are part of, or None."""
        return next(
            (
                name
                for name in self.report_types
                if all(name in field.report_types or not field.report_types for field in fields)
            ),
            None,
        )


@lru_cache(maxsize=64)
def _fields_by_id(fields: tuple[Field, ...]) -> Mapping[str, Field]:
    return {name.lower(): field for field in fields for name in (*field.aliases, field.id)}


@lru_cache(maxsize=4096)
def members(axis: Axis, account: Account) -> tuple[Member, ...]:
    """Return the members of an axis in an account."""
    return axis.members(account)


@lru_cache(maxsize=4096)
def cells(axis: Axis, account: Account, column: str) -> tuple[Cell, ...]:
    """Return one column of an axis in an account, by member."""
    return tuple(member.cells[column] for member in members(axis, account))
