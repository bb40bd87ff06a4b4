"""Odd names and values (`ODD`): no data source of Supermetrics, but the oddest that one may give.

Made to try a loader with: names that are words of SQL or hold dots and blanks; texts with quotes,
newlines and whatever else files and databases have trouble with, and some that differ in case only;
the largest and smallest numbers; blanks in each column. Rows are restated until they settle, some
become blank or vanish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_supermetrics.emulator.catalogue import Account, Axis, Field, Login, Measure, Member, Source
from tap_supermetrics.emulator.sources.fields import (
    TEXT,
    account_fields,
    column,
    computed,
    count,
    ratio,
    time_fields,
)

if TYPE_CHECKING:
    from tap_supermetrics.emulator.catalogue import Cell

TEXTS: Final[tuple[str, ...]] = (
    "plain",
    "",
    " a blank before and after ",
    "double \" and single ' and `back`",
    "back\\slash \\n \\N \\. \\u0041 \\",
    "two\nlines",
    "carriage\r\nreturn\rs",
    "a\ttab",
    "comma, semicolon; pipe|",
    "emoji \U0001f9e6\U0001f469\u200d\U0001f680 and 漢字",
    "nul \0 in the middle",
    "line \u2028 and paragraph \u2029 separators, next line \u0085",
    "control \x01\x1b[31m\x7f",
    "NULL",
    "null",
    "\\N",
    "None",
    "Brand",
    "brand",
    "BRAND",
    "é",
    "e\u0301",
    "0123",
    "1e5",
    "2024-06-01",
    "true",
    "%s %(x)s {0} {x} $1 :name",
    "'; DROP TABLE x; --",
    "=1+1",
    "<b>&amp;</b>",
    "\ufeffmark of byte order",
    "x" * 5000,
)
"""One for each row, as its text; the emulator's `row_id` tells rows apart."""
# 2**53 + 1 is the first integer that a double rounds; the two after it are the ends of 64 bits.
WHOLE: Final = (0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), None)
FRACTIONS: Final = (0.1, 1e-7, -2.5e-300, 1.7976931348623157e308, 123456789.12345679, 3, None)
MAX_KEY_TEXT: Final = 500
"""No database has room for much longer texts in an index."""
VANISHES_AFTER: Final = {"comma, semicolon; pipe|": 2, "Brand": 3}
"""By its text, in how many days a row vanishes."""

_ACCOUNTS = (
    Account(id="odd-1", number=51, name='Odd; the "first"', level=4_000),
    Account(id="odd-2", number=52, name="Odd, the second", level=9_000, sparse=3),
)
_COLUMNS = (
    ("row_id", "Row", TEXT, "row_id"),
    ("select", "A word of SQL", TEXT, "key_text"),
    ("any.text", "Any text", TEXT, "text"),
    ("order", "Another word of SQL", "bool", "yes"),
    ("user.opened", "A dot in the name", "string.time.datetime", "instant"),
    ("Time of day", "Blanks in the name", "string.time.hms", "time"),
    ("ended_on", "A date that is no day", "string.time.date", "date"),
    ("Label", "Blank now and then", TEXT, "label"),
    (
        "a_name_of_over_63_bytes_which_databases_cut_off_without_telling_anyone",
        "Long name",
        TEXT,
        "label",
    ),
)


def _member(number: int, text: str) -> Member:
    cells: dict[str, Cell] = {
        "row_id": f"row {number:02d}",
        "text": text,
        "key_text": text[:MAX_KEY_TEXT],
        "yes": (True, False, "")[number % 3],
        "instant": ("2024-02-29 23:59:59", "1970-01-01 00:00:00", "")[number % 3],
        "time": ("00:00:01", "23:59:59", "")[number % 3],
        "date": ("2024-02-29", "0001-01-01", "", "9999-12-31")[number % 4],
        "label": "" if number % 4 else f"Label {number}",
        "whole": WHOLE[number % len(WHOLE)],
        "fraction": FRACTIONS[number % len(FRACTIONS)],
    }
    return Member(cells=cells, vanishes_after=VANISHES_AFTER.get(text, 0))


def _rows(_account: Account) -> tuple[Member, ...]:
    return tuple(_member(number, text) for number, text in enumerate(TEXTS))


_FIELDS: tuple[Field, ...] = (
    *time_fields(),
    *account_fields(("Account", "AccountID", "Currency")),
    *(
        column(field_id, name, data_type, ("row", cells), is_key=cells == "row_id")
        for field_id, name, data_type, cells in _COLUMNS
    ),
    column("whole", "Any integer", "int.number.value", ("row", "whole"), is_metric=True),
    column("fraction", "Any number", "float.number.value", ("row", "fraction"), is_metric=True),
    count("restated", "Restated until it settles", "views"),
    computed(
        "now.and-then",
        "Blank every other time",
        "int.number.value",
        "views",
        lambda views: None if views % 2 else views,
    ),
    ratio("Rate %", "Blank at first", "float.number.percentage", ("views", "late"), 100),
)
_MEASURES = (
    Measure(name="views", settling=(700, 900, 960)),
    Measure(name="late", of="views", rate=0.1, settling=(0, 0, 800)),
)


def source() -> Source:
    """Return the data source."""
    return Source(
        id="ODD",
        name="Odd names and values",
        accounts=_ACCOUNTS,
        logins=(Login(user="odd@example.com", display_name="odd@example.com"),),
        fields=_FIELDS,
        report_types={"Default": (Axis(name="row", members=_rows),)},
        measures=_MEASURES,
        lists={},
    )
