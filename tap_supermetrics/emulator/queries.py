"""Queries and query batches: what the engine runs and the answers show."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from tap_supermetrics.emulator.failures import RefusalError
    from tap_supermetrics.emulator.faults import Target
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.parameters import Params, Question
    from tap_supermetrics.emulator.tables import Table


class Status(str, enum.Enum):
    """Status codes of queries and batches (Supermetrics docs, "Get query status")."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    STOPPED = "STOPPED"

    @property
    def is_final(self) -> bool:
        """Return whether nothing follows."""
        return self not in {Status.QUEUED, Status.RUNNING}


@dataclass(slots=True, kw_only=True, eq=False)
class EmulatedQuery:
    """One question to a data source, after splitting.

    Attributes:
        schedule_id: Its id.
        params: What was sent.
        key: The API key that it was sent with.
        target: Its data source, accounts and days, as far as they could be read.
        batch: The batch that it is part of.
        split: `split_info` of a query that was split off another one.
        status: Status code.
        arrived: When it was sent; all times in emulated seconds since 1970-01-01 UTC.
        started: When it began to run.
        ended: When it stopped.
        question: What it asks, once understood.
        error: Why it failed.
        ended_as: The status code to show when it is not that of `status`.
        table: Its rows, once it succeeded.
        accounts: The accounts that it read, once it ran.
        waiting: Requests that wait for it.
        is_gone: Whether its status and results are lost before their time.
        shown: What it looks like in the status of its batch, once that is final, and for whom.
    """

    schedule_id: str
    params: Params
    key: str
    target: Target
    batch: EmulatedBatch | None = None
    split: Mapping[str, object] | None = None
    status: Status = Status.QUEUED
    arrived: float = 0.0
    started: float | None = None
    ended: float | None = None
    question: Question | None = None
    error: RefusalError | None = None
    ended_as: str = ""
    table: Table | None = None
    accounts: tuple[str, ...] = ()
    waiting: int = 0
    is_gone: bool = False
    shown: tuple[tuple[str, Options], dict[str, object]] | None = None

    @property
    def code(self) -> str:
        """Return the status code to show."""
        return self.ended_as or self.status.value

    @property
    def is_over(self) -> bool:
        """Return whether it stopped, or its batch no longer waits for it."""
        return self.status.is_final or (self.batch is not None and self.batch.status.is_final)


@dataclass(slots=True, kw_only=True, eq=False)
class EmulatedBatch:
    """A query batch (Supermetrics docs, "Batch queries (Preview)", "query_batch").

    Attributes:
        id: Its id.
        key: The API key that it was sent with.
        shown: The parameters that its information repeats.
        concurrency: How many of its queries run at once.
        timeout: How many seconds it may run.
        queries: Its queries, in order.
        pending: Those not yet handed to the license's queue.
        in_flight: How many were handed over and are not over.
        status: Status code.
        arrived: When it was sent; times as in `Query`.
        started: When it began to run.
        ended: When it stopped.
        cancelled: When it was cancelled.
        is_gone: Whether its status is lost before its time.
    """

    id: str
    key: str
    shown: Mapping[str, object]
    concurrency: int
    timeout: float
    queries: tuple[EmulatedQuery, ...] = ()
    pending: deque[EmulatedQuery] = field(default_factory=deque)
    in_flight: int = 0
    status: Status = Status.QUEUED
    arrived: float = 0.0
    started: float | None = None
    ended: float | None = None
    cancelled: float | None = None
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRecord:
    """The fate of a query, for tests and the control plane.

    Attributes:
        schedule_id: Its id.
        batch_id: The batch that it was part of, or None.
        ds_id: Data source.
        accounts: The accounts asked for, lists and filters expanded.
        first: First day, or None.
        last: Last day, included, or None.
        fields: The field ids asked for.
        status: Status code.
        error_code: Why it failed, or None.
        rows: Rows of its result, without header; 0 unless it succeeded.
        arrived: When it was sent, in emulated seconds since 1970-01-01 UTC.
        started: When it began to run, or None.
        ended: When it stopped, or None.
        params: What was sent.
    """

    schedule_id: str
    batch_id: str | None
    ds_id: str
    accounts: tuple[str, ...]
    first: date | None
    last: date | None
    fields: tuple[str, ...]
    status: str
    error_code: str | None
    rows: int
    arrived: float
    started: float | None
    ended: float | None
    params: Params

    @classmethod
    def of(cls, query: EmulatedQuery) -> QueryRecord:
        """Return the record of a query."""
        asked = query.question
        return cls(
            schedule_id=query.schedule_id,
            batch_id=query.batch.id if query.batch else None,
            ds_id=query.target.ds_id,
            accounts=query.target.accounts,
            first=query.target.first,
            last=query.target.last,
            fields=tuple(field_id for field_id, _ in asked.fields) if asked else (),
            status=query.code,
            error_code=query.error.code if query.error else None,
            rows=query.table.total if query.table else 0,
            arrived=query.arrived,
            started=query.started,
            ended=query.ended,
            params=query.params,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """The fate of a batch, for tests and the control plane.

    Attributes:
        batch_id: Its id.
        status: Status code.
        amount: How many queries it has after splitting.
        statuses: Their status codes, in order.
        schedule_ids: Their ids, in order.
        description: As sent.
        concurrency: Its query concurrency.
        timeout_minutes: Its timeout.
        arrived: When it was sent, in emulated seconds since 1970-01-01 UTC.
        started: When it began to run, or None.
        ended: When it stopped, or None.
        cancelled: When it was cancelled, or None.
    """

    batch_id: str
    status: str
    amount: int
    statuses: tuple[str, ...]
    schedule_ids: tuple[str, ...]
    description: str | None
    concurrency: int
    timeout_minutes: float
    arrived: float
    started: float | None
    ended: float | None
    cancelled: float | None

    @classmethod
    def of(cls, batch: EmulatedBatch) -> BatchRecord:
        """Return the record of a batch."""
        description = batch.shown.get("description")
        return cls(
            batch_id=batch.id,
            status=batch.status.value,
            amount=len(batch.queries),
            statuses=tuple(query.code for query in batch.queries),
            schedule_ids=tuple(query.schedule_id for query in batch.queries),
            description=None if description is None else str(description),
            concurrency=batch.concurrency,
            timeout_minutes=batch.timeout / 60,
            arrived=batch.arrived,
            started=batch.started,
            ended=batch.ended,
            cancelled=batch.cancelled,
        )
