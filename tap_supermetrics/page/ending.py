"""A run that ended, written to `report_dir`. Nothing here ends a run, or changes its exit code."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tap_supermetrics.api.connection import VERSION
from tap_supermetrics.dates import merge
from tap_supermetrics.errors import InterruptedRun, QueriesFailedError, SettingsError, TapError
from tap_supermetrics.page.calendars import Calendars
from tap_supermetrics.page.document import html_of
from tap_supermetrics.page.folder import remove_unfinished, stored_runs, write_run, write_whole
from tap_supermetrics.page.run_json import Failure, ReportPart, RunJson
from tap_supermetrics.redaction import readable, without_key
from tap_supermetrics.sync.run import new_run_id, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_supermetrics.extraction.results import Failed
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.run import Run
    from tap_supermetrics.sync.summary import Summary

logger = logging.getLogger(__name__)

MAX_FAILURES: Final = 1_000
_MAX_RANGES: Final = 20
_SECONDS_OF_A_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A run that ended.

    Attributes:
        settings: the configuration.
        run: the run; None where it ended before it was planned.
        lookups: what the API lists; None where nothing was requested.
        started_at: when the process began with it, with offset.
        error: what ended it; None where it came to its end.
        ended_at: when all was written, with offset.
    """

    settings: Settings
    run: Run | None
    lookups: Lookups | None
    started_at: datetime
    error: BaseException | None
    ended_at: datetime = field(default_factory=utc_now)

    def write(self) -> None:
        """Write the JSON of the run and the page; warn of what cannot be written."""
        try:
            folder = Path(self.settings.report_dir or "").expanduser()
        except RuntimeError:
            return  # Below no home: that is the mistake which ended the run.
        try:
            self._write(folder)
        except OSError as error:
            reason = error.strerror or error
            logger.warning(
                "report_dir: %s cannot be written (%s); the run is told only here. Set `report_dir`"
                " to a folder that can be written and has room",
                folder,
                reason,
            )
        except Exception as error:  # noqa: BLE001 - the run is over, and its exit code is its own
            logger.warning("report_dir: the page cannot be made (%r)", error)

    def _write(self, folder: Path) -> None:
        """Write the run's JSON first, then the page of all stored runs."""
        folder.mkdir(parents=True, exist_ok=True)
        # Only old ones: another run may be writing just now.
        remove_unfinished(folder, self.ended_at.timestamp() - _SECONDS_OF_A_DAY)
        runs = [*stored_runs(folder)]
        run = self.run_json(Calendars.of(runs))
        # In the JSON as a whole, as any text of it may contain the key.
        text = without_key(msgspec.json.encode(run).decode(), self.settings.api_key).encode()
        # Read back: the page shows the content of the file.
        runs.insert(0, msgspec.json.decode(text, type=RunJson))
        write_run(folder, run, text)
        page = without_key(html_of(runs, self.ended_at), self.settings.api_key)
        write_whole(folder / "index.html", page.encode())

    def run_json(self, before: Calendars) -> RunJson:
        """Return the JSON of the run, with the calendars after it."""
        head = RunJson(
            run_id=self.run.run_id if self.run else new_run_id(),
            tap_version=VERSION,
            started_at=_moment(self.started_at),
            ended_at=_moment(self.ended_at),
            seconds=round((self.ended_at - self.started_at).total_seconds(), 1),
            exit_code=exit_code_of(self.error),
            message=self._message(),
            shard="" if self.settings.shard.is_whole else str(self.settings.shard),
            requests=self.lookups.client.rate_limit.requests if self.lookups else 0,
        )
        if self.run is None:
            return head
        summary = self.run.summary
        head.queries = self.run.submitted
        head.rows = sum(each.rows for each in summary.tallies.values())
        head.queries_done = sum(each.queries_done for each in summary.tallies.values())
        head.queries_failed = summary.failed_queries
        head.reports_failed = len(summary.failed_reports)
        head.days_not_asked = sum(each.not_submitted for each in summary.tallies.values())
        failures = [*_failures(summary)]
        head.failures = failures[:MAX_FAILURES]
        head.failures_left_off = max(0, len(failures) - MAX_FAILURES)
        head.reports = [*self._reports(self.run, before)]
        return head

    def _reports(self, run: Run, before: Calendars) -> Iterator[ReportPart]:
        """Yield each report with its days, and the counts of this run."""
        counts: dict[str, ReportPart] = {}
        for (name, _), tally in run.summary.tallies.items():
            part = counts.setdefault(name, ReportPart(name=name))
            part.rows += tally.rows
            part.queries_done += tally.queries_done
            part.queries_failed += tally.queries_failed
        names = self.lookups.accounts.known_names() if self.lookups else {}
        for days in run.days():
            part = before.part_of(days, names.get(days.ds_id, {}), run.summary.days_read)
            if counted := counts.get(days.name):
                part.rows, part.queries_done = counted.rows, counted.queries_done
                part.queries_failed = counted.queries_failed
            yield part

    def _message(self) -> str:
        """Return why the run ended as it did."""
        match self.error:
            case None:
                text = ""
            case SettingsError() if self.run and self.run.has_started:
                text = "a stream map failed; it may show a value of a row, so only the log tells it"
            case QueriesFailedError() if self.run:
                text = self.run.summary.failures_in_words
            case TapError() | InterruptedRun():
                text = str(self.error).rstrip(".")
            case BrokenPipeError():
                text = "the target closed its end of the pipe: see its own log"
            case _:
                text = f"{type(self.error).__name__}: see the log"
        return readable(text)


def exit_code_of(error: BaseException | None) -> int:
    """Return the exit code that an error will give the process."""
    if error is None:
        return 0
    if isinstance(error, (TapError, InterruptedRun)):
        return error.exit_code
    return TapError.exit_code


def _failures(summary: Summary) -> Iterator[Failure]:
    for report, reason in summary.failed_reports.items():
        yield Failure(report=report, message=readable(reason))
    for alike in summary.failed_alike.values():
        yield _failure(alike[0], [*alike])


def _failure(first: Failed, alike: list[Failed]) -> Failure:
    ranges = merge(tuple(each.query.dates for each in alike if each.query.dates))
    more = len(ranges) - _MAX_RANGES
    shown = " ".join(map(str, ranges[:_MAX_RANGES])) + (f" and {more} more" if more > 0 else "")
    return Failure(
        report=first.query.report,
        account_id=first.query.account_id,
        days=shown,
        queries=len(alike),
        code=first.error.code,
        message="" if first.is_of_rows else first.error.message,
        advice=first.error.verdict.advice,
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
