"""Tells the progress of a run, and the time left by what has finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tap_supermetrics.words import counted

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress:
    """The progress of one report.

    Attributes:
        name: of the report.
        ended: queries that have an outcome.
        failed: those of them that failed.
        planned: all its queries, as far as is known.
        rows: rows that were fetched.
    """

    name: str
    ended: int
    failed: int
    planned: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a run.

    Attributes:
        reports: in the order of emission.
        elapsed_s: how long it has run.
        delays: what is waited for, in words.
    """

    reports: tuple[ReportProgress, ...] = ()
    elapsed_s: float = 0.0
    delays: tuple[str, ...] = ()

    @property
    def ended(self) -> int:
        """Return how many queries have an outcome."""
        return sum(each.ended for each in self.reports)

    def time_left(self, place: int = -1) -> str:
        """Return how long it takes until a report has ended, in words; empty where nobody knows.

        Reports end one after another, so those before it count. Queries are taken to go on as
        those that ended; while something is waited for, that is the least.

        Args:
            place: of the report; the last one for the whole run.
        """
        reports = self.reports[: place + 1] if place >= 0 else self.reports
        left = sum(each.planned - each.ended for each in reports)
        if not left or not self.ended:
            return ""
        at_least = "at least " if self.delays else ""
        return f"{at_least}{_in_words(self.elapsed_s / self.ended * left)} left"

    def __str__(self) -> str:
        """Return the whole run in a line."""
        planned = sum(each.planned for each in self.reports)
        rows = sum(each.rows for each in self.reports)
        of_all = counted(planned, "query", "queries")
        counts = f"{self.ended:,} of {of_all} ended, {counted(rows, 'row', 'rows')}"
        time_left = self.time_left()
        return "; ".join((f"{counts}, {time_left}" if time_left else counts, *self.delays))


def _in_words(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{max(round(seconds), 1)} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
