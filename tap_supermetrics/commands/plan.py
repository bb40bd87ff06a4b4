"""`plan`: what a run with this state would do, and what it would cost."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api import wire
from tap_supermetrics.commands.connection import collected_warnings
from tap_supermetrics.commands.output import WITHOUT_STATE, print_json, print_line, print_table
from tap_supermetrics.dates import intersect
from tap_supermetrics.errors import EXIT_INCOMPLETE
from tap_supermetrics.extraction.backlog import Backlog
from tap_supermetrics.extraction.breakers import Breakers
from tap_supermetrics.extraction.drawing import Drawing
from tap_supermetrics.settings import Mode
from tap_supermetrics.sync.assembly import limits_of
from tap_supermetrics.sync.preparation import prepare
from tap_supermetrics.sync.run import utc_now
from tap_supermetrics.sync.summary import Summary
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.account import AccountPlan
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.preparation import Prepared

ABOUT = "tell what a run with this state would do, and what it would cost"
REQUESTS_PER_BATCH: Final = 3
"""A start, at least one poll of its status, and its information at the end."""
MORE_REQUESTS_PER_QUERY: Final = 1
"""A start beside its result, where a query is submitted by itself; it may answer at once."""
BUDGETS: Final = ("max_queries_per_run", "max_rows_per_run")
MAX_PACKED: Final = 300
"""How many query batches are packed as a run would; more would take minutes."""
QUERY_S: Final = 5.0
"""The default time of a query, in seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")
    parser.add_argument(
        "--catalog", help="file with the catalog that a run is given: it may leave reports out"
    )
    parser.add_argument(
        "--query-seconds",
        type=_seconds_of,
        default=QUERY_S,
        help="how long a query takes (%(default)s)",
    )


