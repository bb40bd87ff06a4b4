"""Query batches of an earlier run: which the API still retains, and what they can serve."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.results import BatchTaken
from tap_supermetrics.extraction.running import RETAINED_S, RunningBatch
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date, datetime

    from tap_supermetrics.api.client import BatchStatus, Client
    from tap_supermetrics.model import BatchItem, Query, Report, Shard, SubmittedBatch

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class RetainedResults:
    """Query batches of an earlier run that the API still retains.

    Attributes:
        batches: the batches by id; the `waiting` of each shrinks to what this run can use.
        left: ids of batches that must not be cancelled: another shard needs them, or a report
            that this run could not plan.
    """

    batches: dict[str, RunningBatch] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    @property
    def queries(self) -> tuple[Query, ...]:
        """Return the queries that these batches can serve."""
        return tuple(query for batch in self.batches.values() for query in batch.waiting)

    def forget(self, report: str) -> None:
        """Drop the queries of a report that requests something else now."""
        for batch in self.batches.values():
            batch.waiting = {query for query in batch.waiting if query.report != report}

    def forget_half_days(self, report: Report, last_complete: date | None) -> None:
        """Drop the queries of a report whose last day was not over when they were submitted.

        That day is over now, and their results may lack some of its hours. The same holds for
        queries whose days the API determined: these are other days now.

        Args:
            report: the report.
            last_complete: yesterday, in the report's time zone.
        """
        for batch in self.batches.values():
            # The report's own day: midnight of its time zone decides what was over.
            submitted_on = batch.batch.submitted_at.astimezone(report.timezone).date()
            if last_complete and submitted_on <= last_complete:
                batch.waiting = {
                    query
                    for query in batch.waiting
                    if query.report != report.name or _was_whole(query, report, submitted_on)
                }

    def leave(self, report: str) -> None:
        """Cancel no batch of a report that cannot be planned this time."""
        for batch_id, batch in self.batches.items():
            if any(query.report == report for query in batch.waiting):
                self.left.add(batch_id)

    def leave_to_others(self, shard: Shard) -> None:
        """Cancel no batch that serves other shards too, which have the same state."""
        for batch_id, batch in self.batches.items():
            if not all(shard.owns_together(query.accounts) for query in batch.batch.queries()):
                self.left.add(batch_id)

    def adopt(self, planned: Collection[Query]) -> tuple[BatchTaken, ...]:
        """Return what the plan needs, each query from one batch only, and drop the rest.

        Args:
            planned: the queries of the plan whose results may be retained.
        """
        needed, adopted = set(planned), []
        for batch in self.batches.values():
            batch.waiting &= needed
            # Two runs may have queried the same day: the second answer would be written twice.
            needed -= batch.waiting
            if batch.waiting:
                queries = tuple(sorted(batch.waiting, key=_order))
                adopted.append(BatchTaken(batch=batch.batch, queries=queries))
        return tuple(adopted)

    @property
    def running(self) -> list[RunningBatch]:
        """Return the batches that this run waits for."""
        return [batch for batch in self.batches.values() if batch.waiting]

    @property
    def unneeded(self) -> list[str]:
        """Return the ids of batches that nothing needs, and that may still run."""
        return [
            batch_id
            for batch_id, batch in self.batches.items()
            if not batch.waiting and batch_id not in self.left
        ]


def _order(query: Query) -> tuple[str, int, str]:
    return query.report, query.dates.first.toordinal() if query.dates else 0, query.account_id


def _was_whole(query: Query, report: Report, submitted_on: date) -> bool:
    """Return whether all days of a query were over at its submission, and are the same ones now."""
    return query.dates.last < submitted_on if query.dates else not report.date_range_type


def find_retained(
    client: Client, batches: Iterable[SubmittedBatch], now: datetime
) -> RetainedResults:
    """Return the batches of the state that the API still retains.

    Args:
        client: the API.
        batches: what the states of the reports name.
        now: the wall clock, with offset.

    Raises:
        ApiError: only when the API refuses everything (fate STOP).
    """
    found = {
        # One from the future was noted by a wrong clock: its age is not known.
        batch.batch_id: _find(client, batch, is_young=abs(age_s) < polling.YOUNG_S)
        for batch in one_each(batches)
        if (age_s := (now - batch.submitted_at).total_seconds()) < RETAINED_S
    }
    return RetainedResults(batches={key: batch for key, batch in found.items() if batch})


def one_each(batches: Iterable[SubmittedBatch]) -> tuple[SubmittedBatch, ...]:
    """Return batches that several reports know of, each once with all known items."""
    items: dict[str, dict[int, BatchItem]] = {}
    first: dict[str, SubmittedBatch] = {}
    for batch in batches:
        first.setdefault(batch.batch_id, batch)
        # Each report's state names only its own items of a batch that several share.
        items.setdefault(batch.batch_id, {}).update(batch.items)
    return tuple(replace(batch, items=items[batch_id]) for batch_id, batch in first.items())


def _find(client: Client, submitted: SubmittedBatch, *, is_young: bool) -> RunningBatch | None:
    """Return a batch of an earlier run as running; None where it is stopped and serves nothing."""
    batch_id = submitted.batch_id
    try:
        status = client.batch_status(batch_id)
    except ApiError as error:
        # Where the path is not found, only its id can be the reason.
        error.raise_if_it_refuses_everything()
        if error.fate is Fate.RETRY or is_young:
            logger.warning("Query batch %s of an earlier run is waited for: %s", batch_id, error)
            return _running(submitted)
        logger.info("Query batch %s of an earlier run is gone: %s", batch_id, error)
        return None
    batch = _running(submitted, status)
    logger.info(
        "Query batch %s of an earlier run can still serve %s",
        batch_id,
        counted(len(batch.waiting), "query", "queries"),
    )
    # One that runs without use is to be cancelled.
    return batch if batch.waiting or not status.is_stopped else None


def _running(submitted: SubmittedBatch, status: BatchStatus | None = None) -> RunningBatch:
    """Return a batch as running; `waiting` are the queries it can serve: all, without a status."""
    now, queries = time.monotonic(), submitted.queries()
    batch = RunningBatch(
        batch=submitted,
        waiting=queries,
        # Items of reports that are not in this state may belong to it too.
        query_count=max(len(status.queries), len(queries)) if status else len(queries),
        since=now,
        last_seen=now,
        next_poll=now,
    )
    if status:
        entries = batch.entries(status)
        # A batch that has just been started may not list all its queries yet.
        is_filling = not status.is_stopped and len(status.queries) < len(queries)
        batch.waiting = {
            query
            for query in queries
            if (_may_serve(entries[query], status) if query in entries else is_filling)
        }
    return batch


def _may_serve(entry: wire.BatchQuery, status: BatchStatus) -> bool:
    # In a stopped batch, no further query succeeds.
    is_hopeful = not status.is_stopped and not entry.status.is_failure
    return is_hopeful or entry.status is wire.QueryStatus.SUCCESS
