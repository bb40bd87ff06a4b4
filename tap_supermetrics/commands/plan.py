"""`plan`: what a run with this state would do, and what it would cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_supermetrics.commands.output import counted, print_json, print_line, print_table
from tap_supermetrics.dates import intersect
from tap_supermetrics.extraction.backlog import Backlog, Drawing
from tap_supermetrics.extraction.breakers import Breakers
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.settings import Mode
from tap_supermetrics.sync.preparation import Preparation
from tap_supermetrics.sync.run import utc_now
from tap_supermetrics.sync.summary import Summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.account import AccountPlan
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.settings import Settings

ABOUT = "tell what a run with this state would do, and what it would cost"
REQUESTS_PER_BATCH = 3
"""A start, a look at its status at least, and its information at the end."""
QUERY_S = 5.0
"""Seconds of a query where nobody says better."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--state", help="file with the state of the last run")
    parser.add_argument(
        "--query-seconds", type=float, default=QUERY_S, help="how long a query takes (%(default)s)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run would do.

    Attributes:
        reports: for each report and account its days and queries.
        queries: that would be submitted; those whose results the API still holds are not.
        batches: query batches.
        requests: at least so many.
        seconds: the shortest time of the run.
        failures: reports that cannot be planned, by name, and why.
        notes: what else there is to know, such as what is left for the next run.
    """

    reports: Sequence[Mapping[str, Any]]
    queries: int
    batches: int
    requests: int
    seconds: float
    failures: Mapping[str, str]
    notes: Sequence[str]


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the forecast; return 3 where a report could not be planned."""
    forecast = forecast_of(connection, args.bookmarks, args.query_seconds)
    if args.format == "json":
        print_json({name: getattr(forecast, name) for name in forecast.__slots__})
    else:
        _print(forecast)
    return 3 if forecast.failures else 0


def forecast_of(
    connection: Connection, bookmarks: dict[str, Any], query_seconds: float
) -> Forecast:
    """Plan as a run does, and count what it would submit.

    Args:
        connection: the API.
        bookmarks: Singer's bookmarks, by stream.
        query_seconds: how long a query takes.
    """
    settings = connection.settings
    summary = Summary()
    planning = Preparation(settings, connection.lookups, bookmarks, summary, utc_now)
    names = [each.name for each in settings.reports]
    connection.lookups.ask_for_fields(each.ds_id for each in settings.reports)
    refused = [each.name for each in settings.reports if connection.lookups.refusal_of(each)]
    try:
        planning.plan([each for each in names if each not in refused], refused=refused)
    finally:
        planning.close()
    plans, held = planning.plans, planning.held_queries
    queries = sum(map(len, plans.values())) - len(held)
    batches = 0 if settings.mode is Mode.ASYNC else _batches(plans, held, settings)
    requests = batches * REQUESTS_PER_BATCH + queries + len(held)
    requests += 0 if batches else 2 * queries
    return Forecast(
        reports=[_report(plan) for plan in plans.values()],
        queries=queries,
        batches=batches,
        requests=requests,
        seconds=_seconds(plans, queries, requests, query_seconds, settings),
        failures=summary.lost_reports,
        notes=summary.notes,
    )


def _report(plan: ReportPlan) -> dict[str, Any]:
    accounts = [_account(each) for each in plan.accounts]
    return {
        "name": plan.report.name,
        "queries": len(plan),
        "new_days": sum(each["new_days"] for each in accounts),
        "days_again": sum(each["days_again"] for each in accounts),
        "accounts": accounts,
    }


def _account(account: AccountPlan) -> dict[str, Any]:
    ranges = [part.dates for part in account.parts if part.dates]
    days = sum(each.days for each in ranges)
    again = sum(each.days for whole in ranges for each in intersect(whole, account.covered))
    return {
        "account_id": account.whole.account_id,
        "new_days": days - again,
        "days_again": again,
        "queries": len(account),
    }


def _batches(plans: Mapping[str, ReportPlan], held: set[Query], settings: Settings) -> int:
    """Count the query batches by packing what would be submitted, as the run does."""
    limits = Limits(
        by_batch=True,
        one_by_one=False,
        max_running_batches=settings.max_running_batches,
        max_running_queries=settings.max_running_queries,
        max_rows=1,
        max_queries=1,
    )
    drawing = Drawing(plans, Breakers(plans), held)
    backlog, count = Backlog(drawing, plans, limits), 0
    while backlog.next_batch():
        count += 1
        drawing.take_new()
    return count


def _seconds(
    plans: Mapping[str, ReportPlan],
    queries: int,
    requests: int,
    query_seconds: float,
    settings: Settings,
) -> float:
    """Return what takes longer: the queries, side by side, or the requests at their pace."""
    side_by_side = settings.max_running_queries
    if settings.mode is not Mode.ASYNC:
        concurrency = min((plan.report.query_concurrency for plan in plans.values()), default=1)
        side_by_side = settings.max_running_batches * concurrency
    return max(queries * query_seconds / side_by_side, requests / settings.requests_per_second)


def _print(forecast: Forecast) -> None:
    heads = ("REPORT", "ACCOUNT", "NEW DAYS", "DAYS AGAIN", "QUERIES")
    rows = [
        (report["name"], each["account_id"], each["new_days"], each["days_again"], each["queries"])
        for report in forecast.reports
        for each in report["accounts"]
    ]
    print_table(heads, rows)
    print_line()
    print_line(
        f"{counted(forecast.queries, 'query', 'queries')} in "
        f"{counted(forecast.batches, 'query batch', 'query batches')}, at least "
        f"{counted(forecast.requests, 'request', 'requests')} and "
        f"{forecast.seconds / 60:,.1f} minutes"
    )
    for name, reason in forecast.failures.items():
        print_line(f"{name} cannot be loaded: {reason}")
    for note in forecast.notes:
        print_line(f"note: {note}")
