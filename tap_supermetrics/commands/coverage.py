"""`coverage`: which days are in the target, by the state: done, stale, missing."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.commands.connection import collected_warnings
from tap_supermetrics.commands.output import WITHOUT_STATE, can_print, print_json, print_line
from tap_supermetrics.dates import DateRange, intersect
from tap_supermetrics.errors import EXIT_INCOMPLETE, SettingsError, TapError
from tap_supermetrics.model import account_id_of
from tap_supermetrics.redaction import without_key
from tap_supermetrics.sync.calendar import ReportDays, count_days, report_days
from tap_supermetrics.sync.discovery import known_reports, refusal_of
from tap_supermetrics.sync.run import utc_now
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Report
    from tap_supermetrics.sync.calendar import AccountDays

ABOUT = "tell which days are in the target, by the state"
WEEKS: Final = 53
"""How many weeks are drawn, the newest ones."""
MAX_NAMED: Final = 5
"""How many ranges of days are named in a line; JSON names all."""
Signs = tuple[str, str, str]
SIGNS: Final[Signs] = ("█", "▒", "·")
"""Signs of a week that is done, has stale days, has missing days."""
ASCII_SIGNS: Final[Signs] = ("#", "~", ".")
"""The same for an output whose encoding lacks one of those."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")
    parser.add_argument(
        "--catalog", help="file with the catalog that a run is given: it may leave reports out"
    )
    parser.add_argument("--html", metavar="FILE", help="write the page for people to this file")


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the days of each report and account; return 3 where those of a report are unknown."""
    reports = _reports(args, connection)
    connection.lookups.request_fields(each.ds_id for each in reports)
    found = [_days_of(connection, report, args.bookmarks) for report in reports]
    if args.html:
        _write_page(Path(args.html), connection, found)
    if args.format == "json":
        if args.state is None:
            sys.stderr.write(f"note: {WITHOUT_STATE}\n")
        print_json([*map(_as_json, found)])
    elif args.html:
        print_line(f"{args.html} shows {counted(len(found), 'report', 'reports')}")
    else:
        signs = SIGNS if can_print("".join(SIGNS)) else ASCII_SIGNS
        if args.state is None:
            print_line(f"note: {WITHOUT_STATE}")
        for each in found:
            _print(each, signs)
    return EXIT_INCOMPLETE if any(each.is_unknown for each in found) else 0


def _reports(args: argparse.Namespace, connection: Connection) -> Sequence[Report]:
    """Return the reports that a run would read, or be refused."""
    if args.catalog is None:
        return connection.settings.reports
    with collected_warnings():  # `check` prints what is doubtful for a run.
        begun = connection.begin(args.bookmarks, args.catalog)
    names = {*begun.selection.names, *begun.selection.refused}
    return [each for each in begun.settings.reports if each.name in names]


def _days_of(connection: Connection, report: Report, bookmarks: Mapping[str, Any]) -> ReportDays:
    if refusal := refusal_of(connection.lookups, report):
        return _unknown(report, refusal)
    known = known_reports(connection.lookups, [report], bookmarks, utc_now())[report.name]
    try:
        scope = known.resolve(connection.lookups, utc_now())
    except TapError as error:
        return _unknown(report, error)
    # As a run does: a bookmark of the whole stream counts for each of its accounts.
    known.state.begin([account_id_of(group) for group in scope.groups])
    return report_days(known, scope)


def _unknown(report: Report, error: TapError) -> ReportDays:
    return ReportDays(name=report.name, ds_id=report.ds_id, note=str(error), is_unknown=True)


def _write_page(file: Path, connection: Connection, found: Sequence[ReportDays]) -> None:
    """Write the page: these days, and the runs that are stored in `report_dir`."""
    # Only here: no other output needs them.
    from tap_supermetrics.page.calendars import Calendars  # noqa: PLC0415
    from tap_supermetrics.page.document import html_of  # noqa: PLC0415
    from tap_supermetrics.page.folder import stored_runs, write_whole  # noqa: PLC0415

    settings, now = connection.settings, utc_now()
    folder = Path(settings.report_dir).expanduser() if settings.report_dir else None
    runs = [*stored_runs(folder)] if folder else []
    calendars, names = Calendars.of(runs), connection.lookups.accounts.known_names()
    parts = [calendars.part_of(each, names.get(each.ds_id, {})) for each in found]
    page = without_key(html_of(runs, now, parts), settings.api_key)
    if file.is_dir():
        raise SettingsError([f"--html: {file} is a folder; name a file"])
    try:
        write_whole(file, page.encode())
    except OSError as error:
        raise SettingsError([f"--html: {file} cannot be written ({error.strerror})"]) from None


def _as_json(report: ReportDays) -> dict[str, Any]:
    return {
        "name": report.name,
        "note": report.note,
        "first": report.wanted and str(report.wanted.first),
        "last": report.wanted and str(report.wanted.last),
        "accounts": [
            {
                "account_id": each.account_id,
                "days_done": each.days_done,
                "days_stale": count_days(each.stale),
                "days_missing": count_days(each.missing),
                "stale": [[str(dates.first), str(dates.last)] for dates in each.stale],
                "missing": [[str(dates.first), str(dates.last)] for dates in each.missing],
            }
            for each in report.accounts
        ],
    }


def _print(report: ReportDays, signs: Signs) -> None:
    if report.wanted is None:
        print_line(f"{report.name}: {report.note}")
        return
    print_line(f"{report.name}: {report.wanted.first} to {report.wanted.last}")
    width = max((len(each.account_id) for each in report.accounts), default=0)
    for each in report.accounts:
        print_line(f"  {each.account_id:<{width}} {_blocks(each, signs)} {_words(each)}")
    newest = f", the newest {WEEKS}" if report.wanted.days > 7 * WEEKS else ""
    done, stale, missing = signs
    legend = f"{done} done, {stale} days stale, {missing} days missing"
    print_line(f"  a sign for each week{newest}: {legend}")


def _blocks(account: AccountDays, signs: Signs) -> str:
    done, stale, missing = signs
    return "".join(
        missing
        if intersect(week, account.missing)
        else stale
        if intersect(week, account.stale)
        else done
        for week in _weeks(account.wanted)
    )


def _weeks(wanted: DateRange) -> Iterator[DateRange]:
    """Yield the newest weeks; the last one ends with the last wanted day."""
    for number in reversed(range(min((wanted.days + 6) // 7, WEEKS))):
        last = wanted.last - timedelta(days=7 * number)
        yield DateRange(first=max(last - timedelta(days=6), wanted.first), last=last)


def _words(account: AccountDays) -> str:
    parts = [counted(account.days_done, "day done", "days done")]
    for word, ranges in (("missing", account.missing), ("stale", account.stale)):
        if ranges:
            named = ", ".join(map(_range, ranges[:MAX_NAMED]))
            more = len(ranges) - MAX_NAMED
            parts.append(f"{word}: {named}" + (f" and {more:,} more" if more > 0 else ""))
    return "; ".join(parts)


def _range(dates: DateRange) -> str:
    return str(dates.first) if dates.days == 1 else f"{dates.first} to {dates.last}"
