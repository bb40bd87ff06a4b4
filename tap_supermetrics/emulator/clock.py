"""Emulated time: real time, scaled, and moved forward at will."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

FIRST_YEAR = 1970
LAST_YEAR = 2999
"""Far enough from the ends of the calendar that dates can be counted from any day."""
_UTC = timezone.utc
_FIRST_S = datetime(FIRST_YEAR, 1, 1, tzinfo=_UTC).timestamp()
_END_S = datetime(LAST_YEAR + 1, 1, 1, tzinfo=_UTC).timestamp()


class Clock:
    """The only source of time of an emulator; safe to use from several threads.

    Args:
        start: The emulated instant at which the clock starts.
        factor: Emulated seconds per real second. With 0 time stands still until
            `advance` or `set` is called.
    """

    def __init__(self, start: datetime, factor: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._factor = factor
        self._emulated = start.timestamp()
        self._real = time.monotonic()
        self._listeners: list[Callable[[], None]] = []

    @property
    def factor(self) -> float:
        """Return emulated seconds per real second."""
        return self._factor

    def seconds(self) -> float:
        """Return the emulated time, in seconds since 1970-01-01 UTC."""
        with self._lock:
            return self._seconds()

    def now(self) -> datetime:
        """Return the emulated time, in UTC."""
        return datetime.fromtimestamp(self.seconds(), timezone.utc)

    def advance(self, seconds: float) -> None:
        """Move the clock forward by so many emulated seconds.

        Raises:
            ValueError: That is back, or out of the years that the clock knows.
        """
        if seconds < 0:
            raise ValueError(f"the clock cannot go back ({seconds} seconds)")
        self._rebase(lambda now: now + seconds)

    def set(self, instant: datetime) -> None:
        """Set the clock to an instant; what is under way may so be cut short or drawn out.

        Raises:
            ValueError: It is out of the years that the clock knows.
        """
        self._rebase(lambda _now: instant.timestamp())

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the clock is moved by hand."""
        self._listeners.append(listener)

    def real_seconds(self, emulated: float) -> float | None:
        """Return how long so many emulated seconds take; None when time stands still."""
        return emulated / self._factor if self._factor else None

    def _seconds(self) -> float:
        return self._emulated + (time.monotonic() - self._real) * self._factor

    def _rebase(self, moved: Callable[[float], float]) -> None:
        with self._lock:
            emulated = moved(self._seconds())
            check_year(emulated)
            self._emulated, self._real = emulated, time.monotonic()
        # Outside the lock: a listener may wait for a thread that asks for the time.
        for listener in self._listeners:
            listener()


def instant(text: str) -> datetime:
    """Return a time from ISO 8601, in UTC when it names no offset."""
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=_UTC)


def check_year(seconds: float) -> None:
    """Check that a time is in the years that the clock knows.

    Raises:
        ValueError: It is not, or no number at all.
    """
    if not _FIRST_S <= seconds < _END_S:
        raise ValueError(f"expected a time in the years {FIRST_YEAR} to {LAST_YEAR}")


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its name.

    Raises:
        ValueError: There is none.
    """
    try:
        return _UTC if name == "UTC" else ZoneInfo(name)
    # A folder of zones, or a name too long for a file, is an error of the system.
    except (KeyError, ValueError, OSError):
        raise ValueError(f'"{name}" is not a time zone') from None


def iso(seconds: float | None) -> str | None:
    """Return a time as the API writes it: ISO 8601, whole seconds, with the offset.

    Source: Supermetrics docs, "Batch queries (Preview)".
    """
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), timezone.utc).isoformat()
