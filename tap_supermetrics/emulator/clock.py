"""Emulated time: real time, scaled, and moved forward at will."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
        """Move the clock forward by so many emulated seconds."""
        if seconds < 0:
            raise ValueError(f"the clock cannot go back ({seconds} seconds)")
        self._rebase(lambda now: now + seconds)

    def set(self, instant: datetime) -> None:
        """Set the clock to an instant; what is under way may so be cut short or drawn out."""
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
            self._emulated, self._real = moved(self._seconds()), time.monotonic()
        # Outside the lock: a listener may wait for a thread that asks for the time.
        for listener in self._listeners:
            listener()


def instant(text: str) -> datetime:
    """Return a time from ISO 8601, in UTC when it names no offset."""
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def iso(seconds: float | None) -> str | None:
    """Return a time as the API writes it: ISO 8601, whole seconds, with the offset.

    Source: Supermetrics docs, "Batch queries (Preview)".
    """
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), timezone.utc).isoformat()
