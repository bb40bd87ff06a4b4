"""Runs within this process, and what may be said of any of them, however it went.

A run driven here is the tap without Singer and without a process: settings, client, run. So a
hundred faults are tried in the time that ten processes take to start.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.retry import RateLimit, RetryPolicy
from tap_supermetrics.emulator import Emulator, Options
from tap_supermetrics.errors import TapError
from tap_supermetrics.records.convert import RecordReader
from tap_supermetrics.settings import Settings
from tap_supermetrics.sync.discovery import discover, refusal_of
from tap_supermetrics.sync.lookups import Lookups
from tap_supermetrics.sync.planner import Selection
from tap_supermetrics.sync.run import Run, utc_now
from tests.tap import METADATA, config_for, days_covered, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.tap import Key, Values

T = TypeVar("T")
NOW: Final = "2024-06-10T04:00:00+00:00"
LAST: Final = date(2024, 6, 9)
DAY: Final = timedelta(days=1)
FIRST: Final = LAST - 2 * DAY
ACCOUNTS: Final = ("4713896205", "8820145937")
ADS: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": list(ACCOUNTS),
    "fields": ["Date", "Campaignname", "Cost"],
}
FACEBOOK: Final[dict[str, Any]] = {
    "name": "facebook_ads",
    "ds_id": "FA",
    "ds_accounts": ["act_1784203956017"],
    "fields": ["Date", "spend"],
}
QUICK: Final = RetryPolicy(first_wait_s=0.001, longest_wait_s=0.01, outage_s=0.0)


def options(**changes: Any) -> Options:  # noqa: ANN401 - any option
    """An emulator whose queries take a few milliseconds."""
    quick = {"clock_factor": 120.0, "now": NOW, "min_seconds": 0.5, "max_seconds": 2.0}
    return Options(**{**quick, "batch_start_seconds": 0.5, **changes})


WHOLE: Final = os.environ.get("ATTACK") == "whole"
"""Whether everything is tried; else samples that keep the tests short."""


def some(cases: Sequence[T], count: int) -> list[T]:
    """All cases when everything is tried, else so many of them, evenly spread."""
    step = 1 if WHOLE else max(1, -(-len(cases) // count))
    return list(cases[::step])


class Killed(BaseException):
    """Raised by a test within a run, in the place of SIGKILL: nothing is put in order."""


@dataclass(slots=True)
class Attempt:
    """What a run did.

    Attributes:
        code: the exit code that the command line would give.
        message: the one line that it would end with; empty for a good end.
        rows: by report, the newest record by key, without the metadata that changes.
        written: how many records came.
        bookmarks: the state.
        log: everything that was logged, a line each.
        saved: the last state that a target got, as JSON.
        queries: the query log, as a table has it: the newest record by id.
        summary: the lines that tell what was done.
    """

    code: int = 0
    message: str = ""
    rows: dict[str, dict[Key, Values]] = field(default_factory=dict)
    written: int = 0
    bookmarks: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    saved: str = "{}"
    queries: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: list[str] = field(default_factory=list)

    def days(self, report: str) -> set[tuple[str, date]]:
        """What the state says is done, as accounts and days."""
        return {
            (account, day)
            for account, ranges in days_covered(self.bookmarks.get(report, {})).items()
            for first, last in ranges
            for day in _days(first, last)
        }


def _days(first: str, last: str) -> Iterator[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return (start + n * DAY for n in range((end - start).days + 1))


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


def attempt(
    config: Mapping[str, Any],
    bookmarks: Mapping[str, Any] | None = None,
    retry: RetryPolicy = QUICK,
    keep: Callable[[Key, Values], None] = lambda *_: None,
) -> Attempt:
    """A whole run in this thread. Only what a user may see as one line is caught.

    Args:
        config: of the tap.
        bookmarks: the state before it.
        retry: how failed requests are repeated.
        keep: is given every record with its key; may raise `Killed`.
    """
    done = Attempt(bookmarks=dict(bookmarks or {}))
    lines = _Lines(done.log)
    logger = logging.getLogger("tap_supermetrics")
    logger.addHandler(lines)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        _run(config, done, retry, keep)
    except TapError as error:
        done.code, done.message = error.exit_code, str(error)
    except Killed:
        done.code, done.bookmarks = -9, json.loads(done.saved)
    finally:
        logger.setLevel(level)
        logger.removeHandler(lines)
    return done


def _run(
    config: Mapping[str, Any],
    done: Attempt,
    retry: RetryPolicy,
    keep: Callable[[Key, Values], None],
) -> None:
    settings = Settings.from_config(config)
    limit = RateLimit(settings.requests_per_second)
    client = Client(
        api_url=settings.api_url, api_key=settings.api_key, rate_limit=limit, retry=retry
    )

    def write_state() -> None:
        done.saved = json.dumps(done.bookmarks)

    lookups = Lookups(client, utc_now())
    run = Run(settings, lookups, done.bookmarks, write_state, has_query_log=True)
    try:
        served = discover(lookups, settings.reports)
        names = {report.name: report.name in served for report in settings.reports}
        run.start(
            Selection(
                names=[name for name, is_served in names.items() if is_served],
                refused={
                    each.name: str(refusal_of(lookups, each))
                    for each in settings.reports
                    if not names[each.name]
                },
            )
        )
        for report in settings.reports:
            table = done.rows.setdefault(report.name, {})
            for record in run.emission.records(report.name, RecordReader.all_records):
                done.written += 1
                cells = [record["_sm_account_id"], *(record[name] for name in report.fields[:-1])]
                key = tuple(map(str, cells))
                table[key] = {n: value for n, value in record.items() if n not in METADATA[1:]}
                keep(key, table[key])
        run.finish()
    except TapError:
        if run.has_started:
            run.halt()
            run.bookmarks.checkpoint()
        raise
    finally:
        done.queries = {each["id"]: each for each in run.query_log.take()} if run.query_log else {}
        done.summary = [*run.summary.counts()]
        run.close()


def settings_for(emulator: Emulator, *reports: Mapping[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    """A configuration for these reports and the days of this module, without lookback."""
    usual: dict[str, Any] = {"start_date": str(FIRST), "end_date": str(LAST), "lookback_days": 0}
    # One batch at a time, so that it is known which query is in which.
    usual |= {"max_running_batches": 1, "requests_per_second": 1000}
    return config_for(emulator, reports, **usual | top)


def keeps_its_promise(
    done: Attempt, emulator: Emulator, *reports: Mapping[str, Any], first: date = FIRST
) -> None:
    """Whatever failed: what the state calls done is whole, and nothing that came is wrong."""
    for report in reports:
        name, days = report["name"], done.days(report["name"])
        expected = truth(emulator, report, first, LAST)
        got = done.rows.get(name, {})
        wrong = {key: row for key, row in got.items() if expected.get(key) != row}
        assert not wrong, f"{name}: rows that are not true: {wrong}"
        missing = [
            key
            for key, row in expected.items()
            if (row["_sm_account_id"], date.fromisoformat(row["Date"])) in days and key not in got
        ]
        assert not missing, f"{name}: called done, but missing: {missing}"
        if done.code == 0:
            assert days == everything(report, first), f"{name}: not all done, and not said"


def everything(report: Mapping[str, Any], first: date = FIRST) -> set[tuple[str, date]]:
    """All accounts and days of a report."""
    span = range((LAST - first).days + 1)
    return {(account, first + n * DAY) for account in report["ds_accounts"] for n in span}


def posts(emulator: Emulator, path: str = "query/batch") -> int:
    """How many requests were sent to start something."""
    return sum(each.method == "POST" and each.path.endswith(path) for each in emulator.requests)


def asked(emulator: Emulator, part: str) -> int:
    """How many requests were sent to paths that hold this part."""
    return sum(part in each.path for each in emulator.requests)


def names(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of reports."""
    return [report["name"] for report in reports]
