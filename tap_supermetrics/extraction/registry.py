"""Which query batches the API holds results of that have not been emitted yet.

This is what the state keeps, so that a restarted run can collect what is already paid for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_supermetrics.model import SubmittedBatch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tap_supermetrics.model import BatchItem, BatchRequest, Query


@dataclass(slots=True, kw_only=True)
class _Entry:
    held: SubmittedBatch
    not_emitted: set[Query]


class Registry:
    """The query batches of this run, each until its last query was emitted. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._batch_of: dict[Query, str] = {}
        self._async: set[Query] = set()

    def started(self, batch_id: str, submitted_at: datetime, request: BatchRequest) -> None:
        """A batch was started."""
        held = SubmittedBatch(
            batch_id=batch_id,
            submitted_at=submitted_at,
            split=request.policy.split,
            size=len(request.items),
            items=dict(enumerate(request.items)),
        )
        self.adopted(held, request.queries)

    def adopted(self, held: SubmittedBatch, queries: Iterable[Query]) -> None:
        """A batch of an earlier run serves these queries."""
        with self._lock:
            entry = _Entry(held=held, not_emitted=set(queries))
            for query in tuple(entry.not_emitted):
                self._forget(query)
                self._batch_of[query] = held.batch_id
            self._entries[held.batch_id] = entry

    def asked_async(self, query: Query) -> None:
        """A query was asked by itself."""
        with self._lock:
            self._forget(query)
            self._async.add(query)

    def has_async(self, report: str) -> bool:
        """Whether a report has queries asked by themselves that were not emitted yet."""
        with self._lock:
            return any(query.report == report for query in self._async)

    def emitted(self, query: Query) -> None:
        """The query needs no batch any more: it was emitted, or is lost."""
        with self._lock:
            self._forget(query)

    def _forget(self, query: Query) -> None:
        self._async.discard(query)
        entry = self._entries.get(self._batch_of.pop(query, ""))
        if entry:
            entry.not_emitted.discard(query)
            if not entry.not_emitted:
                del self._entries[entry.held.batch_id]

    def held_for(self, report: str) -> tuple[SubmittedBatch, ...]:
        """Batches with queries of a report that were not emitted yet, each with its items only."""
        with self._lock:
            return tuple(
                _only(entry.held, report)
                for entry in self._entries.values()
                if any(query.report == report for query in entry.not_emitted)
            )


def _only(held: SubmittedBatch, report: str) -> SubmittedBatch:
    items = {place: item for place, item in held.items.items() if item.report == report}
    return replace(held, items=items)


def joined(batches: Iterable[SubmittedBatch]) -> tuple[SubmittedBatch, ...]:
    """Batches that several reports know of, each once with all known items."""
    items: dict[str, dict[int, BatchItem]] = {}
    first: dict[str, SubmittedBatch] = {}
    for batch in batches:
        first.setdefault(batch.batch_id, batch)
        items.setdefault(batch.batch_id, {}).update(batch.items)
    return tuple(replace(batch, items=items[batch_id]) for batch_id, batch in first.items())
