"""Finds settings that are given and have no effect, and reports that are there twice.

A setting in an entry of `queries` is named where it has none there; one at the top level, the
default of all reports, only where it has none in any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_supermetrics.model import SplitDates
from tap_supermetrics.settings import Mode
from tap_supermetrics.settings.config import OF_THE_TAP
from tap_supermetrics.settings.entries import OVERRIDABLE
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_supermetrics.model import Accounts, Report
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.settings import Settings

_DAYS: Final = ("start_date", "end_date")
_BY_DAY: Final = (
    *("lookback_days", "refresh_after_hours", "require_fresh_days", "backfill_order"),
    *("backfill_days_per_query", "max_days_per_query", "split_dates_policy"),
)
_ONE_DAY: Final = (
    "with `split_dates_policy: day` a query is of one day; for longer ones of history, set "
    "`backfill_days_per_query`"
)
_IN_BATCHES: Final = "with `mode: async` queries are asked one by one"


def idle_settings(settings: Settings, schemas: Mapping[str, RecordSchema]) -> Iterator[str]:
    """Yield each setting that has no effect, with the reason.

    Args:
        settings: all of them.
        schemas: those of the reports that can be read, by name.
    """
    reports = [each for each in settings.reports if each.name in schemas]
    idle = {each.name: _idle(each, schemas[each.name], settings.mode) for each in reports}
    for report in reports:
        own = {name: why for name, why in idle[report.name].items() if name in report.given}
        yield from (
            f"{line} (report {report.name})" for line in _lines_by_reason(own, f"{report.path}.")
        )
    for_all = _idle_in_run(settings)
    for each in OVERRIDABLE:
        reached = [idle[report.name] for report in reports if each.name not in report.given]
        if reached and each.name in settings.given and all(each.name in one for one in reached):
            for_all[each.name] = reached[0][each.name]
    yield from _lines_by_reason(for_all, "")


def repeated_reports(reports: Iterable[Report]) -> Iterator[str]:
    """Yield reports that request what an earlier one requests: each day is paid for twice."""
    alike: dict[object, list[Report]] = {}
    for report in reports:
        asked = (report.query_hash, report.start_date, report.end_date, report.login_names)
        before = alike.setdefault(asked, [])
        for other in before:
            if _shares_accounts(report.accounts, other.accounts):
                yield (
                    f"{report.path}: asks what {other.path} does ({report.name} and {other.name}), "
                    "so that each day is paid for twice; take one of them out, or load one report "
                    "into both places by `stream_maps`"
                )
                break
        before.append(report)


def _shares_accounts(some: Accounts, other: Accounts) -> bool:
    return some == other or not {*some.ids}.isdisjoint(other.ids)


def _lines_by_reason(idle: Mapping[str, str], path: str) -> Iterator[str]:
    """Return a line for each reason."""
    for reason in dict.fromkeys(idle.values()):
        names = [f"{path}{name}" for name, why in idle.items() if why == reason]
        have = "has" if len(names) == 1 else "have"
        yield f"{', '.join(names)}: {have} no effect: {reason}"


def _idle(report: Report, schema: RecordSchema, mode: Mode) -> dict[str, str]:
    """Return why settings of a report have no effect, by name, but for those of the usual value."""
    reasons = dict(_reasons(report, schema, mode))
    return {
        each.name: reasons[each.name]
        for each in OVERRIDABLE
        if each.name in reasons and getattr(report, each.attribute) != each.usual
    }


def _reasons(report: Report, schema: RecordSchema, mode: Mode) -> Iterator[tuple[str, str]]:
    if mode is Mode.ASYNC:
        yield from dict.fromkeys(("query_concurrency", "timeout_minutes"), _IN_BATCHES).items()
    if report.date_range_type:
        why = "`date_range_type` names the days, and the report is read whole by every run"
        yield from dict.fromkeys((*_DAYS, *_BY_DAY), why).items()
    elif not schema.replication_key:
        why = (
            "the report has no day, and is read whole by every run; add the day to `fields`, or, "
            "where its data source has dates, set `replication_key: _sm_date`"
        )
        yield from dict.fromkeys(_BY_DAY, why).items()
    else:
        yield from _reasons_by_day(report, schema.replication_key)


def _reasons_by_day(report: Report, replication_key: str) -> Iterator[tuple[str, str]]:
    usual = report.max_days_per_query
    if report.split_dates_policy is SplitDates.DAY:
        usual = 1
        yield "max_days_per_query", _ONE_DAY
    if replication_key not in report.fields:
        yield (
            "backfill_days_per_query",
            "rows do not tell their day, so that each is asked by itself; add the day to `fields`",
        )
    elif report.backfill_days_per_query <= usual:
        yield (
            "backfill_days_per_query",
            f"queries are of {counted(usual, 'day', 'days')} (`max_days_per_query`) anyway",
        )
    if not report.lookback_days:
        yield "refresh_after_hours", "it is for the days of the lookback, and `lookback_days` is 0"


def _idle_in_run(settings: Settings) -> dict[str, str]:
    reasons = dict[str, str]()
    if not settings.query_log:
        reasons["query_log_name"] = "no query log is written; set `query_log: true`"
    if settings.mode is Mode.ASYNC:
        reasons |= dict.fromkeys(("max_running_batches", "batch_description"), _IN_BATCHES)
    if settings.mode is Mode.BATCH:
        reasons["max_running_queries"] = "with `mode: batch` no query is asked by itself"
    return {
        each.name: reasons[each.name]
        for each in OF_THE_TAP
        if each.name in reasons
        and each.name in settings.given
        and getattr(settings, each.attribute) != each.usual
    }
