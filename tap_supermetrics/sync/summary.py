"""The summary of a run, logged at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_supermetrics.dates import merge
from tap_supermetrics.sync.days_read import EMPTY, FAILED, ROWS, SAMPLED
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.extraction.results import Failed, NotReached, Result
    from tap_supermetrics.model import Query
    from tap_supermetrics.sync.days_read import DaysRead

MAX_FAILURES = 50
"""Lines about failures that are logged; more are only counted."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one report and account, in days; in queries where these have no days.

    Attributes:
        units: what is counted, as one and as many.
        queries_done: how many queries gave a result, whatever `units` are.
        queries_failed: how many gave none.
    """

    units: tuple[str, str] = ("day", "days")
    done: int = 0
    empty: int = 0
    failed: int = 0
    not_submitted: int = 0
    excluded: int = 0
    rows: int = 0
    queries_done: int = 0
    queries_failed: int = 0


@dataclass(slots=True, kw_only=True)
class Summary:
    """Counts what was emitted and what failed.

    Attributes:
        days_read: what was found on each day; None where that is not wanted.
        remarks: what else the user should know, a line each.
        first_days: first day that the API gives of a report, where it refused earlier ones.
        tallies: the counts by report and account.
        failed_alike: the queries that failed, by report, account and code of the error.
        failed_reports: why nothing of a report could be submitted, by its name.
    """

    days_read: DaysRead | None = None
    remarks: list[str] = field(default_factory=list)
    first_days: dict[str, date] = field(default_factory=dict)
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    failed_alike: dict[tuple[str, str, str], list[Failed]] = field(default_factory=dict)
    failed_reports: dict[str, str] = field(default_factory=dict)

    def done(self, result: Result, rows_by_day: Sequence[int] = ()) -> None:
        """Count a result of which every record was written.

        Args:
            result: the result.
            rows_by_day: the number of rows of each of its days; empty where rows have no day.
        """
        rows = result.row_count
        tally = self._tally(result.query)
        tally.done += _days(result.dates)
        tally.empty += _empty_days(result, rows_by_day)
        tally.rows += rows
        tally.queries_done += 1
        letter = EMPTY if not rows else SAMPLED if result.provenance.is_sampled else ROWS
        self._note_days(result.query, result.dates, letter)
        if self.days_read and result.dates:
            self.days_read.put_empty(result.query, result.dates, rows_by_day)

    def retracted(self, result: Result) -> None:
        """Retract a result that was counted, and that later ones contradict; its rows stay."""
        tally = self._tally(result.query)
        tally.done -= _days(result.dates)
        tally.queries_done -= 1

    def failed(self, failed: Failed) -> bool:
        """Count a query that failed, or that a stopped run did not submit.

        Returns:
            Whether it is the first of its report, account and reason.
        """
        tally = self._tally(failed.query)
        if not failed.was_submitted:
            tally.not_submitted += _days(failed.query.dates)
            return False
        if failed.is_excluded:
            tally.excluded += _days(failed.query.dates)
            return False
        tally.failed += _days(failed.query.dates)
        tally.queries_failed += 1
        self._note_days(failed.query, failed.query.dates, FAILED)
        alike = (failed.query.report, failed.query.account_id, failed.error.code)
        self.failed_alike.setdefault(alike, []).append(failed)
        return len(self.failed_alike[alike]) == 1

    def left(self, left: NotReached) -> None:
        """Count queries that a stopped run did not reach."""
        for account_id, days in left.days.items():
            self.tallies.setdefault((left.report, account_id), Tally()).not_submitted += days

    def report_failed(self, report: str, reason: str) -> None:
        """Note why nothing of a report could be submitted."""
        self.failed_reports[report] = reason

    @property
    def has_failures(self) -> bool:
        """Return whether anything failed."""
        return bool(self.failed_alike or self.failed_reports)

    @property
    def failed_queries(self) -> int:
        """Return how many queries failed."""
        return sum(len(alike) for alike in self.failed_alike.values())

    @property
    def failures_in_words(self) -> str:
        """Return how much failed, and whether anything arrived beside it."""
        not_submitted = sum(tally.not_submitted for tally in self.tallies.values())
        failed = _counted_all(
            (self.failed_queries, "query failed", "queries failed"),
            (len(self.failed_reports), "report could not be asked", "reports could not be asked"),
            (not_submitted, "day was not asked", "days were not asked"),
        )
        return f"{failed}, {'all else' if self.has_arrived else 'nothing'} arrived"

    @property
    def has_arrived(self) -> bool:
        """Return whether any query succeeded."""
        return any(tally.done for tally in self.tallies.values())

    def _failures(self) -> Iterator[str]:
        """Yield a line for each report, account and reason."""
        yield from (f"{report}: {reason}" for report, reason in self.failed_reports.items())
        for (report, account_id, _), alike in self.failed_alike.items():
            account = f", account {account_id}" if account_id else ""
            dates = merge(tuple(each.query.dates for each in alike if each.query.dates))
            days = f", {' '.join(map(str, dates))}" if dates else ""
            yield f"{report}{account}{days}: {alike[0].error}"

    def _note_days(self, query: Query, dates: DateRange | None, letter: str) -> None:
        if self.days_read:
            self.days_read.put(query, dates, letter)

    def _tally(self, query: Query) -> Tally:
        units = ("day", "days") if query.dates else ("query", "queries")
        return self.tallies.setdefault((query.report, query.account_id), Tally(units=units))

    def counts(self) -> Iterator[str]:
        """Return what was done, a line for each report and account."""
        if self.tallies:
            rows = sum(tally.rows for tally in self.tallies.values())
            of = counted(len(self.tallies), "report and account", "reports and accounts")
            yield f"Summary: {counted(rows, 'row', 'rows')} of {of}"
        for (report, account_id), tally in self.tallies.items():
            account = f", account {account_id}" if account_id else ""
            skipped = f", {tally.not_submitted} not asked" if tally.not_submitted else ""
            skipped += f", {tally.excluded} left out by the API" if tally.excluded else ""
            yield (
                f"  {report}{account}: {counted(tally.done, *tally.units)} done ({tally.empty} "
                f"empty), {tally.failed} failed{skipped}, {counted(tally.rows, 'row', 'rows')}"
            )
        yield from (f"  note: {each}" for each in self.remarks)
        for report, day in self.first_days.items():
            yield (
                f"  note: {report}: the API has nothing before {day}; earlier days will not be "
                "asked again (`not_before` in the state)"
            )

    def failures(self) -> Iterator[str]:
        """Return what failed, why, and what to do; nothing when all arrived."""
        lines = list(self._failures())
        if lines:
            failed = _counted_all(
                (len(self.failed_reports), "report", "reports"),
                (self.failed_queries, "query", "queries"),
            )
            but = ", but not for days before those noted above" if self.first_days else ""
            yield f"Failed: {failed}. The next run asks again{but}."
        yield from (f"  {line}" for line in lines[:MAX_FAILURES])
        if len(lines) > MAX_FAILURES:
            more = counted(len(lines) - MAX_FAILURES, "more line", "more lines")
            yield f"  ... and {more} like these"


def _counted_all(*counts: tuple[int, str, str]) -> str:
    return " and ".join(counted(*each) for each in counts if each[0])


def _empty_days(result: Result, rows_by_day: Sequence[int]) -> int:
    if not result.row_count:
        return _days(result.dates)
    # A range of the API's counts as one, whatever its days.
    return rows_by_day.count(0) if result.dates else 0


def _days(dates: DateRange | None) -> int:
    return dates.days if dates else 1
