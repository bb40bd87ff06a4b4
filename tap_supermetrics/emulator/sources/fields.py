"""Ways to declare fields, shared by the data sources."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.catalogue import ACCOUNT, DAY, Cell, Field, Measures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DIGITS = 4
"""Decimals of a metric, the default seen in an answer's settings (`round_metrics_to`)."""

TEXT, MONEY = "string.text.value", "float.currency.value"
"""The usual types of dimensions and of metrics in a currency."""


def whole(value: float) -> Cell:
    """Return a number as the API writes it, without a fraction of zero ("13", not "13.0")."""
    return int(value) if value == int(value) else value


def count(
    field_id: str, name: str, measure: str, data_type: str = "int.number.value", **more: object
) -> Field:
    """Return a metric that is a measure."""
    return _metric(field_id, name, data_type, (measure,), lambda m: list(m[measure]), more)


def money(field_id: str, name: str, measure: str, **more: object) -> Field:
    """Return a metric that is a measure in cents."""

    def compute(measures: Measures) -> list[Cell]:
        return [v // 100 if v % 100 == 0 else v / 100 for v in measures[measure]]

    return _metric(field_id, name, MONEY, (measure,), compute, more)


def ratio(
    field_id: str, name: str, data_type: str, parts: tuple[str, str], scale: float, **more: object
) -> Field:
    """Return a metric that divides one measure by another, and is blank where that is zero."""
    above, below = parts

    def compute(measures: Measures) -> list[Cell]:
        return [
            whole(round(a * scale / b, DIGITS)) if b else None
            for a, b in zip(measures[above], measures[below], strict=True)
        ]

    return _metric(field_id, name, data_type, parts, compute, more | {"is_non_aggregatable": True})


def computed(
    field_id: str,
    name: str,
    data_type: str,
    measure: str,
    function: Callable[[int], Cell],
    **more: object,
) -> Field:
    """Return a metric that is any function of a measure."""

    def compute(measures: Measures) -> list[Cell]:
        return [function(value) for value in measures[measure]]

    return _metric(field_id, name, data_type, (measure,), compute, more)


def column(
    field_id: str, name: str, data_type: str, where: tuple[str, str], **more: object
) -> Field:
    """Return a field that is a column of an axis: `where` is (axis, column)."""
    axis, cells = where
    values = {"id": field_id, "name": name, "data_type": data_type, "axis": axis, "column": cells}
    return Field(**(values | more))  # type: ignore[arg-type]  # checked by the dataclass


def _metric(  # noqa: PLR0913, PLR0917 - the parts of a declaration
    field_id: str,
    name: str,
    data_type: str,
    needs: tuple[str, ...],
    compute: Callable[[Measures], list[Cell]],
    more: Mapping[str, object],
) -> Field:
    values: dict[str, object] = {"id": field_id, "name": name, "data_type": data_type}
    values |= {"needs": needs, "compute": compute, "is_metric": True}
    return Field(**(values | dict(more)))  # type: ignore[arg-type]  # checked by the dataclass


def account_fields(ids: Sequence[str]) -> tuple[Field, ...]:
    """Return account name, id and currency, under the ids given."""
    name, number, currency = ids
    return (
        column(name, "Account", TEXT, (ACCOUNT, "name"), group="ACCOUNT"),
        column(number, "Account ID", TEXT, (ACCOUNT, "id"), group="ACCOUNT", is_key=True),
        column(
            currency, "Currency", "string.currency.code", (ACCOUNT, "currency"), group="ACCOUNT"
        ),
    )


def _week_from_sunday(day: date) -> str:
    return f"{(day.timetuple().tm_yday + 6 - (day.weekday() + 1) % 7) // 7:02d}"


DAY_CELLS: Mapping[str, Callable[[date], str]] = {
    "date": date.isoformat,
    "year": lambda day: f"{day.year}",
    "yearmonth": lambda day: f"{day.year}|{day.month:02d}",
    "month": lambda day: f"{day.month:02d}",
    "dayofmonth": lambda day: f"{day.day:02d}",
    "week": _week_from_sunday,
    "weekiso": lambda day: f"{day.isocalendar()[1]:02d}",
    "yearweek": lambda day: f"{day.year}|{_week_from_sunday(day)}",
    "yearweekiso": lambda day: f"{day.isocalendar()[0]}|{day.isocalendar()[1]:02d}",
    "yearofweekiso": lambda day: f"{day.isocalendar()[0]}",
    "dayofweek": lambda day: f"{day.isoweekday() % 7 + 1} {day:%A}",
    "dayofweekiso": lambda day: f"{day.isoweekday()} {day:%A}",
    "datetime": lambda day: f"{day.isoformat()} 00:00:00",
    "tomorrow": lambda day: (day + timedelta(days=1)).isoformat(),
}
"""Columns of the axis of days. Formats: Supermetrics docs, "Field data types"."""

_TIME = (
    ("Date", "Date", "string.time.date", "date"),
    ("Year", "Year", "string.time.year", "year"),
    ("Yearmonth", "Year & month", "string.time.yearmonth", "yearmonth"),
    ("Month", "Month", "string.time.month", "month"),
    ("Dayofmonth", "Day of month", "string.time.dayofmonth", "dayofmonth"),
    ("Week", "Week", "string.time.week", "week"),
    ("WeekISO", "Week", "string.time.weekiso", "weekiso"),
    ("Yearweek", "Year & week", "string.time.yearweek", "yearweek"),
    ("YearWeekISO", "Year & week", "string.time.yearweekiso", "yearweekiso"),
    ("YearOfWeekISO", "Year of week", "string.time.year", "yearofweekiso"),
    ("Dayofweek", "Day of week", "string.time.dayofweek", "dayofweek"),
    ("DayOfWeekISO", "Day of week", "string.time.dayofweekiso", "dayofweekiso"),
)


def time_fields(spelling: Callable[[str], str] = str) -> tuple[Field, ...]:
    """Return the time dimensions; three pairs of them share a label, as in the real API.

    Args:
        spelling: The data source's way to write their ids.
    """
    return tuple(
        column(
            spelling(field_id),
            name,
            data_type,
            (DAY, cells),
            group="TIME",
            is_key=cells == "date",
            is_filterable=False,
        )
        for field_id, name, data_type, cells in _TIME
    )
