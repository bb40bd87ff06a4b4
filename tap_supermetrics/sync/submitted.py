"""Batches submitted and not emitted yet: the state names them for the next run to collect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_supermetrics.extraction.results import BatchTaken, QueryTaken, Replaced

if TYPE_CHECKING:
    from tap_supermetrics.extraction.results import Note
    from tap_supermetrics.model import Query, SubmittedBatch


@dataclass(slots=True, kw_only=True)
class _Entry:
    batch: SubmittedBatch
    not_emitted: set[Query]


class Submitted:
    """The query batches of this run, each until its last query was emitted."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._batch_of: dict[Query, str] = {}
        self._one_by_one: set[Query] = set()

    def note(self, note: Note) -> bool:
        """Record what the API has accepted; return whether the state has to name it."""
        if isinstance(note, BatchTaken):
            for query in note.queries:
                # Submitted again: nothing is expected of it from the batch before.
                self.emitted(query)
                self._batch_of[query] = note.batch.batch_id
            entry = _Entry(batch=note.batch, not_emitted={*note.queries})
            self._entries[note.batch.batch_id] = entry
            return True
        if isinstance(note, QueryTaken):
            # The state names the run, whose id leads to all its queries: once is enough.
            is_first = not self.has_one_by_one(note.query.report)
            self.emitted(note.query)
            self._one_by_one.add(note.query)
            return is_first
        if isinstance(note, Replaced):
            self.emitted(note.query)
        return False

    def emitted(self, query: Query) -> None:
        """Forget a query that needs no batch any more: it was emitted, or failed."""
        self._one_by_one.discard(query)
        entry = self._entries.get(self._batch_of.pop(query, ""))
        if entry:
            entry.not_emitted.discard(query)
            if not entry.not_emitted:
                del self._entries[entry.batch.batch_id]

    def is_pending(self, query: Query) -> bool:
        """Return whether a query was submitted, by whichever run, and not emitted yet."""
        return query in self._batch_of or query in self._one_by_one

    def is_in_batch(self, query: Query) -> bool:
        """Return whether a query was submitted in a query batch, and not emitted yet."""
        return query in self._batch_of

    def has_one_by_one(self, report: str) -> bool:
        """Return whether queries of a report were submitted by themselves and not emitted yet."""
        return any(query.report == report for query in self._one_by_one)

    def batches_of(self, report: str) -> tuple[SubmittedBatch, ...]:
        """Return batches with queries of a report not emitted yet, each with its items only."""
        return tuple(
            entry.batch.part_of(report)
            for entry in self._entries.values()
            if any(query.report == report for query in entry.not_emitted)
        )
