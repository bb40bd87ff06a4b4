"""Progress on a terminal: a line for each report, removed at the end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.extraction.progress import Progress, ReportProgress

DRAW_EVERY_S: Final = 0.25
LINES_LEFT: Final = 4
"""Lines of the terminal that are left to the log."""


class ProgressLines:
    """Draws how far a run is, in a thread of its own, until it is closed.

    Args:
        progress: returns how far the run is.
    """

    def __init__(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress
        self._lines: list[_Line] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._draw_on, daemon=True)
        self._stack = ExitStack()

    def start(self) -> None:
        """Begin to draw; lines of the log are written above."""
        # The default lock would load `multiprocessing`, and a monitor watch the bars.
        tqdm.set_lock(threading.RLock())
        tqdm.monitor_interval = 0
        self._stack.enter_context(logging_redirect_tqdm([logging.getLogger()]))
        self._thread.start()

    def close(self) -> None:
        """Remove the lines."""
        self._is_over.set()
        # Before the lines are closed: the thread may be drawing one.
        self._thread.join()
        for each in reversed(self._lines):
            each.close()
        self._lines.clear()
        self._stack.close()

    def _draw_on(self) -> None:
        while not self._is_over.wait(DRAW_EVERY_S):
            self._draw(self._progress())

    def _draw(self, progress: Progress) -> None:
        """Draw one line for each report, as many as the terminal has room for."""
        most = max(os.get_terminal_size(sys.stderr.fileno()).lines - LINES_LEFT, 1)
        places = [*enumerate(progress.reports)]
        # Without room for all, those that ended are left out first.
        shown = sorted(places, key=lambda each: each[1].ended >= each[1].planned)[:most]
        while len(self._lines) < len(shown):
            self._lines.append(_Line(position=len(self._lines), leave=False, file=sys.stderr))
        width = max((len(report.name) for _, report in shown), default=0)
        ordered = shown if len(shown) < len(places) else places
        for line, (place, report) in zip(self._lines, ordered, strict=False):
            line.show(report, width, progress.time_left(place))


class _Line(tqdm):  # type: ignore[misc]
    """One line: a bar, and the counts beside it."""

    counts = ""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(total=1, bar_format="{desc} |{bar:20}| {counts}", miniters=1, **options)

    @property
    def format_dict(self) -> dict[str, Any]:
        """Return the values of the format."""
        return {**super().format_dict, "counts": self.counts}

    def show(self, report: ReportProgress, width: int, time_left: str) -> None:
        """Draw a report."""
        self.desc = report.name.ljust(width)
        self.n, self.total = report.ended, max(report.planned, 1)
        planned = counted(report.planned, "query", "queries")
        done = f"{report.ended:,} of {planned}, {counted(report.rows, 'row', 'rows')}"
        failed = f", {report.failed:,} failed" if report.failed else ""
        self.counts = f"{done}{failed}{', ' if time_left else ''}{time_left}"
        self.refresh()
