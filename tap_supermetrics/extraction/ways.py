"""The ways to the API: queries by batch or one by one, and their results."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.retry import RateLimit, RetryPolicy
from tap_supermetrics.extraction.batches import cancel_batches
from tap_supermetrics.extraction.events import CancelBatches, SubmitBatch, SubmitQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.async_queries import AsyncQueries
    from tap_supermetrics.extraction.batches import Batches
    from tap_supermetrics.extraction.downloads import Downloader
    from tap_supermetrics.extraction.events import Action, Event

LAST_RETRY: Final = RetryPolicy(max_tries=2, max_time_s=5.0, outage_s=0.0)
"""How hard the end of a run tries to cancel its batches: a signal wants a prompt end."""
LAST_REQUESTS_PER_SECOND: Final = 10.0
"""How fast the end of a run cancels its batches, however slow a pace the API requested before."""


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

    def perform(self, action: Action) -> Iterable[Event]:
        """Submit or cancel; return the events."""
        if isinstance(action, SubmitBatch):
            return self.batches.submit(action.request)
        if isinstance(action, SubmitQuery):
            return self.queries.submit(action.query, action.attempt)
        if isinstance(action, CancelBatches):
            cancel_batches(self.client, self.batches.running_ids)
        return ()

    def poll_due(self) -> Iterator[Event]:
        """Poll all that runs and is due."""
        # Generators: what one poll shows is handled before the next request is made.
        yield from self.batches.poll_due()
        yield from self.queries.poll_due()

    def until_next_poll(self) -> float | None:
        """Return the seconds until the next poll; None while nothing runs."""
        polls = (self.batches.next_poll, self.queries.next_poll)
        due = [each for each in polls if each is not None]
        # A queue refuses a negative timeout; with None it waits until something is put.
        return max(min(due) - time.monotonic(), 0.0) if due else None

    @property
    def delays(self) -> tuple[str, ...]:
        """Return the reasons of waiting, in words."""
        return tuple(filter(None, (self.batches.delay, self.queries.delay)))

    def cancel(self, batch_ids: Iterable[str]) -> None:
        """Cancel batches that run without use."""
        cancel_batches(self.client, batch_ids)

    def cancel_at_end(self) -> None:
        """Cancel the batches that still run, soon or not at all."""
        # A copy with a pace of its own: a 429 may have slowed the run's to a crawl.
        pace = RateLimit(LAST_REQUESTS_PER_SECOND)
        last = replace(self.client, retry=LAST_RETRY, rate_limit=pace)
        cancel_batches(last, self.batches.running_ids)
