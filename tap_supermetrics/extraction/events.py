"""Events that reach the deciding thread, and actions that it decides, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_supermetrics.extraction.results import BatchTaken, QueryTaken

if TYPE_CHECKING:
    from datetime import datetime

    from tap_supermetrics.api import wire
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.results import Delivery, Result
    from tap_supermetrics.model import BatchRequest, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNotSubmitted:
    """The API did not take a query batch, after all retries of the request."""

    request: BatchRequest
    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryNotSubmitted:
    """The API did not take a query, after all retries of the request."""

    query: Query
    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnding:
    """The last queries of a batch run: its place at the API is nearly free."""

    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded:
    """A batch stopped, or is given up.

    Attributes:
        batch_id: the API's id.
        unsettled: queries that it did not settle.
        error: why they failed; None when there are none.
    """

    batch_id: str
    unsettled: tuple[Query, ...] = ()
    error: ApiError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """A query succeeded; its results wait to be fetched.

    Attributes:
        finished_at: when the API reported it, with offset; None where no clock was read.
    """

    query: Query
    entry: wire.BatchQuery
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFailed:
    """A query failed, or its results could not be fetched.

    Attributes:
        was_fetched: whether the query succeeded, and fetching its results failed.
    """

    query: Query
    error: ApiError
    was_fetched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The results of a query were fetched."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """The emitting thread has dealt with an outcome.

    Attributes:
        query: the query.
        error: why its rows fit no record; None when they fitted.
        rows: number of rows written.
        size: bytes that the result took.
    """

    query: Query
    error: ApiError | None = None
    rows: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """The emitting thread has nothing to do until something of its report is delivered.

    Attributes:
        taken: how many deliveries it has taken; more may be on their way to it.
    """

    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """The run is to end; queries not finished fail with this error."""

    error: ApiError


Event = (
    BatchTaken
    | QueryTaken
    | BatchNotSubmitted
    | QueryNotSubmitted
    | BatchEnding
    | BatchEnded
    | Succeeded
    | QueryFailed
    | Fetched
    | Emitted
    | Awaited
    | StopRequested
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitBatch:
    """Submit a query batch."""

    request: BatchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitQuery:
    """Submit a query by itself.

    Attributes:
        attempt: how often it was submitted in this way before.
    """

    query: Query
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Fetch the results of a query."""

    of: Succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBatches:
    """Cancel all query batches that still run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Hand something to the emitting thread."""

    delivery: Delivery


Action = SubmitBatch | SubmitQuery | Fetch | CancelBatches | Deliver
