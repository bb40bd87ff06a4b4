"""`coverage`: which days are in the target, by the state: done, stale, missing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_supermetrics.commands.output import print_json, print_line
from tap_supermetrics.dates import intersect, subtract
from tap_supermetrics.errors import TapError
from tap_supermetrics.sync.report_sync import known_reports
from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import date

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.planning.coverage import Coverage
    from tap_supermetrics.sync.report_sync import KnownReport

ABOUT = "tell which days are in the target, by the state"
WEEKS = 53
"""So many weeks are drawn, the newest ones."""
_DONE, _STALE, _MISSING = "█", "▒", "·"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the days of each report and account."""
    connection.lookups.ask_for_fields(each.ds_id for each in connection.settings.reports)
    known = known_reports(
        connection.lookups, connection.settings.reports, args.bookmarks, utc_now()
    )
    found = [_report(connection, each) for each in known.values()]
    if args.format == "json":
        print_json(
            [{**each, "accounts": [*map(_without_ranges, each["accounts"])]} for each in found]
        )
    else:
        for each in found:
            _print(each)
    return 0


def _report(connection: Connection, known: KnownReport) -> dict[str, Any]:
    told: dict[str, Any] = {"name": known.report.name, "first": None, "last": None, "note": ""}
    try:
        scope = known.scope(connection.lookups, utc_now())
    except TapError as error:
        return told | {"note": str(error), "accounts": []}
    wanted = scope.complete(scope.wanted) if scope.is_incremental else None
    if wanted is None:
        return told | {"note": "read whole by every run", "accounts": []}
    known.state.begin([",".join(group) for group in scope.groups])
    accounts = [
        _account(",".join(group), wanted, known.state.coverage.get(",".join(group)))
        for group in scope.groups
    ]
    return told | {"first": str(wanted.first), "last": str(wanted.last), "accounts": accounts}


def _account(account_id: str, wanted: DateRange, coverage: Coverage | None) -> dict[str, Any]:
    covered = coverage.covered if coverage else ()
    stale = intersect(wanted, coverage.stale) if coverage else ()
    missing = subtract(wanted, covered)
    days = sum(each.days for each in missing)
    return {
        "account_id": account_id,
        "days_done": wanted.days - days,
        "days_missing": days,
        "missing": [[str(each.first), str(each.last)] for each in missing],
        "stale": [[str(each.first), str(each.last)] for each in stale],
        "ranges": (wanted, missing, stale),
    }


def _without_ranges(account: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in account.items() if name != "ranges"}


def _print(report: dict[str, Any]) -> None:
    days = report["note"] or f"{report['first']} to {report['last']}"
    print_line(f"{report['name']}: {days}")
    width = max((len(each["account_id"]) for each in report["accounts"]), default=0)
    for each in report["accounts"]:
        print_line(f"  {each['account_id']:<{width}} {_blocks(*each['ranges'])} {_words(each)}")
    if report["accounts"]:
        print_line(f"  a sign for each week: {_DONE} done, {_STALE} stale, {_MISSING} days missing")


def _blocks(wanted: DateRange, missing: tuple[DateRange, ...], stale: tuple[DateRange, ...]) -> str:
    return "".join(
        _MISSING if intersect(week, missing) else _STALE if intersect(week, stale) else _DONE
        for week in _weeks(wanted)
    )


def _weeks(wanted: DateRange) -> Iterator[DateRange]:
    """Return the newest weeks, the last of which ends with what is wanted."""
    count = min((wanted.days + 6) // 7, WEEKS)
    for number in reversed(range(count)):
        last = wanted.last - timedelta(days=7 * number)
        yield type(wanted)(first=_not_before(last - timedelta(days=6), wanted.first), last=last)


def _not_before(day: date, first: date) -> date:
    return max(day, first)


def _words(account: dict[str, Any]) -> str:
    parts = [f"{account['days_done']:,} days done"]
    for word in ("missing", "stale"):
        if account[word]:
            parts.append(f"{word}: {', '.join(map(_range, account[word][:5]))}")
            parts[-1] += " ..." if len(account[word]) > 5 else ""  # noqa: PLR2004 - as shown
    return "; ".join(parts)


def _range(days: list[str]) -> str:
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
