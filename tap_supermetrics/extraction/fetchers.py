"""The threads that fetch results: as many as are fetched at the same time."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import RAISE_LIMITS, TapError
from tap_supermetrics.extraction.events import Fetched, QueryFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.extraction.downloads import Downloader
    from tap_supermetrics.extraction.events import Event, Succeeded
    from tap_supermetrics.extraction.results import Result


class Fetchers:
    """Fetches results side by side.

    Args:
        downloader: fetches one.
        post: receives the outcome of each, from any thread.
        new_thread: returns a thread that does some work, not begun.
    """

    def __init__(
        self,
        downloader: Downloader,
        post: Callable[[Event], None],
        new_thread: Callable[[Callable[[], None]], threading.Thread],
    ) -> None:
        self._downloader = downloader
        self._post = post
        self._new_thread = new_thread
        self._queue: queue.SimpleQueue[Succeeded | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Lock()
        self._is_closed = False

    def fetch(self, wanted: Succeeded, side_by_side: int) -> None:
        """Fetch a result, while so many are fetched in all; used by the deciding thread only."""
        # Put first: where no thread can be started, the others find it.
        self._queue.put(wanted)
        while len(self._threads) < side_by_side and not self._is_closed:
            thread = self._new_thread(self._run)
            try:
                thread.start()
            except RuntimeError:
                # The system gives no more threads: the others fetch it all.
                if self._threads:
                    return
                raise TapError(f"no thread can be started: {RAISE_LIMITS}") from None
            self._threads.append(thread)

    def close(self) -> None:
        """Let all threads end; what they still fetch is dropped."""
        # Under the lock, so that no result is handed over after this has returned.
        with self._closing:
            self._is_closed = True
        # One for each: a thread that takes it ends, and takes no other.
        for _ in self._threads:
            self._queue.put(None)

    def _run(self) -> None:
        while (wanted := self._queue.get()) is not None and not self._is_closed:
            try:
                result = self._downloader.fetch(wanted)
            except ApiError as error:  # noqa: PERF203 - each result fails by itself
                self._post(QueryFailed(query=wanted.query, error=error, was_fetched=True))
            else:
                self._give(result)

    def _give(self, result: Result) -> None:
        """Hand a result over, unless the fetchers are closed."""
        with self._closing:
            # The inbox is not read any more: the spool would stay open.
            if self._is_closed:
                result.spool.close()
            else:
                self._post(Fetched(result=result))
