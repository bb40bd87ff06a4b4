"""The kinds of values: from the API's data types to JSON types, and what numbers count."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

TEXT: Final = "string.text.value"
"""The API's data type whose values are texts, whatever the API sends."""
OF_TIME: Final = "string.time."
PLAIN: Final = "value"
_PLAIN_WORDS: Final = frozenset({PLAIN, "number", "currency", ""})


class ValueKind(Enum):
    """The JSON type and format of a value."""

    BOOLEAN = ("boolean", None)
    INTEGER = ("integer", None)
    NUMBER = ("number", None)
    TEXT = ("string", None)
    DATE = ("string", "date")
    DATETIME = ("string", "date-time")
    TIME = ("string", "time")

    @property
    def is_number(self) -> bool:
        """Return whether its values are numbers."""
        return self in {ValueKind.INTEGER, ValueKind.NUMBER}

    def schema(self, *, nullable: bool) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
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


_TEXT_FAMILY: Final = "string"
_WIDTHS: Final = (
    ValueKind.BOOLEAN,
    ValueKind.INTEGER,
    ValueKind.NUMBER,
    ValueKind.TIME,
    ValueKind.DATE,
    ValueKind.DATETIME,
    ValueKind.TEXT,
)
"""Kinds by how much their values can express."""


def data_type_of(kind: ValueKind) -> str:
    """Return an API data type whose values become this kind, as `types` takes it."""
    of_time = {each: name for name, each in _TIME_KINDS.items()}
    of_numbers = {
        ValueKind.BOOLEAN: "bool",
        ValueKind.INTEGER: "int.number.value",
        ValueKind.NUMBER: "float.number.value",
    }
    return of_time.get(kind) or of_numbers.get(kind, TEXT)


def kind_of(data_type: str) -> ValueKind:
    """Return the kind of an API data type's values; undocumented types stay text.

    Source: Supermetrics docs, "Field data types" (`type.group.class.format`), and the mapping of
    the vendor's own Power BI connector. Weeks and months such as `2023|48` have no JSON type and
    stay text, and so do codes, ids and addresses.
    """
    folded = data_type.strip().casefold()
    family = folded.partition(".")[0]
    return _TIME_KINDS.get(folded) or _FAMILY_KINDS.get(family, ValueKind.TEXT)


def unit_of(data_type: str) -> str:
    """Return what numbers of an API data type count, or which period its texts name.

    Returns:
        `number.percentage`, `duration.seconds`, `time.yearweek` and the like; `value` for numbers
        of no unit; empty for texts that name no period, and for all else.
    """
    found = re.fullmatch(r"\w+\.([\w.]{1,60})", data_type.strip().casefold(), re.ASCII)
    unit = found[1] if found else ""
    if kind_of(data_type).is_number:
        return PLAIN if unit.rpartition(".")[2] in _PLAIN_WORDS else unit
    is_period = kind_of(data_type) is ValueKind.TEXT and f"string.{unit}".startswith(OF_TIME)
    return unit if is_period else ""


def width_of(data_type: str) -> int:
    """Return how much the values of an API data type can express: texts more than numbers."""
    return _WIDTHS.index(kind_of(data_type))


def is_known(data_type: str) -> bool:
    """Return whether an API data type belongs to a known family."""
    return data_type.partition(".")[0].strip().casefold() in {*_FAMILY_KINDS, _TEXT_FAMILY}
