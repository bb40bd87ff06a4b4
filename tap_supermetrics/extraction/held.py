"""Query batches of an earlier run: which the API still holds, and what they can serve."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.in_flight import Adopted
from tap_supermetrics.extraction.running import QUEUE_S, RunningBatch
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date, datetime

    from tap_supermetrics.api.client import BatchStatus, Client
    from tap_supermetrics.model import BatchItem, Query, Report, Shard, SubmittedBatch

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class HeldResults:
    """Query batches of an earlier run that the API still holds.

    Attributes:
        batches: as they are waited for, by id; `waiting` shrinks to what is of use.
        left: ids of those that are not to be cancelled: a report needs them which this run cannot
            plan, or another shard does.
    """

    batches: dict[str, RunningBatch] = field(default_factory=dict)
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
        for batch in self.batches.values():
            asked_on = batch.batch.submitted_at.astimezone(report.timezone).date()
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

    def leave_to_others(self, shard: Shard) -> None:
        """Do not cancel what serves other shards too, which were given the same state."""
        for batch_id, batch in self.batches.items():
            if not all(shard.holds_together(query.accounts) for query in batch.batch.queries()):
                self.left.add(batch_id)

    def adopt(self, planned: Collection[Query]) -> tuple[Adopted, ...]:
        """Wait for what the plan needs, each query from one batch only; forget the rest.

        Args:
            planned: the queries of the plan that may be held.
        """
        needed, adopted = set(planned), []
        for batch in self.batches.values():
            batch.waiting &= needed
            needed -= batch.waiting
            if batch.waiting:
                queries = tuple(sorted(batch.waiting, key=_place))
                adopted.append(Adopted(batch=batch.batch, queries=queries))
        return tuple(adopted)

    @property
    def running(self) -> list[RunningBatch]:
        """The batches that are waited for."""
        return [batch for batch in self.batches.values() if batch.waiting]

    @property
    def unneeded(self) -> list[str]:
        """Ids of the batches that run on for nobody."""
        return [
            batch_id
            for batch_id, batch in self.batches.items()
            if not batch.waiting and batch_id not in self.left
        ]


def _place(query: Query) -> tuple[str, int, str]:
    return query.report, query.dates.first.toordinal() if query.dates else 0, query.account_id


def _was_whole(query: Query, report: Report, asked_on: date) -> bool:
    """Say that all days of a query were over when it was asked, and are the same ones now."""
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
    found = {
        # One from the future was noted by a clock that was wrong: its age is not known.
        batch.batch_id: _find(client, batch, is_young=abs(age_s) < polling.YOUNG_S)
        for batch in joined(batches)
        if (age_s := (now - batch.submitted_at).total_seconds()) < oldest_s
    }
    return HeldResults(batches={key: batch for key, batch in found.items() if batch})


def joined(batches: Iterable[SubmittedBatch]) -> tuple[SubmittedBatch, ...]:
    """Return batches that several reports know of, each once with all known items."""
    items: dict[str, dict[int, BatchItem]] = {}
    first: dict[str, SubmittedBatch] = {}
    for batch in batches:
        first.setdefault(batch.batch_id, batch)
        items.setdefault(batch.batch_id, {}).update(batch.items)
    return tuple(replace(batch, items=items[batch_id]) for batch_id, batch in first.items())


def _find(client: Client, held: SubmittedBatch, *, is_young: bool) -> RunningBatch | None:
    batch_id = held.batch_id
    try:
        status = client.batch_status(batch_id)
    except ApiError as error:
        # Of a path that is not found, the id is the only part that has not worked before.
        if error.refuses_everything:
            raise
        if error.fate is Fate.RETRY or is_young:
            logger.warning("Query batch %s of an earlier run is waited for: %s", batch_id, error)
            return _running(held)
        logger.info("Query batch %s of an earlier run is gone: %s", batch_id, error)
        return None
    batch = _running(held, status)
    logger.info(
        "Query batch %s of an earlier run can still serve %s",
        batch_id,
        counted(len(batch.waiting), "query", "queries"),
    )
    # One that runs on for nobody is to be cancelled.
    return batch if batch.waiting or not status.is_stopped else None


def _running(held: SubmittedBatch, status: BatchStatus | None = None) -> RunningBatch:
    """Return a batch as a running one; its `waiting` are the queries that it can serve.

    Where its status could not be read just now, these are all.
    """
    now, asked = time.monotonic(), held.queries()
    batch = RunningBatch(
        batch=held,
        waiting=asked,
        size=max(len(status.queries), len(asked)) if status else len(asked),
        since=now,
        last_seen=now,
        next_poll=now,
    )
    if status:
        entries = batch.entries(status)
        # A batch that has just been started may not list all its queries yet.
        is_filling = not status.is_stopped and len(status.queries) < len(asked)
        batch.waiting = {
            query
            for query in asked
            if (_may_serve(entries[query], status) if query in entries else is_filling)
        }
    return batch


def _may_serve(entry: wire.BatchQuery, status: BatchStatus) -> bool:
    is_hopeful = not status.is_stopped and not entry.status.is_failure
    return is_hopeful or entry.status is wire.QueryStatus.SUCCESS
