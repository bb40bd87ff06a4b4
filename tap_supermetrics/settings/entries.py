"""The entries of `queries`: each is read into a report, and checked with the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.model import Report
from tap_supermetrics.model.declared import declared
from tap_supermetrics.model.report import Overridable
from tap_supermetrics.settings.contradictions import contradictions
from tap_supermetrics.settings.query_url import NOT_SUPPORTED, report_from
from tap_supermetrics.settings.reading import check_nulls, hint, read
from tap_supermetrics.words import with_parted_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_supermetrics.settings.reading import Mistakes

OVERRIDABLE: Final = declared(Overridable)
"""Settings of the top level that an entry of `queries` may override."""
# The fields of a base come first in a dataclass.
ONLY_IN_REPORT: Final = declared(Report)[len(OVERRIDABLE) :]
"""Settings of one report, in an entry of `queries`."""
ENTRY_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {each.name: each.schema for each in ONLY_IN_REPORT}
    # An override has no default of its own: it falls back to the top level.
    | {each.name: each.kind.schema for each in OVERRIDABLE},
    "required": ["name"],
    "anyOf": [{"required": ["ds_id", "fields"]}, {"required": ["url"]}],
    "additionalProperties": False,
}
_LONGEST_NAME: Final = 63
_NAMES: Final = [each.name for each in (*ONLY_IN_REPORT, *OVERRIDABLE)]


def read_report(
    entry: object, place: int, of_all: Mapping[str, Any], mistakes: Mistakes
) -> Report | None:
    """Return the report of an entry; None where it, or a default that it uses, has mistakes.

    Args:
        entry: what a person wrote.
        place: of the entry in `queries`, from 0.
        of_all: defaults of all reports, by attribute.
        mistakes: gets those of the entry.
    """
    # Mistakes that are added from here on belong to this entry.
    path, before = f"queries[{place}]", len(mistakes)
    if not isinstance(entry, dict):
        mistakes.append(f"{path}: expected an object with name, ds_id and fields")
        return None
    check_nulls(entry, OVERRIDABLE, f"{path}.", mistakes)
    given = _with_url(entry, path, mistakes)
    for where, is_beside in ((f"{path}.", True), (f"{path}.url.", False)):
        some = {key: given[key] for key in given if (key in entry) is is_beside}
        check_unknown(some, _NAMES, where, mistakes)
    own = read(given, ONLY_IN_REPORT, f"{path}.", mistakes)
    # Defaults were read for all reports: a mistake in one is named once.
    overridden = [each for each in OVERRIDABLE if each.name in given]
    own = {**of_all, **own, **read(given, overridden, f"{path}.", mistakes)}
    # Only values that could all be read can be compared with each other.
    is_good = _is_whole(own) and len(mistakes) == before
    report = Report(path=path, given=frozenset(given), **own) if is_good else None
    if report:
        mistakes += contradictions(report, given)
    if own["name"]:
        _name_report(own["name"], path, before, mistakes)
    return report


def _is_whole(values: Mapping[str, Any]) -> bool:
    """Return whether every setting that a report needs has a value."""
    return all(
        values[each.attribute] is not None for each in OVERRIDABLE if each.default is not None
    )


def _name_report(name: str, path: str, before: int, mistakes: Mistakes) -> None:
    # An entry's number is hard to find in a list of forty.
    mistakes[before:] = [
        f"{each} (report {name})" if each.startswith(path) else each for each in mistakes[before:]
    ]


def _with_url(entry: dict[str, Any], path: str, mistakes: Mistakes) -> dict[str, Any]:
    """Return the settings of an entry, with those of the address in it."""
    given = {key: value for key, value in entry.items() if value is not None}
    if isinstance(given.get("url"), str):
        try:
            return report_from(given["url"], given)
        except ValueError as error:
            mistakes.append(f"{path}.url: {error}")
    return given


def check_unknown(
    given: Mapping[str, Any], known: Sequence[str], prefix: str, mistakes: Mistakes
) -> None:
    """Add a mistake for each unknown key, with the setting that was meant, or why there is none."""
    for key in map(str, given):
        if key not in known:
            reason = NOT_SUPPORTED.get(key) or f"unknown setting{_hint_for_key(key, known, prefix)}"
            # A key is a person's text too: it may contain a line break.
            mistakes.append(f"{prefix}{key if key.isprintable() else repr(key)}: {reason}")


def _hint_for_key(key: str, known: Sequence[str], prefix: str) -> str:
    if prefix:
        return hint(key, known)
    return ", it belongs in an entry of `queries`" if key in _NAMES else hint(key, known)


def one_table(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that loaders put into the table of an earlier one, after that one."""
    tables: dict[str, int] = {}
    for place, name in enumerate(names):
        owners = [tables.setdefault(each, place) for each in _tables(name)]
        if (first := min(owners)) != place:
            yield names[first], name


def check_report_names(reports: Sequence[Report], mistakes: Mistakes) -> None:
    """Add a mistake for reports that share a name, or the table that loaders make of it."""
    names, tables = dict[str, Report](), dict[str, Report]()
    for report in reports:
        first = names.setdefault(report.name.casefold(), report)
        owners = {each: tables.setdefault(each, report) for each in _tables(report.name)}
        shared = [each for each, owner in owners.items() if owner is not report]
        if first is not report:
            mistakes.append(
                f"{report.path}.name: {report.name} is the name of {first.path} already; "
                "every report needs a name of its own (case does not count)"
            )
        elif shared:
            other = owners[shared[0]]
            mistakes.append(
                f"{report.path}.name: loaders put {report.name} and {other.name} ({other.path}) "
                f"into one table, {shared[0]}; write `_` instead of `-`, and let the names differ "
                "within their first 63 letters and digits"
            )


def check_log_name(name: str, reports: Sequence[Report], mistakes: Mistakes) -> None:
    """Add a mistake for a report that shares its table with the query log."""
    for report in reports:
        if {*_tables(name)} & {*_tables(report.name)}:
            mistakes.append(
                f"query_log_name: {name} and {report.name} ({report.path}) would be one table; "
                "choose another name"
            )


def _tables(name: str) -> tuple[str, ...]:
    """Return the tables that loaders make of a name: of its last part, of the whole, of its words.

    Source: singer-sdk, `SQLSink.table_name` and `conform_name`, which take what stands before a
    hyphen for a schema; PostgreSQL cuts names at 63 bytes.
    """
    plain = re.sub(r"[^a-z0-9_-]", "", name.lower())
    words = with_parted_words(name).lower()
    snake = re.sub(r"[^a-z0-9_]", "", words.replace("-", "_"))
    tables = plain.rpartition("-")[2], plain.replace("-", "_"), snake
    return tuple(each[:_LONGEST_NAME] for each in tables)
