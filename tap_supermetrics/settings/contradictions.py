"""Finds settings of a report that contradict each other."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from tap_supermetrics.date_words import moves_of
from tap_supermetrics.model import SplitAccounts, SplitDates
from tap_supermetrics.model.account_spelling import core_of, is_spelling_of
from tap_supermetrics.model.columns import DATE, METADATA_COLUMNS, METADATA_PREFIX
from tap_supermetrics.settings.reading import hint
from tap_supermetrics.words import nearest

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from tap_supermetrics.dates import Day
    from tap_supermetrics.model import Report

_FIRST_DAY: Final = date(1990, 1, 1)
"""No data source is older; every day requested in vain would be a query."""
MAX_DAYS_AHEAD: Final = 366
"""How many days from today a report may begin."""
_YESTERDAY: Final = moves_of("yesterday")
_FOUR_YEARS: Final = range(date(2023, 1, 1).toordinal(), date(2027, 1, 1).toordinal())
"""Days on which words are tested: all weekdays, months and a leap year."""
_MEANT: Final = {
    **dict.fromkeys(("date", "day"), "string.time.date"),
    **dict.fromkeys(("datetime", "timestamp", "date-time"), "string.time.datetime"),
    **dict.fromkeys(("integer", "bigint", "long", "int64"), "int.number.value"),
    **dict.fromkeys(("number", "decimal", "numeric", "double", "real"), "float.number.value"),
    **dict.fromkeys(("text", "str", "varchar", "char"), "string.text.value"),
    "boolean": "bool",
    **dict.fromkeys(("time", "string.time.time"), "string.time.hms"),
    "string.time.timestamp": "string.time.datetime",
}
"""Types by their names in other systems."""
_TIMES: Final = tuple(f"string.time.{each}" for each in ("date", "datetime", "hm", "hms"))
"""Types of times that do not become texts."""


def contradictions(report: Report, given: Container[str]) -> list[str]:
    """Return the mistakes in a report, each by the path of a setting that can mend it.

    Args:
        report: each setting read.
        given: names of the settings in the report's own entry.
    """
    checks = (_in_accounts, _in_fields, _in_keys, _in_types, _in_policies)
    found = [each for check in checks for each in check(report)]
    # A default of all reports is mended at the top level, and not in the entry of one.
    return [
        f"{report.path}.{setting}: {text}" if setting in given else f"{setting}: {text}"
        for setting, text in (*found, *_in_dates(report, given))
    ]


def far_ahead(reports: Iterable[Report], today: date) -> list[str]:
    """Return a mistake for each `start_date` that lies too far ahead.

    A report may begin later, but a year like 2062 is a typing error: each run would load nothing,
    and exit with 0.
    """
    latest = today + timedelta(days=MAX_DAYS_AHEAD)
    found = ((report, start) for report in reports if (start := report.start_date) and start.fixed)
    mistakes = [
        f"{report.path}.{text} (report {report.name})" if "start_date" in report.given else text
        for report, start in found
        if start.on(today) > latest
        for text in [f"start_date: expected a day up to {latest}, a year ahead, got {start.fixed}"]
    ]
    return [*dict.fromkeys(mistakes)]


Found = tuple[str, str]
"""Name of a setting, and what is wrong with it."""


def _in_accounts(report: Report) -> Iterator[Found]:
    alike: dict[str, list[str]] = {}
    for each in report.accounts.ids:
        before = alike.setdefault(core_of(each), [])
        # Read under both spellings, each row would be there twice.
        for other in (one for one in before if is_spelling_of(one, each)):
            one = f"{other} and {each} are one account, spelt in two ways"
            yield "ds_accounts", f"{one}; keep the one that the API lists"
        before.append(each)


def _in_fields(report: Report) -> Iterator[Found]:
    seen = set[str]()
    for each in report.fields:
        if each.casefold() in seen:
            yield "fields", f"{each} is listed twice (case does not count)"
        if each.startswith(METADATA_PREFIX):
            yield "fields", f"{each} begins with {METADATA_PREFIX}, which is reserved"
        seen.add(each.casefold())


def _in_types(report: Report) -> Iterator[Found]:
    for name, value in report.types.items():
        if name not in report.fields:
            yield "types", f"{name} is no field of the report{hint(name, report.fields)}"
        word = str(value).strip().casefold()
        is_type = re.match(r"(int|float|string|bool)\b", word)
        near = _MEANT.get(word) or nearest(word, _TIMES, cutoff=0.9)
        # `string.time.dat` would become a text, in silence.
        if not is_type or near not in {"", word}:
            expected = f"expected a data type such as int.number.value for {name}"
            yield "types", f"{expected}, got {value!r}{f', did you mean {near}?' if near else ''}"


def _in_keys(report: Report) -> Iterator[Found]:
    for each in report.key_properties:
        if each not in (*report.fields, *METADATA_COLUMNS):
            columns = f"a field of the report or a {METADATA_PREFIX} column"
            meant = hint(each, [*report.fields, *METADATA_COLUMNS])
            yield "key_properties", f"{each} is not {columns}{meant}"
    key = report.replication_key
    if key is None:
        return
    if key not in (*report.fields, DATE):
        meant = hint(key, [*report.fields, DATE])
        yield "replication_key", f"{key} is neither a field of the report nor {DATE}{meant}"
    if key == DATE and report.split_dates_policy is not SplitDates.DAY:
        yield "replication_key", f"{DATE} needs split_dates_policy: day"
    if report.date_range_type:
        yield "replication_key", "leave it out, date_range_type reads the report whole"


def _in_policies(report: Report) -> Iterator[Found]:
    if "no_headers" in (report.settings or {}):
        yield "settings", "no_headers is set by the tap; leave it out"
    if report.split_accounts_policy is SplitAccounts.NONE:
        why = "else an account that is left out could not be told from one without rows"
        needs = f"needs split_accounts_policy: all; {why}"
        if report.add_exclude_account_errors:
            yield "add_exclude_account_errors", needs
        for each in report.exclusions:
            yield "settings", f"{each} {needs}"


def _in_dates(report: Report, given: Container[str]) -> Iterator[Found]:
    start, end = report.start_date, report.end_date
    if start is None:
        return
    if start.on(date.fromordinal(_FOUR_YEARS[-1])) < _FIRST_DAY:
        yield "start_date", f"expected {_FIRST_DAY} or later, there are no data before"
    elif _is_backwards(start, end) and "end_date" in given and "start_date" not in given:
        yield "end_date", "it is before start_date"
    elif _is_backwards(start, end):
        # The default has to be named, as the user did not write it.
        is_usual = end.moves == _YESTERDAY and not end.fixed
        usual = "yesterday, the last day to load unless end_date names another"
        yield "start_date", f"it is after {usual if is_usual else 'end_date'}"


def _is_backwards(start: Day, end: Day) -> bool:
    """Return whether the first day is after the last, whatever day it is today."""
    if bool(start.fixed) is not bool(end.fixed):
        return False
    days = map(date.fromordinal, _FOUR_YEARS)
    return all(start.as_first(day) > end.on(day) for day in days)
