"""`coverage`: which days are in the target, by the state: done, stale, missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.commands.output import counted, print_json, print_line
from tap_supermetrics.dates import DateRange, intersect, subtract
from tap_supermetrics.errors import TapError
from tap_supermetrics.model import account_id_of
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.sync.report_sync import known_reports
from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Report
    from tap_supermetrics.sync.report_sync import KnownReport

ABOUT = "tell which days are in the target, by the state"
WEEKS: Final = 53
"""So many weeks are drawn, the newest ones."""
MAX_NAMED: Final = 5
"""So many ranges of days are named in a line; JSON names all."""
_DONE, _STALE, _MISSING = "█", "▒", "·"
_SIGNS: Final = f"{_DONE} done, {_STALE} days stale, {_MISSING} days missing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDays:
    """The days of one account, or of accounts that are queried together.

    Attributes:
        account_id: the account, or the accounts joined.
        wanted: all days that are over and wanted.
        stale: days that are there, and will be read again because a query for them failed.
        missing: days that are not there.
    """

    account_id: str
    wanted: DateRange
    stale: tuple[DateRange, ...]
    missing: tuple[DateRange, ...]

    @property
    def days_done(self) -> int:
        """Days that are there and good."""
        return self.wanted.days - _days(self.stale) - _days(self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDays:
    """The days of one report; without any where a note says why.

    Attributes:
        name: of the report.
        note: why there is nothing to say of days; empty where there is.
        wanted: all days that are over and wanted.
        accounts: the days of each account.
    """

    name: str
    note: str = ""
    wanted: DateRange | None = None
    accounts: tuple[AccountDays, ...] = ()


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the days of each report and account."""
    connection.lookups.ask_for_fields(each.ds_id for each in connection.settings.reports)
    found = [_days_of(connection, report, args.bookmarks) for report in connection.settings.reports]
    if args.format == "json":
        print_json([*map(_as_json, found)])
    else:
        for each in found:
            _print(each)
    return 0


def _days_of(connection: Connection, report: Report, bookmarks: Mapping[str, Any]) -> ReportDays:
    if refusal := connection.lookups.refusal_of(report):
        return ReportDays(name=report.name, note=str(refusal))
    known = known_reports(connection.lookups, [report], bookmarks, utc_now())[report.name]
    try:
        return _known_days(connection, known)
    except TapError as error:
        return ReportDays(name=report.name, note=str(error))


def _known_days(connection: Connection, known: KnownReport) -> ReportDays:
    scope = known.scope(connection.lookups, utc_now())
    wanted = scope.complete(scope.wanted)
    if scope.is_elsewhere:
        return ReportDays(name=known.report.name, note=f"not in shard {known.report.shard}")
    if not scope.is_incremental:
        return ReportDays(name=known.report.name, note="read whole by every run")
    if wanted is None:
        return ReportDays(name=known.report.name, note="no day that is over is asked for")
    account_ids = [account_id_of(group) for group in scope.groups]
    known.state.begin(account_ids)
    covered = {each: known.state.coverage.get(each, Coverage()) for each in account_ids}
    accounts = tuple(
        AccountDays(
            account_id=account_id,
            wanted=wanted,
            stale=intersect(wanted, each.stale),
            missing=subtract(wanted, each.covered),
        )
        for account_id, each in covered.items()
    )
    return ReportDays(name=known.report.name, wanted=wanted, accounts=accounts)


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
                "days_stale": _days(each.stale),
                "days_missing": _days(each.missing),
                "stale": [[str(dates.first), str(dates.last)] for dates in each.stale],
                "missing": [[str(dates.first), str(dates.last)] for dates in each.missing],
            }
            for each in report.accounts
        ],
    }


def _print(report: ReportDays) -> None:
    if report.wanted is None:
        print_line(f"{report.name}: {report.note}")
        return
    print_line(f"{report.name}: {report.wanted.first} to {report.wanted.last}")
    width = max((len(each.account_id) for each in report.accounts), default=0)
    for each in report.accounts:
        print_line(f"  {each.account_id:<{width}} {_blocks(each)} {_words(each)}")
    newest = f", the newest {WEEKS}" if report.wanted.days > 7 * WEEKS else ""
    print_line(f"  a sign for each week{newest}: {_SIGNS}")


def _blocks(account: AccountDays) -> str:
    return "".join(
        _MISSING
        if intersect(week, account.missing)
        else _STALE
        if intersect(week, account.stale)
        else _DONE
        for week in _weeks(account.wanted)
    )


def _weeks(wanted: DateRange) -> Iterator[DateRange]:
    """Return the newest weeks, the last of which ends with what is wanted."""
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


def _days(ranges: Iterable[DateRange]) -> int:
    return sum(each.days for each in ranges)
