"""A run before its first submission: what is known, what the API still holds, and the plans."""

from __future__ import annotations

import logging
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.held import HeldResults, find_held
from tap_supermetrics.planning.budget import within_budget
from tap_supermetrics.settings import Mode
from tap_supermetrics.sync.discovery import known_reports, refusal_of
from tap_supermetrics.sync.field_lists import check_reason
from tap_supermetrics.sync.run_journal import MAX_AGE, RunJournal, journal_of
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.model import AsyncRun, Query
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
        settings: the configuration.
        client: the API.
        now: the wall clock, with offset.
        held: what the API still holds of an earlier run.
        held_queries: the planned queries whose results are among that; none is ever left out.
        known: the reports, with what the API and the state say of them.
        planned: those that could be planned.
        plans: what is queried of each.
        async_run: the run under which queries are submitted by themselves; None before its engine.
        journal: what is noted on the disk; None before `plan`, for a test, or without
            `journal_dir`.
    """

    def __init__(
        self,
        settings: Settings,
        lookups: Lookups,
        bookmarks: Mapping[str, Any],
        summary: Summary,
        now: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.client = lookups.client
        self._lookups = lookups
        self._bookmarks = bookmarks
        self._summary = summary
        self.now = now
        self._started_at = now()
        self.held = HeldResults()
        self.held_queries: set[Query] = set()
        self.known: dict[str, KnownReport] = {}
        self.planned: dict[str, PlannedReport] = {}
        self.plans: dict[str, ReportPlan] = {}
        self.async_run: AsyncRun | None = None
        self.journal: RunJournal | None = None

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
            refused: names of reports that cannot be read, as the API describes their fields; the
                others go on.
            is_test: ask only the newest day of a few accounts.

        Raises:
            SettingsError: the state cannot be understood.
            ApiError: the API refuses everything.
        """
        by_name = {report.name: report for report in self.settings.reports}
        reports = [by_name[name] for name in selected]
        self.known = known_reports(self._lookups, reports, self._bookmarks, self._started_at)
        held = self.held
        if not is_test:
            # Before the batches are looked up: it adds to the states what killed runs submitted.
            self.journal = journal_of(
                self.settings,
                self.known.values(),
                self._started_at,
                may_submit=self._lookups.may_submit,
            )
            if self.journal:
                self.journal.take_over(self.client, self._started_at, full_table)
            batches = (batch for known in self.known.values() for batch in known.state.batches)
            held = self.held = find_held(self.client, batches, self.now())
            held.leave_to_others(self.settings.shard)
        for name, known in self.known.items():
            self._plan(known, held, ignores_coverage=name in full_table, is_test=is_test)
        for report in self.settings.reports:
            if report.name in refused or report.name in {*selected} - self.known.keys():
                self._summary.report_lost(report.name, str(refusal_of(self._lookups, report)))
        self.held_queries = self._held_queries()
        self.plans = self._plans_within_budget(self.held_queries)
        self.async_run = None if is_test else _killed_run(self.known.values())
        if self.settings.mode is not Mode.ASYNC:
            _tell_of_queries(self.async_run, self._started_at)
        count = counted(sum(map(len, self.plans.values())), "query", "queries")
        logger.info("Plan: %s of %s", count, counted(len(self.known), "report", "reports"))

    def _held_queries(self) -> set[Query]:
        held = {*self.held.queries}
        plans = (each.plan for each in self.planned.values())
        return {query for plan in plans for query in plan.singled_out() if query in held}

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
            if isinstance(error, ApiError):
                check_reason(error)
            # Its batches are not cancelled: the next run may plan it, and collect them.
            held.leave(name)
            logger.error("%s: %s", name, error)  # noqa: TRY400 - its text says all
            self._summary.report_lost(name, str(error))
            return
        self.planned[name] = planned
        planned.begin()  # Before any record: a killed run must know that these days are half read.
        for warning in planned.warnings:
            logger.warning("%s", warning)
            self._summary.notes.append(warning)

    def _plans_within_budget(self, free: set[Query]) -> dict[str, ReportPlan]:
        """Return the plans; of those with more queries than a run may pay for, what comes first.

        What the API still holds costs nothing.
        """
        limit = self.settings.max_queries_per_run
        # Such a run may end after any query: what was never loaded has to come first.
        by_rank = self.settings.max_rows_per_run is not None
        plans = [replace(each.plan, is_by_rank=by_rank) for each in self.planned.values()]
        costly = sum(map(len, plans)) - len(free)
        if limit is not None and costly > limit:
            plans = [*within_budget(plans, limit, free)]
            self._summary.notes.append(
                f"{counted(costly - limit, 'query was', 'queries were')} not asked, as "
                "`max_queries_per_run` says; "
                "days that were never loaded come first, then reports that are read whole, then "
                "days to be read again, then accounts that gave nothing last"
            )
            self._summary.notes += [
                f"{plan.report.name}: a catalog wants all of it reloaded (FULL_TABLE), for which "
                "`max_queries_per_run` does not suffice: of what is there, the newest days come "
                "first"
                for plan in plans
                if any(account.is_read_anyway for account in plan.accounts)
            ]
        return {plan.report.name: plan for plan in plans}

    def close(self) -> None:
        """Leave the journal to the next run."""
        if self.journal:
            self.journal.close()


def _killed_run(known: Iterable[KnownReport]) -> AsyncRun | None:
    """Return the run that was killed while it asked query by query; None where none was.

    The next one goes on under its id, so as to find its queries.
    """
    started = (each.state.async_run for each in known)
    return max(filter(None, started), key=attrgetter("submitted_at"), default=None)


def _tell_of_queries(killed: AsyncRun | None, now: datetime) -> None:
    """Tell of queries of a killed run that only their own way finds again."""
    if killed and now - killed.submitted_at < MAX_AGE:
        logger.warning(
            "A run that was killed asked query by query; by query batches, what it paid for is "
            "asked again. Set `mode: async` for this run to collect it"
        )
