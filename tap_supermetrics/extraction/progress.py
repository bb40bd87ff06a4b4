"""Reports the progress of a run, and the time left by what has finished."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from tap_supermetrics.words import counted

logger = logging.getLogger(__name__)

LOG_EVERY_S: Final = 30.0
"""How often a long run logs its progress, in seconds."""
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
        delays: what the run waits for, in words.
    """

    reports: tuple[ReportProgress, ...] = ()
    elapsed_s: float = 0.0
    delays: tuple[str, ...] = ()

    @property
    def ended(self) -> int:
        """Return how many queries have an outcome."""
        return sum(each.ended for each in self.reports)

    def time_left(self, place: int = -1) -> str:
        """Return how long it takes until a report has ended, in words; empty where that is unknown.

        Reports end one after another, so those before it count. Queries are taken to go on as
        those that ended; while the run waits for something, that is the least.

        Args:
            place: of the report; the last one for the whole run.
        """
        reports = self.reports[: place + 1] if place >= 0 else self.reports
        left = sum(each.planned - each.ended for each in reports)
        if not left or not self.ended:
            return ""
        at_least = "at least " if self.delays else ""
        # All that ended counts, of later reports too: they run at the same time.
        return f"{at_least}{_in_words(self.elapsed_s / self.ended * left)} left"

    def __str__(self) -> str:
        """Return the whole run in a line."""
        planned = sum(each.planned for each in self.reports)
        rows = sum(each.rows for each in self.reports)
        of_all = counted(planned, "query", "queries")
        counts = f"{self.ended:,} of {of_all} ended, {counted(rows, 'row', 'rows')}"
        time_left = self.time_left()
        return "; ".join((f"{counts}, {time_left}" if time_left else counts, *self.delays))


class ProgressReporter:
    """Logs the progress now and then, and has it counted for a watcher.

    Args:
        started_at: monotonic time of the run's start.

    Attributes:
        is_watched: whether a watcher wants the progress counted now.
        progress: as it was counted last.
    """

    def __init__(self, started_at: float) -> None:
        self.is_watched = False
        self.progress = Progress()
        self._started_at = started_at
        self._next = started_at + LOG_EVERY_S

    def is_due(self, now: float) -> bool:
        """Return whether a line of the log is due."""
        return now >= self._next

    def is_wanted(self, now: float) -> bool:
        """Return whether the progress is to be counted."""
        return self.is_watched or self.is_due(now)

    def update(
        self, now: float, reports: tuple[ReportProgress, ...], delays: tuple[str, ...]
    ) -> None:
        """Store the progress for a watcher, and log it where that is due."""
        # Reset with each count: a watcher sets it again.
        self.is_watched = False
        self.progress = Progress(reports=reports, elapsed_s=now - self._started_at, delays=delays)
        if self.is_due(now):
            self._next = now + LOG_EVERY_S
            logger.info("Progress: %s", self.progress)


def _in_words(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{max(round(seconds), 1)} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
