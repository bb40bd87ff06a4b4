"""One extraction: the plan of a run on its way through the API, its outcomes in plan order."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import NO_BATCHES, ApiError, Fate
from tap_supermetrics.api.retry import RetryPolicy
from tap_supermetrics.extraction.batches import QUEUE_S, RunningBatch, adopt, cancel_batches
from tap_supermetrics.extraction.board import Board
from tap_supermetrics.extraction.channel import ExtractionOptions, Shared
from tap_supermetrics.extraction.downloads import Downloader
from tap_supermetrics.extraction.registry import Registry, joined
from tap_supermetrics.extraction.results import Outcome, Split
from tap_supermetrics.extraction.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import Query, Report, SubmittedBatch
    from tap_supermetrics.planning.plan import Scope


logger = logging.getLogger(__name__)

LAST_START_S: Final = 3.0
"""How long the end of a run waits for the answer to a start that is on its way, in seconds."""
LAST_RETRY: Final = RetryPolicy(max_tries=2, max_time_s=5.0, outage_s=0.0)
"""How hard the end of a run tries to cancel its batches: a signal wants a prompt end."""


@dataclass(slots=True, kw_only=True)
class HeldResults:
    """Query batches of an earlier run that the API still holds, by their ids.

    Attributes:
        batches: as they are waited for; `waiting` shrinks to what is of use.
        kept: as the state keeps them, with those that turned out to be gone.
        left: ids of those that a report needs which this run cannot plan: left to the next run.
    """

    batches: Mapping[str, RunningBatch] = field(default_factory=dict)
    kept: Mapping[str, SubmittedBatch] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    @property
    def queries(self) -> tuple[Query, ...]:
        """The queries that they can serve."""
        return tuple(query for batch in self.batches.values() for query in batch.waiting)

    def forget(self, report: str) -> None:
        """Do not use what was asked for a report, which asks for something else now."""
        for batch in self.batches.values():
            batch.waiting = {query for query in batch.waiting if query.report != report}

    def forget_half_days(self, report: Report, last_complete: date | None) -> None:
        """Do not use what was asked on a day that is over now, for that day or by the API's dates.

        Args:
            report: the report.
            last_complete: yesterday, where the report is.
        """
        for batch_id, batch in self.batches.items():
            asked_on = self.kept[batch_id].submitted_at.astimezone(report.timezone).date()
            if last_complete and asked_on <= last_complete:
                batch.waiting = {
                    query
                    for query in batch.waiting
                    if query.report != report.name or _was_whole(query, report, asked_on)
                }

    def leave(self, report: str) -> None:
        """Let the batches of a report be, which cannot be planned this time."""
        for batch_id, batch in self.batches.items():
            if any(query.report == report for query in batch.waiting):
                self.left.add(batch_id)


def _was_whole(query: Query, report: Report, asked_on: date) -> bool:
    """Whether all days of a query were over when it was asked, and are the same ones now."""
    return query.dates.last < asked_on if query.dates else not report.date_range_type


def find_held(client: Client, batches: Iterable[SubmittedBatch], now: datetime) -> HeldResults:
    """Ask the API which batches of the state it still holds.

    Args:
        client: the API.
        batches: what the states of the reports keep.
        now: the wall clock, with offset.

    Raises:
        ApiError: only when the API refuses everything (fate STOP).
    """
    oldest_s = QUEUE_S + wire.MAX_TIMEOUT_S + wire.RETENTION_S
    held = {
        batch.batch_id: batch
        for batch in joined(batches)
        if (now - batch.submitted_at).total_seconds() < oldest_s
    }
    found = {batch_id: _find(client, batch) for batch_id, batch in held.items()}
    return HeldResults(batches={k: batch for k, batch in found.items() if batch}, kept=held)


def _find(client: Client, held: SubmittedBatch) -> RunningBatch | None:
    batch_id = held.batch_id
    try:
        status = client.batch_status(batch_id)
    except ApiError as error:
        # Of a path that is not found, the id is the only part that has not worked before.
        if error.fate is Fate.STOP and error.code not in NO_BATCHES:
            raise
        if error.fate is Fate.RETRY:
            logger.warning("Query batch %s of an earlier run is waited for: %s", batch_id, error)
            return adopt(held)
        logger.info("Query batch %s of an earlier run is gone: %s", batch_id, error)
        return None
    batch = adopt(held, status)
    logger.info(
        "Query batch %s of an earlier run can still serve %d queries",
        batch_id,
        len(batch.waiting),
    )
    # One that runs on for nobody is to be cancelled.
    return batch if batch.waiting or not status.is_stopped else None


class Extraction:
    """A running plan. Close it, whatever happens.

    Args:
        client: the API.
        reports: by name.
        scopes: what each report wants, by its name.
        queries: the plan, in order of emission.
        held: batches of an earlier run; those that the plan does not need are cancelled.
        options: how queries may be asked.
        now: the wall clock, with offset.
        on_news: called in the emitting thread whenever a query batch was started.
    """

    def __init__(  # noqa: PLR0913 - the seam between a run and its threads
        self,
        *,
        client: Client,
        reports: Mapping[str, Report],
        scopes: Mapping[str, Scope],
        queries: Sequence[Query],
        held: HeldResults,
        options: ExtractionOptions,
        now: Callable[[], datetime],
        on_news: Callable[[], None],
    ) -> None:
        self._client = client
        self._on_news = on_news
        self._board = Board(queries)
        self._registry = Registry()
        self._queries = tuple(queries)
        shared = Shared(
            client=client, registry=self._registry, reports=reports, scopes=scopes, now=now
        )
        self._runner = Runner(shared, Downloader(client=client, now=now), self._board, options)
        self._held = held

    def start(self) -> None:
        """Begin to ask. Not before somebody knows of this extraction, and can close it."""
        adopted = self._adopt(self._held)
        self._runner.start(self._queries, adopted)
        needed = {batch.batch_id for batch in adopted} | self._held.left
        cancel_batches(self._client, [each for each in self._held.batches if each not in needed])

    def _adopt(self, held: HeldResults) -> list[RunningBatch]:
        planned, adopted = set(self._queries), []
        for batch_id, batch in held.batches.items():
            batch.waiting &= planned
            if batch.waiting:
                planned -= batch.waiting
                self._registry.adopted(held.kept[batch_id], batch.waiting)
                adopted.append(batch)
        return adopted

    def outcomes(self, report: str) -> Iterator[Outcome]:
        """What became of each query of a report, in plan order; waits for each.

        A query that was split gives the outcomes of its parts.
        """
        queries = deque(query for query in self._queries if query.report == report)
        while queries:
            outcome = self._board.take(queries.popleft(), self._on_news)
            if isinstance(outcome, Split):
                self._registry.emitted(outcome.query)
                queries.extendleft(reversed(outcome.parts))
            else:
                yield outcome

    def take_news(self) -> bool:
        """Whether a query batch was started of which `on_news` was not called."""
        return self._board.take_news()

    def emitted(self, query: Query) -> None:
        """Every record of the query was written, or it is lost: no batch is needed for it."""
        self._registry.emitted(query)

    def held_for(self, report: str) -> tuple[SubmittedBatch, ...]:
        """Batches that hold results of a report which were not emitted yet."""
        return self._registry.held_for(report)

    def has_async(self, report: str) -> bool:
        """Whether queries of a report were asked by themselves and not emitted yet."""
        return self._registry.has_async(report)

    def stop(self, error: ApiError) -> None:
        """Ask nothing more; queries without results are lost with this error."""
        self._runner.stop(error)

    def give_up_history(self, report: str, first_day: date, error: ApiError) -> None:
        """Of a report, ask nothing more that ends before a day; it is lost with this error."""
        self._runner.give_up_history(report, first_day, error)

    def halt(self) -> None:
        """Ask nothing more, so that what `held_for` says stays true."""
        self._runner.close(LAST_START_S)

    def close(self) -> None:
        """Cancel what still runs and give memory and disk back."""
        self.halt()
        if not self._board.is_complete:
            last = replace(self._client, retry=LAST_RETRY)
            cancel_batches(last, self._runner.running_ids)
        self._board.close()
