"""Limits of submission, and the queries that the API runs for this extraction."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.extraction.events import Fetch
from tap_supermetrics.extraction.fetch_places import FetchPlaces

if TYPE_CHECKING:
    from tap_supermetrics.extraction.events import Succeeded
    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.model import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits within which queries are submitted.

    Attributes:
        by_batch: whether by query batches.
        one_by_one: whether one by one.
        max_running_batches: query batches at the same time.
        max_running_queries: queries at the same time where they are submitted one by one.
        max_rows: with so many rows fetched, nothing more is submitted.
        max_queries: with so many queries submitted, nothing more is.
        requests_per_second: the rate at which results are to be fetched.
        max_queries_per_batch: queries of one batch after splitting.
    """

    by_batch: bool
    one_by_one: bool
    max_running_batches: int
    max_running_queries: int
    max_rows: int
    max_queries: int
    requests_per_second: float
    max_queries_per_batch: int = wire.MAX_QUERIES_PER_BATCH


class InFlight:
    """The queries that the API runs for this extraction, and the results on their way.

    Attributes:
        rows: how many rows were fetched, by report.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.batches: set[str] = set()
        self.ending: set[str] = set()
        self.singles: set[Query] = set()
        self.to_fetch: deque[Succeeded] = deque()
        self.fetching = 0
        self.rows: Counter[str] = Counter()
        self._places = FetchPlaces(limits.requests_per_second)
        self.is_submitting = False

    @property
    def is_empty(self) -> bool:
        """Return whether no outcome can come."""
        return not (self.batches or self.singles or self.results)

    @property
    def results(self) -> int:
        """Return how many results wait to be fetched, or are on their way."""
        return len(self.to_fetch) + self.fetching

    @property
    def may_submit_batch(self) -> bool:
        """Return whether the API has a place for another batch, or soon will.

        It puts further batches into a queue (Supermetrics docs, "Batch queries (Preview)",
        "Restrictions"). So the next batch is submitted while the last queries of one still run, and
        no time passes between them.
        """
        # Below the API's own limit, one more would not wait but run, more than the user allows.
        running, most = len(self.batches), self._limits.max_running_batches
        if most >= wire.MAX_RUNNING_BATCHES and running == most and self.ending:
            running -= 1
        return running < most

    @property
    def may_submit_query(self) -> bool:
        """Return whether fewer queries run by themselves than may."""
        return len(self.singles) < self._limits.max_running_queries

    def fetch_nothing(self) -> list[Query]:
        """Forget the results that wait to be fetched; return their queries."""
        waiting = [each.query for each in self.to_fetch]
        self.to_fetch.clear()
        return waiting

    def next_fetches(self) -> list[Fetch]:
        """Return the results to fetch now."""
        fetches = []
        while self.to_fetch and self.fetching < self._places.count:
            fetches.append(Fetch(of=self.to_fetch.popleft()))
            self.fetching += 1
        return fetches

    def fetched(self, result: Result) -> None:
        """Count a fetched result, and adapt how many are fetched at the same time."""
        self.fetching -= 1
        self.rows[result.query.report] += result.row_count
        self._places.learn(result.latency_s, result.page_bytes)
