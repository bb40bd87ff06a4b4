"""Runs a plan: the only threads of an extraction.

The deciding thread sleeps on one inbox, into which the others put what happened, and never touches
the network. One thread submits and polls; as many fetch results as the latency needs. What is
decided leaves through one queue, first in, first out, to the thread that emits records: so the
state names a query batch before the first record of it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.retry import RateLimit, RetryPolicy
from tap_supermetrics.errors import RAISE_LIMITS, TapError
from tap_supermetrics.extraction.batches import cancel_batches
from tap_supermetrics.extraction.events import (
    Awaited,
    CancelBatches,
    Deliver,
    Emitted,
    Fetch,
    Fetched,
    QueryFailed,
    StopRequested,
    SubmitBatch,
    SubmitQuery,
)
from tap_supermetrics.extraction.fetch_places import MOST_PLACES
from tap_supermetrics.extraction.progress import Progress
from tap_supermetrics.extraction.results import Failed, Left, ReportDone, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.async_queries import AsyncQueries
    from tap_supermetrics.extraction.batches import Batches
    from tap_supermetrics.extraction.downloads import Downloader
    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.extraction.results import Delivery, Note, Outcome
    from tap_supermetrics.extraction.scheduler import Scheduler
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

LAST_SUBMISSION_S: Final = 3.0
"""How long the end of a run waits for the answer to a submission on its way, in seconds."""
LAST_RETRY: Final = RetryPolicy(max_tries=2, max_time_s=5.0, outage_s=0.0)
"""How hard the end of a run tries to cancel its batches: a signal wants a prompt end."""
LAST_REQUESTS_PER_SECOND: Final = 10.0
"""How fast the end of a run cancels its batches, however slow the API asked it to be before."""
TELL_EVERY_S: Final = 30.0
"""How often a long run tells how far it is, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways to the API.

    Attributes:
        client: the API.
        batches: queries by batch.
        queries: queries one by one.
        downloader: results.
    """

    client: Client
    batches: Batches
    queries: AsyncQueries
    downloader: Downloader


class Engine:
    """A running plan. Close it, whatever happens.

    Args:
        scheduler: decides.
        ways: the ways to the API.
        reports: by name.
        unneeded: ids of query batches of an earlier run that run on for nobody.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        ways: Ways,
        reports: Mapping[str, Report],
        unneeded: Iterable[str] = (),
    ) -> None:
        self._scheduler = scheduler
        self._ways = ways
        self._reports = reports
        self._unneeded = tuple(unneeded)
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._to_submit: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._to_fetch: queue.SimpleQueue[Fetch | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Delivery | BaseException] = queue.SimpleQueue()
        self._aside: dict[str, deque[Outcome | ReportDone]] = defaultdict(deque)
        self._taken = 0
        self._closed = threading.Event()
        self._closing = threading.Lock()
        self._started_at = time.monotonic()
        self._next_telling = self._started_at + TELL_EVERY_S
        self._is_watched = False
        self._progress = Progress()
        self._threads = [self._thread(each) for each in (self._decide, self._submit)]
        self._fetchers: list[threading.Thread] = []

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken so far in this run."""
        return self._scheduler.submitted

    def start(self) -> None:
        """Begin. Not before somebody knows of this engine, and can close it."""
        for thread in self._threads:
            thread.start()

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self._guarded, args=(work,), daemon=True)

    def stop(self, error: ApiError) -> None:
        """Submit nothing more; queries without results fail with this error."""
        self._inbox.put(StopRequested(error=error))

    def progress(self) -> Progress:
        """Have the deciding thread count anew; return what it counted last. Any thread may ask."""
        self._is_watched = True
        self._inbox.put(None)
        return self._progress

    # The emitting thread

    def deliveries(self, report: str) -> Iterator[Outcome | Note]:
        """Return what becomes of the queries of a report, in plan order, as it comes.

        Notes for the state come between, of any report, each before what depends on it.
        """
        while True:
            aside = self._aside[report]
            while aside:
                delivery = aside.popleft()
                if isinstance(delivery, ReportDone):
                    return
                yield delivery
            yield from self._notes(self._next())

    def notes(self) -> Iterator[Note]:
        """Return the notes for the state that have come meanwhile; do not wait."""
        while not self._outbox.empty():
            yield from self._notes(self._outbox.get())

    def emitted(self, outcome: Result | Failed, became: Result | Failed) -> None:
        """Tell that an outcome was dealt with.

        Args:
            outcome: the outcome, as it was delivered.
            became: what became of it: a result whose rows fit no record failed.
        """
        size, rows, misfit = 0, 0, None
        if isinstance(outcome, Result):
            size = len(outcome.spool)
            rows = became.row_count if isinstance(became, Result) else 0
            misfit = became.error if isinstance(became, Failed) else None
        self._inbox.put(Emitted(query=outcome.query, error=misfit, rows=rows, size=size))

    def _next(self) -> Delivery | BaseException:
        if self._outbox.empty():
            self._inbox.put(Awaited(taken=self._taken))
        return self._outbox.get()

    def _notes(self, delivery: Delivery | BaseException) -> Iterator[Note]:
        """Put outcomes aside until their report is emitted."""
        self._taken += 1
        if isinstance(delivery, BaseException):
            raise delivery
        if isinstance(delivery, (Result, Failed)):
            self._aside[delivery.query.report].append(delivery)
        elif isinstance(delivery, (Left, ReportDone)):
            self._aside[delivery.report].append(delivery)
        else:
            yield delivery

    # The end

    def halt(self) -> list[Note]:
        """Submit nothing more; return the last notes for the state."""
        with self._closing:
            self._closed.set()
        self._to_submit.put(None)
        for _ in range(MOST_PLACES):
            self._to_fetch.put(None)
        deciding, submitting = self._threads
        if submitting.is_alive():
            submitting.join(LAST_SUBMISSION_S)
        self._inbox.put(None)
        if deciding.is_alive():
            deciding.join(LAST_SUBMISSION_S)
        # Nobody decides any more: what was on its way is heard here.
        while not deciding.is_alive() and not self._inbox.empty():
            if event := self._inbox.get():
                self._act(self._scheduler.handle(event))
        return [*self._last_notes()]

    def _last_notes(self) -> Iterator[Note]:
        """Return the notes that nobody took; a crash that comes with them is not the first."""
        while not self._outbox.empty():
            delivery = self._outbox.get()
            if not isinstance(delivery, BaseException):
                yield from self._notes(delivery)

    def close(self) -> None:
        """Cancel what still runs and give memory and disk back."""
        self.halt()
        if not self._scheduler.is_done:
            pace = RateLimit(LAST_REQUESTS_PER_SECOND)
            last = replace(self._ways.client, retry=LAST_RETRY, rate_limit=pace)
            cancel_batches(last, self._ways.batches.running_ids)
        self._scheduler.close()
        for aside in self._aside.values():
            for each in aside:
                if isinstance(each, Result):
                    each.spool.close()

    # The other threads

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            text = f"results could not be kept in {gettempdir()}: {error}; free it, or set TMPDIR"
            self._outbox.put(TapError(text))
        except MemoryError:
            self._outbox.put(TapError(f"no memory is left: {RAISE_LIMITS}"))
        except BaseException as error:  # noqa: BLE001 - a thread must not die in silence
            self._outbox.put(error)

    def _decide(self) -> None:
        self._act(self._scheduler.next_actions())
        while not self._scheduler.is_done and not self._closed.is_set():
            event = self._inbox.get()
            while event is not None:
                self._act(self._scheduler.handle(event))
                event = None if self._inbox.empty() else self._inbox.get()
            while not self._closed.is_set() and (actions := self._scheduler.next_actions()):
                self._act(actions)
            self._tell()

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Deliver):
                self._outbox.put(action.delivery)
            elif isinstance(action, Fetch):
                self._to_fetch.put(action)
                self._begin_fetchers()
            else:
                self._to_submit.put(action)

    def _begin_fetchers(self) -> None:
        """Begin a thread for each result that is fetched at the same time, when it is needed."""
        while len(self._fetchers) < self._scheduler.fetching and not self._closed.is_set():
            fetcher = self._thread(self._fetch)
            try:
                fetcher.start()
            except RuntimeError:
                # The system gives no more threads: those that are there fetch it all.
                if self._fetchers:
                    return
                raise TapError(f"no thread can be started: {RAISE_LIMITS}") from None
            self._fetchers.append(fetcher)

    def _tell(self) -> None:
        """Log how far it is, when that was not told for a while, and note it for who watches."""
        now = time.monotonic()
        if self._is_watched or now >= self._next_telling:
            self._is_watched = False
            delays = filter(None, (self._ways.batches.delay, self._ways.queries.delay))
            self._progress = Progress(
                reports=self._scheduler.progress,
                elapsed_s=now - self._started_at,
                delays=tuple(delays),
            )
        if now >= self._next_telling:
            self._next_telling = now + TELL_EVERY_S
            logger.info("Progress: %s", self._progress)

    def _submit(self) -> None:
        """Submit what was decided, and look at what runs when its time has come."""
        cancel_batches(self._ways.client, self._unneeded)
        while not self._closed.is_set():
            try:
                action = self._to_submit.get(timeout=self._until_next_poll())
            except queue.Empty:
                action = None
            for event in self._submitted(action):
                self._inbox.put(event)
            if not self._closed.is_set():
                self._poll()

    def _submitted(self, action: Action | None) -> Iterable[Event]:
        if isinstance(action, SubmitBatch):
            return self._ways.batches.submit(action.request)
        if isinstance(action, SubmitQuery):
            return self._ways.queries.submit(action.query, action.attempt)
        if isinstance(action, CancelBatches):
            cancel_batches(self._ways.client, self._ways.batches.running_ids)
        return ()

    def _poll(self) -> None:
        for way in (self._ways.batches, self._ways.queries):
            for event in way.poll_due():
                self._inbox.put(event)
        if time.monotonic() >= self._next_telling:
            self._inbox.put(None)  # Wakes the deciding thread, which may hear nothing for long.

    def _until_next_poll(self) -> float | None:
        polls = (self._ways.batches.next_poll, self._ways.queries.next_poll)
        due = [each for each in polls if each is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _fetch(self) -> None:
        while (fetch := self._to_fetch.get()) is not None:
            if self._closed.is_set():
                return
            report = self._reports[fetch.query.report]
            try:
                result = self._ways.downloader.fetch(fetch.query, report, fetch.entry)
            except ApiError as error:
                self._inbox.put(QueryFailed(query=fetch.query, error=error, was_fetched=True))
            else:
                self._give(replace(result, finished_at=fetch.finished_at))

    def _give(self, result: Result) -> None:
        """Hand a result over, unless nobody hears any more."""
        with self._closing:
            if self._closed.is_set():
                result.spool.close()
            else:
                self._inbox.put(Fetched(result=result))
