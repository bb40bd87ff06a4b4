"""Deliveries to the emitting thread: results, failures, and notes for the state."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Fate, Reach
from tap_supermetrics.dates import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime

    from tap_supermetrics.api import wire
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import Query, SubmittedBatch

MEMORY_PER_RESULT: Final = 64 * 1024
"""Bytes of a result that stay in memory; the rest of a larger one waits on disk."""


class Spool:
    """The rows of one result, waiting to be emitted: in memory while small, else on disk.

    The file has no name, so that a killed process leaves nothing behind.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_PER_RESULT)  # noqa: SIM115 - closed by close()
        self._sizes: list[int] = []

    def __len__(self) -> int:
        """Return how many bytes it stores."""
        return sum(self._sizes)

    def add(self, block: bytes) -> None:
        """Store some more rows."""
        self._file.write(block)
        self._sizes.append(len(block))

    def blocks(self) -> Iterator[bytes]:
        """Return the blocks of rows, in the order and of the size in which they came."""
        # Read by the sizes in which it was written: each block is a JSON document of its own.
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)

    def close(self) -> None:
        """Give memory and disk back."""
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The provenance of a result's numbers, as its pages report it.

    Attributes:
        is_sampled: whether the data source estimated the numbers of any page.
        is_cached: whether they come from the API's cache.
        cached_at: when they were made, with offset, if they come from there and that is reported.
        run_seconds: how long the API worked on the query, as it reports.
    """

    is_sampled: bool = False
    is_cached: bool = False
    cached_at: datetime | None = None
    run_seconds: float | None = None

    def with_page(self, facts: wire.ResultFacts) -> Provenance:
        """Return it with what a page reports."""
        cached_at = moment_of(facts.cache_time) if facts.is_cached else None
        return Provenance(
            is_sampled=self.is_sampled or facts.is_sampled,
            is_cached=self.is_cached or facts.is_cached,
            # The oldest of several pages counts.
            cached_at=min(filter(None, (self.cached_at, cached_at)), default=None),
            run_seconds=facts.run_seconds if self.run_seconds is None else self.run_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rows of one query.

    Attributes:
        query: the query.
        dates: the days that the API answered; fewer than requested when it clamped them.
        echoed_dates: the days that the API made of a `date_range_type`, where it echoes them.
        schedule_id: the API's id of the query.
        finished_at: when the API reported success, with offset, if that is known.
        fetched_at: when its last page came, with offset.
        fields: how the API placed the fields.
        width: how many cells each row has to have, 0 where that is not known.
        row_count: number of rows, header not included.
        missing: 1 when the API stated one more, which may be a header that it counts; None where it
            stated no total of all.
        provenance: where its numbers come from.
        deviations: where the answer differs from the query, in words.
        latency_s: how long the API took to begin an answer, on average.
        page_bytes: bytes of its longest page.
        page_count: its pages that had rows.
        spool: the rows, some at a time, as JSON arrays of arrays.
    """

    query: Query
    dates: DateRange | None
    echoed_dates: DateRange | None = None
    schedule_id: str
    fetched_at: datetime
    fields: tuple[FieldEcho, ...]
    width: int = 0
    row_count: int
    missing: int | None = 0
    provenance: Provenance = Provenance()
    deviations: tuple[str, ...] = ()
    finished_at: datetime | None = None
    latency_s: float = 0.0
    page_bytes: int = 0
    page_count: int = 1
    spool: Spool = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A query without a result in this run; its days stay to be queried.

    Attributes:
        query: the query.
        error: why.
        was_submitted: False when the run was stopped before; True also for a query that was spared
            because it would have met the refusal of another.
        is_of_rows: whether the text of the error may show a value of a row.
        is_retained: whether the API has its result, which could not be fetched.
    """

    query: Query
    error: ApiError
    was_submitted: bool = True
    is_of_rows: bool = False
    is_retained: bool = False

    @property
    def may_be_collected(self) -> bool:
        """Return whether the next run may find the result: only the service was in the way."""
        is_away = self.error.fate is Fate.RETRY and self.error.reach is Reach.SERVICE
        return is_away or self.is_retained

    @property
    def is_excluded(self) -> bool:
        """Return whether the API left out unreadable accounts, as requested."""
        return self.error.code == "ACCOUNT_EXCLUDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReached:
    """The queries of a report that a stopped run did not reach.

    Attributes:
        report: name of the report.
        days: how many they are, by account id; queries where these have no days.
        error: what stopped the run.
    """

    report: str
    days: Mapping[str, int]
    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTaken:
    """The API has taken a query batch, or retains one of an earlier run.

    Attributes:
        batch: what was sent.
        queries: those of its queries that this run waits for.
    """

    batch: SubmittedBatch
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTaken:
    """The API has taken a query that was submitted by itself.

    Attributes:
        query: the query.
        submitted_at: when it was submitted, with offset.
    """

    query: Query
    submitted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A query was split; nothing waits for it any more."""

    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A result that was delivered as whole may lack a row, as later results show."""

    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstDay:
    """The first day that the API gives of a report is known better than before.

    Attributes:
        report: its name.
        day: of any account.
        own: of each account that was refused itself, once accounts are known to differ.
    """

    report: str
    day: date
    own: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDone:
    """Every query of a report has been delivered."""

    report: str


Outcome = Result | Failed | NotReached
"""The ends of queries."""
Note = BatchTaken | QueryTaken | Replaced | Suspect | FirstDay
"""Facts for the state, in the order in which they happened."""
Delivery = Outcome | Note | ReportDone
"""All that goes to the emitting thread, first in, first out."""
