"""A run: from settings and state to records, and to the state after them.

It joins planning, extraction, records and state, and knows no Singer: `streams.py` asks it for the
records of a report, and it says when the state is worth writing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from sys import maxsize
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.errors import QueriesLostError, TapError
from tap_supermetrics.extraction.async_queries import AsyncQueries
from tap_supermetrics.extraction.batches import Batches
from tap_supermetrics.extraction.downloads import Downloader
from tap_supermetrics.extraction.engine import Engine, Ways
from tap_supermetrics.extraction.held import HeldResults, find_held
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.results import Doubted, Failed, FirstDay, Left, Result
from tap_supermetrics.extraction.scheduler import Scheduler
from tap_supermetrics.planning.budget import within_budget
from tap_supermetrics.records.convert import RecordReader
from tap_supermetrics.settings import Mode
from tap_supermetrics.sync.checkpoints import Checkpoints
from tap_supermetrics.sync.journalled import Journalled
from tap_supermetrics.sync.report_sync import known_reports
from tap_supermetrics.sync.state import AsyncRun
from tap_supermetrics.sync.submitted import Submitted
from tap_supermetrics.sync.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.results import Note, Outcome
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.records.encode import LineFormat, Lines
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.report_sync import Converter, KnownReport, PlannedReport, T

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the wall clock, in UTC."""
    return datetime.now(tz=timezone.utc)


