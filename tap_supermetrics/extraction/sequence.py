"""Outcomes come in any order, and are delivered in the order of the plan."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from tap_supermetrics.extraction.progress import ReportProgress
from tap_supermetrics.extraction.results import Replaced, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_supermetrics.extraction.results import Failed
    from tap_supermetrics.model import Query

MAX_WAITING: Final = 300
"""With so many results not yet fetched or emitted, nothing more is submitted."""
MAX_WAITING_BYTES: Final = 512 * 1024 * 1024
"""With so many bytes not yet emitted, nothing more is submitted."""


class Sequencer:
    """The queries of each report in order of emission, until their outcomes are delivered.

    It also knows how much waits to be emitted, so that a slow target holds back new submissions
    instead of filling memory and disk.

    Args:
        reports: names of the reports.

    Attributes:
        ended: number of queries that have an outcome, by report.
        failed: number of those that were submitted and failed.
        expected: number of queries that have an outcome, or are to get one.
    """

    def __init__(self, reports: Iterable[str]) -> None:
        self._expected: dict[str, deque[Query]] = {name: deque() for name in reports}
        self._settled: dict[Query, Result | Failed | tuple[Query, ...]] = {}
        self._open: set[Query] = set()
        self._waiting = 0
        self._waiting_bytes = 0
        self.ended: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.expected: Counter[str] = Counter()

    def has_room(self, coming: int) -> bool:
        """Return whether little enough waits to be emitted, with so many results on their way."""
        return self._waiting + coming < MAX_WAITING and self._waiting_bytes < MAX_WAITING_BYTES

    def expects(self, report: str) -> bool:
        """Return whether outcomes of a report are still to be delivered."""
        return bool(self._expected[report])

    def is_open(self, query: Query) -> bool:
        """Return whether a query has no outcome yet."""
        return query in self._open

    def expect(self, query: Query) -> None:
        """Reserve a place for the outcome of a query, after all others of its report."""
        self._expected[query.report].append(query)
        self.expected[query.report] += 1
        self._open.add(query)

    def settle(self, outcome: Result | Failed) -> Iterator[Result | Failed | Replaced]:
        """Take an outcome; return what can be delivered now. A second outcome is dropped."""
        if outcome.query not in self._open:
            _close(outcome)  # Delivered twice, a day would be written twice.
            return iter(())
        self._open.remove(outcome.query)
        self._settled[outcome.query] = outcome
        # Failures count too, as `emitted` is called for them all.
        self._waiting += 1
        self._waiting_bytes += _size(outcome)
        self.ended[outcome.query.report] += 1
        if not isinstance(outcome, Result):
            self.failed[outcome.query.report] += outcome.was_submitted
        return self._deliverable(outcome.query.report)

    def replace(self, query: Query, parts: Sequence[Query]) -> Iterator[Result | Failed | Replaced]:
        """Put parts in the place of a query; return what can be delivered now."""
        # No outcome of the whole is taken from here on, should its batch still report one.
        self._open.remove(query)
        self._open.update(parts)
        self.expected[query.report] += len(parts) - 1
        self._settled[query] = tuple(parts)
        return self._deliverable(query.report)

    def emitted(self, size: int) -> None:
        """Forget an outcome that was emitted, and took so many bytes."""
        self._waiting -= 1
        self._waiting_bytes -= size

    def progress(self, report: str, left: int, rows: int) -> ReportProgress:
        """Return the progress of a report, with what was not drawn yet and the rows that came."""
        return ReportProgress(
            name=report,
            ended=self.ended[report],
            failed=self.failed[report],
            planned=self.expected[report] + left,
            rows=rows,
        )

    def close(self) -> None:
        """Give back the results that were not delivered."""
        for settled in self._settled.values():
            _close(settled)

    def _deliverable(self, report: str) -> Iterator[Result | Failed | Replaced]:
        """Take the outcomes at the head of a report's order, as far as they have come."""
        expected = self._expected[report]
        while expected and expected[0] in self._settled:
            query = expected.popleft()
            settled = self._settled.pop(query)
            if isinstance(settled, tuple):
                # Parts stand where the whole stood, so days stay in the order of the plan.
                expected.extendleft(reversed(settled))
                yield Replaced(query=query)
            else:
                yield settled


def _size(outcome: Result | Failed) -> int:
    return len(outcome.spool) if isinstance(outcome, Result) else 0


def _close(settled: Result | Failed | tuple[Query, ...]) -> None:
    if isinstance(settled, Result):
        settled.spool.close()
