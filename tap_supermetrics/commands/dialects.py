"""The spellings of warehouses, and the names that loaders give to tables and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tap_supermetrics.words import with_parted_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The spellings of a warehouse that differ from others'.

    Attributes:
        quote: around a name.
        add_days: a day some days later, of `$day` and `$count`.
        today: the current day.
        create: the beginning of a statement that makes a view.
        day: a value as a day, of `$value`.
        text: the type of short texts.
        length: how many days `$last` is after `$first`.
        once: makes a part of a query be computed once; empty where the warehouse does so itself.
        longest_name: bytes of the longest name.
        part: a number of `$texts`, separated by commas, from `$place` 0 on; null beyond.
    """

    quote: str = '"'
    add_days: str = "($day + $count)"
    today: str = "CURRENT_DATE"
    create: str = "CREATE OR REPLACE VIEW"
    day: str = "CAST($value AS DATE)"
    text: str = "VARCHAR(100)"
    length: str = "($last - $first)"
    once: str = ""
    longest_name: int = 255
    part: str = "CAST(NULLIF(SPLIT_PART($texts, ',', $place + 1), '') AS INTEGER)"


DIALECTS: Final[Mapping[str, Dialect]] = {
    # It cuts a longer name, in silence.
    "postgres": Dialect(longest_name=63),
    "duckdb": Dialect(add_days="CAST($day + $count AS DATE)", once="MATERIALIZED "),
    "snowflake": Dialect(
        add_days="DATEADD(day, $count, $day)", length="DATEDIFF(day, $first, $last)"
    ),
    "bigquery": Dialect(
        quote="`",
        add_days="DATE_ADD($day, INTERVAL $count DAY)",
        text="STRING",
        length="DATE_DIFF($last, $first, DAY)",
        part="CAST(SPLIT($texts, ',')[SAFE_OFFSET($place)] AS INT64)",
    ),
    "redshift": Dialect(
        longest_name=127,
        add_days="CAST(DATEADD(day, $count, $day) AS DATE)",
        length="DATEDIFF(day, $first, $last)",
    ),
    "clickhouse": Dialect(
        quote="`",
        add_days="addDays($day, $count)",
        today="today()",
        day="toDate32OrNull(substring(toString($value), 1, 10))",
        length="dateDiff('day', $first, $last)",
        part="toInt64OrNull(splitByChar(',', ifNull($texts, ''))[$place + 1])",
    ),
}
"""Warehouses by name."""
NAMINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "as-is": lambda name: name,
    "lower": str.lower,
    "upper": str.upper,
    "snake": lambda name: with_parted_words(name).lower(),
}
"""How loaders name tables and columns."""
