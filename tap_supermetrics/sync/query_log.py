"""The query log: a record for each query that ended, so that a warehouse knows of every day.

An empty day, a failed one and one that was never requested look alike in the table of a report; in
the log they differ. Its records are written before the STATE message that covers them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api.connection import VERSION
from tap_supermetrics.extraction.results import BatchTaken, QueryTaken, Replaced, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.extraction.results import Failed, Note
    from tap_supermetrics.model import Query, Report

KEY: Final = ("id",)
"""The key of the log."""


def _column(json_type: str, description: str, json_format: str = "") -> dict[str, Any]:
    schema = {"type": [json_type, "null"], "description": description}
    return schema | ({"format": json_format} if json_format else {})


SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": ["string"], "description": "Id of the record: the same if written again."},
        "report": _column("string", "Name of the report, which is that of its stream."),
        "account_id": _column("string", "As `_sm_account_id` in the report; empty without one."),
        "first_day": _column("string", "First day; null: the report as a whole.", "date"),
        "last_day": _column("string", "Last day; null: the report as a whole.", "date"),
        "range_start": _column(
            "string", "First day that the API made of `date_range_type`; null without one.", "date"
        ),
        "range_end": _column("string", "Last day of that range.", "date"),
        "last_whole_day": _column(
            "string", "Last day that was over when its numbers were made; null: none.", "date"
        ),
        "status": _column(
            "string", "`success`, `failed`, or `excluded`: the account cannot be read."
        ),
        "row_count": _column("integer", "Number of rows; null unless it succeeded."),
        "rows_by_day": _column(
            "string",
            "Number of rows of each of its days, or of those of its range, parted by commas; null "
            "for one day or none.",
        ),
        "schedule_id": _column("string", "As `_sm_schedule_id` in the report."),
        "batch_id": _column("string", "The API's id of the query batch; null without one."),
        "submitted_at": _column("string", "When it was submitted last.", "date-time"),
        "finished_at": _column("string", "When it was seen to have succeeded.", "date-time"),
        "fetched_at": _column("string", "As `_sm_fetched_at` in the report.", "date-time"),
        "logged_at": _column("string", "When the record was made.", "date-time"),
        "run_seconds": _column("number", "How long the API worked on it, as it tells."),
        "error_code": _column("string", "The error's code; null unless it failed."),
        "error_message": _column("string", "What went wrong; null unless it failed."),
        "tries": _column(
            "integer", "How often this run submitted it; 0: it was spared; null: not known."
        ),
        "data_sampled": _column("boolean", "Whether the source estimated its numbers."),
        "cache_used": _column("boolean", "Whether its numbers come from the API's cache."),
        "cache_time": _column("string", "When those were made.", "date-time"),
        "run_id": _column("string", "The same in all records of a run."),
        "query_hash": _column("string", "Changes with what the report asks for."),
        "tap_version": _column("string", "Version of the tap."),
    },
}
"""The log's columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Submission:
    """The last submission of a query, and how often this run submitted it."""

    batch_id: str | None = None
    submitted_at: datetime | None = None
    tries: int | None = 0


