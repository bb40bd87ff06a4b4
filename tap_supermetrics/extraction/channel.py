"""What the two ways of asking have in common: by query batches, and one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.api import wire
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.registry import Registry
    from tap_supermetrics.model import BatchPolicy, Query, Report
    from tap_supermetrics.planning.plan import Scope
    from tap_supermetrics.settings import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the parts of an extraction share.

    Attributes:
        client: the API.
        registry: keeps what the API holds for this run.
        reports: by name.
        scopes: what each report wants, by its name.
        now: the wall clock, with offset.
    """

    client: Client
    registry: Registry
    reports: Mapping[str, Report]
    scopes: Mapping[str, Scope]
    now: Callable[[], datetime]

    def policy_of(self, query: Query) -> BatchPolicy:
        """The batch policy under which a query is asked."""
        return self.scopes[query.report].policy_of(query)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionOptions:
    """How queries may be asked.

    Attributes:
        mode: by query batches, one by one, or whichever works.
        max_running_batches: query batches at the same time.
        max_running_queries: queries at the same time where they are asked one by one.
        run_id: makes the schedule ids of this run its own.
        is_resumed: whether an earlier run of this id may have left queries behind.
        max_rows: with so many rows fetched, nothing more is asked.
        max_queries: with so many queries asked, nothing more is.
    """

    mode: Mode
    max_running_batches: int
    max_running_queries: int
    run_id: str
    is_resumed: bool
    max_rows: int
    max_queries: int


class Decisions(Protocol):
    """Whoever decides about queries; a channel only tells what happened."""

    def asked(self, queries: Sequence[Query]) -> None:
        """The API has taken these queries."""

    def succeeded(self, query: Query, entry: wire.BatchQuery) -> None:
        """The results of a query wait to be fetched."""

    def failed(self, query: Query, error: ApiError) -> None:
        """A query failed."""

    def not_taken(self, queries: Sequence[Query], error: ApiError) -> None:
        """The API did not take these queries, however often it was asked to."""

    def without_batches(self, queries: Sequence[Query], error: ApiError) -> bool:
        """Whether the error says that there are no query batches, and the queries go elsewhere."""


class Channel(Protocol):
    """One way of asking queries. Used by one thread only."""

    def add(self, queries: Sequence[Query]) -> None:
        """Ask these queries after all others, in this order."""

    def add_again(self, query: Query) -> None:
        """Ask this query before all others."""

    def drain(self) -> list[Query]:
        """Give back every query that was not asked yet."""

    @property
    def may_start(self) -> bool:
        """Whether something waits to be asked and the API has a place for it."""

    def start_one(self) -> None:
        """Ask what is next."""

    @property
    def next_poll(self) -> float | None:
        """Monotonic time of the next look; None when nothing runs."""

    def poll_due(self) -> None:
        """Look at all that is due."""
