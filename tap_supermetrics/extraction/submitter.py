"""The thread that submits, and polls what the API runs."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.extraction.progress import ProgressReporter
    from tap_supermetrics.extraction.ways import Ways


class Submitter:
    """Submits one thing after the other.

    Args:
        ways: the ways to the API.
        unneeded: ids of query batches of an earlier run that run on without use.
        post: receives each event; None only wakes the deciding thread.
        reporter: knows when the progress is to be reported.
        new_thread: returns a thread that does some work, not begun.
    """

    def __init__(
        self,
        ways: Ways,
        unneeded: tuple[str, ...],
        post: Callable[[Event | None], None],
        reporter: ProgressReporter,
        new_thread: Callable[[Callable[[], None]], threading.Thread],
    ) -> None:
        self._ways = ways
        self._unneeded = unneeded
        self._post = post
        self._reporter = reporter
        self._actions: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = new_thread(self._work)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, action: Action) -> None:
        """Have something submitted or cancelled next."""
        self._actions.put(action)

    def close(self) -> None:
        """Submit nothing more; `join` waits for the submission on its way."""
        # Set before the thread is woken, which may sleep until the next poll, or for ever.
        self._closed.set()
        self._actions.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait a little for the answer to a submission: without its id, it would run unseen."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        """Submit what was decided, and poll what runs when it is due."""
        # Here and not at the start: it takes requests, for which nothing should wait.
        self._ways.cancel(self._unneeded)
        while not self._closed.is_set():
            try:
                action = self._actions.get(timeout=self._ways.until_next_poll())
            except queue.Empty:
                action = None
            # Each event goes on as it comes: what the API has taken is named before the next poll.
            for event in self._ways.perform(action) if action else ():
                self._post(event)
            # The end of a run wants the answer to this submission, and no further request.
            if not self._closed.is_set():
                self._poll()

    def _poll(self) -> None:
        for event in self._ways.poll_due():
            self._post(event)
        if self._reporter.is_due(time.monotonic()):
            self._post(None)  # Wakes the deciding thread, which may get no event for long.