class Run:
    """Everything between the settings and the records of one invocation.

    Args:
        settings: the configuration.
        client: the API.
        lookups: what it lists.
        bookmarks: Singer's bookmarks, by stream; kept up to date.
        write_state: writes a STATE message with these bookmarks.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        lookups: Lookups,
        bookmarks: dict[str, Any],
        write_state: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._client = client
        self._bookmarks = bookmarks
        self._write_state = write_state
        self._started_at = utc_now()
        self._lookups = lookups
        self._known: dict[str, KnownReport] = {}
        self._planned: dict[str, PlannedReport] = {}
        self._submitted = Submitted()
        self._engine: Engine | None = None
        self._async_run: AsyncRun | None = None
        self._journalled: Journalled | None = None
        self._stopped_by: ApiError | None = None
        self._doubted: dict[Query, ApiError] = {}
        self._checkpoints = Checkpoints()
        self._to_emit: set[str] = set()
        self._held = HeldResults()
        self.summary = Summary()
        self.writes_state = True

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
        """Plan the selected reports and begin to submit; for arguments and errors see `prepare`."""
        plans = self.prepare(selected, full_table, refused, is_test=is_test)
        self._engine = self._engine_for(plans, self._held, is_test=is_test)
        self._engine.start()

    def prepare(
        self,
        selected: Sequence[str],
        full_table: Collection[str] = (),
        refused: Collection[str] = (),
        *,
        is_test: bool = False,
    ) -> dict[str, ReportPlan]:
        """Plan the selected reports; return the plans by report, in order.

        Args:
            selected: names of reports, in the order in which their records will be asked for.
            full_table: those of them that are to be read whole, whatever was read before.
            refused: names of reports that cannot be read, because the API does not serve their
                data source; the others go on.
            is_test: ask only the newest day of a few accounts.

        Raises:
            SettingsError: the state cannot be understood.
            ApiError: the API refuses everything.
        """
        by_name = {report.name: report for report in self._settings.reports}
        reports = [by_name[name] for name in selected]
        self._known = known_reports(self._lookups, reports, self._bookmarks, self._started_at)
        held = HeldResults()
        if not is_test:
            self._journalled = Journalled(self._settings, self._known.values(), self._started_at)
            batches = (batch for known in self._known.values() for batch in known.state.batches)
            held = find_held(self._client, batches, utc_now())
        for name, known in self._known.items():
            self._plan(known, held, ignores_coverage=name in full_table, is_test=is_test)
        for report in self._settings.reports:
            if report.name in refused:
                self.summary.report_lost(report.name, str(self._lookups.refusal_of(report)))
        self._to_emit, self._held = {*self._known}, held
        plans = self._plans_within_budget({*held.queries})
        count = sum(map(len, plans.values()))
        logger.info("Plan: %d queries of %d reports", count, len(self._known))
        return plans

    @property
    def held_queries(self) -> set[Query]:
        """Queries that the API still holds the results of, from a run before."""
        return {*self._held.queries}

    def _plan(
        self, known: KnownReport, held: HeldResults, *, ignores_coverage: bool, is_test: bool
    ) -> None:
        """Plan a report; one that cannot be planned does not hold back the others."""
        name = known.report.name
        try:
            scope = known.scope(self._lookups, self._started_at)
            if is_test:
                self._planned[name] = known.test_plan(scope)
                return
            planned = known.plan(scope, held, ignores_coverage=ignores_coverage)
        except TapError as error:
            if isinstance(error, ApiError) and error.fate is Fate.STOP:
                raise
            held.leave(name)
            logger.error("%s: %s", name, error)  # noqa: TRY400 - its text says all
            self.summary.report_lost(name, str(error))
            return
        self._planned[name] = planned
        planned.begin()
        for warning in planned.warnings:
            logger.warning("%s", warning)
            self.summary.notes.append(warning)

    def _plans_within_budget(self, held: set[Query]) -> dict[str, ReportPlan]:
        """Return the plans; of those with more queries than a run may pay for, what comes first.

        What the API still holds costs nothing.
        """
        limit = self._settings.max_queries_per_run
        by_rank = self._settings.max_rows_per_run is not None
        plans = [replace(each.plan, is_by_rank=by_rank) for each in self._planned.values()]
        free = {query for plan in plans for query in plan.singled_out() if query in held}
        costly = sum(map(len, plans)) - len(free)
        if limit is not None and costly > limit:
            plans = [*within_budget(plans, limit, free)]
            self.summary.notes.append(
                f"{costly - limit:,} queries were not asked, as `max_queries_per_run` says; "
                "days that were never loaded come first, then reports that are read whole, then "
                "days to be read again"
            )
        return {plan.report.name: plan for plan in plans}

    def _engine_for(
        self, plans: dict[str, ReportPlan], held: HeldResults, *, is_test: bool
    ) -> Engine:
        settings, client = self._settings, self._client
        limits = Limits(
            by_batch=settings.mode is not Mode.ASYNC,
            one_by_one=settings.mode is not Mode.BATCH,
            max_running_batches=settings.max_running_batches,
            max_running_queries=settings.max_running_queries,
            max_rows=settings.max_rows_per_run or maxsize,
            max_queries=settings.max_queries_per_run or maxsize,
        )
        planned = {query for plan in plans.values() for query in plan.singled_out()}
        adopted = held.adopt(planned)
        reports = {name: plan.report for name, plan in plans.items()}
        run, is_resumed = self._run_of_queries(is_test=is_test)
        journalled = self._journalled
        note_batch = journalled.batch_taken if journalled else None
        note_query = partial(journalled.queries_begin, run=run) if journalled else None
        ways = Ways(
            client=client,
            batches=Batches(client, reports, utc_now, held.running, note_batch),
            queries=AsyncQueries(client, plans, run.run_id, is_resumed=is_resumed, note=note_query),
            downloader=Downloader(client=client, now=utc_now),
        )
        return Engine(Scheduler(plans, limits, adopted), ways, reports, held.unneeded)

    def _run_of_queries(self, *, is_test: bool) -> tuple[AsyncRun, bool]:
        """Return the id under which queries are asked one by one, and whether it is an old one.

        A run that was killed goes on under its own id, so as to find its queries.
        """
        started = [known.state.async_run for known in self._known.values()]
        youngest = max((each for each in started if each), key=_started_at, default=None)
        is_resumed = youngest is not None and not is_test
        if youngest is None or not is_resumed:
            youngest = AsyncRun(run_id=uuid4().hex, started_at=utc_now())
        self._async_run = youngest
        return youngest, is_resumed

    # Emission

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """Make the records of a report, query by query in plan order.

        A day counts as done when the next record is asked for after its last one: the one who
        writes records asks again only after writing.
        """
        return self._emission(name, RecordReader.all_records)

    def lines(self, name: str, line_format: LineFormat) -> Iterator[Lines]:
        """Make the same records as RECORD messages, many at a time; the same holds for these."""
        return self._emission(name, line_format.lines)

    def _emission(self, name: str, convert: Converter[T]) -> Iterator[T]:
        if self._engine is None:
            raise RuntimeError("start() comes first")
        planned = self._planned.get(name)
        if planned is not None:
            for delivery in self._engine.deliveries(name):
                if isinstance(delivery, (Result, Failed, Left)):
                    yield from self._emit(self._engine, planned, delivery, convert)
                else:
                    self._take_note(delivery)
            self.summary.notes += planned.notes()
        self._to_emit.discard(name)
        if self._checkpoints.is_affordable or not self._to_emit:
            self.checkpoint()

    def _emit(
        self, engine: Engine, planned: PlannedReport, outcome: Outcome, convert: Converter[T]
    ) -> Iterator[T]:
        if isinstance(outcome, Left):
            self._left(outcome)
            return
        failed = outcome
        if isinstance(outcome, Result):
            failed = yield from self._write(engine, planned, outcome, convert)
        if isinstance(failed, Failed):
            self._failed(engine, planned, failed)
        engine.emitted(outcome, failed)
        if not _may_be_had_later(failed):
            self._submitted.emitted(outcome.query)
        self._checkpoints.progressed()
        self._save_when_due()

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
            return Failed(query=result.query, error=error)
        finally:
            result.spool.close()
        planned.commit(result)
        if result.query in self._doubted:
            planned.fail(Failed(query=result.query, error=self._doubted[result.query]))
        self.summary.done(result, result.row_count)
        return result

    def _failed(self, engine: Engine, planned: PlannedReport, failed: Failed) -> None:
        planned.fail(failed)
        error = failed.error
        if self.summary.lost(failed):
            logger.error("%s is lost: %s", failed.query, error)
        if error.fate is Fate.STOP:
            self._stopped_by = self._stopped_by or error
        is_failure = failed.was_submitted and not failed.is_excluded
        if is_failure and self._settings.on_failure == "stop":
            engine.stop(error)

    def _left(self, left: Left) -> None:
        self.summary.left(left)
        if left.error.fate is Fate.STOP:
            self._stopped_by = self._stopped_by or left.error

    # State

    def _take_note(self, note: Note) -> None:
        self._learn(note)
        self._save_when_due()

    def _learn(self, note: Note) -> None:
        if isinstance(note, FirstDay):
            self._known[note.report].state.not_before = note.day
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
        self._planned[query.report].fail(failed)
        self.summary.lost(failed)
        logger.error("%s: %s", query, failed.error)

    def _save_when_due(self) -> None:
        if self._checkpoints.is_due or not self.writes_state:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the bookmarks up to date, and write them unless somebody else does."""
        for name, known in self._known.items():
            if name in self._planned:
                known.state.batches = self._submitted.batches_of(name)
                has_queries = self._submitted.has_one_by_one(name)
                known.state.async_run = self._async_run if has_queries else None
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
        if self._journalled:
            self._journalled.ended()
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
        if self._journalled:
            self._journalled.close()


def _may_be_had_later(outcome: Outcome) -> bool:
    """Say that the API may still hold results, which it refuses until a person has acted."""
    return isinstance(outcome, Failed) and outcome.error.fate is Fate.STOP


def _started_at(run: AsyncRun) -> datetime:
    return run.started_at
