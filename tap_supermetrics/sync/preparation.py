"""A run before its first submission: what is known, what the API still holds, and the plans."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from sys import maxsize
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tap_supermetrics.api.errors import ApiError, Fate
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.async_queries import AsyncQueries
from tap_supermetrics.extraction.batches import Batches
from tap_supermetrics.extraction.downloads import Downloader
from tap_supermetrics.extraction.engine import Engine, Ways
from tap_supermetrics.extraction.held import HeldResults, find_held
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.scheduler import Scheduler
from tap_supermetrics.planning.budget import within_budget
from tap_supermetrics.settings import Mode
from tap_supermetrics.sync.journalled import Journalled
from tap_supermetrics.sync.report_sync import known_reports
from tap_supermetrics.sync.state import AsyncRun
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.report_sync import KnownReport, PlannedReport
    from tap_supermetrics.sync.summary import Summary

logger = logging.getLogger(__name__)


class Preparation:
    """Plans a run; submits nothing.

    Args:
        settings: the configuration.
        lookups: what the API lists, and the API itself.
        bookmarks: Singer's bookmarks, by stream.
        summary: is told of reports that cannot be planned.
        now: the wall clock, with offset.

    Attributes:
        known: the reports, with what the API and the state say of them.
        planned: those that could be planned.
        plans: what is queried of each.
        async_run: the run under which queries are submitted by themselves; None before `engine`.
        journalled: what is noted on the disk; None before `plan`, and for a test.
    """

    def __init__(
        self,
        settings: Settings,
        lookups: Lookups,
        bookmarks: Mapping[str, Any],
        summary: Summary,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._client = lookups.client
        self._lookups = lookups
        self._bookmarks = bookmarks
        self._summary = summary
        self._now = now
        self._started_at = now()
        self._held = HeldResults()
        self.known: dict[str, KnownReport] = {}
        self.planned: dict[str, PlannedReport] = {}
        self.plans: dict[str, ReportPlan] = {}
        self.async_run: AsyncRun | None = None
        self.journalled: Journalled | None = None

    def plan(
        self,
        selected: Sequence[str],
        full_table: Collection[str] = (),
        refused: Collection[str] = (),
        *,
        is_test: bool = False,
    ) -> None:
        """Plan the selected reports.

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
        self.known = known_reports(self._lookups, reports, self._bookmarks, self._started_at)
        held = self._held
        if not is_test:
            self.journalled = Journalled(
                self._settings,
                self.known.values(),
                self._started_at,
                may_submit=self._lookups.may_submit,
            )
            batches = (batch for known in self.known.values() for batch in known.state.batches)
            held = self._held = find_held(self._client, batches, self._now())
            held.leave_to_others(self._settings.shard)
        for name, known in self.known.items():
            self._plan(known, held, ignores_coverage=name in full_table, is_test=is_test)
        for report in self._settings.reports:
            if report.name in refused:
                self._summary.report_lost(report.name, str(self._lookups.refusal_of(report)))
        self.plans = self._plans_within_budget({*held.queries})
        count = counted(sum(map(len, self.plans.values())), "query", "queries")
        logger.info("Plan: %s of %s", count, counted(len(self.known), "report", "reports"))

    @property
    def held_queries(self) -> set[Query]:
        """The planned queries whose results the API still holds, from a run before."""
        planned = {query for plan in self.plans.values() for query in plan.singled_out()}
        return planned & {*self._held.queries}

    def _plan(
        self, known: KnownReport, held: HeldResults, *, ignores_coverage: bool, is_test: bool
    ) -> None:
        """Plan a report; one that cannot be planned does not hold back the others."""
        name = known.report.name
        try:
            scope = known.scope(self._lookups, self._started_at)
            if is_test:
                self.planned[name] = known.test_plan(scope)
                return
            planned = known.plan(scope, held, ignores_coverage=ignores_coverage)
        except TapError as error:
            if isinstance(error, ApiError) and error.fate is Fate.STOP:
                raise
            held.leave(name)
            logger.error("%s: %s", name, error)  # noqa: TRY400 - its text says all
            self._summary.report_lost(name, str(error))
            return
        self.planned[name] = planned
        planned.begin()
        for warning in planned.warnings:
            logger.warning("%s", warning)
            self._summary.notes.append(warning)

    def _plans_within_budget(self, held: set[Query]) -> dict[str, ReportPlan]:
        """Return the plans; of those with more queries than a run may pay for, what comes first.

        What the API still holds costs nothing.
        """
        limit = self._settings.max_queries_per_run
        by_rank = self._settings.max_rows_per_run is not None
        plans = [replace(each.plan, is_by_rank=by_rank) for each in self.planned.values()]
        free = {query for plan in plans for query in plan.singled_out() if query in held}
        costly = sum(map(len, plans)) - len(free)
        if limit is not None and costly > limit:
            plans = [*within_budget(plans, limit, free)]
            self._summary.notes.append(
                f"{counted(costly - limit, 'query was', 'queries were')} not asked, as "
                "`max_queries_per_run` says; "
                "days that were never loaded come first, then reports that are read whole, then "
                "days to be read again"
            )
        return {plan.report.name: plan for plan in plans}

    def engine(self, *, is_test: bool) -> Engine:
        """Return what carries out the plans; it has not begun."""
        plans, held = self.plans, self._held
        settings, client = self._settings, self._client
        limits = Limits(
            by_batch=settings.mode is not Mode.ASYNC,
            one_by_one=settings.mode is not Mode.BATCH,
            max_running_batches=settings.max_running_batches,
            max_running_queries=settings.max_running_queries,
            max_rows=settings.max_rows_per_run or maxsize,
            max_queries=settings.max_queries_per_run or maxsize,
            requests_per_second=settings.requests_per_second,
        )
        planned = {query for plan in plans.values() for query in plan.singled_out()}
        adopted = held.adopt(planned)
        reports = {name: plan.report for name, plan in plans.items()}
        run, is_resumed = self._run_of_queries(is_test=is_test)
        journalled = self.journalled
        note_batch = journalled.batch_taken if journalled else None
        note_query = partial(journalled.queries_begin, run=run) if journalled else None
        ways = Ways(
            client=client,
            batches=Batches(client, reports, self._now, held.running, note_batch),
            queries=AsyncQueries(
                client, plans, self._now, run.run_id, is_resumed=is_resumed, note=note_query
            ),
            downloader=Downloader(client=client, now=self._now),
        )
        return Engine(Scheduler(plans, limits, adopted), ways, reports, held.unneeded)

    def _run_of_queries(self, *, is_test: bool) -> tuple[AsyncRun, bool]:
        """Return the id under which queries are asked one by one, and whether it is an old one.

        A run that was killed goes on under its own id, so as to find its queries.
        """
        started = [known.state.async_run for known in self.known.values()]
        youngest = max((each for each in started if each), key=_started_at, default=None)
        is_resumed = youngest is not None and not is_test
        if youngest is None or not is_resumed:
            youngest = AsyncRun(run_id=uuid4().hex, started_at=self._now())
        self.async_run = youngest
        return youngest, is_resumed

    def close(self) -> None:
        """Leave the journal to the next run."""
        if self.journalled:
            self.journalled.close()


def _started_at(run: AsyncRun) -> datetime:
    return run.started_at
