"""A run: from settings and state to records, and to the state after them.

It joins planning, extraction, records and state, and knows no Singer: `streams.py` asks it for the
records of a report, and it says when the state is worth writing.
"""

from __future__ import annotations

import logging
from datetime import date, datetime, timezone
from sys import maxsize
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tap_supermetrics.api.errors import ApiError, Fate, first_day_given, is_too_early
from tap_supermetrics.dates import intersect
from tap_supermetrics.errors import QueriesLostError, TapError
from tap_supermetrics.extraction.channel import ExtractionOptions
from tap_supermetrics.extraction.extraction import Extraction, HeldResults, find_held
from tap_supermetrics.extraction.refusals import DOUBTFUL_AFTER
from tap_supermetrics.extraction.results import Lost
from tap_supermetrics.planning.plan import emission_order, recent_days
from tap_supermetrics.records.convert import RecordReader
from tap_supermetrics.records.schema import ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.sync.report_sync import courses_of
from tap_supermetrics.sync.state import AsyncRun
from tap_supermetrics.sync.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import TypeVar

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.results import Outcome, Result
    from tap_supermetrics.model import Query
    from tap_supermetrics.records.encode import LineFormat, Lines
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.report_sync import Course

    T = TypeVar("T")
    # What makes records, in whatever form, of the blocks of rows of one result.
    Converter = Callable[[RecordReader, Iterator[bytes]], Iterator[T]]

logger = logging.getLogger(__name__)

STATE_BYTES_PER_QUERY: Final = 2048
"""The state is written so seldom that it costs at most this much of stdout for each query."""
PARTITION_BYTES: Final = 160
"""About the size of one account in the state."""


