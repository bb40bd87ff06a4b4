"""From cells to values of a kind.

The API casts nothing: its data types are informational, a number may come as text and an id as a
number (Supermetrics docs, "Field data types"; observed).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.dates import parse_date, read_day
from tap_supermetrics.records.kinds import ValueKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_supermetrics.api.wire import Cell

_WHOLE: Final = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATETIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[ T]((?:[01]\d|2[0-3]):[0-5]\d)(:[0-5]\d(?:\.\d+)?)?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?",
    re.ASCII | re.IGNORECASE,
)
_INT64: Final = range(-(2**63), 2**63)
"""Integers that targets can store."""


def _to_boolean(cell: Cell) -> bool:
    if isinstance(cell, str):
        return {"true": True, "1": True, "false": False, "0": False}[cell.casefold()]
    return {1: True, 0: False}[cell]  # type: ignore[index] # None never comes here


def _to_integer(cell: Cell) -> int:
    number = _to_whole(cell)
    if number not in _INT64:
        raise ValueError(cell)
    return number


def _to_whole(cell: Cell) -> int:
    if isinstance(cell, bool):
        raise ValueError(cell)  # noqa: TRY004 - it is the value that does not fit
    if isinstance(cell, int):
        return cell
    if isinstance(cell, str):
        # Texts are not read as floats, which round ids and micros beyond 2**53.
        whole = _WHOLE.fullmatch(cell.strip())
        return int(whole[1]) if whole else _to_whole(_to_number(cell))
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    raise ValueError(cell)


def _to_number(cell: Cell) -> float:
    if isinstance(cell, bool):
        raise ValueError(cell)  # noqa: TRY004 - it is the value that does not fit
    if isinstance(cell, int):
        float(cell)  # an OverflowError where no double can store it
        return cell
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell.strip()):
        raise ValueError(cell)
    number = float(cell)  # type: ignore[arg-type] # None never comes here
    if not math.isfinite(number):
        raise ValueError(cell)
    return number


def to_text(cell: Cell) -> str:
    """Return a cell as a text; a whole number has no point, as an id may come as a float."""
    if isinstance(cell, str):
        # PostgreSQL and others refuse a NUL in a text.
        return cell.replace("\0", "") if "\0" in cell else cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    is_whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell)) if is_whole else str(cell)  # type: ignore[arg-type] # whole, so a float


def _to_date(cell: Cell) -> str:
    return read_day(str(cell)).isoformat()


def _to_datetime(cell: Cell) -> str:
    match = _DATETIME.fullmatch(str(cell).strip())
    if not match:
        raise ValueError(cell)
    day, minute, second, zone = match.groups(default="")
    return f"{parse_date(day)}T{minute or '00:00'}{second or ':00'}{_zone(zone)}"


def _zone(written: str) -> str:
    """Return an offset as JSON Schema requires it; Facebook writes `+0000`, without a colon."""
    if written[:1] in {"+", "-"}:
        return f"{written[:3]}:{written[-2:]}"
    return "Z" if written else ""


def _to_time(cell: Cell) -> str:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", str(cell))
    if not match:
        raise ValueError(cell)
    return f"{int(match[1]):02}:{match[2]}:{match[3] or '00'}"


CONVERTERS: Final[Mapping[ValueKind, Callable[[Cell], Any]]] = {
    ValueKind.BOOLEAN: _to_boolean,
    ValueKind.INTEGER: _to_integer,
    ValueKind.NUMBER: _to_number,
    ValueKind.TEXT: to_text,
    ValueKind.DATE: _to_date,
    ValueKind.DATETIME: _to_datetime,
    ValueKind.TIME: _to_time,
}
"""The converter of each kind; it raises one of `MISFITS` where a cell does not fit."""
MISFITS: Final = (ValueError, TypeError, LookupError, OverflowError)
