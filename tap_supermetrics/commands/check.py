"""`check`: would a run start whole? A line for each thing, with what to do."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_supermetrics.commands.output import counted, print_json, print_line
from tap_supermetrics.errors import TapError
from tap_supermetrics.redaction import readable
from tap_supermetrics.sync.report_sync import known_reports
from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Report

ABOUT = "tell whether a run would start whole, and what to mend"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, and what is wrong with it; nothing when `mistake` is empty."""

    what: str
    mistake: str = ""
    is_warning: bool = False


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print what was found; return 1 where a run would not start whole."""
    found = [*findings(connection, args.bookmarks)]
    if args.format == "json":
        print_json(
            [{"what": each.what, "mistake": each.mistake, "result": _word(each)} for each in found]
        )
    else:
        for each in found:
            told = f": {each.mistake}" if each.mistake else ""
            print_line(f"{_word(each):<8}{each.what}{told}")
    return int(any(_word(each) == "wrong" for each in found))


def findings(connection: Connection, bookmarks: dict[str, Any]) -> Iterator[Finding]:
    """Look at settings, API, reports, state and folders; what the settings say was read before."""
    yield Finding(what="settings are understood")
    yield from _folders(connection)
    reports = connection.settings.reports
    try:
        connection.lookups.ask_for_fields(each.ds_id for each in reports)
    except TapError as error:
        yield Finding(what="the API answers", mistake=readable(str(error)))
        return
    yield Finding(what="the API answers, and knows the key")
    for report in reports:
        yield from _report(connection, report, bookmarks)


def _report(connection: Connection, report: Report, bookmarks: dict[str, Any]) -> Iterator[Finding]:
    what = f"report {report.name}"
    if refusal := connection.lookups.refusal_of(report):
        yield Finding(what=what, mistake=readable(str(refusal)))
        return
    try:
        known = known_reports(connection.lookups, [report], bookmarks, utc_now())[report.name]
        unlisted = [each.name for each in known.schema.fields if not each.is_listed]
        if unlisted := [each for each in unlisted if each not in report.types]:
            text = (
                f"{report.ds_id} does not list {', '.join(unlisted)}; see `fields {report.ds_id}`"
            )
            yield Finding(what=what, mistake=text, is_warning=True)
        scope = None if report.accounts.team_list else known.scope(connection.lookups, utc_now())
    except TapError as error:
        yield Finding(what=what, mistake=readable(str(error)))
        return
    accounts = counted(len(scope.accounts), "account", "accounts") if scope else ""
    yield Finding(what=f"{what}, {accounts}" if accounts else what)


def _folders(connection: Connection) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        yield Finding(what="temporary files can be written")
    except OSError as error:
        text = f"{error.strerror or error}; set TMPDIR to a folder that can be written"
        yield Finding(what="temporary files", mistake=text)
    if folder := connection.settings.journal_dir:
        there = Path(folder).expanduser()
        while not there.exists() and there != there.parent:
            there = there.parent
        is_fine = there.is_dir() and os.access(there, os.W_OK)
        text = "" if is_fine else f"{there} cannot be written; a killed run would pay again"
        yield Finding(what=f"journal_dir {folder}", mistake=text, is_warning=True)


def _word(finding: Finding) -> str:
    if not finding.mistake:
        return "ok"
    return "note" if finding.is_warning else "wrong"