class QueryLog:
    """Collects records of the queries that ended, until `take` returns them.

    Args:
        reports: by name.
        run_id: of the run.
        now: the wall clock, with offset.
    """

    def __init__(
        self, reports: Mapping[str, Report], run_id: str, now: Callable[[], datetime]
    ) -> None:
        self._hashes = {name: report.query_hash for name, report in reports.items()}
        self._run_id = run_id
        self._now = now
        self._submissions: dict[Query, _Submission] = {}
        self._records: list[dict[str, Any]] = []

    def note(self, note: Note) -> None:
        """Note what the API has accepted."""
        if isinstance(note, BatchTaken):
            for query in note.queries:
                self._submitted(query, note.batch.submitted_at, note.batch.batch_id)
        elif isinstance(note, QueryTaken):
            self._submitted(note.query, note.submitted_at)
        elif isinstance(note, Replaced):
            # Its parts are submitted and logged by themselves.
            self._submissions.pop(note.query, None)

    def _submitted(self, query: Query, at: datetime, batch_id: str | None = None) -> None:
        before = self._submissions.get(query, _Submission())
        self._submissions[query] = replace(
            before, batch_id=batch_id, submitted_at=at, tries=(before.tries or 0) + 1
        )

    def succeeded(
        self, result: Result, whole: DateRange | None, rows_by_day: Sequence[int]
    ) -> None:
        """Log a query whose records were all written.

        Args:
            result: its result.
            whole: its days that were over when its numbers were made.
            rows_by_day: the number of rows of each of its days, where it has several.
        """
        submission = self._submissions.pop(result.query, _Submission())
        self._add(
            result.query,
            submission,
            result.schedule_id,
            **_days(result.dates),
            **_days(result.echoed_dates, "range_start", "range_end"),
            last_whole_day=_text(whole.last if whole else None),
            status="success",
            row_count=result.row_count,
            rows_by_day=",".join(map(str, rows_by_day)) or None,
            schedule_id=result.schedule_id,
            finished_at=_text(result.finished_at),
            fetched_at=_text(result.fetched_at),
            run_seconds=result.provenance.run_seconds,
            data_sampled=result.provenance.is_sampled,
            cache_used=result.provenance.is_cached,
            cache_time=_text(result.provenance.cached_at),
        )

    def failed(self, failed: Failed) -> None:
        """Log a query that failed in this run, but none that the run did not submit."""
        submission = self._submissions.pop(failed.query, _Submission())
        if failed.was_submitted:
            named = f"{submission.batch_id or self._run_id} {failed.error.code}"
            self._add_failure(failed, submission, named)

    def contradicted(self, failed: Failed, schedule_id: str) -> None:
        """Log a query whose result later ones contradict, in the place of its success.

        Args:
            failed: the query, and why.
            schedule_id: of its result; empty where it is not known any more.
        """
        # Where its success was logged already, the submission is forgotten.
        submission = self._submissions.pop(failed.query, _Submission(tries=None))
        named = schedule_id or f"{self._run_id} {failed.error.code}"
        self._add_failure(failed, submission, named, schedule_id=schedule_id or None)

    def _add_failure(
        self, failed: Failed, submission: _Submission, outcome_id: str, **values: str | None
    ) -> None:
        self._add(
            failed.query,
            submission,
            outcome_id,
            **_days(failed.query.dates),
            **values,
            status="excluded" if failed.is_excluded else "failed",
            error_code=failed.error.code,
            error_message=failed.error.message,
        )

    def _add(
        self,
        query: Query,
        submission: _Submission,
        outcome_id: str,
        **values: Any,  # noqa: ANN401 - each as its column
    ) -> None:
        """Add a record, whose id is made of the query and the id of its outcome."""
        # The same result, written again after a kill, gets the same id and replaces its record.
        named = f"{query} {outcome_id}"
        nothing = dict.fromkeys(SCHEMA["properties"])
        self._records.append(
            nothing
            | {
                "id": hashlib.sha256(named.encode()).hexdigest()[:32],
                "report": query.report,
                "account_id": query.account_id,
                "batch_id": submission.batch_id,
                "submitted_at": _text(submission.submitted_at),
                "logged_at": _text(self._now()),
                "tries": submission.tries,
                "run_id": self._run_id,
                "query_hash": self._hashes[query.report],
                "tap_version": VERSION,
            }
            | values
        )

    def take(self) -> list[dict[str, Any]]:
        """Return the records since the last call, oldest first."""
        records, self._records = self._records, []
        return records


def _days(
    dates: DateRange | None, first: str = "first_day", last: str = "last_day"
) -> dict[str, str | None]:
    return {
        first: _text(dates.first if dates else None),
        last: _text(dates.last if dates else None),
    }


def _text(moment: date | datetime | None) -> str | None:
    if isinstance(moment, datetime):
        # As in `_sm_fetched_at`, so that the two compare as texts too.
        return moment.isoformat(timespec="milliseconds")
    return moment.isoformat() if moment else None
