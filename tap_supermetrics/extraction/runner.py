"""Runs a plan: one thread asks and decides, a few others fetch results.

The deciding thread sleeps on its inbox, into which other threads put what happened. So there is no
lock around decisions, and no wait that news cannot shorten.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import NO_BATCHES, ApiError, Fate, may_be_split
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.async_queries import AsyncChannel
from tap_supermetrics.extraction.batches import BatchChannel, cancel_batches
from tap_supermetrics.extraction.parts import Parts
from tap_supermetrics.extraction.refusals import NO_SERVICE, Refusals
from tap_supermetrics.extraction.results import Lost, Split
from tap_supermetrics.planning.plan import emission_order
from tap_supermetrics.settings import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from tap_supermetrics.api import wire
    from tap_supermetrics.extraction.batches import RunningBatch
    from tap_supermetrics.extraction.board import Board
    from tap_supermetrics.extraction.channel import Channel, ExtractionOptions, Shared
    from tap_supermetrics.extraction.downloads import Downloader
    from tap_supermetrics.model import Query

logger = logging.getLogger(__name__)

MAX_SUBMISSIONS: Final = 3
"""How often one query is asked before it is lost."""
MAX_FAILED_STARTS: Final = 3
"""After so many starts in a row that the service did not take, the run asks nothing more."""
DOWNLOAD_THREADS: Final = 4
_NOT_BY_BATCH: Final = frozenset({"QUERY_MISSING", "QUERY_UNFINISHED"})
"""Errors that another batch would likely repeat: too slow for one, or not told apart in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """A query whose results could not be fetched."""

    query: Query
    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """The run is to end; queries not finished are lost with this error."""

    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class _GiveUp:
    """Of a report, nothing is to be asked that ends before a day."""

    report: str
    first_day: date
    error: ApiError


class _Wake:
    """Something changed that may allow to ask more."""


_News = _Failed | _Stop | _GiveUp | _Wake


