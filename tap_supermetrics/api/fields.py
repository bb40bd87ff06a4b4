"""Spelling of fields: as the API lists them, and as an answer echoes them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from tap_supermetrics.api.entries import FOR_PEOPLE, Entry

_DIMENSION: Final = "dim"
_METRIC: Final = "met"
"""How the words for kinds of fields begin: documented are `dim` and `met`."""


class FieldEcho(msgspec.Struct, kw_only=True):
    """A requested field, as the API understood it.

    Attributes:
        id: as requested.
        data_column: place in the row, from 0; None for a field split by column.
    """

    id: str = ""
    field_id: str = ""
    field_name: str = ""
    field_type: str = ""
    data_type: str = ""
    data_column: int | None = None

    @property
    def is_metric(self) -> bool:
        """Return whether it is a metric, as far as it is stated."""
        return _is_of(self.field_type, _METRIC)

    @property
    def names(self) -> tuple[str, str]:
        """Return the names by which it may be requested, in lower case."""
        return self.id.casefold(), self.field_id.casefold()


class FieldInfo(Entry, kw_only=True):
    """A field of a data source ("Get fields")."""

    of_class: str = msgspec.field(default="", name="@type")

    field_id: str
    field_name: Annotated[str, FOR_PEOPLE] = ""
    field_type: str = ""
    data_type: str = ""
    description: Annotated[str | None, FOR_PEOPLE] = None
    group_name: Annotated[str, FOR_PEOPLE] = ""
    is_filterable: Annotated[bool, FOR_PEOPLE] = True
    is_non_aggregatable: bool = False
    report_types: Any = None
    """Kinds of reports that have it; one query cannot mix them. Of use to people only."""

    @property
    def is_dimension(self) -> bool:
        """Return whether it is a dimension, by type, or else by a class such as `ds_dimension`."""
        return _is_of(self.field_type or self.of_class.removeprefix("ds_"), _DIMENSION)


def _is_of(word: str, kind: str) -> bool:
    return word.strip().casefold().startswith(kind)
