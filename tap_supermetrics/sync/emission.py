"""Makes the records of reports, one report after the other, and marks where each result ends.

The consumer writes the records. A day counts as done only when the consumer requests the next
record, because it has written all earlier ones by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.results import Failed, NotReached, Result

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from tap_supermetrics.extraction.engine import Engine
    from tap_supermetrics.extraction.results import Outcome
    from tap_supermetrics.records.encode import LineFormat, Lines
    from tap_supermetrics.sync.bookkeeping import Bookkeeping
    from tap_supermetrics.sync.report_sync import Converter, PlannedReport, T


@dataclass(frozen=True, slots=True)
class Written:
    """A result whose last record was emitted, and whose days are not counted as done yet.

    Attributes:
        planned: its report.
        result: the result.
        rows_by_day: how many rows each of its days has; empty where it has one day only, or where
            its rows have no day. Others may be emitted before it counts as done.
    """

    planned: PlannedReport
    result: Result
    rows_by_day: Sequence[int] = ()


class File(Protocol):
    """A file of records."""

    @property
    def results(self) -> Sequence[Written]:
        """Return the results that ended in it."""


FileT_co = TypeVar("FileT_co", bound=File, covariant=True)


class Files(Protocol[FileT_co]):
    """A writer of records to files."""

    @property
    def has_pending(self) -> bool:
        """Return whether records wait in a file that was not emitted yet."""

    def add(self, lines: Lines) -> Iterator[FileT_co]:
        """Add lines; yield the files that are complete now."""

    def end_result(self, written: Written) -> Iterator[FileT_co]:
        """Note that a result ended; yield the files that must not wait any longer."""

    def rest(self) -> Iterator[FileT_co]:
        """Yield all files that are left."""


class Emission:
    """Makes the records of planned reports from what the engine delivers.

    Args:
        engine: carries out the plans.
        planned: the reports that could be planned, by name.
        books: records the outcome of each query.
        stops_at_failure: whether the first failure ends the run.
    """

    def __init__(
        self,
        engine: Engine,
        planned: Mapping[str, PlannedReport],
        books: Bookkeeping,
        *,
        stops_at_failure: bool,
    ) -> None:
        self._engine = engine
        self._planned = planned
        self._books = books
        self._stops_at_failure = stops_at_failure

    def records(self, name: str, convert: Converter[T]) -> Iterator[T]:
        """Yield the records of a report, in any form, query by query in plan order.

        A day counts as done when the consumer requests the record after its last one.

        Args:
            name: of the report.
            convert: makes the records of a result; an `ApiError` of it fails this result only.
        """
        for each in self._emission(name, convert):
            if isinstance(each, Written):
                self._commit(each)
            else:
                yield each
        self._books.report_ended(name)

    def files(
        self, name: str, line_format: LineFormat, files: Files[FileT_co]
    ) -> Iterator[FileT_co]:
        """Yield files of the records of a report; a day is done when its file was written."""
        for each in self._emission(name, line_format.lines):
            if not isinstance(each, Written):
                yield from self._committed(files.add(each))
            # Its last records wait in a file that is not emitted yet: so do its days.
            elif files.has_pending:
                yield from self._committed(files.end_result(each))
            else:
                # The consumer wrote its last file before it requested this.
                self._commit(each)
        yield from self._committed(files.rest())
        self._books.report_ended(name)

    def _committed(self, files: Iterator[FileT_co]) -> Iterator[FileT_co]:
        for file in files:
            yield file
            for each in file.results:
                self._commit(each)

    def _commit(self, written: Written) -> None:
        self._books.committed(written.planned, written.result, written.rows_by_day)

    def _emission(self, name: str, convert: Converter[T]) -> Iterator[T | Written]:
        """Yield the records of a report, and `Written` after the last one of each result."""
        # A report that could not be planned was logged already, and has no deliveries.
        planned = self._planned.get(name)
        if planned is None:
            return
        for delivery in self._engine.deliveries(name):
            if isinstance(delivery, (Result, Failed, NotReached)):
                yield from self._emit(planned, delivery, convert)
            else:
                self._books.noted(delivery)

    def _emit(
        self, planned: PlannedReport, outcome: Outcome, convert: Converter[T]
    ) -> Iterator[T | Written]:
        """Yield the records of an outcome; report to engine and books what became of it."""
        if isinstance(outcome, NotReached):
            self._books.left(outcome)
            return
        # A result whose rows fit no record becomes a failure only while they are written.
        became = outcome
        if isinstance(outcome, Result):
            became = yield from self._write(planned, outcome, convert)
        if isinstance(became, Failed):
            self._failed(planned, became)
        # The engine may fetch more now; the days count only when their records are written.
        self._engine.emitted(outcome, became)
        if isinstance(became, Result):
            yield Written(planned, became, planned.rows_of_days(became))
        else:
            self._books.ended(became)

    def _write(
        self, planned: PlannedReport, result: Result, convert: Converter[T]
    ) -> Generator[T, None, Result | Failed]:
        """Yield the records of a result; return what became of it."""
        try:
            for each in planned.emit(result, convert):
                yield each
                # A query batch that is taken within a large result is known before its next record.
                for note in self._engine.notes():
                    self._books.noted(note)
        except ApiError as error:
            return Failed(query=result.query, error=error, is_of_rows=True)
        finally:
            # In `finally`: a consumer that stops early closes this generator in the middle.
            result.spool.close()
        return result

    def _failed(self, planned: PlannedReport, failed: Failed) -> None:
        self._books.failed(planned, failed)
        is_failure = failed.was_submitted and not failed.is_excluded
        if is_failure and self._stops_at_failure:
            self._engine.stop(failed.error)
