"""Account filters of users, applied in bounded time: some patterns have no end with some names."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tap_supermetrics.model import compile_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

MAX_S: Final = 10.0
"""Longer than any sound pattern takes with a hundred thousand names, in seconds."""


class EndlessError(Exception):
    """A pattern that was given up."""


def matching(pattern: str, texts: Iterable[str]) -> list[bool]:
    """Tell of each text whether an account filter lets it through.

    Raises:
        EndlessError: that took too long, as patterns do that repeat what repeats itself.
    """
    is_match = compile_filter(pattern).search
    with _bounded(MAX_S):
        return [bool(is_match(each)) for each in texts]


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Break off after some time, where the system can: `re` looks for signals, and for no clock."""
    # Python lets only the main thread set handlers of signals, and runs them only there.
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and hasattr(signal, "setitimer")):
        yield
        return
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # First the clock, then the handler: by default, a late alarm ends the process.
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise EndlessError