class Runner:
    """Gives every planned query an outcome.

    Args:
        shared: what the parts of an extraction share.
        downloader: fetches results.
        board: gets the outcomes.
        options: how queries may be asked.
    """

    def __init__(
        self, shared: Shared, downloader: Downloader, board: Board, options: ExtractionOptions
    ) -> None:
        self._shared = shared
        self._downloader = downloader
        self._board = board
        self._max_rows = options.max_rows
        self._max_queries = options.max_queries
        self._asked = 0
        self._is_auto = options.mode is Mode.AUTO
        self._is_async = options.mode is Mode.ASYNC
        self._batches = BatchChannel(shared, self, options.max_running_batches)
        self._async = AsyncChannel(
            shared,
            self,
            options.max_running_queries,
            run_id=options.run_id,
            is_resumed=options.is_resumed,
        )
        self._channels: tuple[Channel, Channel] = (self._batches, self._async)
        self._inbox: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[tuple[Query, wire.BatchQuery] | None]
        self._finished = queue.SimpleQueue()
        self._submissions: Counter[Query] = Counter()
        self._not_by_batch: set[Query] = set()
        self._refusals = Refusals()
        self._parts = Parts()
        self._has_more = False
        self._failed_starts = 0
        self._stopped_by: ApiError | None = None
        self._results_refused: ApiError | None = None
        self._is_closed = False
        self._deciding = threading.Thread(target=self._guarded, args=(self._run,), daemon=True)

    @property
    def running_ids(self) -> tuple[str, ...]:
        """Ids of the query batches that may still be running."""
        return self._batches.running_ids

    def start(self, queries: Sequence[Query], adopted: Sequence[RunningBatch] = ()) -> None:
        """Begin, in threads of its own.

        Args:
            queries: the plan.
            adopted: batches of an earlier run that serve some of these queries.
        """
        served = {query for batch in adopted for query in batch.waiting}
        self._batches.adopt(adopted)
        self._submissions.update(served)
        first: Channel = self._async if self._is_async else self._batches
        first.add([query for query in queries if query not in served])
        self._board.on_room = self.wake
        self._deciding.start()
        for _ in range(DOWNLOAD_THREADS):
            threading.Thread(target=self._guarded, args=(self._download,), daemon=True).start()

    def wake(self) -> None:
        """Look again whether more may be asked."""
        self._inbox.put(_Wake())

    def stop(self, error: ApiError) -> None:
        """Ask nothing more; queries without results are lost with this error."""
        self._inbox.put(_Stop(error=error))

    def give_up_history(self, report: str, first_day: date, error: ApiError) -> None:
        """Of a report, ask nothing more that ends before a day; it is lost with this error."""
        self._inbox.put(_GiveUp(report=report, first_day=first_day, error=error))

    def close(self, patience_s: float) -> None:
        """Ask nothing more and end the threads.

        Args:
            patience_s: how long to wait for a start that is on its way, in seconds: only when its
                answer is there is it known which query batches run.
        """
        self._is_closed = True
        self.wake()
        for _ in range(DOWNLOAD_THREADS):
            self._finished.put(None)
        if self._deciding.is_alive():
            self._deciding.join(patience_s)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            text = f"results could not be kept in {gettempdir()}: {error}; free it, or set TMPDIR"
            self._board.crash(TapError(text))
        except BaseException as error:  # noqa: BLE001 - a thread must not die in silence
            self._board.crash(error)

    def _run(self) -> None:
        while not self._board.is_complete and not self._is_closed:
            self._ask()
            for channel in self._channels:
                channel.poll_due()
            self._read_inbox()
            self._board.tell()

    def _ask(self) -> None:
        if self._board.rows >= self._max_rows:
            rows = f"{self._max_rows:,} rows were fetched, as `max_rows_per_run` allows"
            self._stop_all(ApiError("RUN_BUDGET_USED", rows))
        if self._has_more:
            self._drop_beyond_budget()
        for channel in self._channels:
            while channel.may_start and self._has_room:
                if self._refusals.has_news:
                    self._drop_hopeless()
                else:
                    channel.start_one()

    @property
    def _can_ask(self) -> bool:
        return any(channel.may_start for channel in self._channels) and self._has_room

    @property
    def _has_room(self) -> bool:
        """Whether more may be asked now.

        What is waited for may not have been asked yet, so that with nothing running there is
        always room; else a slow query would let all others pile up behind it.
        """
        runs = any(channel.next_poll is not None for channel in self._channels)
        return not self._is_closed and self._board.has_room(runs=runs)

    def _read_inbox(self) -> None:
        """Sleep until the next look is due or something happens, then take all that happened."""
        due = [each.next_poll for each in self._channels if each.next_poll is not None]
        timeout = max(min(due) - time.monotonic(), 0.0) if due else None
        if self._can_ask or self._board.is_complete:
            timeout = 0.0
        try:
            news = self._inbox.get(timeout=timeout)
            while True:
                self._handle(news)
                news = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _handle(self, news: _News) -> None:
        if isinstance(news, _Failed):
            self.failed(news.query, news.error)
        elif isinstance(news, _Stop):
            self._stop_all(news.error)
        elif isinstance(news, _GiveUp):
            self._refusals.refuse_history(news.report, news.first_day, news.error)

    # What channels tell

    def asked(self, queries: Sequence[Query]) -> None:
        """The API has taken these queries; the state must say so before their first record."""
        self._submissions.update(queries)
        self._asked += len(queries)
        self._failed_starts = 0
        self._board.news()

    def succeeded(self, query: Query, entry: wire.BatchQuery) -> None:
        """The results of a query wait to be fetched."""
        self._finished.put((query, entry))
        self._refusals.accepted(query)
        self._ask_again(self._parts.succeeded(query))

    def without_batches(self, queries: Sequence[Query], error: ApiError) -> bool:
        """Whether the error says that there are no query batches, and the queries go elsewhere."""
        is_so = self._is_auto and error.code in NO_BATCHES and not self._stopped_by
        if is_so:
            self._leave_batches(error)
            # In plan order, in which they are emitted: what comes late holds up all others.
            self._async.add(sorted([*queries, *self._async.drain()], key=self._place))
        return is_so

    def not_taken(self, queries: Sequence[Query], error: ApiError) -> None:
        """The API did not take these queries, however often it was asked to."""
        if error.fate not in {Fate.RETRY, Fate.RESUBMIT}:
            for query in queries:
                self.failed(query, error)
            return
        self._lose(queries, error)
        self._failed_starts += 1 if error.code in NO_SERVICE else 0
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._stop_all(error)

    def failed(self, query: Query, error: ApiError) -> None:
        """Decide what becomes of a query that failed."""
        if self._stopped_by:
            is_own = error.fate in {Fate.LOSE, Fate.STOP, Fate.SPLIT}
            self._lose([query], error if is_own else self._stopped_by, asked=is_own)
        elif error.fate is Fate.STOP:
            self._stop_all(error)
            self._lose([query], error)
        elif not self._budget:
            self._lose([query], error)
        elif may_be_split(error) and (parts := self._parts_of(query)):
            self._split(query, parts, error)
        elif self._may_be_asked_again(query, error):
            logger.warning("%s is asked again: %s", query, error)
            self._ask_again([query])
        elif self._parts.may_help(query, error) and (parts := self._parts_of(query)):
            self._split(query, parts, error)
        else:
            self._lose([query], error)

    # Deciding

    def _split(self, query: Query, parts: Sequence[Query], error: ApiError) -> None:
        logger.warning("%s is split into halves: %s", query, error)
        self._board.put(Split(query=query, parts=tuple(parts)))
        self._ask_again(self._parts.split(query, parts, error))

    def _ask_again(self, queries: Sequence[Query]) -> None:
        if self._stopped_by:
            self._lose(queries, self._stopped_by, asked=False)
            return
        self._has_more = self._has_more or bool(queries)
        for query in queries:
            self._channel_for(query).add_again(query)

    def _may_be_asked_again(self, query: Query, error: ApiError) -> bool:
        if error.code in _NOT_BY_BATCH:
            self._not_by_batch.add(query)
        may_help = error.fate in {Fate.RETRY, Fate.RESUBMIT}
        return may_help and self._submissions[query] < MAX_SUBMISSIONS

    def _channel_for(self, query: Query) -> Channel:
        """By batches as long as there are any, except for what a batch did not give."""
        is_left = self._is_auto and query in self._not_by_batch
        return self._async if is_left or self._is_async else self._batches

    def _place(self, query: Query) -> tuple[int, tuple[bool, int]]:
        names, scope = list(self._shared.reports), self._shared.scopes[query.report]
        report = self._shared.reports[query.report]
        return names.index(query.report), emission_order(query, report, scope)

    def _turn(self, query: Query) -> tuple[bool, int, tuple[bool, int]]:
        """In plan order; days that may be too early last, and of these the newest first."""
        number, (is_history, day) = self._place(query)
        is_doubtful = self._refusals.may_be_too_early(query)
        return is_doubtful, number, (is_history, -abs(day) if is_doubtful else day)

    def _leave_batches(self, error: ApiError) -> None:
        """From here on, queries are asked one by one."""
        if not self._is_async:
            logger.warning("Query batches are not available, asking query by query: %s", error)
            self._is_async = True
            self._async.add(self._batches.drain())

    def _parts_of(self, query: Query) -> tuple[Query, ...]:
        """The query as smaller ones; none where it cannot or must not be split."""
        return (query.split() or ()) if self._is_by_day(query) else ()

    def _is_by_day(self, query: Query) -> bool:
        """Whether days count by themselves; else a report is one whole."""
        return self._shared.scopes[query.report].is_incremental

    def _lose(self, queries: Sequence[Query], error: ApiError, *, asked: bool = True) -> None:
        for query in queries:
            if asked:
                last = self._shared.scopes[query.report].last_wanted
                self._refusals.learn(query, error, is_by_day=self._is_by_day(query), last=last)
            lost, next_to_ask = self._parts.lost(query)
            for each in (query, *lost):
                self._board.put(Lost(query=each, error=error, was_asked=asked))
            self._ask_again(next_to_ask)

    def _drop_hopeless(self) -> None:
        """Do not pay for queries that meet a refusal which another one has just met."""
        self._refusals.has_news = False
        for channel in self._channels:
            left, unseen = [], deque(channel.drain())
            while unseen:
                query = unseen.popleft()
                if error := self._refusals.of(query):
                    lost, next_to_ask = self._parts.lost(query)
                    unseen.extend(next_to_ask)
                    for each in (query, *lost):
                        self._board.put(Lost(query=each, error=error))
                else:
                    left.append(query)
            probes = self._refusals.probes(left)
            channel.add(sorted((each for each in left if each not in probes), key=self._turn))
            for query in probes:
                channel.add_again(query)

    @property
    def _budget(self) -> int:
        """How many more queries may be asked."""
        return max(self._max_queries - self._asked, 0)

    def _drop_beyond_budget(self) -> None:
        """Leave to the next run what is too much since queries are asked again, or in parts."""
        self._has_more, left = False, self._budget
        allowed = f"{self._max_queries:,} queries were asked, as `max_queries_per_run` allows"
        for channel in self._channels:
            queries = channel.drain()
            channel.add(queries[:left])
            self._lose(queries[left:], ApiError("RUN_BUDGET_USED", allowed), asked=False)
            left -= len(queries[:left])

    def _stop_all(self, error: ApiError) -> None:
        """Ask nothing more. What running batches collected is still fetched."""
        if self._stopped_by:
            return
        self._stopped_by = error
        for channel in self._channels:
            self._lose(channel.drain(), error, asked=False)
        if error.code != "RUN_BUDGET_USED":  # what is on its way is paid for
            cancel_batches(self._shared.client, self.running_ids)

    # Downloads

    def _download(self) -> None:
        while (finished := self._finished.get()) and not self._is_closed:
            query, entry = finished
            try:
                if self._results_refused:
                    raise self._results_refused
                report = self._shared.reports[query.report]
                self._board.put(self._downloader.fetch(query, report, entry))
                self._refusals.answered(query)
            except ApiError as error:
                if error.fate is Fate.STOP:
                    self._results_refused = error
                self._inbox.put(_Failed(query=query, error=error))
            if self._board.is_complete:
                self._inbox.put(_Wake())
