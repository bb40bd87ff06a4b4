"""Distinguishes the header of a result from its rows, however it is spelt.

A row taken for a header is dropped in silence. So a guess needs words where all other rows
have numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

from tap_supermetrics.dates import read_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_supermetrics.api import wire
    from tap_supermetrics.api.fields import FieldEcho

COMPARED: Final = 20
"""Rows compared: all have numbers where a header by guess has words."""
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9.,' ]*(e[-+]?[0-9]+)? ?%?", re.IGNORECASE)
_NO_VALUE: Final = frozenset(
    {
        *("na", "nan", "null", "nil", "none", "nothing", "inf", "infinity", "undefined"),
        *("unknown", "unspecified", "missing", "empty", "error", "true", "false", "yes", "no"),
        *("not set", "not available", "not applicable", "no data", "no value", "hidden"),
    }
)
"""Words that a source may write for a missing number; of `n/a` the letters."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: names in small letters, and whether it has a metric."""

    names: frozenset[str]
    is_metric: bool


def columns_of(echo: wire.QueryEcho, listed: Sequence[FieldEcho]) -> list[Column]:
    """Return the columns of a result in order, by its echo and the API's list.

    Args:
        echo: how the API understood the query.
        listed: the requested fields, in order, as the API lists them.
    """
    # A field that is split by column is in none: then only the echo shows their order.
    is_placed = all(each.data_column is not None for each in echo.fields)
    fields = sorted(echo.fields, key=lambda each: each.data_column or 0 if is_placed else 0)
    by_id = {name: each for each in listed for name in each.names if name}
    pairs = [
        (each, next((by_id[name] for name in each.names if name in by_id), each))
        for each in (fields or listed)
    ]
    return [Column(frozenset(_names(pair)), any(each.is_metric for each in pair)) for pair in pairs]


def is_named(cells: Sequence[Any], columns: Sequence[Column]) -> bool:
    """Return whether the cells of a row are the names of its columns, but for blanks and case."""
    return (
        bool(cells)
        and len(cells) == len(columns)
        and all(
            isinstance(cell, str) and _plain(cell) in column.names
            for cell, column in zip(cells, columns, strict=True)
        )
    )


def is_of_words(cells: Sequence[Any], columns: Sequence[Column]) -> bool:
    """Return whether a row has words in all metrics, and a different text in each column."""
    metrics = _metrics(cells, columns)
    return (
        bool(metrics)
        and all(map(_is_word, metrics))
        and all(isinstance(cell, str) and cell.strip() for cell in cells)
        and len(set(map(_plain, cells))) == len(cells)
        and not any(map(_is_day, cells))
    )


def are_of_numbers(rows: Iterable[Sequence[Any]], columns: Sequence[Column]) -> bool:
    """Return whether there are rows, and all have numbers in their metrics, or nothing."""
    values = [_metrics(cells, columns) for cells in rows]
    given = [each for cells in values for each in cells if each not in (None, "")]
    return all(values) and bool(given) and all(map(_is_number, given))


def _metrics(cells: Sequence[Any], columns: Sequence[Column]) -> list[Any]:
    """Return the values of metrics in a row; none where its width differs."""
    if len(cells) != len(columns):
        return []
    return [cell for cell, each in zip(cells, columns, strict=True) if each.is_metric]


def _names(fields: Iterable[FieldEcho]) -> set[str]:
    names = {name for each in fields for name in (each.field_name, *each.names)}
    return {_plain(name) for name in names if name.strip()}


def _plain(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


def _is_word(cell: Any) -> bool:  # noqa: ANN401 - any JSON
    if not isinstance(cell, str) or not cell.strip()[:1].isalpha():
        return False
    return _plain(cell).replace("/", "") not in _NO_VALUE


def _is_number(cell: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(cell, str):
        return _NUMBER.fullmatch(cell.strip()) is not None
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _is_day(cell: str) -> bool:
    try:
        read_day(cell)
    except ValueError:
        return False
    return True