def _seconds_of(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) <= wire.MAX_QUERY_S:
            return seconds
    raise ArgumentTypeError(f"expected seconds up to {wire.MAX_QUERY_S:,.0f}, got {text!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The work of a run, and its cost.

    Attributes:
        reports: days and queries of each report and account.
        queries: how many would be submitted.
        held: queries whose results of an earlier run the API still retains; they cost nothing.
        batches: query batches.
        requests: the least number of them, beside the lists of fields and accounts.
        seconds: the shortest time of the run.
        left: queries that `max_queries_per_run` leaves for the next run.
        budgets: the settings that bound a run, as far as they are set.
        failures: why reports cannot be planned, by name.
        notes: warnings and remarks.
    """

    reports: Sequence[Mapping[str, Any]]
    queries: int
    held: int
    batches: int
    requests: int
    seconds: float
    left: int
    budgets: Mapping[str, int]
    failures: Mapping[str, str]
    notes: Sequence[str]


@dataclass(slots=True)
class _Batches:
    """The query batches of a run, summed up.

    Attributes:
        count: how many there are.
        queries: how many they contain.
        seconds: how long they run, one after another.
        longest_s: how long the longest runs.
    """

    count: int = 0
    queries: int = 0
    seconds: float = 0.0
    longest_s: float = 0.0

    def of(self, queries: int) -> _Batches:
        """Return the batches of a number of queries, if all are like these."""
        more = queries / max(self.queries, 1)
        return replace(
            self, count=ceil(self.count * more), queries=queries, seconds=self.seconds * more
        )


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the forecast; return 3 where a report could not be planned."""
    forecast = forecast_of(connection, args.bookmarks, args.query_seconds, args.catalog)
    if args.state is None:
        forecast = replace(forecast, notes=[*forecast.notes, WITHOUT_STATE])
    if args.format == "json":
        print_json({name: getattr(forecast, name) for name in forecast.__slots__})
    else:
        _print(forecast)
    return EXIT_INCOMPLETE if forecast.failures else 0


def forecast_of(
    connection: Connection,
    bookmarks: dict[str, Any],
    query_seconds: float,
    catalog: str | None = None,
) -> Forecast:
    """Plan as a run does, and count what it would submit.

    Args:
        connection: the API.
        bookmarks: Singer's bookmarks, by stream.
        query_seconds: how long a query takes.
        catalog: file with the catalog of the run.
    """
    summary = Summary()
    # They are notes of the forecast; logged too, a person would read each twice.
    with collected_warnings() as warned:
        begun = connection.begin(bookmarks, catalog)
        settings = begun.settings
        prepared = prepare(
            settings, connection.lookups, bookmarks, begun.selection, summary=summary, now=utc_now
        )
        prepared.close()
    plans, retained = prepared.plans, prepared.retained_queries
    queries = sum(map(len, plans.values())) - len(retained)
    batches = _Batches()
    if settings.mode is not Mode.ASYNC:
        batches = _packed(plans, retained, settings, query_seconds)
    requests = batches.count * REQUESTS_PER_BATCH + queries + len(retained)
    requests += (queries - batches.queries) * MORE_REQUESTS_PER_QUERY
    planned = sum(len(each.plan) for each in prepared.planned.values())
    return Forecast(
        reports=[_report(plan, retained) for plan in plans.values()],
        queries=queries,
        held=len(retained),
        batches=batches.count,
        requests=requests,
        seconds=_seconds(batches, queries, requests, query_seconds, settings),
        left=planned - queries - len(retained),
        budgets={name: each for name in BUDGETS if (each := getattr(settings, name)) is not None},
        failures=summary.failed_reports,
        notes=[*dict.fromkeys((*warned, *summary.remarks, *_warnings(prepared, batches)))],
    )


def _warnings(prepared: Prepared, batches: _Batches) -> Iterator[str]:
    """Yield why a run may submit less than this forecast, or in other query batches."""
    if batches.count > MAX_PACKED:
        yield (
            f"the first {MAX_PACKED:,} query batches were counted, the others are estimated by them"
        )
    if any(known.state.async_run for known in prepared.known.values()):
        yield (
            "a run was killed that submitted queries one by one; those that the API still holds "
            "are not submitted again"
        )


def _report(plan: ReportPlan, retained: Collection[Query]) -> dict[str, Any]:
    by_account = Counter(each.report_account for each in retained)
    accounts = [_account(each, by_account[each.whole.report_account]) for each in plan.accounts]
    sums = {
        name: sum(each[name] for each in accounts)
        for name in ("new_days", "days_again", "queries", "held")
    }
    return {"name": plan.report.name, **sums, "accounts": accounts}


def _account(account: AccountPlan, retained: int) -> dict[str, Any]:
    """Return days and queries of one account, by the names that `plan` prints."""
    ranges = [part.dates for part in account.parts if part.dates]
    days = sum(each.days for each in ranges)
    again = sum(each.days for whole in ranges for each in intersect(whole, account.covered))
    return {
        "account_id": account.whole.account_id,
        "new_days": days - again,
        "days_again": again,
        "queries": len(account) - retained,
        "held": retained,
    }


def _packed(
    plans: Mapping[str, ReportPlan],
    retained: Collection[Query],
    settings: Settings,
    query_seconds: float,
) -> _Batches:
    """Pack what would be submitted, as the run does."""
    drawing = Drawing(plans, Breakers(plans), retained)
    backlog, batches = Backlog(drawing, plans, limits_of(settings)), _Batches()
    while batches.count < MAX_PACKED and (request := backlog.next_batch()):
        rounds = -(-len(request) // request.policy.query_concurrency)
        batches.count += 1
        batches.queries += len(request)
        batches.seconds += rounds * query_seconds
        batches.longest_s = max(batches.longest_s, rounds * query_seconds)
        # Nothing else takes them here, and they would fill memory.
        drawing.take_new()
    queries = sum(map(len, plans.values())) - len(retained)
    return batches.of(queries) if batches.count == MAX_PACKED else batches


def _seconds(
    batches: _Batches, queries: int, requests: int, query_seconds: float, settings: Settings
) -> float:
    """Return the longest time: of queries side by side, or of requests at their pace."""
    rounds = -(-(queries - batches.queries) // settings.max_running_queries)
    return max(
        batches.seconds / settings.max_running_batches,
        # A batch is not divided: it takes its time, whatever runs beside it.
        batches.longest_s,
        rounds * query_seconds,
        requests / settings.requests_per_second,
    )


def _print(forecast: Forecast) -> None:
    heads = ("REPORT", "ACCOUNT", "NEW DAYS", "DAYS AGAIN", "QUERIES")
    rows = [
        (report["name"], each["account_id"], each["new_days"], each["days_again"], each["queries"])
        for report in forecast.reports
        for each in report["accounts"]
    ]
    if rows:
        print_table(heads, rows)
        print_line()
    print_line(
        f"{counted(forecast.queries, 'query', 'queries')} in "
        f"{counted(forecast.batches, 'query batch', 'query batches')}, at least "
        f"{counted(forecast.requests, 'request', 'requests')} and "
        f"{_duration(forecast.seconds)}"
    )
    if forecast.held:
        results = counted(forecast.held, "result", "results")
        print_line(f"{results} of a run before are still held by the API, and cost nothing")
    for name, limit in forecast.budgets.items():
        print_line(f"bounded by `{name}`: {limit:,}")
    for name, reason in forecast.failures.items():
        print_line(f"{name} cannot be loaded: {reason}")
    for note in forecast.notes:
        print_line(f"note: {note}")


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes >= 1:
        return f"{minutes:,.1f} minutes"
    return counted(round(seconds), "second", "seconds")
