"""`check`: would a run start whole? A line for each check, with what to do."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tap_supermetrics.commands.connection import collected_warnings
from tap_supermetrics.commands.loaders import LOADERS, limits_of, warnings_of
from tap_supermetrics.commands.output import print_json, print_line
from tap_supermetrics.commands.view_needs import day_columns, mistakes_in_views, notes_on_views
from tap_supermetrics.errors import SettingsError, TapError
from tap_supermetrics.extraction.retained_results import RetainedResults
from tap_supermetrics.redaction import readable
from tap_supermetrics.sync.discovery import (
    known_reports,
    refusal_of,
    unlisted_fields,
    unlisted_in_words,
)
from tap_supermetrics.sync.idle import repeated_reports
from tap_supermetrics.sync.name_checks import unlisted_accounts
from tap_supermetrics.sync.run import utc_now
from tap_supermetrics.sync.team_lists import UnreadableAccountsError
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Report
    from tap_supermetrics.singer.tables import Table
    from tap_supermetrics.sync.report_sync import KnownReport

ABOUT = "tell whether a run would start whole, and what to mend"
OK: Final = "ok"
NOTE: Final = "note"
WRONG: Final = "wrong"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")
    parser.add_argument("--catalog", help="file with the catalog that a run is given")
    parser.add_argument(
        "--loader",
        metavar="NAME",
        help="loader whose limits names and keys must keep, such as " + ", ".join([*LOADERS][:2]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        what: what was checked.
        result: `OK`, `NOTE` or `WRONG`.
        mistake: what is wrong or doubtful, and what to do; empty when nothing is.
    """

    what: str
    result: str = OK
    mistake: str = ""


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the findings; return 1 where a run would not start whole."""
    found = [*findings(connection, args.bookmarks, args.catalog, args.loader)]
    if args.format == "json":
        print_json([{name: getattr(each, name) for name in each.__slots__} for each in found])
    else:
        for each in found:
            mistake = f": {readable(each.mistake)}" if each.mistake else ""
            print_line(f"{each.result:<8}{each.what}{mistake}")
    return int(any(each.result == WRONG for each in found))


def findings(
    connection: Connection, bookmarks: dict[str, Any], catalog: str | None, loader: str | None
) -> Iterator[Finding]:
    """Yield findings on folders, API, reports, state, catalog and loader, each once.

    Args:
        connection: settings and API.
        bookmarks: Singer's bookmarks, by stream.
        catalog: file with a Singer catalog; None for none.
        loader: name of a loader; None for none.
    """
    yield Finding(what="settings are understood")
    yield from _folders(connection)
    reports = connection.settings.reports
    try:
        connection.lookups.request_fields(each.ds_id for each in reports)
    except TapError as error:
        yield Finding(what="the API answers", result=WRONG, mistake=str(error))
        return
    if connection.client.service.is_there:
        yield Finding(what="the API answers, and knows the key")
    known = set[str]()
    for report in reports:
        for finding in _report(connection, report, bookmarks, loader):
            # `_beginning` meets the same again, and begins its line with the name.
            known |= {finding.mistake, f"{report.name}: {finding.mistake}"}
            yield finding
    for finding in _beginning(connection, bookmarks, catalog):
        if finding.mistake not in known or not finding.mistake:
            yield finding


def _report(
    connection: Connection, report: Report, bookmarks: Mapping[str, Any], loader: str | None
) -> Iterator[Finding]:
    """Take one report as far as a run does before it submits."""
    what, accounts, wrong = f"report {report.name}", "", list[str]()
    if refusal := refusal_of(connection.lookups, report):
        yield Finding(what=what, result=WRONG, mistake=str(refusal))
        return
    with collected_warnings() as warned:
        try:
            known = known_reports(connection.lookups, [report], bookmarks, utc_now())[report.name]
            _fields(connection, known, wrong, warned)
            accounts = _accounts(connection, known, warned)
        except UnreadableAccountsError as error:
            warned.append(str(error))
        except SettingsError as error:
            wrong += error.mistakes
        except TapError as error:
            wrong.append(str(error))
    yield from (Finding(what=what, result=WRONG, mistake=each) for each in wrong)
    yield from (Finding(what=what, result=NOTE, mistake=each) for each in warned)
    if not wrong:
        yield Finding(what=f"{what}{accounts}")
        if loader:
            yield from _loader(known, loader)


def _fields(
    connection: Connection, known: KnownReport, wrong: list[str], warned: list[str]
) -> None:
    """Add a line on fields that are not listed; one that is likely mistyped fails every query."""
    report = known.report
    unlisted = unlisted_fields(report, known.schema, connection.lookups.fields_of(report))
    if unlisted:
        lines = wrong if any(unlisted.values()) else warned
        lines.append(unlisted_in_words(report, unlisted))


def _accounts(connection: Connection, known: KnownReport, warned: list[str]) -> str:
    """Resolve and plan as a run does; return the number of accounts in words.

    Raises:
        TapError: a run could not plan this report.
    """
    report = known.report
    scope = known.resolve(connection.lookups, utc_now())
    warning = unlisted_accounts(connection.lookups, report)
    if warning and warning not in warned:
        warned.append(warning)
    planned = known.plan(scope, RetainedResults(), ignores_coverage=False)
    warned += planned.warnings
    if scope.is_elsewhere:
        return f", not in shard {report.shard}"
    return f", {counted(len(scope.accounts), 'account', 'accounts')}" if scope.accounts else ""


def _loader(known: KnownReport, loader: str) -> Iterator[Finding]:
    limits = limits_of(loader)
    doubts = [*warnings_of(known.report, known.schema, limits)]
    what = f"report {known.report.name}, {loader}"
    if not doubts:
        yield Finding(what=what)
    for text, is_loss in doubts:
        yield Finding(what=what, result=WRONG if is_loss else NOTE, mistake=text)


def _beginning(
    connection: Connection, bookmarks: dict[str, Any], catalog: str | None
) -> Iterator[Finding]:
    """Begin as a run does: check stream maps, state and catalog against the reports."""
    what = "stream maps, state and catalog" if catalog else "stream maps and state"
    views, mistakes = list[str](), tuple[str, ...]()
    with collected_warnings() as warned:
        try:
            begun = connection.begin(bookmarks, catalog)
        except SettingsError as error:
            mistakes = error.mistakes
        except TapError as error:
            mistakes = (str(error),)
        else:
            views += _views(connection, begun.tables)
            names = {*begun.selection.names}
            warned.extend(repeated_reports(x for x in begun.settings.reports if x.name in names))
            mistakes = tuple(f"{name}: {why}" for name, why in begun.selection.refused.items())
    yield from (Finding(what=what, result=WRONG, mistake=each) for each in mistakes)
    yield from (Finding(what=what, result=NOTE, mistake=each) for each in warned)
    if not mistakes:
        yield Finding(what=what)
    # Only notes, as they do not affect the run.
    yield from (Finding(what="views of `sql`", result=NOTE, mistake=each) for each in views)


def _views(connection: Connection, tables: Sequence[Table]) -> Iterator[str]:
    """Yield why `sql` would refuse its views, where their log is written."""
    if connection.settings.query_log:
        with collected_warnings():
            days = day_columns(connection)
        yield from mistakes_in_views(connection.settings, tables, days)
        yield from notes_on_views(tables)


def _folders(connection: Connection) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        yield Finding(what="temporary files can be written")
    except OSError as error:
        text = f"{error.strerror or error}; set TMPDIR to a folder that can be written"
        yield Finding(what="temporary files", result=WRONG, mistake=text)
    needs = {
        "journal_dir": "a killed run would have to be paid again",
        "report_dir": "runs would leave no page",
    }
    for setting, need in needs.items():
        if folder := getattr(connection.settings, setting):
            yield _folder(f"{setting} {folder}", folder, need)


def _folder(what: str, folder: str, need: str) -> Finding:
    there = Path(folder).expanduser()
    # `Path.exists` raises where a name is too long.
    while not os.path.exists(there) and there != there.parent:  # noqa: PTH110
        there = there.parent
    is_fine = there.is_dir() and os.access(there, os.W_OK)
    text = f"{there} cannot be written; {need}"
    return Finding(what=what) if is_fine else Finding(what=what, result=NOTE, mistake=text)