def utc_now() -> datetime:
    """The wall clock, in UTC."""
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
        self._courses: dict[str, Course] = {}
        self._extraction: Extraction | None = None
        self._async_run: AsyncRun | None = None
        self._stopped_by: ApiError | None = None
        self._queries_since_state = 0
        self.summary = Summary()
        self.writes_state = True

    @property
    def has_started(self) -> bool:
        """Whether the plan is on its way."""
        return self._extraction is not None

    def start(
        self, selected: Sequence[str], full_table: Collection[str] = (), *, is_test: bool = False
    ) -> None:
        """Plan the selected reports and begin to ask.

        Args:
            selected: names of reports, in the order in which their records will be asked for.
            full_table: those of them that are to be read whole, whatever was read before.
            is_test: ask only the newest day of a few accounts.

        Raises:
            SettingsError: the state cannot be understood.
            ApiError: the API refuses everything.
        """
        by_name = {report.name: report for report in self._settings.reports}
        reports = [by_name[name] for name in selected]
        self._courses = courses_of(self._lookups, reports, self._bookmarks, self._started_at)
        held = HeldResults()
        if not is_test:
            batches = (batch for course in self._courses.values() for batch in course.state.batches)
            held = find_held(self._client, batches, utc_now())
        for name, course in self._courses.items():
            self._plan(course, held, ignores_coverage=name in full_table, is_test=is_test)
        queries = self._within_budget(set(held.queries))
        logger.info("Plan: %d queries of %d reports", len(queries), len(self._courses))
        self._extraction = Extraction(
            client=self._client,
            reports={name: course.report for name, course in self._courses.items()},
            scopes={n: course.scope for n, course in self._courses.items() if course.scope},
            queries=queries,
            held=held,
            options=self._options(is_test=is_test),
            now=utc_now,
            on_news=self.checkpoint,
        )
        self._extraction.start()

    def _within_budget(self, held: set[Query]) -> list[Query]:
        """The plan; of one with more queries than a run may ask, those that come first.

        What the API still holds costs nothing.
        """
        limit = self._settings.max_queries_per_run
        has_row_limit = self._settings.max_rows_per_run is not None
        queries = [
            query
            for course in self._courses.values()
            for query in (
                sorted(course.queries, key=self._rank) if has_row_limit else course.queries
            )
        ]
        if limit is None or len(set(queries) - held) <= limit:
            return queries
        costly = sorted((each for each in queries if each not in held), key=self._place)
        chosen = {*costly[:limit]} | held
        self.summary.notes.append(
            f"{len(costly) - limit:,} queries were not asked, as `max_queries_per_run` says; "
            "days that were never loaded come first, then reports that are read whole, then days "
            "to be read again"
        )
        return [query for query in queries if query in chosen]

    def _place(self, query: Query) -> tuple[int, bool, int]:
        course = self._courses[query.report]
        if course.scope is None:
            raise RuntimeError("a query has no scope")
        return self._rank(query), *emission_order(query, course.report, course.scope)

    def _rank(self, query: Query) -> int:
        """What comes first where not all can be asked: else the same days would come each time."""
        course = self._courses[query.report]
        if query.dates is None or course.scope is None or not course.scope.is_incremental:
            return 1
        coverage = course.state.coverage.get(query.account_id)
        return 2 if coverage and intersect(query.dates, coverage.covered) else 0

    def _options(self, *, is_test: bool) -> ExtractionOptions:
        """How to ask; a run that was killed goes on under its own id, so as to find its queries."""
        started = [course.state.async_run for course in self._courses.values()]
        youngest = max((each for each in started if each), key=_started_at, default=None)
        is_resumed = youngest is not None and not is_test
        if youngest is None or not is_resumed:
            youngest = AsyncRun(run_id=uuid4().hex, started_at=utc_now())
        self._async_run = youngest
        return ExtractionOptions(
            mode=self._settings.mode,
            max_running_batches=self._settings.max_running_batches,
            max_running_queries=self._settings.max_running_queries,
            run_id=youngest.run_id,
            is_resumed=is_resumed,
            max_rows=self._settings.max_rows_per_run or maxsize,
            max_queries=self._settings.max_queries_per_run or maxsize,
        )

    def _plan(
        self, course: Course, held: HeldResults, *, ignores_coverage: bool, is_test: bool
    ) -> None:
        """Plan a report; one that cannot be planned does not hold back the others."""
        name = course.report.name
        try:
            scope = course.resolve(self._lookups, self._started_at)
            if is_test:
                course.plan_test(scope)
            elif note := course.plan(scope, held, ignores_coverage=ignores_coverage):
                logger.warning("%s", note)
                self.summary.notes.append(note)
        except TapError as error:
            if isinstance(error, ApiError) and error.fate is Fate.STOP:
                raise
            held.leave(name)
            logger.error("%s: %s", name, error)  # noqa: TRY400 - its text says all
            self.summary.report_lost(name, str(error))

    # Emission

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """The records of a report, query by query in plan order.

        A day counts as done when the next record is asked for after its last one: the one who
        writes records asks again only after writing.
        """
        return self._emission(name, RecordReader.all_records)

    def lines(self, name: str, line_format: LineFormat) -> Iterator[Lines]:
        """The same records as RECORD messages, many at a time; the same holds for these."""
        return self._emission(name, line_format.lines)

    def _emission(self, name: str, convert: Converter[T]) -> Iterator[T]:
        if self._extraction is None:
            raise RuntimeError("start() comes first")
        course = self._courses[name]
        for outcome in self._extraction.outcomes(name):
            yield from self._emit(course, outcome, convert)
            if not _may_be_had_later(outcome):
                self._extraction.emitted(outcome.query)
            self._queries_since_state += 1
            self._save_when_due()
        self.summary.mismatches(name, course.mismatches)
        self.checkpoint()

    def _emit(self, course: Course, outcome: Outcome, convert: Converter[T]) -> Iterator[T]:
        if isinstance(outcome, Lost):
            self._lost(course, outcome)
            return
        try:
            for each in convert(self._reader(course, outcome), outcome.spool.blocks()):
                yield each
                self._save_news()
        except ApiError as error:
            self._lost(course, Lost(query=outcome.query, error=error))
            self._misfit(course, error)
            return
        finally:
            outcome.spool.close()
        course.state.mark_done(
            outcome.query.account_id,
            course.scope.complete(outcome.dates) if course.scope else None,
            outcome.fetched_at,
            course.report.lookback_days if course.report.refresh_after_hours else 0,
        )
        if outcome.dates:
            self._learn_given(course, outcome.dates.first)
        course.state.key_properties = course.schema.key_properties
        course.has_rows = course.has_rows or outcome.row_count > 0
        self.summary.done(outcome, outcome.row_count)

    def _reader(self, course: Course, result: Result) -> RecordReader:
        dates = result.query.dates
        day = str(dates.first) if dates and dates.days == 1 else None
        return RecordReader(
            course.schema,
            result.fields,
            {
                ACCOUNT_ID: result.query.account_id,
                DATE: day,
                FETCHED_AT: result.fetched_at.isoformat(timespec="milliseconds"),
                SCHEDULE_ID: result.schedule_id,
            },
            course.mismatches,
            dates,
        )

    def _lost(self, course: Course, lost: Lost) -> None:
        course.state.mark_lost(lost.query.account_id, lost.query.dates)
        is_failure = lost.was_asked and lost.error.code != "ACCOUNT_EXCLUDED"
        is_by_day = course.scope is not None and course.scope.is_incremental
        if is_too_early(lost.error) and lost.query.day and lost.was_asked and is_by_day:
            last = course.scope.last_wanted if course.scope else date.max
            self._learn_first_day(course, first_day_given(lost.error, lost.query.day, last))
        if self.summary.lost(lost):
            logger.error("%s is lost: %s", lost.query, lost.error)
        if lost.error.fate is Fate.STOP:
            self._stopped_by = self._stopped_by or lost.error
        if is_failure and self._settings.on_failure == "stop" and self._extraction:
            self._extraction.stop(lost.error)

    def _misfit(self, course: Course, error: ApiError) -> None:
        """A mistake in a report, by which no result fits, must not cost its whole history."""
        course.misfits += 1
        wanted = course.scope.wanted if course.scope and course.scope.is_incremental else None
        is_hopeless = course.misfits == DOUBTFUL_AFTER and not course.has_rows
        if is_hopeless and wanted and self._extraction:
            name, first_day = course.report.name, recent_days(course.report, wanted).first
            text = "%s: none of %d results fitted, so days before %s are not asked now"
            logger.warning(text, name, course.misfits, first_day)
            self._extraction.give_up_history(name, first_day, error)

    def _learn_first_day(self, course: Course, first_day: date) -> None:
        known = max(first_day, course.state.not_before or first_day)
        course.state.not_before = min(known, course.first_given or known)
        self.summary.first_days[course.report.name] = course.state.not_before

    def _learn_given(self, course: Course, first_day: date) -> None:
        """What the API gives is not too early, whatever a refusal was taken to say."""
        course.first_given = min(first_day, course.first_given or first_day)
        if course.state.not_before and course.first_given < course.state.not_before:
            self._learn_first_day(course, course.first_given)

    # State

    def _save_when_due(self) -> None:
        partitions = sum(len(course.state.coverage) for course in self._courses.values())
        paid = self._queries_since_state * STATE_BYTES_PER_QUERY
        if paid >= partitions * PARTITION_BYTES or not self.writes_state:
            self.checkpoint()

    def _save_news(self) -> None:
        """A query batch that starts within a large result is known before its next record."""
        if self._extraction and self._extraction.take_news():
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the bookmarks up to date, and write them unless somebody else does."""
        for name, course in self._courses.items():
            if self._extraction and course.is_planned:
                course.state.batches = self._extraction.held_for(name)
                has_async = self._extraction.has_async(name)
                course.state.async_run = self._async_run if has_async else None
            self._bookmarks[name] = course.state.to_json()
        self._queries_since_state = 0
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
        if self.summary.has_lost and self._settings.on_failure != "continue":
            raise QueriesLostError(
                f"{self.summary.lost_in_words}, {self.summary.arrived_in_words}; what was lost is "
                "named above, with what to do. Set `on_failure: continue` to accept this"
            )

    def halt(self) -> None:
        """Ask nothing more; the state can then say for good which query batches the API holds."""
        if self._extraction:
            self._extraction.halt()

    def close(self) -> None:
        """Cancel what still runs."""
        if self._extraction:
            self._extraction.close()


def _may_be_had_later(outcome: Outcome) -> bool:
    """Whether the API may still hold results, which it refuses until a person has acted."""
    return isinstance(outcome, Lost) and outcome.error.fate is Fate.STOP


def _started_at(run: AsyncRun) -> datetime:
    return run.started_at
