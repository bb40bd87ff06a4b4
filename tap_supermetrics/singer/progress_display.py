"""Draws a run's progress on a terminal, if no records are printed there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.extraction.progress import Progress


def begin_display(progress: Callable[[], Progress]) -> Callable[[], None]:
    """Begin to draw on a terminal; return a function that ends it, even if called twice."""
    # Either is None where it was closed before the process began.
    if sys.stderr is None or not sys.stderr.isatty() or sys.stdout is None or sys.stdout.isatty():
        return nothing
    # Only here, as no other run needs it.
    from tap_supermetrics.singer.terminal import ProgressLines  # noqa: PLC0415

    lines = ProgressLines(progress)
    lines.start()
    return lines.close


def nothing() -> None:
    """Do nothing."""
