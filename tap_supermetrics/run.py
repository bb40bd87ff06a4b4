"""A run: from settings and state to records, and to the state after them.

It joins planning, extraction, records and state, and knows no Singer: `streams.py` asks it for the
records of a report, and it says when the state is worth writing.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.errors import QueriesLostError, SettingsError, TapError
from tap_supermetrics.extraction.extraction import Extraction, HeldResults, find_held
from tap_supermetrics.extraction.outcomes import Lost
from tap_supermetrics.extraction.runner import Ways
from tap_supermetrics.planning.plan import plan_report, plan_test, scope_of
from tap_supermetrics.records import (
    ACCOUNT_ID,
    DATE,
    FETCHED_AT,
    SCHEDULE_ID,
    Mismatches,
    RecordReader,
    is_dated,
    shape_of,
)
from tap_supermetrics.settings.kinds import compile_filter
from tap_supermetrics.state import AsyncRun, ReportState, report_state
from tap_supermetrics.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.wire import AccountInfo, FieldInfo
    from tap_supermetrics.extraction.outcomes import Outcome, Result
    from tap_supermetrics.planning.plan import Query, Scope
    from tap_supermetrics.records import RecordShape
    from tap_supermetrics.settings import Report, Settings

logger = logging.getLogger(__name__)

STATE_BYTES_PER_QUERY: Final = 2048
"""The state is written so seldom that it costs at most this much of stdout for each query."""
PARTITION_BYTES: Final = 160
"""About the size of one account in the state."""
DISCOVERY_THREADS: Final = 4


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(tz=timezone.utc)


def discover(client: Client, reports: Sequence[Report]) -> dict[str, RecordShape]:
    """The shape of every report, by name; each data source is asked once, side by side.

    Raises:
        ApiError: the fields of a data source cannot be had.
    """
    return {report.name: shape for report, shape, _ in _discover(client, reports)}


def _discover(
    client: Client, reports: Sequence[Report]
) -> Iterator[tuple[Report, RecordShape, bool]]:
    sources = tuple(dict.fromkeys(report.ds_id for report in reports))
    with ThreadPoolExecutor(DISCOVERY_THREADS) as pool:
        listings = dict(zip(sources, pool.map(client.fields, sources), strict=True))
    for report in reports:
        listed = listings[report.ds_id]
        shape = shape_of(report, listed)
        _check_shape(report, shape, listed)
        yield report, shape, is_dated(listed)


def _check_shape(report: Report, shape: RecordShape, listed: Sequence[FieldInfo]) -> None:
    unlisted = [
        each.name for each in shape.fields if not each.is_listed and each.name not in report.types
    ]
    if unlisted:
        logger.warning(
            "%s: %s does not list %s; loaded as text, unless `types` says otherwise",
            report.path,
            report.ds_id,
            ", ".join(unlisted),
        )
    needs_start = is_dated(listed) and not report.date_range_type
    if needs_start and report.start_date is None:
        raise SettingsError([f"{report.path}.start_date: required, {report.ds_id} has dates"])


@dataclass(slots=True, kw_only=True)
class Course:
    """One report on its way through a run."""

    report: Report
    shape: RecordShape
    is_dated: bool
    state: ReportState
    scope: Scope | None = None
    queries: tuple[Query, ...] = ()
    mismatches: Mismatches = field(default_factory=Mismatches)


class Run:
    """Everything between the settings and the records of one invocation.

    Args:
        settings: the configuration.
        client: the API.
        bookmarks: Singer's bookmarks, by stream; kept up to date.
        write_state: writes a STATE message with these bookmarks.
        now: the wall clock, with offset.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        bookmarks: dict[str, Any],
        write_state: Callable[[], None],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._client = client
        self._bookmarks = bookmarks
        self._write_state = write_state
        self._now = now
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
        self._courses = self._prepare(selected)
        held = HeldResults()
        if not is_test:
            batches = (batch for course in self._courses.values() for batch in course.state.batches)
            held = find_held(self._client, batches, self._now())
        for name, course in self._courses.items():
            self._plan_or_lose(course, held, ignore_coverage=name in full_table, is_test=is_test)
        queries = [query for course in self._courses.values() for query in course.queries]
        logger.info("Plan: %d queries of %d reports", len(queries), len(self._courses))
        self._extraction = Extraction(
            client=self._client,
            reports={name: course.report for name, course in self._courses.items()},
            scopes={n: course.scope for n, course in self._courses.items() if course.scope},
            queries=queries,
            held=held,
            ways=self._ways(is_test=is_test),
            now=self._now,
            on_news=self.checkpoint,
        )

    def _ways(self, *, is_test: bool) -> Ways:
        """How to ask; a run that was killed goes on under its own id, so as to find its queries."""
        started = [course.state.async_run for course in self._courses.values()]
        youngest = max((each for each in started if each), key=_started_at, default=None)
        oldest = self._now() - timedelta(seconds=wire.MAX_QUERY_S + wire.RETENTION_S)
        is_resumed = youngest is not None and youngest.started_at > oldest and not is_test
        if youngest is None or not is_resumed:
            youngest = AsyncRun(run_id=uuid4().hex, started_at=self._now())
        self._async_run = youngest
        return Ways(
            mode=self._settings.mode,
            max_running_batches=self._settings.max_running_batches,
            max_running_queries=self._settings.max_running_queries,
            run_id=youngest.run_id,
            is_resumed=is_resumed,
        )

    def _prepare(self, selected: Sequence[str]) -> dict[str, Course]:
        mistakes: list[str] = []
        by_name = {report.name: report for report in self._settings.reports}
        discovered = _discover(self._client, [by_name[name] for name in selected])
        courses = {
            report.name: Course(
                report=report,
                shape=shape,
                is_dated=dated,
                state=report_state(
                    self._bookmarks.get(report.name),
                    report.name,
                    shape.replication_key,
                    report.start_date.on(self._today(report)) if report.start_date else None,
                    mistakes,
                ),
            )
            for report, shape, dated in discovered
        }
        if mistakes:
            raise SettingsError(mistakes)
        return courses

    def _today(self, report: Report) -> date:
        return self._now().astimezone(report.timezone).date()

    def _plan_or_lose(
        self, course: Course, held: HeldResults, *, ignore_coverage: bool, is_test: bool
    ) -> None:
        """One report that cannot be planned does not hold back the others."""
        try:
            self._plan(course, held, ignore_coverage=ignore_coverage, is_test=is_test)
        except TapError as error:
            if isinstance(error, ApiError) and error.fate is Fate.STOP:
                raise
            logger.error("%s: %s", course.report.name, error)  # noqa: TRY400 - its text says all
            self.summary.report_lost(course.report.name, str(error))

    def _plan(
        self, course: Course, held: HeldResults, *, ignore_coverage: bool, is_test: bool
    ) -> None:
        report, state = course.report, course.state
        accounts = self._accounts(report)
        course.scope = scope = scope_of(
            report,
            accounts,
            self._today(report),
            is_incremental=bool(course.shape.replication_key),
            is_dated=course.is_dated,
        )
        if is_test:
            course.queries = plan_test(report, scope)
            return
        usable = held.queries
        if state.query_hash not in {"", report.query_hash}:
            self._note_changed_query(report, state)
            usable = ()
        state.query_hash = report.query_hash
        state.batches = ()
        state.begin([",".join(sorted(group)) for group in scope.groups])
        coverage = {} if ignore_coverage else state.coverage
        mine = [query for query in usable if query.report == report.name]
        course.queries = plan_report(report, scope, coverage, mine)

    def _note_changed_query(self, report: Report, state: ReportState) -> None:
        days = [each.bookmark for each in state.coverage.values() if each.bookmark]
        note = (
            f"{report.name}: what it asks for has changed since the last run; days up to "
            f"{max(days, default='now')} were loaded as it was. To load them again, remove "
            f"bookmarks.{report.name} from the state, or give the report another name"
        )
        logger.warning("%s", note)
        self.summary.notes.append(note)

    def _accounts(self, report: Report) -> tuple[str, ...]:
        """The accounts of a report; lists that only the API knows stay as they are written."""
        chosen = report.accounts
        if chosen.list_name not in {None, "all_accounts"}:
            return (f"list.{chosen.list_name}",)
        if chosen.ids or not (chosen.list_name or chosen.filter_id or chosen.filter_name):
            return chosen.ids
        users = report.parameters.get("ds_users") or report.parameters.get("ds_user")
        listed = self._client.accounts(report.ds_id, users)
        found = tuple(each.account_id for each in listed if _is_chosen(report, each))
        if not found:
            raise SettingsError(
                [f"{report.path}.ds_accounts: matches none of {len(listed)} accounts"]
            )
        return found

    # Emission

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """The records of a report, query by query in plan order.

        A day counts as done when the next record is asked for after its last one: the one who
        writes records asks again only after writing.
        """
        if self._extraction is None:
            raise RuntimeError("start() comes first")
        course = self._courses[name]
        for outcome in self._extraction.outcomes(name):
            yield from self._emit(course, outcome)
            self._extraction.emitted(outcome.query)
            self._queries_since_state += 1
            self._save_when_due()
        self.summary.mismatches(name, course.mismatches)
        self.checkpoint()

    def _emit(self, course: Course, outcome: Outcome) -> Iterator[dict[str, Any]]:
        if isinstance(outcome, Lost):
            self._lost(course, outcome)
            return
        count = 0
        try:
            for rows in outcome.rows():
                for record in self._reader(course, outcome).records(rows):
                    count += 1
                    yield record
        except ApiError as error:
            self._lost(course, Lost(query=outcome.query, error=error))
            return
        finally:
            outcome.spool.close()
        course.state.mark_done(outcome.query.account_id, outcome.dates)
        self.summary.done(outcome, count)

    def _reader(self, course: Course, result: Result) -> RecordReader:
        dates = result.query.dates
        day = str(dates.first) if dates and dates.days == 1 else None
        return RecordReader(
            course.shape,
            result.fields,
            {
                ACCOUNT_ID: result.query.account_id,
                DATE: day,
                FETCHED_AT: result.fetched_at.isoformat(timespec="milliseconds"),
                SCHEDULE_ID: result.schedule_id,
            },
            course.mismatches if course.report.on_type_mismatch == "null" else None,
        )

    def _lost(self, course: Course, lost: Lost) -> None:
        course.state.mark_lost(lost.query.account_id, lost.query.dates)
        if self.summary.lost(lost):
            logger.error("%s is lost: %s", lost.query, lost.error)
        if lost.error.fate is Fate.STOP:
            self._stopped_by = self._stopped_by or lost.error
        if lost.was_asked and self._settings.on_failure == "stop" and self._extraction:
            self._extraction.stop(lost.error)

    # State

    def _save_when_due(self) -> None:
        partitions = sum(len(course.state.coverage) for course in self._courses.values())
        paid = self._queries_since_state * STATE_BYTES_PER_QUERY
        if paid >= partitions * PARTITION_BYTES or not self.writes_state:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the bookmarks up to date, and write them unless somebody else does."""
        for name, course in self._courses.items():
            if self._extraction:
                course.state.batches = self._extraction.held_for(name)
                has_alone = self._extraction.has_alone(name)
                course.state.async_run = self._async_run if has_alone else None
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
        if self._client.lost_starts:
            self.summary.notes.append(
                f"{self._client.lost_starts} starts of query batches got no answer; each may have "
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
                f"{self.summary.lost_queries} queries were lost, all else arrived; they are "
                "named above with what to do. Set `on_failure: continue` to accept this"
            )

    def close(self) -> None:
        """Cancel what still runs."""
        if self._extraction:
            self._extraction.close()


def _started_at(run: AsyncRun) -> datetime:
    return run.started_at


def _is_chosen(report: Report, account: AccountInfo) -> bool:
    chosen = report.accounts
    if chosen.filter_id:
        return bool(compile_filter(chosen.filter_id).search(account.account_id))
    if chosen.filter_name:
        return bool(compile_filter(chosen.filter_name).search(account.account_name))
    return True
