"""A run: from settings and state to records, and to the state after them.

It joins planning, extraction, records and state, and knows no Singer: `streams.py` asks it for the
records of a report, and it says when the state is worth writing.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.errors import QueriesLostError
from tap_supermetrics.extraction.progress import Progress
from tap_supermetrics.extraction.results import Doubted, Failed, FirstDay, Left, Result
from tap_supermetrics.records.convert import RecordReader
from tap_supermetrics.sync.calendar import ReportDays, days_of
from tap_supermetrics.sync.checkpoints import Checkpoints
from tap_supermetrics.sync.days_read import DaysRead
from tap_supermetrics.sync.preparation import Preparation
from tap_supermetrics.sync.submitted import Submitted
from tap_supermetrics.sync.summary import Summary
from tap_supermetrics.sync.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.engine import Engine
    from tap_supermetrics.extraction.results import Note, Outcome
    from tap_supermetrics.model import Query
    from tap_supermetrics.records.encode import LineFormat, Lines
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.query_log import QueryLog
    from tap_supermetrics.sync.report_sync import Converter, PlannedReport, T
    from tap_supermetrics.sync.written import Files, FileT_co

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the wall clock, in UTC."""
    return datetime.now(tz=timezone.utc)


def new_run_id() -> str:
    """Return what tells a run from all others: eight hex digits."""
    return token_hex(4)


