"""Filters and orders of rows, as a query spells them.

Source: Supermetrics docs, "Filter" (`filter`) and "Making requests" (`order_rows`).
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_supermetrics.emulator.failures import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_supermetrics.emulator.catalogue import Cell, Field, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a field with a value."""

    field: Field
    sign: str
    value: str

    def holds(self, cell: Cell) -> bool:
        """Return whether a cell of the field fulfils it."""
        text = "" if cell is None else str(cell)
        match self.sign:
            case "=@" | "!@":
                return (self.value.lower() in text.lower()) is (self.sign == "=@")
            case "=~" | "!~":
                return bool(pattern(self.value, "FILTER_INVALID").search(text)) is (
                    self.sign == "=~"
                )
            case _:
                return _compared(self.sign, text, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions joined by AND, groups of them joined by OR (AND binds tighter)."""

    groups: tuple[tuple[Condition, ...], ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields that it names."""
        return tuple(dict.fromkeys(condition.field for group in self.groups for condition in group))

    @property
    def is_of_dimensions(self) -> bool:
        """Return whether it can be applied before rows are summed."""
        return all(field.axis for field in self.fields)

    def holds(self, cells: Mapping[str, Cell]) -> bool:
        """Return whether a row, given as field id -> cell, passes."""
        return any(all(c.holds(cells[c.field.id]) for c in group) for group in self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One key to sort rows by."""

    field: Field
    descending: bool


_CONDITION = re.compile(r"\s*(\S+?)\s*(==|!=|>=|<=|=@|!@|=~|!~|>|<)\s*(.*?)\s*", re.DOTALL)
_DELIMITED = re.compile(r"([/#~%@!])(.*)\1([imsxu]*)", re.DOTALL)
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_OF_TEXT = frozenset({"=@", "!@", "=~", "!~"})
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def parsed_filter(text: str, source: Source) -> Filter | None:
    """Return a filter from its text; None when there is none.

    Raises:
        RefusalError: It does not parse, or names a field that does not exist or cannot be filtered.
    """
    if not text.strip():
        return None
    groups = (re.split(r"\s+AND\s+", part) for part in re.split(r"\s+OR\s+", text))
    return Filter(groups=tuple(tuple(_condition(one, source) for one in group) for group in groups))


def _condition(text: str, source: Source) -> Condition:
    match = _CONDITION.fullmatch(text)
    field = source.field(match[1]) if match else None
    if match is None or field is None or not field.is_filterable:
        raise RefusalError("FILTER_INVALID", f'"{text}" is not a condition on a filterable field.')
    sign, value = match[2], match[3]
    if sign in _OF_TEXT and field.is_metric:
        raise RefusalError("FILTER_INVALID", f'"{sign}" is for dimensions only.')
    if sign in {"=~", "!~"}:
        pattern(value, "FILTER_INVALID")
    return Condition(field=field, sign=sign, value=value)


def pattern(text: str, code: str) -> re.Pattern[str]:
    """Return a PCRE with or without delimiters ("/paing$/i"), as Python's.

    Raises:
        RefusalError: It is not a regular expression; `code` tells where it was.
    """
    delimited = _DELIMITED.fullmatch(text)
    body, letters = (delimited[2], delimited[3]) if delimited else (text, "")
    # `NOFLAG` came with Python 3.11.
    flags = re.NOFLAG if hasattr(re, "NOFLAG") else re.RegexFlag(0)
    for letter in letters:
        flags |= _FLAGS.get(letter, flags)
    try:
        return re.compile(body, flags)
    except re.error as error:
        raise RefusalError(code, f'"{text}": {error}') from None


def _compared(sign: str, cell: str, value: str) -> bool:
    try:
        return _SIGNS[sign](float(cell), float(value))
    except ValueError:
        return _SIGNS[sign](cell, value)


def parsed_order(value: object, source: Source) -> tuple[Order, ...]:
    """Return the keys of `order_rows`: "impressions desc,date desc", or a list of such.

    Raises:
        RefusalError: One of them is not "<field> asc|desc".
    """
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return tuple(_order(str(part), source) for part in parts if str(part).strip())


def _order(text: str, source: Source) -> Order:
    name, _, direction = text.strip().partition(" ")
    field = source.field(name)
    if field is None or direction.strip().lower() not in {"", "asc", "desc"}:
        raise RefusalError("ORDER_ROWS_INVALID", f'"{text}" is not "<field> asc|desc".')
    return Order(field=field, descending=direction.strip().lower() == "desc")


def ordered(
    rows: list[tuple[Cell, ...]], keys: Sequence[Order], fields: Sequence[Field]
) -> list[tuple[Cell, ...]]:
    """Return the rows sorted by several keys, the first of which counts most; blanks come first."""
    # Sorting is stable: the key that counts most comes last.
    for key in reversed(keys):
        position = [field.id for field in fields].index(key.field.id)
        rows = sorted(rows, key=lambda row: _rank(row[position]), reverse=key.descending)
    return rows


def _rank(cell: Cell) -> tuple[int, float, str]:
    if isinstance(cell, str) or cell is None:
        return (0 if cell is None else 2, 0.0, cell or "")
    return (1, float(cell), "")
