"""Runs a plan: the only threads of an extraction.

The deciding thread sleeps on one inbox, into which the others put events, and never touches the
network. One thread submits and polls; as many fetch results as the latency needs. Decisions
leave through one queue, first in, first out, to the thread that emits records: so the state
names a query batch before its first record.
"""

from __future__ import annotations

import queue
import threading
import time
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

from tap_supermetrics.errors import RAISE_LIMITS, TapError
from tap_supermetrics.extraction.events import (
    Awaited,
    Deliver,
    Emitted,
    Fetch,
    StopRequested,
)
from tap_supermetrics.extraction.fetchers import Fetchers
from tap_supermetrics.extraction.outbox import Outbox
from tap_supermetrics.extraction.progress import ProgressReporter
from tap_supermetrics.extraction.results import Failed, Result
from tap_supermetrics.extraction.submitter import Submitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.extraction.progress import Progress
    from tap_supermetrics.extraction.results import Note, Outcome
    from tap_supermetrics.extraction.scheduler import Scheduler
    from tap_supermetrics.extraction.ways import Ways

LAST_SUBMISSION_S: Final = 3.0
"""How long the end of a run waits for the answer to a submission on its way, in seconds."""


class Engine:
    """A running plan. Close it, whatever happens.

    Args:
        scheduler: decides.
        ways: the ways to the API.
        unneeded: ids of query batches of an earlier run that run on without use.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        ways: Ways,
        unneeded: Iterable[str] = (),
    ) -> None:
        self._scheduler = scheduler
        self._ways = ways
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        # The emitting thread reports that it waits: else results of later reports, which it does
        # not take yet, would hold back the submission of what it waits for.
        self._outbox = Outbox(lambda taken: self._inbox.put(Awaited(taken=taken)))
        self._closed = threading.Event()
        self._reporter = ProgressReporter(time.monotonic())
        self._deciding = self._thread(self._decide)
        self._submitter = Submitter(
            ways, tuple(unneeded), self._inbox.put, self._reporter, self._thread
        )
        self._fetchers = Fetchers(ways.downloader, self._inbox.put, self._thread)

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken so far in this run."""
        return self._scheduler.submitted

    def start(self) -> None:
        """Start the threads. First store the engine where `close` will be called on it."""
        self._deciding.start()
        self._submitter.start()

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        # Daemons: a request that hangs must not keep the process alive after the run.
        return threading.Thread(target=self._guarded, args=(work,), daemon=True)

    def stop(self, error: ApiError) -> None:
        """Submit nothing more; queries without results fail with this error."""
        self._inbox.put(StopRequested(error=error))

    def progress(self) -> Progress:
        """Have the deciding thread count anew; return its last count. Any thread may call it."""
        # Set before the wake-up, which would else find no watcher.
        self._reporter.is_watched = True
        self._inbox.put(None)
        return self._reporter.progress

    # The emitting thread

    def deliveries(self, report: str) -> Iterator[Outcome | Note]:
        """Return the outcomes of the queries of a report; see `Outbox.of_report`."""
        return self._outbox.of_report(report)

    def notes(self) -> Iterator[Note]:
        """Return the notes for the state that have come meanwhile; do not wait."""
        return self._outbox.notes()

    def emitted(self, outcome: Result | Failed, became: Result | Failed) -> None:
        """Report that an outcome was dealt with.

        Args:
            outcome: the outcome, as it was delivered.
            became: its end: a result whose rows fit no record failed.
        """
        size, rows, misfit = 0, 0, None
        if isinstance(outcome, Result):
            size = len(outcome.spool)
            rows = became.row_count if isinstance(became, Result) else 0
            misfit = became.error if isinstance(became, Failed) else None
        self._inbox.put(Emitted(query=outcome.query, error=misfit, rows=rows, size=size))

    # The end

    def halt(self) -> list[Note]:
        """Submit nothing more; return the last notes for the state."""
        # A halt before a close waits once: what did not come in time will not.
        timeout_s = 0.0 if self._closed.is_set() else LAST_SUBMISSION_S
        # Set before anything is woken, so that each thread that wakes finds the end.
        self._closed.set()
        self._submitter.close()
        self._fetchers.close()
        self._submitter.join(timeout_s)
        # Wakes the deciding thread, which may sleep on an empty inbox.
        self._inbox.put(None)
        if self._deciding.is_alive():
            self._deciding.join(LAST_SUBMISSION_S)
        # The deciding thread has ended: events on their way are handled here.
        while not self._deciding.is_alive() and not self._inbox.empty():
            if event := self._inbox.get():
                self._act(self._scheduler.handle(event))
        return [*self._outbox.last_notes()]

    def close(self) -> None:
        """Cancel what still runs and give memory and disk back."""
        self.halt()
        # A run that came to its end has nothing running, and needs no further request.
        if not self._scheduler.is_done:
            self._ways.cancel_at_end()
        self._scheduler.close()
        self._outbox.close()

    # The other threads

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do the work of a thread; hand what ends it to the emitting thread."""
        try:
            work()
        # Network errors were made into ApiError at the seam: only the spool's disk is left here.
        except OSError as error:
            text = f"results could not be kept in {gettempdir()}: {error}; free it, or set TMPDIR"
            self._outbox.put(TapError(text))
        except MemoryError:
            self._outbox.put(TapError(f"no memory is left: {RAISE_LIMITS}"))
        except BaseException as error:  # noqa: BLE001 - a thread must not die in silence
            self._outbox.put(error)

    def _decide(self) -> None:
        """Handle events and act on what follows, until every report has its outcomes."""
        self._act(self._scheduler.next_actions())
        while not self._scheduler.is_done and not self._closed.is_set():
            event = self._inbox.get()
            # All that has come is handled before a submission, which it may show to be in vain.
            while event is not None:
                self._act(self._scheduler.handle(event))
                event = None if self._inbox.empty() else self._inbox.get()
            # Until it has nothing more: each action may make room or a reason for the next.
            while not self._closed.is_set() and (actions := self._scheduler.next_actions()):
                self._act(actions)
            now = time.monotonic()
            if self._reporter.is_wanted(now):
                self._reporter.update(now, self._scheduler.progress, self._ways.delays)

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Deliver):
                self._outbox.put(action.delivery)
            elif isinstance(action, Fetch):
                self._fetchers.fetch(action.of, self._scheduler.fetching)
            else:
                self._submitter.submit(action)