class Run:
    """Everything between the settings and the records of one invocation.

    Args:
        settings: the configuration.
        client: the API.
        lookups: what it lists.
        bookmarks: Singer's bookmarks, by stream; kept up to date.
        write_state: writes a STATE message with these bookmarks.

    Attributes:
        run_id: tells it from all others.
        summary: what was done and what was lost.
        writes_state: whether the run writes STATE messages; False where somebody else does.
        query_log: is told of every query; None where nobody wants to know.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        lookups: Lookups,
        bookmarks: dict[str, Any],
        write_state: Callable[[], None],
    ) -> None:
        self.run_id = new_run_id()
        self.summary = Summary(days_read=DaysRead() if settings.report_dir else None)
        self._settings = settings
        self._client = client
        self._bookmarks = bookmarks
        self._write_state = write_state
        self._prepared = Preparation(settings, lookups, bookmarks, self.summary, utc_now)
        self._submitted = Submitted()
        self._engine: Engine | None = None
        self._stopped_by: ApiError | None = None
        self._doubted: dict[Query, ApiError] = {}
        self._checkpoints = Checkpoints()
        self._to_emit: set[str] = set()
        self.writes_state = True
        self.query_log: QueryLog | None = None

    @property
    def has_started(self) -> bool:
        """Return whether the plan is on its way."""
        return self._engine is not None

    def start(
        self,
        selected: Sequence[str],
        full_table: Collection[str] = (),
        refused: Collection[str] = (),
        *,
        is_test: bool = False,
    ) -> None:
        """Plan the selected reports and begin to submit; see `Preparation.plan`."""
        self._prepared.plan(selected, full_table, refused, is_test=is_test)
        self._to_emit = {*self._prepared.known}
        self._engine = self._prepared.engine(is_test=is_test)
        self._engine.start()

    @property
    def submitted(self) -> int:
        """Return how many queries the API has taken so far."""
        return self._engine.submitted if self._engine else 0

    def days(self) -> Iterator[ReportDays]:
        """Return the days of the selected reports, as the state has them now."""
        for name, known in self._prepared.known.items():
            if planned := self._prepared.planned.get(name):
                yield days_of(known, planned.plan.scope)

    def progress(self) -> Progress:
        """Return how far the run is; any thread may ask."""
        return self._engine.progress() if self._engine else Progress()

    # Emission

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """Make the records of a report, query by query in plan order.

        A day counts as done when the next record is asked for after its last one: the one who
        writes records asks again only after writing.
        """
        return self._given(name, RecordReader.all_records)

    def lines(self, name: str, line_format: LineFormat) -> Iterator[Lines]:
        """Make the same records as lines, many at a time; the same holds for these."""
        return self._given(name, line_format.lines)

    def files(
        self, name: str, line_format: LineFormat, files: Files[FileT_co]
    ) -> Iterator[FileT_co]:
        """Put the same lines into files; the same holds for these: a day is done with its file."""
        for each in self._emission(name, line_format.lines):
            if not isinstance(each, Written):
                yield from self._committed(files.add(each))
            elif files.is_holding:
                yield from self._committed(files.keep(each))
            else:
                self._commit(each)
        yield from self._committed(files.rest())
        self._report_ended(name)

    def _committed(self, files: Iterator[FileT_co]) -> Iterator[FileT_co]:
        for file in files:
            yield file
            for each in file.results:
                self._commit(each)

    def _given(self, name: str, convert: Converter[T]) -> Iterator[T]:
        for each in self._emission(name, convert):
            if isinstance(each, Written):
                self._commit(each)
            else:
                yield each
        self._report_ended(name)

    def _emission(self, name: str, convert: Converter[T]) -> Iterator[T | Written]:
        """Make the records of a report, and say so after the last one of each result."""
        if self._engine is None:
            raise RuntimeError("start() comes first")
        planned = self._prepared.planned.get(name)
        if planned is None:
            return
        for delivery in self._engine.deliveries(name):
            if isinstance(delivery, (Result, Failed, Left)):
                yield from self._emit(self._engine, planned, delivery, convert)
            else:
                self._take_note(delivery)

    def _report_ended(self, name: str) -> None:
        if planned := self._prepared.planned.get(name):
            self.summary.notes += planned.notes()
        self._to_emit.discard(name)
        if self._checkpoints.is_affordable or not self._to_emit:
            self.checkpoint()

    def _emit(
        self, engine: Engine, planned: PlannedReport, outcome: Outcome, convert: Converter[T]
    ) -> Iterator[T | Written]:
        if isinstance(outcome, Left):
            self._left(outcome)
            return
        became = outcome
        if isinstance(outcome, Result):
            became = yield from self._write(engine, planned, outcome, convert)
        if isinstance(became, Failed):
            self._failed(engine, planned, became)
        engine.emitted(outcome, became)
        if isinstance(became, Result):
            yield Written(planned, became)
            return
        if not _may_be_had_later(became):
            self._submitted.emitted(outcome.query)
        self._progressed()

    def _write(
        self, engine: Engine, planned: PlannedReport, result: Result, convert: Converter[T]
    ) -> Generator[T, None, Result | Failed]:
        """Give the records of a result; return what became of it."""
        try:
            for each in planned.emit(result, convert):
                yield each
                # A query batch that is taken within a large result is known before its next record.
                for note in engine.notes():
                    self._take_note(note)
        except ApiError as error:
            return Failed(query=result.query, error=error, is_of_rows=True)
        finally:
            result.spool.close()
        return result

    def _commit(self, written: Written) -> None:
        """Count the days of a result as done: all of its records are with the target."""
        planned, result = written.planned, written.result
        whole = planned.commit(result)
        if self.query_log:
            self.query_log.succeeded(result, whole)
        if doubt := self._doubted.get(result.query):
            self._read_again(planned, Failed(query=result.query, error=doubt))
        self.summary.done(result, result.row_count)
        self._submitted.emitted(result.query)
        self._progressed()

    def _progressed(self) -> None:
        self._checkpoints.progressed()
        self._save_when_due()

    def _failed(self, engine: Engine, planned: PlannedReport, failed: Failed) -> None:
        self._read_again(planned, failed)
        error = failed.error
        if self.summary.lost(failed):
            logger.error("%s is lost: %s", failed.query, error)
        if error.fate is Fate.STOP:
            self._stopped_by = self._stopped_by or error
        is_failure = failed.was_submitted and not failed.is_excluded
        if is_failure and self._settings.on_failure == "stop":
            engine.stop(error)

    def _read_again(self, planned: PlannedReport, failed: Failed) -> None:
        planned.fail(failed)
        if self.query_log:
            self.query_log.failed(failed)

    def _left(self, left: Left) -> None:
        self.summary.left(left)
        if left.error.fate is Fate.STOP:
            self._stopped_by = self._stopped_by or left.error

    # State

    def _take_note(self, note: Note) -> None:
        self._learn(note)
        self._save_when_due()

    def _learn(self, note: Note) -> None:
        if self.query_log:
            self.query_log.note(note)
        if isinstance(note, FirstDay):
            self._prepared.known[note.report].state.not_before = note.day
            self.summary.first_days[note.report] = note.day
        elif isinstance(note, Doubted):
            self._doubt(note.query)
        else:
            self._checkpoints.submitted(note, is_news=self._submitted.note(note))

    def _doubt(self, query: Query) -> None:
        """Have the days of a result read again; it may be emitted already, or not yet."""
        text = "the result lacks a row, if its total is right as later ones are: it is read again"
        failed = Failed(query=query, error=ApiError("RESULT_INCOMPLETE", text))
        self._doubted[query] = failed.error
        self._read_again(self._prepared.planned[query.report], failed)
        self.summary.lost(failed)
        logger.error("%s: %s", query, failed.error)

    def _save_when_due(self) -> None:
        if self._checkpoints.is_due or not self.writes_state:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the bookmarks up to date, and write them unless somebody else does."""
        for name, known in self._prepared.known.items():
            if name in self._prepared.planned:
                known.state.batches = self._submitted.batches_of(name)
                has_queries = self._submitted.has_one_by_one(name)
                known.state.async_run = self._prepared.async_run if has_queries else None
            self._bookmarks[name] = known.state.to_json()
        self._checkpoints.written(self._bookmarks)
        if self.writes_state:
            self._write_state()

    # The end

    def finish(self) -> None:
        """Tell what was done.

        Raises:
            ApiError: the API refused everything.
            QueriesLostError: something was lost, and `on_failure` does not accept that.
        """
        if lost_starts := self._client.service.lost_starts:
            self.summary.notes.append(
                f"{lost_starts} starts of query batches got no answer; each may have "
                "run unseen and cost quota"
            )
        for line in self.summary.counts():
            logger.info("%s", line)
        for line in self.summary.failures():
            logger.error("%s", line)
        if self._stopped_by:
            raise self._stopped_by
        if self._prepared.journalled:
            self._prepared.journalled.ended()
        if self.summary.has_lost and self._settings.on_failure != "continue":
            raise QueriesLostError(
                f"{self.summary.lost_in_words}, {self.summary.arrived_in_words}; what was lost is "
                "named above, with what to do. Set `on_failure: continue` to accept this"
            )

    def halt(self) -> None:
        """Submit nothing more; the state can then say for good what the API holds."""
        if self._engine:
            for note in self._engine.halt():
                self._learn(note)

    def close(self) -> None:
        """Cancel what still runs."""
        if self._engine:
            self._engine.close()
        self._prepared.close()


def _may_be_had_later(outcome: Outcome) -> bool:
    """Say that the API may still hold results, which it refuses until a person has acted."""
    return isinstance(outcome, Failed) and outcome.error.fate is Fate.STOP
